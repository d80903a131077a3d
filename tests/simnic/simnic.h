/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A simulated NIC with a hardware flow table, for tests of flowtables with "flags offload".
 *
 *   simnic_main.c     the devices, and loading and unloading
 *   simnic_rules.c    the flow table as the driver's side sees it: binding, callbacks, rules
 *   simnic_forward.c  what the hardware does to a frame
 *   simnic_receive.c  how frames are handed to the stack
 *   simnic_record.c   the log of what the callbacks were given and what they answered
 *   simnic_control.c  /proc/simnic: how the NIC is made to misbehave, and what it counts
 *
 * Locks, outermost first:
 *   the registration of indirect drivers (simnic_rules.c)
 *   simnic_call_lock    one callback, or one change of behaviour, at a time
 *   bindings (simnic_rules.c), the log (simnic_record.c)
 *   simnic_table_lock   the rules; that, and the lock of the clones (simnic_receive.c), is all that the
 *                       transmit path takes
 */
#ifndef SIMNIC_H
#define SIMNIC_H

#include <linux/atomic.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/prandom.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <net/flow_offload.h>

struct seq_file;

#define SIMNIC_PORTS	8	/* at most */
#define SIMNIC_DRIVERS	4	/* that can bind indirectly */
#define SIMNIC_TAGS	2	/* 802.1Q tags of a frame */

struct simnic_port {
	unsigned int index;
	struct net_device *dev;		/* sim<i>: the NIC's port */
	struct net_device *wire;	/* sim<i>w: the other end of its cable */
	struct packet_type tap;		/* see simnic_receive.c */
};

/* What a rule is found by. Words that do not apply to a frame are zero in its tuple. */
struct simnic_tuple {
	struct in6_addr src, dst;	/* an IPv4 address is the first word */
	__be16 sport, dport;
	__be16 n_proto;
	u8 ip_proto;
	u8 ingress;			/* index of the port */
	u16 vid[SIMNIC_TAGS];		/* outermost first */
	u32 tags;
};

#define SIMNIC_TUPLE_WORDS	(sizeof(struct simnic_tuple) / sizeof(u32))
/* It is hashed and compared as words: padding would be neither zero nor equal. */
static_assert(sizeof(struct simnic_tuple) == 48);

struct simnic_mangle {
	enum flow_action_mangle_base htype;
	u32 offset;
	u32 mask;			/* of the bits that stay */
	u32 val;
};

/* A rule in the hardware. It refers to ports by index only: it may outlive what was bound. */
struct simnic_rule {
	struct hlist_node by_cookie;
	struct hlist_node by_tuple;
	unsigned long cookie;
	unsigned int driver;
	unsigned int egress;		/* index of the port */

	struct simnic_tuple key, mask;
	__be16 tcp_key, tcp_mask;

	unsigned int pops;
	unsigned int pushes;
	u16 push[SIMNIC_TAGS];		/* TCI, outermost first */
	bool pppoe;
	u16 sid;

	u64 packets, bytes;
	u64 reported_packets, reported_bytes;
	unsigned long installed, used;	/* jiffies */

	unsigned int num_mangles;
	struct simnic_mangle mangles[] __counted_by(num_mangles);
};

enum simnic_count {
	SIMNIC_RULES,
	SIMNIC_REPLACED,
	SIMNIC_DESTROYED,
	SIMNIC_STATS_CALLS,
	SIMNIC_EXISTS,
	SIMNIC_FULL,
	SIMNIC_REFUSED,
	SIMNIC_WRONG_PORT,
	SIMNIC_INJECTED,
	SIMNIC_UNKNOWN,
	SIMNIC_LOST,
	SIMNIC_AGED,
	SIMNIC_HITS,
	SIMNIC_MISSES,
	SIMNIC_LOG_DROPPED,
	SIMNIC_BOUND,
	SIMNIC_RUNNING,
	SIMNIC_MARKED,
	SIMNIC_JOINED,
	SIMNIC_CLONED,
	SIMNIC_SCRIBBLED,
	SIMNIC_SCRIBBLED_ROOM,
	SIMNIC_COUNTS
};

extern atomic64_t simnic_counts[SIMNIC_COUNTS];

