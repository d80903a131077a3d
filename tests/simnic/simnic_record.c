// SPDX-License-Identifier: GPL-2.0
/*
 * The log of the simulated NIC: a line for each callback, with all that it was given, and what it
 * answered. Lines that begin with a # are remarks on what else happened.
 */

#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "simnic.h"

/* A rule has up to 24 actions, of some 80 characters each, and 13 keys with some 600 in all. */
#define SIMNIC_LINE		8192
/* Of these, for the result and the end of the line. */
#define SIMNIC_LINE_END		64

#define SIMNIC_CHUNK		(64 * 1024)
#define SIMNIC_CHUNKS		1024	/* 64 MiB */

static DEFINE_MUTEX(simnic_log_lock);
static char *simnic_log[SIMNIC_CHUNKS];
static size_t simnic_log_len;
static bool simnic_log_enabled = true;

static const struct {
	const char *name;
	int error;
} simnic_errors[] = {
	{ "ENOENT", -ENOENT },
	{ "ENOMEM", -ENOMEM },
	{ "EBUSY", -EBUSY },
	{ "EEXIST", -EEXIST },
	{ "ENODEV", -ENODEV },
	{ "EINVAL", -EINVAL },
	{ "ENOSPC", -ENOSPC },
	{ "EOPNOTSUPP", -EOPNOTSUPP },
};

/* The negative error of that name, 0 if there is none. */
int simnic_error_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(simnic_errors); i++) {
		if (!strcmp(name, simnic_errors[i].name))
			return simnic_errors[i].error;
	}
	return 0;
}

static const char *simnic_error_name(int error)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(simnic_errors); i++) {
		if (error == simnic_errors[i].error)
			return simnic_errors[i].name;
	}
	return NULL;
}

/*
 * The log.
 */

static bool simnic_log_make_room(size_t end)
{
	size_t i;

	lockdep_assert_held(&simnic_log_lock);
	if (end > (size_t)SIMNIC_CHUNKS * SIMNIC_CHUNK)
		return false;
	for (i = simnic_log_len / SIMNIC_CHUNK; i * SIMNIC_CHUNK < end; i++) {
		if (simnic_log[i])
			continue;
		simnic_log[i] = kvmalloc(SIMNIC_CHUNK, GFP_KERNEL | __GFP_NOWARN);
		if (!simnic_log[i])
			return false;
	}
	return true;
}

static void simnic_log_append(const char *text, size_t len)
{
	mutex_lock(&simnic_log_lock);
	if (!simnic_log_make_room(simnic_log_len + len)) {
		simnic_count(SIMNIC_LOG_DROPPED);
		len = 0;
	}
	while (len) {
		size_t at = simnic_log_len % SIMNIC_CHUNK;
		size_t now = min(len, SIMNIC_CHUNK - at);

		memcpy(simnic_log[simnic_log_len / SIMNIC_CHUNK] + at, text, now);
		simnic_log_len += now;
		text += now;
		len -= now;
	}
	mutex_unlock(&simnic_log_lock);
}

void simnic_log_enable(bool on)
{
	WRITE_ONCE(simnic_log_enabled, on);
}

void simnic_log_clear(void)
{
	unsigned int i;

	mutex_lock(&simnic_log_lock);
	for (i = 0; i < SIMNIC_CHUNKS && simnic_log[i]; i++) {
		kvfree(simnic_log[i]);
		simnic_log[i] = NULL;
	}
	simnic_log_len = 0;
	atomic64_set(&simnic_counts[SIMNIC_LOG_DROPPED], 0);
	mutex_unlock(&simnic_log_lock);
}

