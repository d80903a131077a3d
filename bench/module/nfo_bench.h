/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Measures the ingress hooks of flowtables, whoever made them, on frames that a script describes.
 *
 *   bench_main.c      loading and unloading
 *   bench_control.c   /proc/nfo_bench/control: the commands
 *   bench_result.c    /proc/nfo_bench/result: what the last of them has found
 *   bench_device.c    "nfobench" devices, by which packets leave
 *   bench_sent.c      /proc/nfo_bench/sent: frames that left
 *   bench_digest.c    what left, as one number
 *   bench_template.c  frames, and how they differ from flow to flow
 *   bench_order.c     /proc/nfo_bench/order: which flow each packet is of
 *   bench_shot.c      a template made ready for the loop
 *   bench_learn.c     what a hook hands over to a device
 *   bench_loop.c      the loop that measures
 *   bench_dozens.c    the same by packets of their own, which may leave later
 *   bench_run.c       the commands "run" and "run2"
 *   bench_make.c      "make": connections and flows, by the classic path
 *   bench_watch.c     watching the others, as a task that is not treated like them
 *   bench_gaps.c      "gaps": what is taken from everyone else
 *   bench_wakes.c     "wakes": how long the CPU is not to be had
 *   bench_workers.c   "workers": what is done in the background
 *   bench_demote.c    "demote": who makes the next flowtable
 *
 * One mutex, bench_lock, is over all commands and files. What the transmit path of the devices
 * takes is per CPU, or the lock of bench_sent.c.
 */
#ifndef NFO_BENCH_H
#define NFO_BENCH_H

#include <linux/etherdevice.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/unaligned.h>
#include <net/checksum.h>

#if defined(CONFIG_X86) && !defined(CONFIG_UML)
#include <asm/tsc.h>
#endif

struct net;
struct net_device;
struct proc_ops;
struct seq_file;

#define BENCH_TEMPLATES	32
#define BENCH_FRAME_MAX	2048
#define BENCH_FIELDS	4
#define BENCH_SUMS	4	/* checksums over a field */
#define BENCH_ORDER_MAX	(4 * 1024 * 1024)
#define BENCH_BATCH	64U
#define BENCH_CPUS	2	/* of run2 */

extern struct mutex bench_lock;

/*
 * Time.
 */

struct bench_clock {
	u64 ns;
	u64 tsc;		/* 0 where there is none */
};

static __always_inline u64 bench_tsc(void)
{
#if defined(CONFIG_X86) && !defined(CONFIG_UML)
	return rdtsc_ordered();
#else
	return 0;
#endif
}

static __always_inline void bench_clock_start(struct bench_clock *began)
{
	began->ns = ktime_get_ns();
	began->tsc = bench_tsc();
}

/* Adds what has passed to the sum, and returns its nanoseconds. */
static __always_inline u64 bench_clock_stop(const struct bench_clock *began,
					    struct bench_clock *sum)
{
	u64 tsc = bench_tsc() - began->tsc, ns = ktime_get_ns() - began->ns;

	sum->tsc += tsc;
	sum->ns += ns;
	return ns;
}

/* bench_result.c */

/* Counts by the power of two below them. */
struct bench_hist {
	u64 counts[64];
};

static inline void bench_hist_add(struct bench_hist *hist, u64 ns)
{
	hist->counts[ns ? ilog2(ns) : 0]++;
}

void bench_result_clear(void);
void bench_result_add(const char *key, u64 value);
void bench_result_add_hex(const char *key, u64 value);
void bench_result_add_clock(const struct bench_clock *sum);
void bench_result_add_hist(const struct bench_hist *hist);
int bench_result_show(struct seq_file *seq, void *unused);

/* bench_template.c */

/* A number within a frame that depends on the flow's. */
struct bench_field {
	u16 offset;
	u8 width;		/* 2 or 4 */
	u8 num_sums;
	u16 sums[BENCH_SUMS];	/* offsets of checksums over it */
	bool shifts, masks;	/* div, mod are powers of two: shift, mask are in their place */
	u8 shift;
	u32 div, mod, mask;
	u32 base;		/* what is in the frame */
	__wsum without;		/* takes that out of a checksum */
};

struct bench_frame {
	unsigned int len;
	unsigned int num_fields;
	struct bench_field fields[BENCH_FIELDS];
	u8 bytes[BENCH_FRAME_MAX];
};

struct bench_template {
	char dev[IFNAMSIZ];
	struct bench_frame frame;
};

