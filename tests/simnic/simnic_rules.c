// SPDX-License-Identifier: GPL-2.0
/*
 * The flow table of the simulated NIC as its driver: bindings to flowtables, the callback through
 * which rules come, and the table of the rules.
 */

#include <linux/delay.h>
#include <linux/hashtable.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/wait.h>

#include "simnic.h"

#define SIMNIC_HASH_BITS	14

/* A callback in a flowtable: of one port, or of the whole NIC. */
struct simnic_binding {
	struct list_head list;		/* in simnic_bindings */
	struct list_head block_cbs;	/* the one flow_block_cb, as its driver_list */
	struct simnic_port *port;	/* NULL: of any port */
	unsigned int driver;
	struct net *net;		/* of the flowtable */
	char name[IFNAMSIZ];		/* of the device, for the log */
	/* What an indirect binding is found by again: */
	const struct net_device *dev;
	const void *flowtable;
};

struct simnic_behaviour simnic_behaviour = {
	.carry = true,
};

DEFINE_MUTEX(simnic_call_lock);
DEFINE_SPINLOCK(simnic_table_lock);

static DEFINE_HASHTABLE(simnic_by_cookie, SIMNIC_HASH_BITS);
static DEFINE_HASHTABLE(simnic_by_tuple, SIMNIC_HASH_BITS);
/* Rules with a mask that leaves something open: no hash finds them. */
static HLIST_HEAD(simnic_wild);

static DEFINE_MUTEX(simnic_bind_lock);
static LIST_HEAD(simnic_bindings);
static DECLARE_WAIT_QUEUE_HEAD(simnic_unbound);

static DEFINE_MUTEX(simnic_driver_lock);
static struct simnic_driver {
	unsigned int index;
	bool registered;
} simnic_drivers[SIMNIC_DRIVERS];

/*
 * The table.
 */

static u32 simnic_hash(const struct simnic_tuple *tuple)
{
	return jhash2((const u32 *)tuple, SIMNIC_TUPLE_WORDS, 0);
}

static bool simnic_rule_is_exact(const struct simnic_rule *rule)
{
	return !memchr_inv(&rule->mask, 0xff, sizeof(rule->mask));
}

static bool simnic_rule_matches(const struct simnic_rule *rule, const struct simnic_tuple *tuple,
				__be16 tcp_flags)
{
	const u32 *have = (const u32 *)tuple;
	const u32 *mask = (const u32 *)&rule->mask;
	const u32 *key = (const u32 *)&rule->key;
	unsigned int i;

	for (i = 0; i < SIMNIC_TUPLE_WORDS; i++) {
		if ((have[i] & mask[i]) != key[i])
			return false;
	}
	return (tcp_flags & rule->tcp_mask) == rule->tcp_key;
}

/* Of several, the newest: what was left behind must not stand in the way of what came after it. */
struct simnic_rule *simnic_table_find(const struct simnic_tuple *tuple, __be16 tcp_flags)
{
	struct simnic_rule *rule;

	lockdep_assert_held(&simnic_table_lock);
	hash_for_each_possible(simnic_by_tuple, rule, by_tuple, simnic_hash(tuple)) {
		if (simnic_rule_matches(rule, tuple, tcp_flags))
			return rule;
	}
	hlist_for_each_entry(rule, &simnic_wild, by_tuple) {
		if (simnic_rule_matches(rule, tuple, tcp_flags))
			return rule;
	}
	return NULL;
}

/* Each driver has cookies of its own: what one of them was given, the next does not know. */
static struct simnic_rule *simnic_table_known(unsigned int driver, unsigned long cookie)
{
	struct simnic_rule *rule;

	lockdep_assert_held(&simnic_table_lock);
	hash_for_each_possible(simnic_by_cookie, rule, by_cookie, cookie) {
		if (rule->cookie == cookie && rule->driver == driver)
			return rule;
	}
	return NULL;
}

static void simnic_table_insert(struct simnic_rule *rule)
{
	lockdep_assert_held(&simnic_table_lock);
	hash_add(simnic_by_cookie, &rule->by_cookie, rule->cookie);
	if (simnic_rule_is_exact(rule))
		hash_add(simnic_by_tuple, &rule->by_tuple, simnic_hash(&rule->key));
	else
		hlist_add_head(&rule->by_tuple, &simnic_wild);
	atomic64_inc(&simnic_counts[SIMNIC_RULES]);
}

static void simnic_table_remove(struct simnic_rule *rule)
{
	lockdep_assert_held(&simnic_table_lock);
	hash_del(&rule->by_cookie);
	hash_del(&rule->by_tuple);
	atomic64_dec(&simnic_counts[SIMNIC_RULES]);
}

