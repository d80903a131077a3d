/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the bindings are made from: the headers that the kernel crate has no bindings for, and the
 * prototypes of our shims. helpers/ includes it too, so that the compiler checks both against it.
 */
#ifndef NFT_OFFLOAD_BINDINGS_HELPER_H
#define NFT_OFFLOAD_BINDINGS_HELPER_H

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_pppox.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/math64.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/percpu.h>
#include <linux/prefetch.h>
#include <linux/proc_fs.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <linux/skbuff.h>
#include <linux/tc_act/tc_csum.h>
#include <linux/tcp.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/flow_dissector.h>
#include <net/flow_offload.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ip6_tunnel.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/neighbour.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_extend.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_flow_table.h>
#include <net/netfilter/nf_tables.h>
#include <net/ip6_fib.h>
#include <net/route.h>
#include <net/switchdev.h>
#include <net/xfrm.h>
#include <linux/xarray.h>

/* Constants that are macros with casts, which bindgen cannot evaluate. */
static const unsigned long NFO_HZ = HZ;
static const unsigned int NFO_GFP_ATOMIC = (__force unsigned int)(GFP_ATOMIC | __GFP_NOWARN);
static const unsigned int NFO_GFP_NOWAIT = (__force unsigned int)(GFP_NOWAIT | __GFP_NOWARN);
static const unsigned int NFO_GFP_NOWARN = (__force unsigned int)__GFP_NOWARN;
static const unsigned int NFO_GFP_KERNEL_ACCOUNT = (__force unsigned int)GFP_KERNEL_ACCOUNT;
static const unsigned int NFO_GFP_ACCOUNT = (__force unsigned int)__GFP_ACCOUNT;
static const unsigned int NFO_GFP_KERNEL = (__force unsigned int)(GFP_KERNEL | __GFP_NOWARN);
static const unsigned long NFO_NF_CT_DAY = NF_CT_DAY;
static const short NFO_DST_FORCE_CHK = DST_OBSOLETE_FORCE_CHK;
/* Where the fields are by which routes are checked. */
static const unsigned long NFO_DST_DEV = offsetof(struct dst_entry, dev);
static const unsigned long NFO_DEV_NET = offsetof(struct net_device, nd_net);
static const unsigned long NFO_NET_RT_GENID = offsetof(struct net, ipv4.rt_genid);
static const bool NFO_HAS_NET_NS = IS_ENABLED(CONFIG_NET_NS);
static const unsigned long NFO_DST_OBSOLETE = offsetof(struct dst_entry, obsolete);
static const unsigned long NFO_RT6_FROM = offsetof(struct rt6_info, from);
static const unsigned long NFO_RT6_SERNUM = offsetof(struct rt6_info, sernum);
static const unsigned long NFO_RT6_FLAGS = offsetof(struct rt6_info, rt6i_flags);
static const unsigned long NFO_FIB6_NODE = offsetof(struct fib6_info, fib6_node);
static const unsigned long NFO_FIB6_FLAGS = offsetof(struct fib6_info, fib6_flags);
static const unsigned long NFO_FIB6_NODE_SERNUM = offsetof(struct fib6_node, fn_sernum);
/* And the one that says on which CPU's list an instance is. */
static const unsigned long NFO_NAPI_LIST_OWNER = offsetof(struct napi_struct, list_owner);
static const unsigned int NFO_RTF_EXPIRES = RTF_EXPIRES;
static const unsigned int NFO_NUD_VALID = NUD_VALID;
static const unsigned int NFO_NUD_LIVE = NUD_CONNECTED | NUD_DELAY | NUD_PROBE;
static const unsigned int NFO_FLOWI_FLAG_ANYSRC = FLOWI_FLAG_ANYSRC;
static const unsigned int NFO_IPSKB_MULTIPATH = IPSKB_MULTIPATH;
static const unsigned int NFO_IP6SKB_MULTIPATH = IP6SKB_MULTIPATH;
static const unsigned int NFO_ARPHRD_ETHER = ARPHRD_ETHER;
static const unsigned int NFO_ARPHRD_TUNNEL = ARPHRD_TUNNEL;
static const unsigned int NFO_ARPHRD_TUNNEL6 = ARPHRD_TUNNEL6;
static const unsigned int NFO_NETDEV_DOWN = NETDEV_DOWN;
static const unsigned int NFO_NETDEV_UNREGISTER = NETDEV_UNREGISTER;
static const unsigned int NFO_NETDEV_CHANGEMTU = NETDEV_CHANGEMTU;
static const unsigned int NFO_NETDEV_CHANGEUPPER = NETDEV_CHANGEUPPER;
static const unsigned int NFO_NETDEV_CHANGEADDR = NETDEV_CHANGEADDR;
static const unsigned int NFO_FLOWTABLE_HW_OFFLOAD = NF_FLOWTABLE_HW_OFFLOAD;
static const unsigned int NFO_FLOWTABLE_COUNTER = NF_FLOWTABLE_COUNTER;
static const unsigned int NFO_FLOW_TABLE_NAME = NFTA_FLOW_TABLE_NAME;
static const unsigned int NFO_FLOW_MAX = NFTA_FLOW_MAX;
static const int NFO_NFT_BREAK = NFT_BREAK;
static const int NFO_EOPNOTSUPP = EOPNOTSUPP;
static const unsigned int NFO_IPPROTO_TCP = IPPROTO_TCP;
static const unsigned int NFO_IPPROTO_UDP = IPPROTO_UDP;
static const unsigned int NFO_TCP_CONNTRACK_UNACK = TCP_CONNTRACK_UNACK;
static const unsigned int NFO_FORWARD_HOOK = NF_INET_FORWARD;
static const unsigned long NFO_SKB_CLONED = offsetof(struct sk_buff, __cloned_offset);
static const unsigned char NFO_SKB_CLONED_MASK = CLONED_MASK;
/* Of the byte behind. */
static const unsigned char NFO_SKB_EXTENSIONS_MASK = IS_ENABLED(CONFIG_SKB_EXTENSIONS) ? 0xff : 0;
static const unsigned int NFO_SKB_GSO_IPXIP4 = SKB_GSO_IPXIP4;
static const unsigned int NFO_SKB_GSO_IPXIP6 = SKB_GSO_IPXIP6;
static const bool NFO_CAN_BATCH = IS_ENABLED(CONFIG_NET_CLS_ACT) && !IS_ENABLED(CONFIG_PREEMPT_RT);
static const bool NFO_CT_HAS_GRE = IS_ENABLED(CONFIG_NF_CT_PROTO_GRE);