static __always_inline void bench_field_write(u8 *frame, const struct bench_field *field, u32 n)
{
	unsigned int i;
	__wsum diff;

	n = likely(field->shifts) ? n >> field->shift : n / field->div;
	n = likely(field->masks) ? n & field->mask : n % field->mod;
	n += field->base;
	if (field->width == 2) {
		__be16 value = cpu_to_be16(n);

		*(__be16 *)(frame + field->offset) = value;
		diff = csum_add((__force __wsum)value, field->without);
	} else {
		__be32 value = cpu_to_be32(n);

		put_unaligned(value, (__be32 *)(frame + field->offset));
		diff = csum_add((__force __wsum)value, field->without);
	}
	for (i = 0; i < field->num_sums; i++) {
		__sum16 *sum = (__sum16 *)(frame + field->sums[i]);

		/* Both zeros are good for IP and TCP, but for UDP one of them says: no checksum. */
		*sum = csum_fold(csum_add(diff, ~csum_unfold(*sum))) ?: CSUM_MANGLED_0;
	}
}

/* Writes the frame of a flow; to an even address. */
static __always_inline void bench_frame_write(u8 *to, const struct bench_frame *frame, u32 n)
{
	unsigned int i;

	memcpy(to, frame->bytes, frame->len);
	for (i = 0; i < frame->num_fields; i++)
		bench_field_write(to, &frame->fields[i], n);
}

int bench_do_template(int argc, char **argv);
const struct bench_template *bench_template(unsigned int id);
int bench_template_ids(const char *word, u8 *ids);
void bench_template_exit(void);

/* bench_order.c */
extern const struct proc_ops bench_order_ops;
const u32 *bench_order(u32 *len);
void bench_order_exit(void);

/* bench_shot.c */

/* Before the Ethernet header, as where a NIC's driver has its packets made. */
#define BENCH_RESERVE	(NET_SKB_PAD + NET_IP_ALIGN)
/* A frame may begin later than it arrived, when what it was wrapped in is gone. */
#define BENCH_ROOM	(BENCH_RESERVE + BENCH_FRAME_MAX + 128)

/* A template on a device, and the packet that the loop makes of it. */
struct bench_shot {
	struct net_device *dev;		/* by which it arrives */
	unsigned int at;		/* its first byte, from the buffer's … */
	unsigned int data;		/* … and where skb->data is */
	struct nf_hook_state state;
	struct net_device *out;		/* by which it leaves, for "xmit" … */
	struct dst_entry *dst;		/* … and by which route, if any */
	struct sk_buff image;		/* the packet's fields, up to tail */
	struct bench_frame frame;
};

/* A packet of its own, as a driver makes it; or NULL. */
static __always_inline struct sk_buff *bench_shot_packet(const struct bench_shot *shot, u32 n)
{
	struct sk_buff *skb = netdev_alloc_skb_ip_align(shot->dev, shot->frame.len);

	if (unlikely(!skb))
		return NULL;
	bench_frame_write(skb_put(skb, shot->frame.len), &shot->frame, n);
	skb->protocol = eth_type_trans(skb, shot->dev);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return skb;
}

struct sk_buff *bench_skb_alloc(void);
struct sk_buff *bench_packet_arrive(struct sk_buff *skb);
struct bench_shot *bench_shots_alloc(struct net *net, const u8 *ids, unsigned int num, bool hooked);
void bench_shots_free(struct bench_shot *shots, unsigned int num);

/* bench_loop.c */
enum bench_mode {
	BENCH_BUILD,
	BENCH_HOOK,
	BENCH_XMIT,
	BENCH_DIGEST,
	BENCH_RECEIVE,
	BENCH_ALLOC,
	BENCH_WRITE,
	BENCH_FEED,
	BENCH_FEED_DIGEST,
	BENCH_FEED_NOTHING,
	BENCH_MAKE,		/* no mode of run */
};

static inline bool bench_mode_has_hook(enum bench_mode mode)
{
	return mode == BENCH_HOOK || mode == BENCH_DIGEST || mode == BENCH_FEED ||
	       mode == BENCH_FEED_DIGEST || mode == BENCH_FEED_NOTHING;
}

/* Whether hooks get packets that may leave later. */
static inline bool bench_mode_feeds(enum bench_mode mode)
{
	return mode == BENCH_FEED || mode == BENCH_FEED_DIGEST || mode == BENCH_FEED_NOTHING;
}

/* Whether packets are made by the dozen, and freed by whoever has them in the end. */
static inline bool bench_mode_is_raw(enum bench_mode mode)
{
	return mode == BENCH_RECEIVE || mode == BENCH_ALLOC || mode == BENCH_WRITE || mode == BENCH_MAKE ||
	       bench_mode_feeds(mode);
}

