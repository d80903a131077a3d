/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a measurement counts, without anything of QEMU. One packet at a time is open. What it did
 * becomes part of the measurement when it ends, so that one that was disturbed leaves no trace.
 */
#ifndef NFO_COUNT_H
#define NFO_COUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Instructions that run one after the other: a block of QEMU's, or what a marker leaves of it. */
struct block {
	struct block *next;
	uint64_t vaddr;
	uint32_t insns;
	uint32_t bytes;
	uint64_t runs;		/* in whole packets */
	uint32_t packet;	/* the last one that ran it, and how often so far */
	uint32_t runs_in_packet;
};

/* Whether a report also has a line for each block, and for each cache line that is not cold. */
struct report_options {
	bool blocks;
	bool lines;
};

struct block *count_block(uint64_t vaddr, uint32_t insns, uint32_t bytes);
/* No translated code may know a block any more. */
void count_free_blocks(void);
void count_reset(void);
void count_report(FILE *out, const struct report_options *options);
bool count_has_packets(void);

/* The data lines in STACK_SIZE bytes around STACK, aligned to that, are the stack's. */
void packet_begin(uint64_t stack, uint64_t stack_size);
void packet_end(void);
void packet_interrupted(void);
void packet_block(struct block *block);
/* The instruction that runs next may run again and again, for its steps, each time as a block. */
void packet_string(uint64_t vaddr);
void packet_access(uint64_t vaddr, unsigned int size, bool store);
bool packet_is_open(void);

#endif
