// SPDX-License-Identifier: GPL-2.0
/*
 * The tables of cache lines, see lines.h.
 */

#include <stdio.h>
#include <stdlib.h>

#include "lines.h"

#define SET_FIRST_SIZE	4096
#define MAP_FIRST_SIZE	65536

void *zalloc_or_die(uint64_t count, uint64_t size)
{
	void *memory = calloc(count, size);

	if (!memory) {
		fprintf(stderr, "nfo_lines: out of memory\n");
		abort();
	}
	return memory;
}

/* Lines of a structure are neighbours; the multiplication spreads them over the upper bits. */
static uint64_t line_hash(uint64_t line)
{
	return (line * 0x9e3779b97f4a7c15ULL) >> 32;
}

static struct set_slot *set_find(struct line_set *set, uint64_t line)
{
	uint32_t at = line_hash(line) & (set->size - 1);

	while (set->slots[at].packet == set->packet && set->slots[at].line != line)
		at = (at + 1) & (set->size - 1);
	return &set->slots[at];
}

static void set_insert(struct line_set *set, struct set_slot *slot, uint64_t line, uint32_t flags)
{
	slot->line = line;
	slot->packet = set->packet;
	slot->flags = flags;
	set->used[set->count++] = slot - set->slots;
}

static void set_grow(struct line_set *set)
{
	struct line_set old = *set;

	set->size = old.size ? old.size * 2 : SET_FIRST_SIZE;
	set->slots = zalloc_or_die(set->size, sizeof(*set->slots));
	set->used = zalloc_or_die(set->size / 2, sizeof(*set->used));
	set->count = 0;
	for (uint32_t i = 0; i < old.count; i++) {
		struct set_slot *slot = &old.slots[old.used[i]];

		set_insert(set, set_find(set, slot->line), slot->line, slot->flags);
	}
	free(old.slots);
	free(old.used);
}

/* Packets have numbers from 1, as slots begin with 0. */
void line_set_clear(struct line_set *set, uint32_t packet)
{
	set->packet = packet;
	set->count = 0;
}

void line_set_add(struct line_set *set, uint64_t line, uint32_t flags)
{
	struct set_slot *slot;

	if (set->count == set->size / 2)
		set_grow(set);
	slot = set_find(set, line);
	if (slot->packet == set->packet)
		slot->flags |= flags;
	else
		set_insert(set, slot, line, flags);
}

static struct map_slot *map_find(struct line_map *map, uint64_t line)
{
	uint64_t at = line_hash(line) & (map->size - 1);

	while (map->slots[at].packets && map->slots[at].line != line)
		at = (at + 1) & (map->size - 1);
	return &map->slots[at];
}

static void map_grow(struct line_map *map)
{
	struct line_map old = *map;

	map->size = old.size ? old.size * 2 : MAP_FIRST_SIZE;
	map->slots = zalloc_or_die(map->size, sizeof(*map->slots));
	for (uint64_t i = 0; i < old.size; i++) {
		if (old.slots[i].packets)
			*map_find(map, old.slots[i].line) = old.slots[i];
	}
	free(old.slots);
}

void line_map_clear(struct line_map *map)
{
	free(map->slots);
	*map = (struct line_map){};
}

void line_map_add(struct line_map *map, uint64_t line, bool written)
{
	struct map_slot *slot;

	if (map->count == map->size / 2)
		map_grow(map);
	slot = map_find(map, line);
	if (!slot->packets) {
		slot->line = line;
		map->count++;
	}
	slot->packets++;
	slot->written += written;
}