/* Removes the rules of one driver, or all for SIMNIC_DRIVERS; returns how many there were. */
static unsigned int simnic_table_clear(unsigned int driver)
{
	struct simnic_rule *rule;
	struct hlist_node *next;
	unsigned int count = 0;
	int bucket;

	spin_lock_bh(&simnic_table_lock);
	hash_for_each_safe(simnic_by_cookie, bucket, next, rule, by_cookie) {
		if (driver != SIMNIC_DRIVERS && rule->driver != driver)
			continue;
		simnic_table_remove(rule);
		kfree(rule);
		count++;
	}
	spin_unlock_bh(&simnic_table_lock);
	return count;
}

/* The hardware is reset and says nothing about it. */
void simnic_table_lose(void)
{
	unsigned int count;

	lockdep_assert_held(&simnic_call_lock);
	count = simnic_table_clear(SIMNIC_DRIVERS);
	atomic64_add(count, &simnic_counts[SIMNIC_LOST]);
	simnic_remark("lost rules=%u", count);
}

static void simnic_age(struct work_struct *work);
static DECLARE_DELAYED_WORK(simnic_age_work, simnic_age);

static void simnic_age(struct work_struct *work)
{
	struct simnic_rule *rule;
	struct hlist_node *next;
	unsigned long limit;
	unsigned int bucket;

	mutex_lock(&simnic_call_lock);
	if (!simnic_behaviour.age) {
		mutex_unlock(&simnic_call_lock);
		return;
	}

	limit = simnic_behaviour.age * HZ;
	for (bucket = 0; bucket < HASH_SIZE(simnic_by_cookie); bucket++) {
		HLIST_HEAD(old);

		/* A bucket at a time: frames need not wait for a walk through the whole table. */
		spin_lock_bh(&simnic_table_lock);
		hlist_for_each_entry_safe(rule, next, &simnic_by_cookie[bucket], by_cookie) {
			if (!time_after(jiffies, rule->used + limit))
				continue;
			simnic_table_remove(rule);
			hlist_add_head(&rule->by_cookie, &old);
		}
		spin_unlock_bh(&simnic_table_lock);

		hlist_for_each_entry_safe(rule, next, &old, by_cookie) {
			simnic_count(SIMNIC_AGED);
			simnic_remark("aged drv=%u cookie=%lx", rule->driver, rule->cookie);
			kfree(rule);
		}
		cond_resched();
	}
	mutex_unlock(&simnic_call_lock);

	schedule_delayed_work(&simnic_age_work, HZ);
}

/* To be called when the age has changed. */
void simnic_table_age(void)
{
	if (simnic_behaviour.age)
		schedule_delayed_work(&simnic_age_work, HZ);
}

void simnic_table_exit(void)
{
	cancel_delayed_work_sync(&simnic_age_work);
	simnic_table_clear(SIMNIC_DRIVERS);
}

unsigned int simnic_table_buckets(void)
{
	return HASH_SIZE(simnic_by_cookie);
}

static void simnic_rule_show(struct seq_file *seq, const struct simnic_rule *rule)
{
	const struct simnic_tuple *key = &rule->key;
	unsigned int i;

	seq_printf(seq, "cookie=%lx drv=%u in=sim%u out=sim%u proto=%04x ip_proto=%u",
		   rule->cookie, rule->driver, key->ingress, rule->egress,
		   ntohs(key->n_proto), key->ip_proto);
	if (key->n_proto == htons(ETH_P_IP))
		seq_printf(seq, " src=%pI4 dst=%pI4", &key->src, &key->dst);
	else
		seq_printf(seq, " src=%pI6c dst=%pI6c", &key->src, &key->dst);
	seq_printf(seq, " sport=%u dport=%u", ntohs(key->sport), ntohs(key->dport));
	for (i = 0; i < key->tags; i++)
		seq_printf(seq, " vlan=%u", key->vid[i]);
	if (rule->pops)
		seq_printf(seq, " pop=%u", rule->pops);
	for (i = 0; i < rule->pushes; i++)
		seq_printf(seq, " push=%u", rule->push[i] & VLAN_VID_MASK);
	if (rule->pppoe)
		seq_printf(seq, " pppoe=%u", rule->sid);
	seq_printf(seq, " pkts=%llu bytes=%llu idle=%lu age=%lu\n", rule->packets, rule->bytes,
		   (jiffies - rule->used) / HZ, (jiffies - rule->installed) / HZ);
}

void simnic_table_show(struct seq_file *seq, unsigned int bucket)
{
	struct simnic_rule *rule;

	spin_lock_bh(&simnic_table_lock);
	hlist_for_each_entry(rule, &simnic_by_cookie[bucket], by_cookie)
		simnic_rule_show(seq, rule);
	spin_unlock_bh(&simnic_table_lock);
}

/*
 * What the hardware can do of what a rule says. All here return 0 or -EOPNOTSUPP.
 */

