// SPDX-License-Identifier: GPL-2.0
/*
 * How the ports of the simulated NIC hand frames to the stack: in bursts that GRO joins, in buffers with
 * as much room as is asked for, and with clones that tell who wrote into what others hold, too.
 *
 * None of that happens before "control" asks for it, nor at the other ends of the cables.
 */

#include <linux/etherdevice.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/skbuff.h>

#include "simnic.h"

/* Frames that wait at most. A burst is much smaller: they only grow if nothing polls. */
#define SIMNIC_HELD_MAX		4096
/* Clones that are kept at most: the oldest one makes room. */
#define SIMNIC_CLONES		256
/* What the room before a frame is filled with. */
#define SIMNIC_ROOM_FILL	0x5a

/* A clone, from its Ethernet header on, and what it said when it was made. */
struct simnic_clone {
	struct sk_buff *skb;
	unsigned int len;
	u32 bytes;		/* a hash of all of it */
	u32 room;		/* the same of what is before it in its buffer */
};

static struct simnic_clone simnic_clones[SIMNIC_CLONES];
static unsigned int simnic_next_clone;
static DEFINE_SPINLOCK(simnic_clones_lock);

/* Of all bytes of a packet, wherever they are. */
static u32 simnic_hash(struct sk_buff *skb)
{
	struct skb_seq_state state;
	unsigned int done = 0, len;
	const u8 *data;
	u32 hash = 0;

	skb_prepare_seq_read(skb, 0, skb->len, &state);
	while ((len = skb_seq_read(done, &data, &state)) != 0) {
		hash = jhash(data, len, hash);
		done += len;
	}
	return hash;
}

static u32 simnic_hash_room(const struct sk_buff *skb)
{
	return jhash(skb->head, skb_headroom(skb), 0);
}

/* Says whether somebody has written into it since, and lets it go. */
static void simnic_check_clone(struct simnic_clone *clone)
{
	struct sk_buff *skb = clone->skb;

	if (!skb)
		return;
	if (skb->len != clone->len || simnic_hash(skb) != clone->bytes)
		simnic_count(SIMNIC_SCRIBBLED);
	if (simnic_hash_room(skb) != clone->room)
		simnic_count(SIMNIC_SCRIBBLED_ROOM);
	kfree_skb(skb);
	clone->skb = NULL;
}

static void simnic_check_clones(void)
{
	unsigned int i;

	spin_lock_bh(&simnic_clones_lock);
	for (i = 0; i < SIMNIC_CLONES; i++)
		simnic_check_clone(&simnic_clones[i]);
	spin_unlock_bh(&simnic_clones_lock);
}

/* Of a packet as the stack gets it, at its network header. Without memory there is no clone. */
static void simnic_keep_clone(struct sk_buff *skb)
{
	struct simnic_clone *clone;
	struct sk_buff *other = skb_clone(skb, GFP_ATOMIC);

	if (!other)
		return;
	/* It may stay longer than the device. */
	other->dev = NULL;
	skb_push(other, other->data - skb_mac_header(other));
	simnic_count(SIMNIC_CLONED);

	spin_lock_bh(&simnic_clones_lock);
	clone = &simnic_clones[simnic_next_clone++ % SIMNIC_CLONES];
	simnic_check_clone(clone);
	clone->skb = other;
	clone->len = other->len;
	clone->bytes = simnic_hash(other);
	clone->room = simnic_hash_room(other);
	spin_unlock_bh(&simnic_clones_lock);
}

/* As a packet socket that listens, which sees what GRO has made, before anybody else. */
static int simnic_tap(struct sk_buff *skb, struct net_device *dev, struct packet_type *type,
		      struct net_device *from)
{
	simnic_keep_clone(skb);
	consume_skb(skb);
	return NET_RX_SUCCESS;
}

/* Under simnic_call_lock, or when nobody calls any more. Looks at all clones that are kept. */
void simnic_clone_frames(enum simnic_cloned when)
{
	static bool tapped;
	struct packet_type *tap;
	unsigned int i;

	WRITE_ONCE(simnic_behaviour.cloned, when);
	for (i = 0; i < simnic_num_ports && tapped != (when == SIMNIC_CLONED_AFTER); i++) {
		tap = &simnic_ports[i].tap;
		if (tapped) {
			dev_remove_pack(tap);
			continue;
		}
		tap->type = htons(ETH_P_ALL);
		tap->dev = simnic_ports[i].dev;
		tap->func = simnic_tap;
		tap->ignore_outgoing = true;
		dev_add_pack(tap);
	}
	tapped = when == SIMNIC_CLONED_AFTER;
	simnic_check_clones();
}