/* Callbacks must not wait for a reader's memory, hence the page in between. */
ssize_t simnic_log_read(char __user *to, size_t count, loff_t *pos)
{
	ssize_t done = 0;
	char *page;

	page = (char *)__get_free_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;

	while (count && *pos >= 0) {
		size_t now = 0;

		mutex_lock(&simnic_log_lock);
		if (*pos < simnic_log_len) {
			size_t at = *pos % SIMNIC_CHUNK;

			now = min3(count, simnic_log_len - (size_t)*pos, SIMNIC_CHUNK - at);
			now = min_t(size_t, now, PAGE_SIZE);
			memcpy(page, simnic_log[*pos / SIMNIC_CHUNK] + at, now);
		}
		mutex_unlock(&simnic_log_lock);

		if (!now)
			break;
		if (copy_to_user(to, page, now)) {
			if (!done)
				done = -EFAULT;
			break;
		}
		to += now;
		count -= now;
		*pos += now;
		done += now;
		cond_resched();
	}

	free_page((unsigned long)page);
	return done;
}

/*
 * A line.
 */

void simnic_line_start(struct simnic_line *line)
{
	line->len = 0;
	line->text = NULL;
	line->wanted = READ_ONCE(simnic_log_enabled);
	if (line->wanted)
		line->text = kmalloc(SIMNIC_LINE, GFP_KERNEL | __GFP_NOWARN);
}

static __printf(3, 0) void simnic_line_vadd(struct simnic_line *line, size_t limit,
					    const char *fmt, va_list args)
{
	if (line->text)
		line->len += vscnprintf(line->text + line->len, limit - line->len, fmt, args);
}

void simnic_line_add(struct simnic_line *line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	simnic_line_vadd(line, SIMNIC_LINE - SIMNIC_LINE_END, fmt, args);
	va_end(args);
}

static __printf(2, 3) void simnic_line_finish(struct simnic_line *line, const char *fmt, ...)
{
	va_list args;

	/* Nothing has been that long yet. If it ever is, nobody shall take it for whole. */
	if (line->len >= SIMNIC_LINE - SIMNIC_LINE_END - 1)
		line->len += scnprintf(line->text + line->len, SIMNIC_LINE - line->len, " CUT");

	va_start(args, fmt);
	simnic_line_vadd(line, SIMNIC_LINE, fmt, args);
	va_end(args);
}

void simnic_line_end(struct simnic_line *line)
{
	simnic_line_finish(line, "\n");
	if (line->text)
		simnic_log_append(line->text, line->len);
	else if (line->wanted)
		simnic_count(SIMNIC_LOG_DROPPED);
	kfree(line->text);
}

void simnic_line_end_result(struct simnic_line *line, int err)
{
	const char *name = simnic_error_name(err);

	if (name)
		simnic_line_finish(line, " = %s", name);
	else if (err)
		simnic_line_finish(line, " = E%d", -err);
	else
		simnic_line_finish(line, " = 0");
	simnic_line_end(line);
}

void simnic_remark(const char *fmt, ...)
{
	struct simnic_line line;
	va_list args;

	simnic_line_start(&line);
	simnic_line_add(&line, "# ");
	va_start(args, fmt);
	simnic_line_vadd(&line, SIMNIC_LINE - SIMNIC_LINE_END, fmt, args);
	va_end(args);
	simnic_line_end(&line);
}

/*
 * A rule in a line.
 */

#define SIMNIC_KEY(key, type)	\
	{ FLOW_DISSECTOR_KEY_##key, #key, sizeof(struct flow_dissector_key_##type) }

static const struct {
	enum flow_dissector_key_id id;
	const char *name;
	int size;
} simnic_keys[] = {
	SIMNIC_KEY(META, meta),
	SIMNIC_KEY(CONTROL, control),
	SIMNIC_KEY(BASIC, basic),
	SIMNIC_KEY(IPV4_ADDRS, ipv4_addrs),
	SIMNIC_KEY(IPV6_ADDRS, ipv6_addrs),
	SIMNIC_KEY(PORTS, ports),
	SIMNIC_KEY(TCP, tcp),
	SIMNIC_KEY(VLAN, vlan),
	SIMNIC_KEY(CVLAN, vlan),
	SIMNIC_KEY(ENC_CONTROL, control),
	SIMNIC_KEY(ENC_KEYID, keyid),
	SIMNIC_KEY(ENC_IPV4_ADDRS, ipv4_addrs),
	SIMNIC_KEY(ENC_IPV6_ADDRS, ipv6_addrs),
};

/* An index depends on the order in which devices were made; a name does not. */
static void simnic_line_add_ingress(struct simnic_line *line,
				    const struct flow_dissector_key_meta *meta, struct net *net)
{
	const struct net_device *dev;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, meta->ingress_ifindex);
	simnic_line_add(line, " ingress=%s", dev ? dev->name : "-");
	rcu_read_unlock();
}