static int simnic_take_vlan(struct simnic_rule *to, const struct flow_rule *rule,
			    enum flow_dissector_key_id id)
{
	struct flow_dissector *dissector = rule->match.dissector;
	const struct flow_dissector_key_vlan *key, *mask;
	unsigned int vid_mask;

	/*
	 * nf_flow_table never says in used_keys that it matches tags, but does so: the mask
	 * tells. Offset 0 is that of another key.
	 */
	if (!dissector->offset[id])
		return dissector_uses_key(dissector, id) ? -EOPNOTSUPP : 0;
	key = skb_flow_dissector_target(dissector, id, rule->match.key);
	mask = skb_flow_dissector_target(dissector, id, rule->match.mask);
	if (!memchr_inv(mask, 0, sizeof(*mask)))
		return 0;

	/* An inner tag alone is none. */
	if (to->key.tags != (id == FLOW_DISSECTOR_KEY_VLAN ? 0 : 1))
		return -EOPNOTSUPP;
	if (mask->vlan_tpid && key->vlan_tpid != htons(ETH_P_8021Q))
		return -EOPNOTSUPP;

	vid_mask = mask->vlan_id;
	to->key.vid[to->key.tags] = key->vlan_id & vid_mask;
	to->mask.vid[to->key.tags] = vid_mask == VLAN_VID_MASK ? U16_MAX : vid_mask;
	to->key.tags++;
	return 0;
}

static int simnic_take_addresses(struct simnic_rule *to, const struct flow_rule *rule)
{
	struct flow_match_control control;
	struct flow_match_ipv4_addrs ipv4;
	struct flow_match_ipv6_addrs ipv6;
	unsigned int i;

	flow_rule_match_control(rule, &control);
	switch (control.key->addr_type) {
	case FLOW_DISSECTOR_KEY_IPV4_ADDRS:
		if (to->key.n_proto != htons(ETH_P_IP) ||
		    !flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_IPV4_ADDRS))
			return -EOPNOTSUPP;
		flow_rule_match_ipv4_addrs(rule, &ipv4);
		to->key.src.s6_addr32[0] = ipv4.key->src & ipv4.mask->src;
		to->key.dst.s6_addr32[0] = ipv4.key->dst & ipv4.mask->dst;
		to->mask.src.s6_addr32[0] = ipv4.mask->src;
		to->mask.dst.s6_addr32[0] = ipv4.mask->dst;
		return 0;
	case FLOW_DISSECTOR_KEY_IPV6_ADDRS:
		if (to->key.n_proto != htons(ETH_P_IPV6) ||
		    !flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_IPV6_ADDRS))
			return -EOPNOTSUPP;
		flow_rule_match_ipv6_addrs(rule, &ipv6);
		to->mask.src = ipv6.mask->src;
		to->mask.dst = ipv6.mask->dst;
		for (i = 0; i < 4; i++) {
			to->key.src.s6_addr32[i] =
				ipv6.key->src.s6_addr32[i] & ipv6.mask->src.s6_addr32[i];
			to->key.dst.s6_addr32[i] =
				ipv6.key->dst.s6_addr32[i] & ipv6.mask->dst.s6_addr32[i];
		}
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int simnic_take_l4(struct simnic_rule *to, const struct flow_rule *rule)
{
	u8 proto = to->key.ip_proto;
	struct flow_match_ports ports;
	struct flow_match_tcp tcp;

	/* Ports belong to the protocols that have them, and there must be no rule without. */
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_PORTS) !=
	    (proto == IPPROTO_TCP || proto == IPPROTO_UDP))
		return -EOPNOTSUPP;

	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_PORTS)) {
		flow_rule_match_ports(rule, &ports);
		to->key.sport = ports.key->src & ports.mask->src;
		to->key.dport = ports.key->dst & ports.mask->dst;
		to->mask.sport = ports.mask->src;
		to->mask.dport = ports.mask->dst;
	}

	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_TCP)) {
		if (proto != IPPROTO_TCP)
			return -EOPNOTSUPP;
		flow_rule_match_tcp(rule, &tcp);
		to->tcp_key = tcp.key->flags & tcp.mask->flags;
		to->tcp_mask = tcp.mask->flags;
	}
	return 0;
}

static int simnic_take_match(struct simnic_rule *to, const struct flow_rule *rule,
			     struct netlink_ext_ack *extack)
{
	const u64 needed = BIT_ULL(FLOW_DISSECTOR_KEY_META) |
			   BIT_ULL(FLOW_DISSECTOR_KEY_CONTROL) |
			   BIT_ULL(FLOW_DISSECTOR_KEY_BASIC);
	const u64 possible = needed |
			     BIT_ULL(FLOW_DISSECTOR_KEY_IPV4_ADDRS) |
			     BIT_ULL(FLOW_DISSECTOR_KEY_IPV6_ADDRS) |
			     BIT_ULL(FLOW_DISSECTOR_KEY_PORTS) |
			     BIT_ULL(FLOW_DISSECTOR_KEY_TCP) |
			     BIT_ULL(FLOW_DISSECTOR_KEY_VLAN) |
			     BIT_ULL(FLOW_DISSECTOR_KEY_CVLAN);
	u64 used = rule->match.dissector->used_keys;
	struct flow_match_basic basic;
	struct flow_match_meta meta;