struct bench_learned;

/* A loop that measures; one task's. */
struct bench_loop {
	const struct bench_shot *shots;
	unsigned int num_shots;
	const u32 *order;
	u32 order_len;
	enum bench_mode mode;
	bool marked;
	bool keeps;			/* what is sent comes back to the loop … */
	bool collects;			/* … or to its list */
	bool digests;

	unsigned int turn;		/* of the next packet: which shot … */
	u32 next;			/* … and where in the order */
	struct sk_buff *skb;		/* the one packet … */
	const u8 *head;			/* … and its buffer */
	struct sk_buff *kept;		/* what was sent */
	unsigned int batch;		/* so many between two looks at the clock */
	struct sk_buff_head back;	/* the same by the dozen; only with BHs disabled */
	struct nf_hook_entry hooks[BENCH_TEMPLATES];
	struct bench_learned *learned;	/* to be filled in, if somebody wants to know */
	bool stop;
	int err;

	struct bench_clock took;
	u64 packets;
	u64 sent;
	u64 stolen, accepted, dropped;	/* what hooks returned */
	u64 lost;			/* stolen, and never seen again */
	u64 replaced;			/* the packet or its buffer was not the same afterwards */
	u64 digest;
};

/* Whoever sends on this CPU, with BHs disabled. */
DECLARE_PER_CPU(struct bench_loop *, bench_current);

static __always_inline const struct bench_shot *bench_loop_next(struct bench_loop *loop,
								unsigned int *turn, u32 *n)
{
	*turn = loop->turn;
	*n = loop->order[loop->next];
	if (++loop->turn == loop->num_shots)
		loop->turn = 0;
	if (++loop->next == loop->order_len)
		loop->next = 0;
	return &loop->shots[*turn];
}

bool bench_loop_find_hooks(struct bench_loop *loop);
int bench_loop_start(struct bench_loop *loop, u32 start);
int bench_loop_run(struct bench_loop *loop, u64 count);
void bench_loop_end(struct bench_loop *loop);

/* bench_dozens.c */
extern unsigned int bench_dozen_size;
void bench_dozen(struct bench_loop *loop, unsigned int num);

/* bench_learn.c */
int bench_learn(struct net *net, struct bench_loop *loop, struct bench_shot *shots);

/* bench_digest.c */
void bench_digest_frame(struct bench_loop *loop, struct sk_buff *skb,
			const struct net_device *dev);
void bench_digest_verdict(struct bench_loop *loop, unsigned int verdict);

/* bench_sent.c */
extern const struct seq_operations bench_sent_ops;
int bench_do_record(int argc, char **argv);
void bench_sent_add(const struct sk_buff *skb, const struct net_device *dev);
void bench_sent_exit(void);

/* bench_device.c */
int bench_device_init(void);
void bench_device_exit(void);

/* bench_watch.c */

/* A command that watches: NAME MILLISECONDS [NS]. */
struct bench_watch {
	u32 policy, priority;	/* of the task for as long */
	u32 ns;			/* if it is not said */
	size_t size;		/* of what is found, which begins as zeros */
	int (*look)(void *found, u64 duration, u32 ns);
	void (*tell)(const void *found);
};

int bench_watch_run(const struct bench_watch *watch, int argc, char **argv);

/* bench_run.c, bench_make.c, bench_gaps.c, bench_wakes.c, bench_workers.c,
 * bench_demote.c */
int bench_do_run(int argc, char **argv);
int bench_do_run2(int argc, char **argv);
extern bool bench_markers;
int bench_do_make(int argc, char **argv);
int bench_do_gaps(int argc, char **argv);
int bench_do_wakes(int argc, char **argv);
int bench_do_workers(int argc, char **argv);
int bench_do_demote(int argc, char **argv);

/* bench_control.c */
int bench_control_init(void);
void bench_control_exit(void);

/*
 * Instructions that do nothing, for an emulator that watches: a packet begins, and ends. The hook's
 * arguments may be put in place in between, which is the same for all hooks.
 */
static __always_inline void bench_mark_begin(void)
{
#ifdef CONFIG_X86_64
	/* nopl 0x014f464e(%rax,%rax,1) */
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00, 0x4e, 0x46, 0x4f, 0x01" ::: "memory");
#endif
}

static __always_inline void bench_mark_end(void)
{
#ifdef CONFIG_X86_64
	/* nopl 0x024f464e(%rax,%rax,1) */
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00, 0x4e, 0x46, 0x4f, 0x02" ::: "memory");
#endif
}

#endif /* NFO_BENCH_H */