static const unsigned int NFO_SWITCHDEV_PORT_ATTR_SET = SWITCHDEV_PORT_ATTR_SET;
static const unsigned int NFO_SWITCHDEV_STP_STATE = SWITCHDEV_ATTR_ID_PORT_STP_STATE;
static const unsigned int NFO_SWITCHDEV_MST_STATE = SWITCHDEV_ATTR_ID_PORT_MST_STATE;
static const unsigned char NFO_BR_STATE_FORWARDING = BR_STATE_FORWARDING;
static const unsigned int NFO_SWITCHDEV_FDB_ADD = SWITCHDEV_FDB_ADD_TO_DEVICE;
static const unsigned int NFO_SWITCHDEV_FDB_DEL = SWITCHDEV_FDB_DEL_TO_DEVICE;

static const unsigned int NFO_SEQ_NET_SIZE = sizeof(struct seq_net_private);

/* sync */
void nfo_prefetch(const void *at);
void nfo_spin_lock_bh(spinlock_t *lock);
void nfo_spin_unlock_bh(spinlock_t *lock);
bool nfo_spin_trylock_bh(spinlock_t *lock);
void nfo_spin_assert_is_held(spinlock_t *lock);
void nfo_fsleep(unsigned long microseconds);
/* for kernels whose Rust part has not got them (compat.rs) */
void nfo_rcu_read_lock(void);
void nfo_rcu_read_unlock(void);
void nfo_refcount_inc(refcount_t *count);
bool nfo_refcount_dec_and_test(refcount_t *count);
void nfo_mutex_lock(struct mutex *lock);
bool nfo_mutex_trylock(struct mutex *lock);
void nfo_init_rwsem(struct rw_semaphore *sem);
void nfo_init_delayed_work(struct delayed_work *work, work_func_t fn);
void nfo_cond_resched(void);
u32 nfo_seconds(void);
bool nfo_mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
			  unsigned long delay);
bool nfo_queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
			    unsigned long delay);
struct workqueue_struct *nfo_unbound_wq(void);
void nfo_down_read(struct rw_semaphore *sem);
void nfo_up_read(struct rw_semaphore *sem);
void nfo_down_write(struct rw_semaphore *sem);
void nfo_up_write(struct rw_semaphore *sem);