	if ((used & needed) != needed || used & ~possible)
		return -EOPNOTSUPP;

	flow_rule_match_meta(rule, &meta);
	if ((u32)meta.mask->ingress_ifindex != U32_MAX || meta.mask->ingress_iftype ||
	    meta.mask->l2_miss)
		return -EOPNOTSUPP;
	if (flow_rule_match_has_control_flags(rule, extack))
		return -EOPNOTSUPP;

	/* What follows these in a frame depends on them, so they must be known. */
	flow_rule_match_basic(rule, &basic);
	if (basic.mask->n_proto != htons(0xffff) || basic.mask->ip_proto != 0xff)
		return -EOPNOTSUPP;
	to->key.n_proto = basic.key->n_proto;
	to->key.ip_proto = basic.key->ip_proto;

	return simnic_take_addresses(to, rule) ?:
	       simnic_take_l4(to, rule) ?:
	       simnic_take_vlan(to, rule, FLOW_DISSECTOR_KEY_VLAN) ?:
	       simnic_take_vlan(to, rule, FLOW_DISSECTOR_KEY_CVLAN);
}

/* Only addresses and ports can be changed: all bits that change must be theirs. */
static int simnic_take_mangle(struct simnic_rule *to, struct simnic_mangle *mangle,
			      const struct flow_action_entry *act)
{
	/* A bit that stays is flipped by the value. */
	u32 changes = ~act->mangle.mask | act->mangle.val;
	unsigned int from, until, header, i;
	bool applies;

	switch (act->mangle.htype) {
	case FLOW_ACT_MANGLE_HDR_TYPE_ETH:
		applies = true;
		from = 0;
		until = 2 * ETH_ALEN;
		header = ETH_HLEN;
		break;
	case FLOW_ACT_MANGLE_HDR_TYPE_IP4:
		applies = to->key.n_proto == htons(ETH_P_IP);
		from = offsetof(struct iphdr, saddr);
		until = header = sizeof(struct iphdr);
		break;
	case FLOW_ACT_MANGLE_HDR_TYPE_IP6:
		applies = to->key.n_proto == htons(ETH_P_IPV6);
		from = offsetof(struct ipv6hdr, saddr);
		until = header = sizeof(struct ipv6hdr);
		break;
	case FLOW_ACT_MANGLE_HDR_TYPE_TCP:
		applies = to->key.ip_proto == IPPROTO_TCP;
		from = 0;
		until = 2 * sizeof(__be16);
		header = sizeof(struct tcphdr);
		break;
	case FLOW_ACT_MANGLE_HDR_TYPE_UDP:
		applies = to->key.ip_proto == IPPROTO_UDP;
		from = 0;
		until = 2 * sizeof(__be16);
		header = sizeof(struct udphdr);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (!applies || act->mangle.offset > header - sizeof(u32))
		return -EOPNOTSUPP;
	for (i = 0; i < sizeof(u32); i++) {
		unsigned int at = act->mangle.offset + i;

		if (((const u8 *)&changes)[i] && (at < from || at >= until))
			return -EOPNOTSUPP;
	}

	mangle->htype = act->mangle.htype;
	mangle->offset = act->mangle.offset;
	mangle->mask = act->mangle.mask;
	mangle->val = act->mangle.val;
	return 0;
}

/* The entries say what becomes the new headers from the outermost on, after the old ones went. */
static int simnic_take_actions(struct simnic_rule *to, const struct flow_rule *rule,
			       struct netlink_ext_ack *extack)
{
	const struct flow_action_entry *act;
	unsigned int mangles = 0;
	bool redirect = false;
	struct simnic_port *port;
	int i, err;

	/* As drivers do, and they complain loudly about an action that asks for none at all. */
	if (!flow_action_hw_stats_check(&rule->action, extack, FLOW_ACTION_HW_STATS_DELAYED_BIT))
		return -EOPNOTSUPP;

	flow_action_for_each(i, act, &rule->action) {
		switch (act->id) {
		case FLOW_ACTION_MANGLE:
			err = simnic_take_mangle(to, &to->mangles[mangles++], act);
			if (err)
				return err;
			break;
		case FLOW_ACTION_VLAN_POP:
			if (to->pops == to->key.tags || to->pushes || to->pppoe)
				return -EOPNOTSUPP;
			to->pops++;
			break;
		case FLOW_ACTION_VLAN_PUSH:
			if (to->pushes == SIMNIC_TAGS || to->pppoe ||
			    act->vlan.proto != htons(ETH_P_8021Q) ||
			    act->vlan.vid > VLAN_VID_MASK || act->vlan.prio > 7)
				return -EOPNOTSUPP;
			to->push[to->pushes++] = act->vlan.prio << VLAN_PRIO_SHIFT | act->vlan.vid;
			break;
		case FLOW_ACTION_PPPOE_PUSH:
			if (to->pppoe)
				return -EOPNOTSUPP;
			to->pppoe = true;
			to->sid = act->pppoe.sid;
			break;
		case FLOW_ACTION_CSUM:
			/* Hardware keeps checksums right, asked or not. */
			break;
		case FLOW_ACTION_REDIRECT:
			port = simnic_port_of(act->dev);
			if (!port || redirect)
				return -EOPNOTSUPP;
			redirect = true;
			to->egress = port->index;
			break;
		default:
			return -EOPNOTSUPP;
		}
	}

	if (!redirect || to->key.tags - to->pops + to->pushes > SIMNIC_TAGS)
		return -EOPNOTSUPP;
	return 0;
}

static struct simnic_rule *simnic_rule_make(const struct simnic_binding *binding,
					    const struct simnic_port *ingress,
					    const struct flow_cls_offload *cls)
{
	const struct flow_action_entry *act;
	unsigned int mangles = 0;
	struct simnic_rule *rule;
	int i, err;

	flow_action_for_each(i, act, &cls->rule->action)
		mangles += act->id == FLOW_ACTION_MANGLE;
	rule = kzalloc_flex(*rule, mangles, mangles);
	if (!rule)
		return ERR_PTR(-ENOMEM);

	rule->num_mangles = mangles;
	rule->cookie = cls->cookie;
	rule->driver = binding->driver;
	rule->key.ingress = ingress->index;
	memset(&rule->mask, 0xff, sizeof(rule->mask));
	rule->installed = jiffies;
	rule->used = rule->installed;

	err = simnic_take_match(rule, cls->rule, cls->common.extack) ?:
	      simnic_take_actions(rule, cls->rule, cls->common.extack);
	if (err) {
		kfree(rule);
		return ERR_PTR(err);
	}
	return rule;
}

/*
 * The callback.
 */

/* The port that the rule is for, if it is the business of this callback. */
static struct simnic_port *simnic_ingress(const struct simnic_binding *binding,
					  const struct flow_rule *rule)
{
	struct flow_match_meta meta;
	unsigned int i;

	if (!flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_META))
		return NULL;
	flow_rule_match_meta(rule, &meta);

	for (i = 0; i < simnic_num_ports; i++) {
		struct simnic_port *port = &simnic_ports[i];

		if (binding->port && binding->port != port)
			continue;
		/* Another namespace may have given the same index to another of the ports. */
		if (net_eq(dev_net(port->dev), binding->net) &&
		    READ_ONCE(port->dev->ifindex) == meta.key->ingress_ifindex)
			return port;
	}
	return NULL;
}

