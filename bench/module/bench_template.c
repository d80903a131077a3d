// SPDX-License-Identifier: GPL-2.0
/*
 * Frames, and how they differ from flow to flow.
 */

#include <linux/hex.h>
#include <linux/kstrtox.h>
#include <linux/slab.h>

#include "nfo_bench.h"

static struct bench_template *bench_templates[BENCH_TEMPLATES];

const struct bench_template *bench_template(unsigned int id)
{
	lockdep_assert_held(&bench_lock);
	return bench_templates[id];
}

static void bench_template_clear(void)
{
	unsigned int i;

	for (i = 0; i < BENCH_TEMPLATES; i++) {
		kfree(bench_templates[i]);
		bench_templates[i] = NULL;
	}
}

void bench_template_exit(void)
{
	bench_template_clear();
}

/* The number in front of the next colon, which must be there unless it is the last. */
static int bench_number(char **rest, bool last, unsigned int *number)
{
	char *word = strsep(rest, ":");

	if (!word || (!last && !*rest))
		return -EINVAL;
	return kstrtouint(word, 0, number);
}

static int bench_template_sums(struct bench_field *field, char *words, unsigned int len)
{
	unsigned int sum;
	char *word;
	int err;

	while ((word = strsep(&words, ","))) {
		err = kstrtouint(word, 0, &sum);
		if (err)
			return err;
		if (sum % 2 || sum + 2 > len || field->num_sums == BENCH_SUMS)
			return -EINVAL;
		field->sums[field->num_sums++] = sum;
	}
	return 0;
}

/* OFFSET:WIDTH:DIV:MOD[:SUM[,SUM]...] */
static int bench_template_field(struct bench_frame *frame, char *words)
{
	struct bench_field *field = &frame->fields[frame->num_fields];
	unsigned int offset, width, div, mod;
	const u8 *at;
	int err;

	if (frame->num_fields == BENCH_FIELDS)
		return -EINVAL;
	err = bench_number(&words, false, &offset) ?: bench_number(&words, false, &width) ?:
	      bench_number(&words, false, &div) ?: bench_number(&words, true, &mod);
	if (err)
		return err;
	if (offset % 2 || (width != 2 && width != 4) || offset > frame->len ||
	    offset + width > frame->len || !div || !mod)
		return -EINVAL;

	field->offset = offset;
	field->width = width;
	field->div = div;
	field->shifts = is_power_of_2(div);
	field->shift = ilog2(div);
	field->mod = mod;
	field->masks = is_power_of_2(mod);
	field->mask = mod - 1;

	at = frame->bytes + offset;
	if (width == 2) {
		field->base = get_unaligned_be16(at);
		field->without = (__force __wsum)~(u32)get_unaligned((const u16 *)at);
	} else {
		field->base = get_unaligned_be32(at);
		field->without = (__force __wsum)~get_unaligned((const u32 *)at);
	}
	if (words) {
		err = bench_template_sums(field, words, frame->len);
		if (err)
			return err;
	}
	frame->num_fields++;
	return 0;
}

static int bench_template_parse(struct bench_template *template, int argc, char **argv)
{
	struct bench_frame *frame = &template->frame;
	size_t digits = strlen(argv[1]);
	int i, err;

	if (strscpy(template->dev, argv[0], sizeof(template->dev)) < 0)
		return -EINVAL;
	frame->len = digits / 2;
	if (digits % 2 || frame->len <= ETH_HLEN || frame->len > BENCH_FRAME_MAX)
		return -EINVAL;
	err = hex2bin(frame->bytes, argv[1], frame->len);
	if (err)
		return err;

	for (i = 2; i < argc; i += 2) {
		if (strcmp(argv[i], "field") || i + 1 == argc)
			return -EINVAL;
		err = bench_template_field(frame, argv[i + 1]);
		if (err)
			return err;
	}
	return 0;
}

/* template clear, or: template ID DEV HEXFRAME [field ...]... */
int bench_do_template(int argc, char **argv)
{
	struct bench_template *template;
	unsigned int id;
	int err;

	if (argc == 2 && !strcmp(argv[1], "clear")) {
		bench_template_clear();
		return 0;
	}
	if (argc < 4)
		return -EINVAL;
	err = kstrtouint(argv[1], 0, &id);
	if (err)
		return err;
	if (id >= BENCH_TEMPLATES)
		return -EINVAL;

	template = kzalloc_obj(*template);
	if (!template)
		return -ENOMEM;
	err = bench_template_parse(template, argc - 2, argv + 2);
	if (err) {
		kfree(template);
		return err;
	}
	kfree(bench_templates[id]);
	bench_templates[id] = template;
	return 0;
}

/* ID[,ID...]: how many there are, all of which exist. */
int bench_template_ids(const char *word, u8 *ids)
{
	unsigned int num = 0, id;
	int used;

	do {
		if (num == BENCH_TEMPLATES || sscanf(word, "%u%n", &id, &used) != 1)
			return -EINVAL;
		if (id >= BENCH_TEMPLATES || !bench_template(id))
			return -ENOENT;
		ids[num++] = id;
		word += used;
	} while (*word++ == ',');
	return word[-1] ? -EINVAL : num;
}
