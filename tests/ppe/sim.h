/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /proc/ppe_sim: what a driver of a packet processing engine holds, for a driver that runs over
 * memory instead of registers. The files are the same for each driver.
 */
#ifndef PPE_SIM_H
#define PPE_SIM_H

#include <linux/rhashtable.h>
#include <net/flow_offload.h>

#define SIM_WORDS	32	/* of the longest entry */
#define SIM_UNBOUND	0xffff	/* instead of a slot, as drivers have it */

/* An entry that the driver has made of a rule. */
struct sim_entry {
	void *object;		/* the driver's; stays while the driver's lock is held */
	unsigned long cookie;	/* of the rule */
	u32 words[SIM_WORDS];
	u32 hash;		/* the slot where the hardware has it, or SIM_UNBOUND */
	int type, wed, ppe;
};

/* States of a slot: both drivers number them alike. */
enum sim_state {
	SIM_INVALID,
	SIM_UNBIND,
	SIM_BIND,
	SIM_FIN,
};

enum sim_bound {
	SIM_BOUND_NOW,
	SIM_BOUND_BEFORE,
	SIM_BOUND_COLLIDED,	/* another entry has its place */
	SIM_BOUND_SKIPPED,	/* of a type that is not emulated */
	SIM_BOUND_REFUSED,	/* the driver did not take it */
	SIM_BOUND_RESULTS,
};

struct sim_driver {
	unsigned int words;	/* of an entry */
	unsigned int ppes;	/* tables of the hardware */
	unsigned int slots;	/* in each of them */
	struct rhashtable *flows;
	/* No entry comes or goes meanwhile. */
	void (*lock)(void);
	void (*unlock)(void);
	void (*describe)(const void *object, struct sim_entry *entry);
	enum sim_state (*slot)(unsigned int ppe, unsigned int slot, u32 *words);
	/* Does as if packets of the entry had hit the hardware often enough. With the lock held. */
	enum sim_bound (*bind)(void *object);
	/* The driver's way in, without the lock. */
	int (*command)(struct flow_cls_offload *cls);
};

int sim_init(const struct sim_driver *driver);
void sim_exit(void);

/*
 * Takes the entries back that nobody did, when nobody can any more. They are of no use to a driver
 * that goes; and how many there are says what whoever made them has forgotten.
 */
void sim_drop_leaked(void);

/* To be called with the result of what was asked of the driver. */
void sim_count_block(const struct flow_block_offload *offload, int err);
void sim_count_command(const struct flow_cls_offload *cls, int err);

/* The clock of the hardware, in seconds. */
u32 sim_clock(void);

#endif
