// SPDX-License-Identifier: GPL-2.0
/*
 * What a measurement counts, see count.h, and its report.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "count.h"
#include "lines.h"

#define BLOCK_BUCKETS	65536

enum packet_state {
	PACKET_NONE,
	PACKET_OPEN,
	PACKET_DISTURBED,	/* began, but does not count; its end is still to come */
};

/* Of one number that each packet has. */
struct stat {
	uint64_t sum;
	uint64_t min;
	uint64_t max;
};

static struct {
	enum packet_state state;
	uint32_t number;
	uint64_t stack_from;
	uint64_t stack_size;
	uint64_t instructions;
	uint64_t string_at;	/* the instruction that ran last, if it is of that kind */
	uint64_t string_steps;	/* after the first one of each */
	/* The line of the last access: most accesses are to the line of the one before. */
	uint64_t last_line;
	uint32_t last_flags;
	struct line_set data;
	struct line_set code;
	struct block **blocks;
	uint32_t block_count;
	uint32_t block_room;
} packet;

static struct {
	uint64_t packets;
	uint64_t interrupted;
	uint64_t unended;
	uint64_t unbegun;
	struct stat instructions;
	struct stat string_steps;
	struct stat data_lines;
	struct stat data_written;
	struct stat stack_lines;
	struct stat code_lines;
	struct line_map lines;
} total;

static struct block *blocks[BLOCK_BUCKETS];
static uint64_t reports;

static struct block **block_bucket(uint64_t vaddr)
{
	return &blocks[(vaddr * 0x9e3779b97f4a7c15ULL) >> 48];
}

/* QEMU translates the same instructions again and again; they stay one block. */
struct block *count_block(uint64_t vaddr, uint32_t insns, uint32_t bytes)
{
	struct block **bucket = block_bucket(vaddr);
	struct block *block;

	for (block = *bucket; block; block = block->next) {
		if (block->vaddr == vaddr && block->insns == insns && block->bytes == bytes)
			return block;
	}
	block = zalloc_or_die(1, sizeof(*block));
	block->vaddr = vaddr;
	block->insns = insns;
	block->bytes = bytes;
	block->next = *bucket;
	*bucket = block;
	return block;
}

void count_free_blocks(void)
{
	for (int i = 0; i < BLOCK_BUCKETS; i++) {
		struct block *block = blocks[i];

		blocks[i] = NULL;
		while (block) {
			struct block *next = block->next;

			free(block);
			block = next;
		}
	}
}

void count_reset(void)
{
	packet.state = PACKET_NONE;
	line_map_clear(&total.lines);
	memset(&total, 0, sizeof(total));
	for (int i = 0; i < BLOCK_BUCKETS; i++) {
		for (struct block *block = blocks[i]; block; block = block->next)
			block->runs = 0;
	}
}

bool count_has_packets(void)
{
	return total.packets != 0;
}

/*
 * The packet.
 */

bool packet_is_open(void)
{
	return packet.state == PACKET_OPEN;
}

void packet_begin(uint64_t stack, uint64_t stack_size)
{
	total.unended += packet.state != PACKET_NONE;
	packet.state = PACKET_OPEN;
	packet.number++;
	packet.stack_from = stack & ~(stack_size - 1);
	packet.stack_size = stack_size;
	packet.instructions = 0;
	packet.string_at = 0;
	packet.string_steps = 0;
	packet.last_line = UINT64_MAX;
	packet.last_flags = 0;
	packet.block_count = 0;
	line_set_clear(&packet.data, packet.number);
	line_set_clear(&packet.code, packet.number);
}

/* A handler is not the packet's cost, and where it ends is hard to tell. */
void packet_interrupted(void)
{
	if (packet.state != PACKET_OPEN)
		return;
	packet.state = PACKET_DISTURBED;
	total.interrupted++;
}