static inline void simnic_count(enum simnic_count what)
{
	atomic64_inc(&simnic_counts[what]);
}

/* simnic_main.c */
extern struct simnic_port simnic_ports[SIMNIC_PORTS];
extern unsigned int simnic_num_ports;
extern bool simnic_indirect;
extern bool simnic_shared;

/* The port that is this device, NULL for any other device and for none. */
struct simnic_port *simnic_port_of(const struct net_device *dev);

/* simnic_rules.c */
#define SIMNIC_CALLS	(FLOW_CLS_STATS + 1)	/* REPLACE, DESTROY, STATS */

/* Whether, and when clones are made of what ports receive. */
enum simnic_cloned {
	SIMNIC_CLONED_NEVER,
	SIMNIC_CLONED_BEFORE,	/* GRO has joined it */
	SIMNIC_CLONED_BEHIND,	/* the same, but the first one of a poll has none */
	SIMNIC_CLONED_AFTER,
};

/* How the hardware behaves; all under simnic_call_lock, but what has a remark. */
struct simnic_behaviour {
	unsigned int size;		/* rules that fit */
	int fail;			/* 0 or the error REPLACE fails with, … */
	unsigned int fail_every;	/* … every so many calls */
	unsigned int fail_calls;
	unsigned int random;		/* percent */
	struct rnd_state rnd;
	unsigned int lose_every;	/* accepted rules; 0: never */
	unsigned int accepted;
	unsigned int age;		/* seconds; 0: never */
	unsigned int delay[SIMNIC_CALLS]; /* ms; read without the lock */
	bool carry;			/* read without the lock, … */
	unsigned int hold;		/* … as this: frames; 0: none waits */
	int room;			/* bytes before an Ethernet header; -1: as it comes */
	enum simnic_cloned cloned;
};

extern struct simnic_behaviour simnic_behaviour;
extern struct mutex simnic_call_lock;
extern spinlock_t simnic_table_lock;

int simnic_setup_tc(struct net_device *dev, enum tc_setup_type type, void *type_data);
int simnic_register(unsigned int driver);
int simnic_unregister(unsigned int driver);
void simnic_wait_unbound(void);

struct simnic_rule *simnic_table_find(const struct simnic_tuple *tuple, __be16 tcp_flags);
void simnic_table_lose(void);
void simnic_table_age(void);
void simnic_table_exit(void);
unsigned int simnic_table_buckets(void);
void simnic_table_show(struct seq_file *seq, unsigned int bucket);

/* simnic_forward.c */
struct net_device *simnic_forward(struct simnic_port *port, struct sk_buff *skb);

/* simnic_receive.c */

/* Frames of a port that wait for others, to be handed over in one poll. */
struct simnic_burst {
	struct napi_struct napi;
	struct sk_buff_head held;
	struct timer_list timer;
};

struct sk_buff *simnic_buffer(struct sk_buff *skb);
void simnic_receive(struct simnic_burst *burst, struct sk_buff *skb);
void simnic_clone_frames(enum simnic_cloned when);
void simnic_burst_init(struct simnic_burst *burst, struct net_device *dev);
void simnic_burst_start(struct simnic_burst *burst);
void simnic_burst_stop(struct simnic_burst *burst);
void simnic_burst_exit(struct simnic_burst *burst);

/* simnic_record.c */

/* A line of the log while it is written. Without text, it is not wanted or there is no memory. */
struct simnic_line {
	char *text;
	size_t len;
	bool wanted;
};

void simnic_line_start(struct simnic_line *line);
__printf(2, 3) void simnic_line_add(struct simnic_line *line, const char *fmt, ...);
void simnic_line_add_rule(struct simnic_line *line, const struct flow_rule *rule, struct net *net);
void simnic_line_end(struct simnic_line *line);
void simnic_line_end_result(struct simnic_line *line, int err);
__printf(1, 2) void simnic_remark(const char *fmt, ...);

int simnic_error_of(const char *name);
void simnic_log_enable(bool on);
void simnic_log_clear(void);
ssize_t simnic_log_read(char __user *to, size_t count, loff_t *pos);

/* simnic_control.c */
int simnic_control_init(void);
void simnic_control_exit(void);

#endif /* SIMNIC_H */