/*
 * The same frame in a linear buffer with so many bytes before its Ethernet header, and no more. Most
 * NICs receive into pieces of pages, which GRO may take for its own; nobody could have a clone of
 * those, so such a buffer comes from where those of sockets come from. Consumes the frame, and returns
 * NULL if there is no memory.
 */
static struct sk_buff *simnic_with_room(struct sk_buff *skb, unsigned int room, bool cloned)
{
	unsigned int size = SKB_DATA_ALIGN(room + skb->len) +
			    SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	struct sk_buff *new = NULL;
	void *data;

	if (cloned || size > PAGE_SIZE) {
		new = alloc_skb(room + skb->len, GFP_ATOMIC);
	} else {
		data = netdev_alloc_frag(size);
		if (data) {
			new = build_skb(data, size);
			if (!new)
				skb_free_frag(data);
		}
	}
	if (new) {
		memset(new->head, SIMNIC_ROOM_FILL, room);
		skb_reserve(new, room);
		if (skb_copy_bits(skb, 0, skb_put(new, skb->len), skb->len)) {
			kfree_skb(new);
			new = NULL;
		}
	}
	if (new)
		consume_skb(skb);
	else
		kfree_skb(skb);
	return new;
}

/* Makes of a frame from the cable what this NIC would have received. As above. */
struct sk_buff *simnic_buffer(struct sk_buff *skb)
{
	int room = READ_ONCE(simnic_behaviour.room);
	enum simnic_cloned when = READ_ONCE(simnic_behaviour.cloned);
	bool cloned = when == SIMNIC_CLONED_BEFORE || when == SIMNIC_CLONED_BEHIND;

	if (room < 0 && !cloned)
		return skb;
	return simnic_with_room(skb, room < 0 ? NET_SKB_PAD : room, cloned);
}

/* Hands a frame to the stack, at its network header: now, or with others. */
void simnic_receive(struct simnic_burst *burst, struct sk_buff *skb)
{
	unsigned int hold = READ_ONCE(simnic_behaviour.hold), held;

	/* One that came before must not be overtaken. */
	if (!hold && skb_queue_empty_lockless(&burst->held)) {
		if (READ_ONCE(simnic_behaviour.cloned) == SIMNIC_CLONED_BEFORE)
			simnic_keep_clone(skb);
		netif_rx(skb);
		return;
	}
	held = skb_queue_len_lockless(&burst->held);
	if (held >= SIMNIC_HELD_MAX) {
		dev_core_stats_rx_dropped_inc(skb->dev);
		kfree_skb(skb);
		return;
	}
	skb_queue_tail(&burst->held, skb);
	if (held + 1 >= hold)
		napi_schedule(&burst->napi);
	else if (!timer_pending(&burst->timer))
		mod_timer(&burst->timer, jiffies + 1);
}

static void simnic_burst_timer(struct timer_list *timer)
{
	struct simnic_burst *burst = container_of(timer, struct simnic_burst, timer);

	napi_schedule(&burst->napi);
}

static int simnic_burst_poll(struct napi_struct *napi, int budget)
{
	struct simnic_burst *burst = container_of(napi, struct simnic_burst, napi);
	enum simnic_cloned cloned = READ_ONCE(simnic_behaviour.cloned);
	struct sk_buff *skb;
	int done = 0;

	while (done < budget) {
		skb = skb_dequeue(&burst->held);
		if (!skb)
			break;
		if (cloned == SIMNIC_CLONED_BEFORE || (cloned == SIMNIC_CLONED_BEHIND && done))
			simnic_keep_clone(skb);
		done++;
		switch (napi_gro_receive(napi, skb)) {
		case GRO_MERGED:
		case GRO_MERGED_FREE:
			simnic_count(SIMNIC_JOINED);
			break;
		default:
			break;
		}
	}
	/* One that came just now found the poll running, and started none. */
	if (done < budget && napi_complete_done(napi, done) &&
	    !skb_queue_empty_lockless(&burst->held))
		mod_timer(&burst->timer, jiffies + 1);
	return done;
}

void simnic_burst_init(struct simnic_burst *burst, struct net_device *dev)
{
	skb_queue_head_init(&burst->held);
	timer_setup(&burst->timer, simnic_burst_timer, 0);
	netif_napi_add(dev, &burst->napi, simnic_burst_poll);
}

void simnic_burst_start(struct simnic_burst *burst)
{
	napi_enable(&burst->napi);
}

/* Whoever is about to hold a frame does so after this at worst, and the frame waits for the next start. */
void simnic_burst_stop(struct simnic_burst *burst)
{
	timer_delete_sync(&burst->timer);
	napi_disable(&burst->napi);
	skb_queue_purge(&burst->held);
}

/* After the device has been unregistered, or if it never was registered. */
void simnic_burst_exit(struct simnic_burst *burst)
{
	timer_shutdown_sync(&burst->timer);
	skb_queue_purge(&burst->held);
}