/* The error that REPLACE was told to fail with, if it is its turn. */
static int simnic_injected(void)
{
	static const int errors[] = { -EBUSY, -ENOSPC, -EOPNOTSUPP, -ENOMEM };
	struct simnic_behaviour *how = &simnic_behaviour;

	lockdep_assert_held(&simnic_call_lock);
	if (how->fail && !(++how->fail_calls % how->fail_every))
		return how->fail;
	if (how->random && prandom_u32_state(&how->rnd) % 100 < how->random)
		return errors[prandom_u32_state(&how->rnd) % ARRAY_SIZE(errors)];
	return 0;
}

static int simnic_replace(const struct simnic_binding *binding, const struct flow_cls_offload *cls)
{
	struct simnic_behaviour *how = &simnic_behaviour;
	struct simnic_port *ingress;
	struct simnic_rule *rule;
	bool known;
	int err;

	if (!cls->rule)
		return -EINVAL;
	ingress = simnic_ingress(binding, cls->rule);
	if (!ingress) {
		simnic_count(SIMNIC_WRONG_PORT);
		return -EOPNOTSUPP;
	}
	err = simnic_injected();
	if (err) {
		simnic_count(SIMNIC_INJECTED);
		return err;
	}

	spin_lock_bh(&simnic_table_lock);
	known = simnic_table_known(binding->driver, cls->cookie);
	spin_unlock_bh(&simnic_table_lock);
	if (known) {
		simnic_count(SIMNIC_EXISTS);
		return -EEXIST;
	}

	rule = simnic_rule_make(binding, ingress, cls);
	if (IS_ERR(rule)) {
		if (PTR_ERR(rule) == -EOPNOTSUPP)
			simnic_count(SIMNIC_REFUSED);
		return PTR_ERR(rule);
	}
	if (atomic64_read(&simnic_counts[SIMNIC_RULES]) >= how->size) {
		simnic_count(SIMNIC_FULL);
		kfree(rule);
		return -ENOSPC;
	}

	/* Only callbacks add rules, and they take turns: nothing of the above has changed. */
	spin_lock_bh(&simnic_table_lock);
	simnic_table_insert(rule);
	spin_unlock_bh(&simnic_table_lock);
	simnic_count(SIMNIC_REPLACED);
	return 0;
}