static void packet_remember_block(struct block *block)
{
	if (packet.block_count == packet.block_room) {
		uint32_t room = packet.block_room ? packet.block_room * 2 : 1024;
		struct block **list = zalloc_or_die(room, sizeof(*list));

		if (packet.block_count)
			memcpy(list, packet.blocks, packet.block_count * sizeof(*list));
		free(packet.blocks);
		packet.blocks = list;
		packet.block_room = room;
	}
	packet.blocks[packet.block_count++] = block;
}

void packet_string(uint64_t vaddr)
{
	packet.string_at = vaddr;
}

/* All steps of a string instruction are one instruction, with -icount or without. */
void packet_block(struct block *block)
{
	bool step = block->vaddr == packet.string_at;

	packet.string_at = 0;
	packet.string_steps += step;
	packet.instructions += block->insns - step;
	if (step && block->insns == 1)
		return;
	if (block->packet != packet.number) {
		uint64_t last = (block->vaddr + block->bytes - 1) >> LINE_SHIFT;

		block->packet = packet.number;
		block->runs_in_packet = 0;
		packet_remember_block(block);
		for (uint64_t line = block->vaddr >> LINE_SHIFT; line <= last; line++)
			line_set_add(&packet.code, line, 0);
	}
	block->runs_in_packet++;
}

void packet_access(uint64_t vaddr, unsigned int size, bool store)
{
	uint64_t first = vaddr >> LINE_SHIFT, last = (vaddr + size - 1) >> LINE_SHIFT;
	uint32_t flags = store ? LINE_WRITTEN : 0;

	if (vaddr - packet.stack_from < packet.stack_size)
		flags |= LINE_STACK;
	if (first == packet.last_line && last == first && !(flags & ~packet.last_flags))
		return;
	for (uint64_t line = first; line <= last; line++)
		line_set_add(&packet.data, line, flags);
	packet.last_line = last;
	packet.last_flags = flags;
}

static void stat_add(struct stat *stat, uint64_t value)
{
	if (!total.packets || value < stat->min)
		stat->min = value;
	if (value > stat->max)
		stat->max = value;
	stat->sum += value;
}

void packet_end(void)
{
	uint64_t stack = 0, written = 0;

	if (packet.state != PACKET_OPEN) {
		total.unbegun += packet.state == PACKET_NONE;
		packet.state = PACKET_NONE;
		return;
	}
	packet.state = PACKET_NONE;
	for (uint32_t i = 0; i < packet.data.count; i++) {
		const struct set_slot *slot = &packet.data.slots[packet.data.used[i]];

		if (slot->flags & LINE_STACK) {
			stack++;
			continue;
		}
		written += slot->flags & LINE_WRITTEN;
		line_map_add(&total.lines, slot->line, slot->flags & LINE_WRITTEN);
	}
	for (uint32_t i = 0; i < packet.block_count; i++)
		packet.blocks[i]->runs += packet.blocks[i]->runs_in_packet;
	stat_add(&total.instructions, packet.instructions);
	stat_add(&total.string_steps, packet.string_steps);
	stat_add(&total.data_lines, packet.data.count - stack);
	stat_add(&total.data_written, written);
	stat_add(&total.stack_lines, stack);
	stat_add(&total.code_lines, packet.code.count);
	total.packets++;
}

/*
 * The report: lines "KEY VALUE" from "report NUMBER" to "end NUMBER". Means are per packet.
 *
 *   packets		which all the rest is about
 *   interrupted	not counted: an interrupt or exception came, or the reset marker just before
 *   unended, unbegun	not counted: began again without an end; ended without a beginning
 *   instructions	without the markers; a string instruction with REP is one
 *   string_steps	what -icount counts for those beyond that one
 *   data_lines		distinct cache lines of loads and stores, by virtual address
 *   data_written	those of them with a store
 *   shared_*, between_*, cold_*	the same by how many packets touched the line: more than
 *			half of them, neither, fewer than one in 64; "distinct" is in all packets
 *   stack_lines	cache lines of the stack, which are not among those above
 *   code_lines		cache lines of the instructions
 *   line ADDRESS CLASS PACKETS WRITTEN		with lines=on, cold ones left out
 *   block ADDRESS INSTRUCTIONS BYTES RUNS	with blocks=on
 */

