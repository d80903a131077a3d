// SPDX-License-Identifier: GPL-2.0
/*
 * nfo_lines: a QEMU plugin that counts what each packet costs: the instructions between two markers
 * that the guest executes (markers.h), and the cache lines that they touch.
 *
 *   -plugin nfo_lines.so,out=PATH[,blocks=on][,lines=on][,stack=BYTES]
 *
 * Only a measurement, from the reset marker to the report marker, has a price. Outside of one,
 * nothing but these two markers is instrumented, and the guest runs as fast as without the plugin.
 * Both of them throw away all code that QEMU has translated, to have it translated again with or
 * without the rest. That takes effect with the next block of code after the marker.
 *
 * The counts are of one vCPU, and do not depend on -icount.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "count.h"
#include "markers.h"
#include "qemu_plugin.h"

/* THREAD_SIZE of x86_64 without KASAN; kernel stacks are aligned to it. */
#define STACK_SIZE	16384

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static qemu_plugin_id_t plugin_id;
static FILE *out;
static struct report_options options;
static uint64_t stack_size = STACK_SIZE;
static struct qemu_plugin_register *stack_pointer;
static GByteArray *register_value;

/* Not 0 while a packet is open; a copy of packet_is_open() for translated code to look at. */
static qemu_plugin_u64 is_open;

/* Whether there is to be a measurement, and whether code is translated for one. */
static bool measure, measuring;

static void start_over(void *data);

static void show_packet_state(void)
{
	qemu_plugin_u64_set(is_open, 0, packet_is_open());
}

static uint64_t read_stack_pointer(void)
{
	uint64_t value = 0;

	/* QEMU appends. */
	g_byte_array_set_size(register_value, 0);
	if (stack_pointer && qemu_plugin_read_register(stack_pointer, register_value) &&
	    register_value->len == sizeof(value))
		memcpy(&value, register_value->data, sizeof(value));
	return value;
}

/*
 * What happens when the guest gets to an instruction.
 */

static void at_begin(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	packet_begin(read_stack_pointer(), stack_size);
	show_packet_state();
}

static void at_end(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	packet_end();
	show_packet_state();
}

/*
 * QEMU calls start_over() soon, between two blocks of code, when all translated code is gone. It
 * ignores us if that is already to come; start_over() then finds the latest wish.
 */
static void set_measure(bool on)
{
	measure = on;
	if (measure != measuring)
		qemu_plugin_reset(plugin_id, start_over, NULL);
}

static void at_reset(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	count_reset();
	show_packet_state();
	set_measure(true);
}

static void at_report(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (!measure)
		return;
	count_report(out, &options);
	count_reset();
	show_packet_state();
	set_measure(false);
}

static void at_block(unsigned int vcpu, void *data)
{
	(void)vcpu;
	packet_block(data);
}

static void at_string(unsigned int vcpu, void *data)
{
	(void)vcpu;
	packet_string((uintptr_t)data);
}

/* There are no conditional callbacks of this kind. */
static void at_access(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
	(void)vcpu;
	(void)data;
	if (packet_is_open())
		packet_access(vaddr, 1U << qemu_plugin_mem_size_shift(info),
			      qemu_plugin_mem_is_store(info));
}

/* On x86, QEMU calls exceptions interrupts, too. Both spoil a packet. */
static void at_interrupt(unsigned int vcpu, enum qemu_plugin_discon_type type, uint64_t from_pc,
			 uint64_t to_pc, void *data)
{
	(void)vcpu;
	(void)type;
	(void)from_pc;
	(void)to_pc;
	(void)data;
	packet_interrupted();
	show_packet_state();
}

/*
 * Translation.
 */

static enum nfo_marker marker_of(const struct qemu_plugin_insn *insn)
{
	static const uint8_t prefix[] = NFO_MARKER_PREFIX;
	uint8_t bytes[NFO_MARKER_SIZE];

	if (qemu_plugin_insn_size(insn) != sizeof(bytes) ||
	    qemu_plugin_insn_data(insn, bytes, sizeof(bytes)) != sizeof(bytes) ||
	    memcmp(bytes, prefix, sizeof(prefix)) || bytes[sizeof(prefix)] > NFO_REPORT)
		return NFO_NO_MARKER;
	return bytes[sizeof(prefix)];
}

/*
 * MOVS, CMPS, STOS, LODS or SCAS with a REP prefix. With -icount, QEMU executes each step of these
 * as an instruction of its own, which no processor does.
 */
static bool is_repeated_string(const struct qemu_plugin_insn *insn)
{
	uint8_t bytes[5];
	size_t at, len = qemu_plugin_insn_size(insn);
	bool repeated = false;

	if (len > sizeof(bytes) || qemu_plugin_insn_data(insn, bytes, len) != len)
		return false;
	for (at = 0; at < len; at++) {
		if (bytes[at] == 0xf2 || bytes[at] == 0xf3)
			repeated = true;
		else if (bytes[at] != 0x66 && bytes[at] != 0x67 && (bytes[at] & 0xf0) != 0x40)
			break;
	}
	return repeated && at == len - 1 &&
	       ((bytes[at] >= 0xa4 && bytes[at] <= 0xa7) ||
		(bytes[at] >= 0xaa && bytes[at] <= 0xaf));
}