static int simnic_destroy(const struct simnic_binding *binding, const struct flow_cls_offload *cls)
{
	struct simnic_rule *rule;

	spin_lock_bh(&simnic_table_lock);
	rule = simnic_table_known(binding->driver, cls->cookie);
	if (rule)
		simnic_table_remove(rule);
	spin_unlock_bh(&simnic_table_lock);
	if (!rule) {
		simnic_count(SIMNIC_UNKNOWN);
		return -ENOENT;
	}

	kfree(rule);
	simnic_count(SIMNIC_DESTROYED);
	return 0;
}

static int simnic_stats(const struct simnic_binding *binding, struct flow_cls_offload *cls,
			u64 *packets, u64 *bytes)
{
	struct simnic_rule *rule;

	simnic_count(SIMNIC_STATS_CALLS);
	spin_lock_bh(&simnic_table_lock);
	rule = simnic_table_known(binding->driver, cls->cookie);
	if (!rule) {
		spin_unlock_bh(&simnic_table_lock);
		simnic_count(SIMNIC_UNKNOWN);
		return -ENOENT;
	}

	*packets = rule->packets - rule->reported_packets;
	*bytes = rule->bytes - rule->reported_bytes;
	rule->reported_packets = rule->packets;
	rule->reported_bytes = rule->bytes;
	flow_stats_update(&cls->stats, *bytes, *packets, 0, rule->used,
			  FLOW_ACTION_HW_STATS_DELAYED);
	spin_unlock_bh(&simnic_table_lock);
	return 0;
}

static void simnic_lose_sometimes(void)
{
	struct simnic_behaviour *how = &simnic_behaviour;

	lockdep_assert_held(&simnic_call_lock);
	if (how->lose_every && !(++how->accepted % how->lose_every))
		simnic_table_lose();
}

static void simnic_be_slow(enum flow_cls_command command)
{
	unsigned int delay;

	if (command >= SIMNIC_CALLS)
		return;
	delay = READ_ONCE(simnic_behaviour.delay[command]);
	if (delay)
		msleep(delay);
}

static void simnic_describe(struct simnic_line *line, const struct simnic_binding *binding,
			    const char *what, const struct flow_cls_offload *cls)
{
	simnic_line_add(line, "drv=%u %s cookie=%lx", binding->driver, what, cls->cookie);
}

static void simnic_describe_common(struct simnic_line *line, const struct flow_cls_offload *cls)
{
	simnic_line_add(line, " proto=%04x prio=%u chain=%u",
			(__force u16)cls->common.protocol, cls->common.prio,
			cls->common.chain_index);
}

/*
 * Calls wait before they take turns, so slow ones do overlap; from there on they are one after
 * the other, which makes the order of the log that of what happened.
 */
static int simnic_command(const struct simnic_binding *binding, struct flow_cls_offload *cls)
{
	u64 packets = 0, bytes = 0;
	struct simnic_line line;
	int err;

	simnic_be_slow(cls->command);
	simnic_line_start(&line);
	switch (cls->command) {
	case FLOW_CLS_REPLACE:
		simnic_describe(&line, binding, "REPLACE", cls);
		simnic_describe_common(&line, cls);
		simnic_line_add_rule(&line, cls->rule, binding->net);
		mutex_lock(&simnic_call_lock);
		err = simnic_replace(binding, cls);
		break;
	case FLOW_CLS_DESTROY:
		simnic_describe(&line, binding, "DESTROY", cls);
		simnic_describe_common(&line, cls);
		mutex_lock(&simnic_call_lock);
		err = simnic_destroy(binding, cls);
		break;
	case FLOW_CLS_STATS:
		simnic_describe(&line, binding, "STATS", cls);
		mutex_lock(&simnic_call_lock);
		err = simnic_stats(binding, cls, &packets, &bytes);
		simnic_line_add(&line, " pkts=%llu bytes=%llu", packets, bytes);
		break;
	default:
		simnic_describe(&line, binding, "COMMAND", cls);
		simnic_line_add(&line, " command=%u", cls->command);
		mutex_lock(&simnic_call_lock);
		err = -EOPNOTSUPP;
		break;
	}

	simnic_line_end_result(&line, err);
	if (cls->command == FLOW_CLS_REPLACE && !err)
		simnic_lose_sometimes();
	mutex_unlock(&simnic_call_lock);
	return err;
}