/* registries */
void nfo_xa_init(struct xarray *xa);
int nfo_xa_alloc(struct xarray *xa, u32 *number, void *entry);
void *nfo_xa_erase(struct xarray *xa, unsigned long number);
void nfo_xa_mark(struct xarray *xa, unsigned long number);
void nfo_xa_lock(struct xarray *xa);
void nfo_xa_unlock(struct xarray *xa);
void *nfo_xa_find(struct xarray *xa, unsigned long *number, bool marked);
/* memory */
struct mem_cgroup *nfo_memcg_of_current(void);
bool nfo_memcg_tryget(struct mem_cgroup *memcg);
void nfo_memcg_put(struct mem_cgroup *memcg);
bool nfo_memcg_has_parent(struct mem_cgroup *memcg);
struct mem_cgroup *nfo_memcg_activate(struct mem_cgroup *memcg);

/* hardware */
bool nfo_dev_can_setup_tc(const struct net_device *dev);
int nfo_dev_setup_ft(struct net_device *dev, struct flow_block_offload *offload);
void nfo_init_list_head(struct list_head *list);
void nfo_list_splice_init(struct list_head *from, struct list_head *to);
void nfo_list_del(struct list_head *entry);
void nfo_action_mangle(struct flow_action_entry *entry, unsigned int header, u32 offset, u32 mask,
		       u32 value);
void nfo_action_vlan_push(struct flow_action_entry *entry, u16 id, __be16 protocol);
void nfo_action_pppoe_push(struct flow_action_entry *entry, u16 session);
void nfo_action_csum(struct flow_action_entry *entry, u32 flags);
void nfo_action_redirect(struct flow_action_entry *entry, struct net_device *dev);
void nfo_match_vlan(struct flow_dissector_key_vlan *key, u16 id, __be16 protocol);
struct flow_action_entry *nfo_rule_action(struct flow_rule *rule, unsigned int number);

/* parameters */
extern bool nfo_direct_transmit;
extern unsigned int nfo_batch;
extern unsigned int nfo_hardware_after;

/* batches */
void nfo_napi_add(struct net_device *dev, struct napi_struct *napi,
		  int (*poll)(struct napi_struct *, int));
void nfo_napi_del(struct napi_struct *napi);
bool nfo_napi_claim(struct napi_struct *napi);
void *nfo_this_cpu_ptr(void __percpu *area);
void *nfo_per_cpu_ptr(void __percpu *area, unsigned int cpu);
unsigned int nfo_next_cpu(unsigned int from);
unsigned int nfo_cpus(void);
bool nfo_skb_can_wait(struct sk_buff *skb);
void nfo_skb_receive(struct sk_buff *skb);

/* per-CPU */
void nfo_this_cpu_inc(u64 __percpu *counter);
u64 nfo_per_cpu_sum(u64 __percpu *counter);

/* skb */
bool nfo_pskb_may_pull(struct sk_buff *skb, unsigned int len);
bool nfo_skb_shared(const struct sk_buff *skb);
bool nfo_skb_is_bare(const struct sk_buff *skb, const struct net_device *dev);
bool nfo_dev_start_xmit(struct sk_buff *skb, struct net_device *dev, u64 __percpu *packets);
int nfo_skb_cow_head(struct sk_buff *skb, unsigned int headroom);
bool nfo_skb_is_gso(const struct sk_buff *skb);
bool nfo_skb_has_tunnel_csum(const struct sk_buff *skb);
bool nfo_skb_is_fraglist(const struct sk_buff *skb);
bool nfo_skb_mac_header_was_set(const struct sk_buff *skb);
int nfo_iptunnel_pull_offloads(struct sk_buff *skb);
void nfo_skb_enter_tunnel(struct sk_buff *skb, u8 protocol);
struct sk_buff *nfo_skb_gso_segment(struct sk_buff *skb);
void nfo_dst_output_ipv4(struct net *net, struct sk_buff *skb, struct dst_entry *dst,
			 u64 __percpu *packets);
void nfo_dst_output_ipv6(struct net *net, struct sk_buff *skb, struct dst_entry *dst,
			 u64 __percpu *packets);
__be16 nfo_ip_select_ident(struct net *net, const struct sk_buff *skb, __be32 source,
			   __be32 destination, u8 protocol);
__be32 nfo_ip6_make_flowlabel(struct net *net, struct sk_buff *skb,
			      const struct in6_addr *source, const struct in6_addr *destination);