static void instrument_marker(struct qemu_plugin_insn *insn, enum nfo_marker marker)
{
	static const qemu_plugin_vcpu_udata_cb_t callbacks[] = {
		[NFO_BEGIN]	= at_begin,
		[NFO_END]	= at_end,
		[NFO_RESET]	= at_reset,
		[NFO_REPORT]	= at_report,
	};

	if (!measuring && marker != NFO_RESET && marker != NFO_REPORT)
		return;
	qemu_plugin_register_vcpu_insn_exec_cb(insn, callbacks[marker],
					       marker == NFO_BEGIN ? QEMU_PLUGIN_CB_R_REGS :
								     QEMU_PLUGIN_CB_NO_REGS, NULL);
}

/* The instructions FROM..TO-1 of a block, none of which is a marker. */
static void instrument_block(const struct qemu_plugin_tb *tb, size_t from, size_t to)
{
	struct qemu_plugin_insn *first, *last;
	uint64_t vaddr, end;

	if (from == to)
		return;
	first = qemu_plugin_tb_get_insn(tb, from);
	last = qemu_plugin_tb_get_insn(tb, to - 1);
	vaddr = qemu_plugin_insn_vaddr(first);
	end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last);
	qemu_plugin_register_vcpu_insn_exec_cond_cb(first, at_block, QEMU_PLUGIN_CB_NO_REGS,
						    QEMU_PLUGIN_COND_NE, is_open, 0,
						    count_block(vaddr, to - from, end - vaddr));
}

static void instrument_insn(struct qemu_plugin_insn *insn)
{
	qemu_plugin_register_vcpu_mem_cb(insn, at_access, QEMU_PLUGIN_CB_NO_REGS,
					 QEMU_PLUGIN_MEM_RW, NULL);
	if (is_repeated_string(insn))
		qemu_plugin_register_vcpu_insn_exec_cond_cb(insn, at_string, QEMU_PLUGIN_CB_NO_REGS,
							    QEMU_PLUGIN_COND_NE, is_open, 0,
							    (void *)(uintptr_t)
							    qemu_plugin_insn_vaddr(insn));
}

static void on_translate(struct qemu_plugin_tb *tb, void *data)
{
	size_t i, from = 0, insns = qemu_plugin_tb_n_insns(tb);

	(void)data;
	for (i = 0; i < insns; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		enum nfo_marker marker = marker_of(insn);

		if (!marker)
			continue;
		instrument_marker(insn, marker);
		if (measuring)
			instrument_block(tb, from, i);
		from = i + 1;
	}
	if (!measuring)
		return;
	instrument_block(tb, from, insns);
	/* The callbacks of an instruction run in this order: its block's first. */
	for (i = 0; i < insns; i++)
		instrument_insn(qemu_plugin_tb_get_insn(tb, i));
}

/*
 * Life and death.
 */

/* The registers are known from when a vCPU is; their handles stay good. */
static void on_vcpu(unsigned int vcpu, void *data)
{
	GArray *registers = qemu_plugin_get_registers();
	const qemu_plugin_reg_descriptor *all = (const void *)registers->data;

	(void)vcpu;
	(void)data;
	for (unsigned int i = 0; i < registers->len; i++) {
		if (!strcmp(all[i].name, "rsp"))
			stack_pointer = all[i].handle;
	}
	g_array_free(registers, 1);
}

/* The guest went down in the middle of a measurement. */
static void on_exit_qemu(void *data)
{
	(void)data;
	if (measure && count_has_packets())
		count_report(out, &options);
	fclose(out);
}

static void install(void)
{
	qemu_plugin_register_atexit_cb(plugin_id, on_exit_qemu, NULL);
	qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, on_translate, NULL);
	if (measuring)
		qemu_plugin_register_vcpu_discon_cb(plugin_id, QEMU_PLUGIN_DISCON_INTERRUPT,
						    at_interrupt, NULL);
}

/* All callbacks are gone, too. */
static void start_over(void *data)
{
	(void)data;
	measuring = measure;
	/* A packet may have begun between the marker and now, and have blocks. */
	packet_interrupted();
	show_packet_state();
	count_free_blocks();
	install();
}

static bool parse(const char *argument)
{
	const char *value = strchr(argument, '=');
	size_t name;
	char *rest;

	if (!value)
		return false;
	name = value++ - argument;
	if (name == 3 && !strncmp(argument, "out", name)) {
		if (out)
			fclose(out);
		out = fopen(value, "w");
		if (!out)
			perror(value);
		return out != NULL;
	}
	if (name == 6 && !strncmp(argument, "blocks", name))
		return qemu_plugin_bool_parse("blocks", value, &options.blocks);
	if (name == 5 && !strncmp(argument, "lines", name))
		return qemu_plugin_bool_parse("lines", value, &options.lines);
	if (name == 5 && !strncmp(argument, "stack", name)) {
		stack_size = strtoull(value, &rest, 0);
		return !*rest && stack_size && !(stack_size & (stack_size - 1));
	}
	return false;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	plugin_id = id;
	for (int i = 0; i < argc; i++) {
		if (!parse(argv[i])) {
			fprintf(stderr, "nfo_lines: bad argument: %s\n", argv[i]);
			return -1;
		}
	}
	if (!out) {
		fprintf(stderr, "nfo_lines: out=PATH is missing\n");
		return -1;
	}
	if (strcmp(info->target_name, "x86_64") || !info->system_emulation ||
	    info->system.max_vcpus != 1) {
		fprintf(stderr, "nfo_lines: this is for qemu-system-x86_64 -smp 1\n");
		return -1;
	}
	register_value = g_byte_array_new();
	is_open.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
	qemu_plugin_register_vcpu_init_cb(id, on_vcpu, NULL);
	install();
	return 0;
}