static int simnic_block_cb(enum tc_setup_type type, void *type_data, void *cb_priv)
{
	const struct simnic_binding *binding = cb_priv;
	int err = -EOPNOTSUPP;

	atomic64_inc(&simnic_counts[SIMNIC_RUNNING]);
	if (type == TC_SETUP_CLSFLOWER) {
		err = simnic_command(binding, type_data);
	} else {
		struct simnic_line line;

		simnic_line_start(&line);
		simnic_line_add(&line, "drv=%u SETUP type=%u", binding->driver, type);
		simnic_line_end_result(&line, err);
	}
	atomic64_dec(&simnic_counts[SIMNIC_RUNNING]);
	return err;
}

/*
 * Binding.
 */

static struct simnic_binding *simnic_binding_add(struct simnic_port *port, unsigned int driver,
						 const struct net_device *dev)
{
	struct simnic_binding *binding;

	lockdep_assert_held(&simnic_bind_lock);
	binding = kzalloc_obj(*binding);
	if (!binding)
		return NULL;

	/*
	 * Each has a list of its own for the driver's side: who unregisters an indirect driver
	 * takes bindings off it without any lock of ours.
	 */
	INIT_LIST_HEAD(&binding->block_cbs);
	binding->port = port;
	binding->driver = driver;
	binding->dev = dev;
	binding->net = dev_net(dev);
	strscpy(binding->name, dev->name);
	list_add(&binding->list, &simnic_bindings);
	simnic_count(SIMNIC_BOUND);
	return binding;
}

static void simnic_binding_free(struct simnic_binding *binding)
{
	lockdep_assert_held(&simnic_bind_lock);
	list_del(&binding->list);
	kfree(binding);
	if (atomic64_dec_and_test(&simnic_counts[SIMNIC_BOUND]))
		wake_up(&simnic_unbound);
}

/* Whoever frees the flow_block_cb has to have taken it off the driver's list. */
static void simnic_release(void *cb_priv)
{
	struct simnic_binding *binding = cb_priv;

	WARN_ON(!list_empty(&binding->block_cbs));
	simnic_remark("release drv=%u %s", binding->driver, binding->name);
	mutex_lock(&simnic_bind_lock);
	simnic_binding_free(binding);
	mutex_unlock(&simnic_bind_lock);
}

