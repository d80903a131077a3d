/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two tables of cache lines: those of the open packet, and those of all packets so far. Both are
 * hash tables with linear probing, of a power of two slots that are at most half full.
 */
#ifndef NFO_LINES_H
#define NFO_LINES_H

#include <stdbool.h>
#include <stdint.h>

#define LINE_SHIFT	6

enum line_flags {
	LINE_WRITTEN	= 1,
	LINE_STACK	= 2,
};

struct set_slot {
	uint64_t line;
	uint32_t packet;	/* a slot of another packet is empty */
	uint32_t flags;
};

/* The lines of one packet. Emptied by the next packet's number, without touching the slots. */
struct line_set {
	struct set_slot *slots;
	uint32_t *used;		/* the slots in use, in the order of first use */
	uint32_t size;
	uint32_t count;
	uint32_t packet;
};

struct map_slot {
	uint64_t line;
	uint32_t packets;	/* that touched the line; 0: the slot is empty */
	uint32_t written;	/* of these, wrote to it */
};

struct line_map {
	struct map_slot *slots;
	uint64_t size;
	uint64_t count;
};

void line_set_clear(struct line_set *set, uint32_t packet);
void line_set_add(struct line_set *set, uint64_t line, uint32_t flags);
void line_map_clear(struct line_map *map);
void line_map_add(struct line_map *map, uint64_t line, bool written);

/* Memory or the end of it all: half a measurement is of no use. */
void *zalloc_or_die(uint64_t count, uint64_t size);

#endif
