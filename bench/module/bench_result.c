// SPDX-License-Identifier: GPL-2.0
/*
 * What the last command has found: a number a line, after its name.
 */

#include <linux/seq_file.h>

#include "nfo_bench.h"

#if defined(CONFIG_X86) && !defined(CONFIG_UML)
#define BENCH_TSC_KHZ	tsc_khz
#else
#define BENCH_TSC_KHZ	0
#endif

/* The longest, with a full histogram, has some 90 lines. */
static char bench_text[8192];
static size_t bench_len;

void bench_result_clear(void)
{
	lockdep_assert_held(&bench_lock);
	bench_len = 0;
}

static __printf(1, 2) void bench_result_print(const char *fmt, ...)
{
	va_list args;

	lockdep_assert_held(&bench_lock);
	va_start(args, fmt);
	bench_len += vscnprintf(bench_text + bench_len, sizeof(bench_text) - bench_len, fmt, args);
	va_end(args);
}

void bench_result_add(const char *key, u64 value)
{
	bench_result_print("%s %llu\n", key, value);
}

void bench_result_add_hex(const char *key, u64 value)
{
	bench_result_print("%s 0x%016llx\n", key, value);
}

void bench_result_add_clock(const struct bench_clock *sum)
{
	bench_result_add("ns", sum->ns);
	bench_result_add("tsc", sum->tsc);
	bench_result_add("tsc_khz", BENCH_TSC_KHZ);
}

void bench_result_add_hist(const struct bench_hist *hist)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hist->counts); i++) {
		if (hist->counts[i])
			bench_result_print("hist_%u %llu\n", i, hist->counts[i]);
	}
}

int bench_result_show(struct seq_file *seq, void *unused)
{
	mutex_lock(&bench_lock);
	seq_write(seq, bench_text, bench_len);
	mutex_unlock(&bench_lock);
	return 0;
}