static int simnic_bind_direct(struct simnic_port *port, struct flow_block_offload *f)
{
	/* The identity of the callback: with that of the NIC, its ports are one to a flowtable. */
	void *ident = simnic_shared ? (void *)simnic_ports : (void *)port;
	struct simnic_binding *binding;
	struct flow_block_cb *block_cb;

	block_cb = flow_block_cb_lookup(f->block, simnic_block_cb, ident);
	switch (f->command) {
	case FLOW_BLOCK_BIND:
		if (block_cb) {
			flow_block_cb_incref(block_cb);
			return 0;
		}
		binding = simnic_binding_add(simnic_shared ? NULL : port, 0, port->dev);
		if (!binding)
			return -ENOMEM;
		block_cb = flow_block_cb_alloc(simnic_block_cb, ident, binding, simnic_release);
		if (IS_ERR(block_cb)) {
			simnic_binding_free(binding);
			return PTR_ERR(block_cb);
		}
		flow_block_cb_incref(block_cb);
		flow_block_cb_add(block_cb, f);
		list_add_tail(&block_cb->driver_list, &binding->block_cbs);
		return 0;
	case FLOW_BLOCK_UNBIND:
		if (!block_cb)
			return -ENOENT;
		if (!flow_block_cb_decref(block_cb)) {
			flow_block_cb_remove(block_cb, f);
			list_del(&block_cb->driver_list);
		}
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static void simnic_record_bind(unsigned int driver, const struct net_device *dev,
			       const struct flow_block_offload *f, int err)
{
	struct simnic_line line;

	simnic_line_start(&line);
	simnic_line_add(&line, "drv=%u %s %s block=%p", driver,
			f->command == FLOW_BLOCK_BIND ? "BIND" : "UNBIND", dev->name, f->block);
	simnic_line_end_result(&line, err);
}

int simnic_setup_tc(struct net_device *dev, enum tc_setup_type type, void *type_data)
{
	struct simnic_port *port = simnic_port_of(dev);
	struct flow_block_offload *f = type_data;
	int err = -EOPNOTSUPP;

	if (type != TC_SETUP_FT)
		return -EOPNOTSUPP;

	mutex_lock(&simnic_bind_lock);
	if (f->binder_type == FLOW_BLOCK_BINDER_TYPE_CLSACT_INGRESS)
		err = simnic_bind_direct(port, f);
	simnic_record_bind(0, dev, f, err);
	mutex_unlock(&simnic_bind_lock);
	return err;
}

static struct simnic_binding *simnic_binding_of(unsigned int driver, const struct net_device *dev,
						const void *flowtable)
{
	struct simnic_binding *binding;

	lockdep_assert_held(&simnic_bind_lock);
	list_for_each_entry(binding, &simnic_bindings, list) {
		if (binding->driver == driver && binding->dev == dev &&
		    binding->flowtable == flowtable)
			return binding;
	}
	return NULL;
}

static int simnic_bind_indirect(struct simnic_port *port, struct simnic_driver *driver,
				struct Qdisc *sch, struct flow_block_offload *f, void *data,
				void (*cleanup)(struct flow_block_cb *block_cb))
{
	struct simnic_binding *binding;
	struct flow_block_cb *block_cb;

	binding = simnic_binding_of(driver->index, port->dev, data);
	switch (f->command) {
	case FLOW_BLOCK_BIND:
		if (binding)
			return -EEXIST;
		binding = simnic_binding_add(port, driver->index, port->dev);
		if (!binding)
			return -ENOMEM;
		binding->flowtable = data;
		block_cb = flow_indr_block_cb_alloc(simnic_block_cb, binding, binding,
						    simnic_release, f, port->dev, sch, data,
						    driver, cleanup);
		if (IS_ERR(block_cb)) {
			simnic_binding_free(binding);
			return PTR_ERR(block_cb);
		}
		flow_block_cb_add(block_cb, f);
		list_add_tail(&block_cb->driver_list, &binding->block_cbs);
		return 0;
	case FLOW_BLOCK_UNBIND:
		if (!binding)
			return -ENOENT;
		block_cb = flow_block_cb_lookup(f->block, simnic_block_cb, binding);
		if (!block_cb)
			return -ENOENT;
		flow_indr_block_cb_remove(block_cb, f);
		list_del(&block_cb->driver_list);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* Asked about every device that does not bind by itself, and about none at all for actions. */
static int simnic_indr_bind(struct net_device *dev, struct Qdisc *sch, void *cb_priv,
			    enum tc_setup_type type, void *type_data, void *data,
			    void (*cleanup)(struct flow_block_cb *block_cb))
{
	struct simnic_port *port = simnic_port_of(dev);
	struct flow_block_offload *f = type_data;
	struct simnic_driver *driver = cb_priv;
	int err = -EOPNOTSUPP;

	if (!port || type != TC_SETUP_FT)
		return -EOPNOTSUPP;

	mutex_lock(&simnic_bind_lock);
	if (f->binder_type == FLOW_BLOCK_BINDER_TYPE_CLSACT_INGRESS)
		err = simnic_bind_indirect(port, driver, sch, f, data, cleanup);
	simnic_record_bind(driver->index, dev, f, err);
	mutex_unlock(&simnic_bind_lock);
	return err;
}

int simnic_register(unsigned int driver)
{
	int err;

	if (!simnic_indirect || driver >= SIMNIC_DRIVERS)
		return -EINVAL;

	mutex_lock(&simnic_driver_lock);
	if (simnic_drivers[driver].registered) {
		err = -EEXIST;
	} else {
		simnic_drivers[driver].index = driver;
		simnic_remark("register drv=%u", driver);
		err = flow_indr_dev_register(simnic_indr_bind, &simnic_drivers[driver]);
		simnic_drivers[driver].registered = !err;
	}
	mutex_unlock(&simnic_driver_lock);
	return err;
}

/* A driver that leaves takes its rules along; how many it should not have had any more is noted. */
int simnic_unregister(unsigned int driver)
{
	int err = 0;

	if (!simnic_indirect || driver >= SIMNIC_DRIVERS)
		return -EINVAL;

	mutex_lock(&simnic_driver_lock);
	if (!simnic_drivers[driver].registered) {
		err = -ENOENT;
	} else {
		flow_indr_dev_unregister(simnic_indr_bind, &simnic_drivers[driver],
					 simnic_release);
		simnic_drivers[driver].registered = false;
		simnic_remark("unregister drv=%u left=%u", driver, simnic_table_clear(driver));
	}
	mutex_unlock(&simnic_driver_lock);
	return err;
}

/*
 * Returns when no flowtable can call back any more. The devices and drivers are gone by now, so
 * there is nothing to wait for, unless somebody forgot to unbind; then a module that stays is
 * better than one that is called while it is not there.
 */
void simnic_wait_unbound(void)
{
	while (!wait_event_timeout(simnic_unbound, !atomic64_read(&simnic_counts[SIMNIC_BOUND]),
				   10 * HZ))
		pr_err("simnic: %lld callbacks are still bound\n",
		       atomic64_read(&simnic_counts[SIMNIC_BOUND]));

	/* Who has let the last one go still holds this. */
	mutex_lock(&simnic_bind_lock);
	mutex_unlock(&simnic_bind_lock);
}