u32 nfo_skb_mark(const struct sk_buff *skb);
bool nfo_skb_sec_path(const struct sk_buff *skb);
unsigned int nfo_ip_options_len(const struct sk_buff *skb);
const void *nfo_skb_header_pointer(const struct sk_buff *skb, int offset, int len, void *buffer);
int nfo_dev_queue_xmit(struct sk_buff *skb, struct net_device *dev, struct dst_entry *dst,
		       u64 __percpu *packets);
int nfo_dev_hard_header(struct sk_buff *skb, struct net_device *dev, const void *daddr);

/* devices */
void nfo_dev_hold(struct net_device *dev);
void nfo_dev_put(struct net_device *dev);
void nfo_dev_name(const struct net_device *dev, char *name);
u32 nfo_dev_ifindex(const struct net_device *dev);
unsigned int nfo_dev_flags(const struct net_device *dev);
bool nfo_dev_is_queueless(const struct net_device *dev);
bool nfo_dev_is_observed(const struct net_device *dev);
unsigned int nfo_dev_type(const struct net_device *dev);
unsigned int nfo_dev_addr_len(const struct net_device *dev);
unsigned int nfo_dev_reserved_headroom(const struct net_device *dev);
void nfo_dev_ethernet_address(const struct net_device *dev, u8 *address);
bool nfo_dev_has_forward_path(const struct net_device *dev);
int nfo_dev_fill_forward_path(struct net_device_path_ctx *ctx, u16 protocol,
			      struct net_device_path *path);
bool nfo_path_is_tunnel(const struct net_device_path *path);
void nfo_path_tunnel(const struct net_device_path *path, u8 *source, u8 *destination);
bool nfo_ip_tunnel_is_plain(const struct net_device *dev);
bool nfo_ip6_tnl_is_plain(const struct net_device *dev);
bool nfo_dev_has_header(const struct net_device *dev);
struct net *nfo_dev_net(const struct net_device *dev);
struct net *nfo_read_pnet(const possible_net_t *pnet);
int nfo_register_switchdev_notifier(struct notifier_block *nb);
int nfo_unregister_switchdev_notifier(struct notifier_block *nb);
int nfo_register_switchdev_blocking_notifier(struct notifier_block *nb);
int nfo_unregister_switchdev_blocking_notifier(struct notifier_block *nb);
struct net_device *nfo_switchdev_dev(const void *info);
void nfo_spin_lock_init(spinlock_t *lock, const char *name, struct lock_class_key *key);
void nfo_mutex_init(struct mutex *lock, const char *name, struct lock_class_key *key);
void *nfo_kmalloc(size_t size, unsigned int flags);
void *nfo_kvmalloc(size_t size, unsigned int flags);
void nfo_print(u8 level, int len, const char *text);
void nfo_bug(void) __noreturn;
u32 nfo_switchdev_attr(const void *info);
u8 nfo_switchdev_stp_state(const void *info);
u16 nfo_switchdev_mst_instance(const void *info);
u8 nfo_switchdev_mst_state(const void *info);
bool nfo_changeupper_takes(const void *info);
bool nfo_dev_forwards_ipv6(const struct net_device *dev);
bool nfo_dev_is_taken(const struct net_device *dev);
u32 nfo_dev_input_settings(const struct net_device *dev);
struct proc_dir_entry *nfo_proc_net(const struct net *net);
struct kobject *nfo_find_module(const struct module *any, const char *name);
bool nfo_this_module_get(void);
struct net_device *nfo_netdev_notifier_info_to_dev(void *info);

/* routes and neighbours */
bool nfo_dst_hold_safe(struct dst_entry *dst);
struct net_device *nfo_dst_dev(const struct dst_entry *dst);
struct dst_entry *nfo_skb_dst(const struct sk_buff *skb);
struct dst_entry *nfo_dst_check(struct dst_entry *dst, u32 cookie);
int nfo_rt_genid(const struct dst_entry *dst);
bool nfo_dst_is_rtable(const struct dst_entry *dst);
bool nfo_dst_is_rt6(const struct dst_entry *dst);
bool nfo_dst_encapsulates(const struct dst_entry *dst);
bool nfo_dst_has_xfrm(const struct dst_entry *dst);
unsigned int nfo_ip_dst_mtu_forward(const struct dst_entry *dst);
unsigned int nfo_ip6_dst_mtu_forward(const struct dst_entry *dst);
int nfo_dst_error(const struct dst_entry *dst);
bool nfo_ip_mtu_locked(const struct dst_entry *dst);
u32 nfo_rt6_get_cookie(const struct dst_entry *dst);
struct neighbour *nfo_dst_neigh_lookup(const struct dst_entry *dst, const void *daddr);
void nfo_neigh_hold(struct neighbour *n);
void nfo_neigh_release(struct neighbour *n);
int nfo_neigh_event_send(struct neighbour *n);
void nfo_neigh_ha_snapshot(u8 *address, const struct neighbour *n);
struct dst_entry *nfo_ip_route_input(struct sk_buff *skb, __be32 daddr, __be32 saddr,
				     struct net_device *dev, u32 mark, u16 *flags);