static void simnic_line_add_keys(struct simnic_line *line, const struct flow_match *match,
				 struct net *net)
{
	struct flow_dissector *dissector = match->dissector;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(simnic_keys); i++) {
		enum flow_dissector_key_id id = simnic_keys[i].id;
		const void *key, *mask;

		if (!dissector_uses_key(dissector, id) && !dissector->offset[id])
			continue;
		key = skb_flow_dissector_target(dissector, id, match->key);
		mask = skb_flow_dissector_target(dissector, id, match->mask);
		simnic_line_add(line, " %s@%u=%*phN/%*phN", simnic_keys[i].name,
				dissector->offset[id], simnic_keys[i].size, key,
				simnic_keys[i].size, mask);
		if (id == FLOW_DISSECTOR_KEY_META)
			simnic_line_add_ingress(line, key, net);
	}
}

static void simnic_line_add_action(struct simnic_line *line, const struct flow_action_entry *act)
{
	unsigned int hw_stats = act->hw_stats;

	switch (act->id) {
	case FLOW_ACTION_MANGLE:
		simnic_line_add(line, " [MANGLE hw_stats=%u htype=%u off=%u mask=0x%08x val=0x%08x]",
				hw_stats, act->mangle.htype, act->mangle.offset, act->mangle.mask,
				act->mangle.val);
		break;
	case FLOW_ACTION_VLAN_PUSH:
		simnic_line_add(line, " [VLAN_PUSH hw_stats=%u vid=%u proto=%04x prio=%u]",
				hw_stats, act->vlan.vid, ntohs(act->vlan.proto), act->vlan.prio);
		break;
	case FLOW_ACTION_VLAN_POP:
		simnic_line_add(line, " [VLAN_POP hw_stats=%u]", hw_stats);
		break;
	case FLOW_ACTION_PPPOE_PUSH:
		simnic_line_add(line, " [PPPOE_PUSH hw_stats=%u sid=%u]", hw_stats,
				act->pppoe.sid);
		break;
	case FLOW_ACTION_CSUM:
		simnic_line_add(line, " [CSUM hw_stats=%u flags=0x%x]", hw_stats,
				act->csum_flags);
		break;
	case FLOW_ACTION_REDIRECT:
		simnic_line_add(line, " [REDIRECT hw_stats=%u %s]", hw_stats,
				act->dev ? act->dev->name : "-");
		break;
	case FLOW_ACTION_TUNNEL_ENCAP:
		simnic_line_add(line, " [TUNNEL_ENCAP hw_stats=%u]", hw_stats);
		break;
	case FLOW_ACTION_TUNNEL_DECAP:
		simnic_line_add(line, " [TUNNEL_DECAP hw_stats=%u]", hw_stats);
		break;
	default:
		simnic_line_add(line, " [ID%u hw_stats=%u]", act->id, hw_stats);
		break;
	}
}

void simnic_line_add_rule(struct simnic_line *line, const struct flow_rule *rule, struct net *net)
{
	const struct flow_action_entry *act;
	int i;

	if (!rule || !line->text)
		return;

	simnic_line_add(line, " used_keys=%llx", rule->match.dissector->used_keys);
	simnic_line_add_keys(line, &rule->match, net);
	simnic_line_add(line, " num_entries=%u", rule->action.num_entries);
	flow_action_for_each(i, act, &rule->action)
		simnic_line_add_action(line, act);
}