enum line_class {
	CLASS_SHARED,
	CLASS_BETWEEN,
	CLASS_COLD,
	CLASSES
};

static const char *const class_names[CLASSES] = {
	[CLASS_SHARED]	= "shared",
	[CLASS_BETWEEN]	= "between",
	[CLASS_COLD]	= "cold",
};

static enum line_class class_of(const struct map_slot *slot)
{
	if ((uint64_t)slot->packets * 2 > total.packets)
		return CLASS_SHARED;
	if ((uint64_t)slot->packets * 64 < total.packets)
		return CLASS_COLD;
	return CLASS_BETWEEN;
}

static double per_packet(uint64_t sum)
{
	return total.packets ? (double)sum / total.packets : 0;
}

static void report_stat(FILE *out, const char *name, const struct stat *stat)
{
	fprintf(out, "%s_mean %.3f\n", name, per_packet(stat->sum));
	fprintf(out, "%s_min %" PRIu64 "\n", name, stat->min);
	fprintf(out, "%s_max %" PRIu64 "\n", name, stat->max);
}

/* "distinct" is how many lines there are of a class, the others what a packet has of it. */
static void report_classes(FILE *out)
{
	struct {
		uint64_t distinct;
		uint64_t touched;
		uint64_t written;
	} of[CLASSES] = {};

	for (uint64_t i = 0; i < total.lines.size; i++) {
		const struct map_slot *slot = &total.lines.slots[i];
		enum line_class class;

		if (!slot->packets)
			continue;
		class = class_of(slot);
		of[class].distinct++;
		of[class].touched += slot->packets;
		of[class].written += slot->written;
	}
	for (int i = 0; i < CLASSES; i++) {
		fprintf(out, "%s_lines_mean %.3f\n", class_names[i], per_packet(of[i].touched));
		fprintf(out, "%s_written_mean %.3f\n", class_names[i], per_packet(of[i].written));
		fprintf(out, "%s_distinct %" PRIu64 "\n", class_names[i], of[i].distinct);
	}
}

static void report_lines(FILE *out)
{
	for (uint64_t i = 0; i < total.lines.size; i++) {
		const struct map_slot *slot = &total.lines.slots[i];

		if (!slot->packets || class_of(slot) == CLASS_COLD)
			continue;
		fprintf(out, "line 0x%" PRIx64 " %s %" PRIu32 " %" PRIu32 "\n",
			slot->line << LINE_SHIFT, class_names[class_of(slot)], slot->packets,
			slot->written);
	}
}

static void report_blocks(FILE *out)
{
	for (int i = 0; i < BLOCK_BUCKETS; i++) {
		for (const struct block *block = blocks[i]; block; block = block->next) {
			if (!block->runs)
				continue;
			fprintf(out, "block 0x%" PRIx64 " %" PRIu32 " %" PRIu32 " %" PRIu64 "\n",
				block->vaddr, block->insns, block->bytes, block->runs);
		}
	}
}

void count_report(FILE *out, const struct report_options *options)
{
	fprintf(out, "report %" PRIu64 "\n", ++reports);
	fprintf(out, "packets %" PRIu64 "\n", total.packets);
	fprintf(out, "interrupted %" PRIu64 "\n", total.interrupted);
	fprintf(out, "unended %" PRIu64 "\n", total.unended);
	fprintf(out, "unbegun %" PRIu64 "\n", total.unbegun);
	report_stat(out, "instructions", &total.instructions);
	report_stat(out, "string_steps", &total.string_steps);
	report_stat(out, "data_lines", &total.data_lines);
	report_stat(out, "data_written", &total.data_written);
	report_classes(out);
	report_stat(out, "stack_lines", &total.stack_lines);
	report_stat(out, "code_lines", &total.code_lines);
	if (options->lines)
		report_lines(out);
	if (options->blocks)
		report_blocks(out);
	/* Whoever finds this line has all of the report. */
	fprintf(out, "end %" PRIu64 "\n", reports);
	fflush(out);
}