struct dst_entry *nfo_ip6_route_input(struct net *net, struct net_device *dev, struct flowi6 *fl6,
				      struct sk_buff *skb, u16 *flags);
bool nfo_without_policies(const struct net *net);
bool nfo_has_forward_policies(const struct net *net);
bool nfo_has_input_policies(const struct net *net);
bool nfo_xfrm_forward_check(struct sk_buff *skb, struct dst_entry *dst,
			    const struct net_device *input, u16 family);
bool nfo_ip_routes_by_ports(const struct net *net);
bool nfo_ip_routes_by_destination(const struct net *net);
bool nfo_ip6_routes_by_destination(const struct net *net);
bool nfo_rt_is_unicast(const struct dst_entry *dst);
bool nfo_rt_has_gateway(const struct dst_entry *dst);
bool nfo_rt6_has_gateway(const struct dst_entry *dst);
u8 nfo_ip_traffic_class(const struct sk_buff *skb);
struct dst_entry *nfo_xfrm_lookup(struct net *net, struct dst_entry *dst, const struct flowi *fl);
void nfo_flowi4_set_dscp(struct flowi4 *fl4, const struct sk_buff *skb);
__be32 nfo_ip6_flowinfo(const struct sk_buff *skb);

/* conntrack */
struct nf_conn *nfo_ct_get(const struct sk_buff *skb, enum ip_conntrack_info *ctinfo);
void nfo_ct_hold(struct nf_conn *ct);
void nfo_ct_put(struct nf_conn *ct);
struct net *nfo_ct_net(const struct nf_conn *ct);
bool nfo_ct_has_helper(const struct nf_conn *ct);
bool nfo_ct_tcp_established(const struct nf_conn *ct);
void nfo_ct_refresh(struct nf_conn *ct, u32 timeout);
u32 nfo_ct_tcp_timeout(const struct net *net, unsigned int state);
u32 nfo_ct_udp_timeout(const struct net *net, unsigned int state);
void *nfo_ct_counters(const struct nf_conn *ct);
u32 nfo_ct_mark(const struct nf_conn *ct);
u32 nfo_ct_gre_timeout(const struct nf_conn *ct, bool replied);
unsigned int *nfo_ct_timeouts(const struct nf_conn *ct);
void nfo_ct_event(struct nf_conn *ct, unsigned int event);
u32 nfo_flowtable_tcp_timeout(const struct net *net);
u32 nfo_flowtable_udp_timeout(const struct net *net);
bool nfo_ct_test_and_set_status(struct nf_conn *ct, unsigned int bit);
void nfo_ct_clear_status(struct nf_conn *ct, unsigned int bit);

/* tracepoints */
void nfo_trace_flow_added(const struct nf_conn *ct, const char *why);
void nfo_trace_flow_refused(const struct nf_conn *ct, const char *why);
void nfo_trace_flow_rerouted(const struct nf_conn *ct, const char *why);
void nfo_trace_flow_ended(const struct nf_conn *ct, const char *why);

/* nf_tables */
struct net *nfo_seq_file_net(struct seq_file *seq);
struct net *nfo_seq_file_single_net(struct seq_file *seq);
void *nfo_net_generic(const struct net *net, unsigned int id);
bool nfo_nft_hook_has_device(const struct nft_hook *hook, const struct net_device *dev);
struct nft_flowtable *nfo_nft_flowtable_lookup(const struct net *net, const struct nft_table *table,
					       const struct nlattr *name, u8 genmask);
u8 nfo_nft_genmask_next(const struct net *net);
bool nfo_nft_use_inc(u32 *use);
void nfo_nft_use_dec(u32 *use);
void nfo_nft_use_inc_restore(u32 *use);
void nfo_flow_block_init(struct flow_block *block);

#endif
