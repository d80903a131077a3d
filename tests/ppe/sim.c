// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/ppe_sim, see sim.h. Included by each of the test modules, like wire.c.
 *
 *   foe    a line for each entry that the driver has made of a rule: its words in hex, then
 *          "type=N wed=N ppe=N hash=HEX cookie=HEX", sorted by the words. The hash is the slot of
 *          the hardware's table, or ffff as long as the hardware does not use the entry.
 *   table  a line for each slot of the hardware's table that is not all zero:
 *          "PPE:SLOT STATE WORDS", the state in words. Only "bind" forwards packets.
 *   bind   whatever is written: the hardware gets to know all entries.
 *   stats  "NAME NUMBER" lines.
 */
#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/timekeeping.h>
#include "sim.h"

/*
 * Drivers read the age of an entry off the hardware's clock. One that stands still makes entries that
 * can be compared. It is not zero: an entry that was never bound has the time stamp zero, and would
 * keep its flow alive for ever if that was now.
 */
static int sim_seconds = 100;
module_param_named(clock, sim_seconds, int, 0644);
MODULE_PARM_DESC(clock, "What the hardware's clock shows, in seconds; -1: real seconds");

static const char * const sim_commands[] = {
	[FLOW_CLS_REPLACE] = "replace",
	[FLOW_CLS_DESTROY] = "destroy",
	[FLOW_CLS_STATS] = "stats",
};

static const char * const sim_results[SIM_BOUND_RESULTS] = {
	[SIM_BOUND_NOW] = "hit_bound",
	[SIM_BOUND_BEFORE] = "hit_before",
	[SIM_BOUND_COLLIDED] = "hit_collided",
	[SIM_BOUND_SKIPPED] = "hit_skipped",
	[SIM_BOUND_REFUSED] = "hit_refused",
};

static const struct sim_driver *sim;
static struct proc_dir_entry *sim_dir;
static atomic_t sim_binds, sim_unbinds, sim_block_errors;
static atomic_t sim_asked[ARRAY_SIZE(sim_commands)];
static atomic_t sim_errors[ARRAY_SIZE(sim_commands)][MAX_ERRNO + 1];
static atomic_t sim_hits[SIM_BOUND_RESULTS];

u32 sim_clock(void)
{
	int now = READ_ONCE(sim_seconds);

	return now < 0 ? ktime_get_seconds() : now;
}

void sim_count_block(const struct flow_block_offload *offload, int err)
{
	if (err)
		atomic_inc(&sim_block_errors);
	else if (offload->command == FLOW_BLOCK_BIND)
		atomic_inc(&sim_binds);
	else
		atomic_inc(&sim_unbinds);
}

void sim_count_command(const struct flow_cls_offload *cls, int err)
{
	unsigned int command = cls->command;

	if (command >= ARRAY_SIZE(sim_commands))
		return;
	atomic_inc(&sim_asked[command]);
	if (err < 0)
		atomic_inc(&sim_errors[command][min(-err, MAX_ERRNO)]);
}

static int sim_compare(const void *a, const void *b)
{
	const struct sim_entry *x = a, *y = b;
	unsigned int i;

	for (i = 0; i < SIM_WORDS; i++)
		if (x->words[i] != y->words[i])
			return cmp_int(x->words[i], y->words[i]);
	return cmp_int(x->type, y->type) ?: cmp_int(x->ppe, y->ppe) ?:
	       cmp_int(x->hash, y->hash) ?: cmp_int(x->cookie, y->cookie);
}

/* One walk over the driver's table, which has room for COUNT. Whether that saw each entry once. */
static bool sim_walk(struct sim_entry *entries, unsigned int count, unsigned int *seen)
{
	struct rhashtable_iter iter;
	bool complete = true;
	void *object;

	*seen = 0;
	rhashtable_walk_enter(sim->flows, &iter);
	rhashtable_walk_start(&iter);
	while (complete && (object = rhashtable_walk_next(&iter))) {
		/* An error says that entries are just moving to a table of another size. */
		if (IS_ERR(object) || *seen == count) {
			complete = false;
		} else {
			entries[*seen].object = object;
			sim->describe(object, &entries[(*seen)++]);
		}
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
	return complete;
}

/* All entries, sorted. With the driver's lock held. The caller frees them. */
static struct sim_entry *sim_collect(unsigned int *count)
{
	unsigned int room = atomic_read(&sim->flows->nelems);
	struct sim_entry *entries;

	/* The walk fills in what there is of each; the rest of the words stay zero. */
	entries = kvcalloc(max(room, 1U), sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return NULL;
	/* The move is the work of somebody else, who does not need the driver's lock for it. */
	while (!sim_walk(entries, room, count))
		msleep(20);
	sort(entries, *count, sizeof(*entries), sim_compare, NULL);
	return entries;
}

static void sim_print_words(struct seq_file *m, const u32 *words)
{
	unsigned int i;

	for (i = 0; i < sim->words; i++)
		seq_printf(m, "%08x ", words[i]);
}

static int sim_show_foe(struct seq_file *m, void *v)
{
	struct sim_entry *entries, *entry;
	unsigned int count;

	sim->lock();
	entries = sim_collect(&count);
	sim->unlock();
	if (!entries)
		return -ENOMEM;
	for (entry = entries; entry < entries + count; entry++) {
		sim_print_words(m, entry->words);
		seq_printf(m, "type=%d wed=%d ppe=%d hash=%04x cookie=%lx\n", entry->type,
			   entry->wed, entry->ppe, entry->hash, entry->cookie);
	}
	kvfree(entries);
	return 0;
}

static int sim_show_table(struct seq_file *m, void *v)
{
	static const char * const states[] = {
		[SIM_INVALID] = "invalid",
		[SIM_UNBIND] = "unbind",
		[SIM_BIND] = "bind",
		[SIM_FIN] = "fin",
	};
	unsigned int ppe, slot;

	for (ppe = 0; ppe < sim->ppes; ppe++) {
		for (slot = 0; slot < sim->slots; slot++) {
			u32 words[SIM_WORDS] = {};
			enum sim_state state = sim->slot(ppe, slot, words);

			if (!memchr_inv(words, 0, sizeof(words)))
				continue;
			seq_printf(m, "%u:%04x %s ", ppe, slot, states[state]);
			sim_print_words(m, words);
			seq_putc(m, '\n');
			cond_resched();
		}
	}
	return 0;
}

static unsigned int sim_slots_bound(void)
{
	unsigned int ppe, slot, bound = 0;
	u32 words[SIM_WORDS];

	for (ppe = 0; ppe < sim->ppes; ppe++)
		for (slot = 0; slot < sim->slots; slot++)
			bound += sim->slot(ppe, slot, words) == SIM_BIND;
	return bound;
}

static int sim_show_stats(struct seq_file *m, void *v)
{
	int binds = atomic_read(&sim_binds), unbinds = atomic_read(&sim_unbinds);
	int entries = atomic_read(&sim->flows->nelems);
	unsigned int i, err;

	seq_printf(m, "entries %d\n", entries);
	/* Nobody can take them back who is not bound. */
	seq_printf(m, "leaked %d\n", binds == unbinds ? entries : 0);
	seq_printf(m, "slots_bound %u\n", sim_slots_bound());
	seq_printf(m, "block_bind %d\n", binds);
	seq_printf(m, "block_unbind %d\n", unbinds);
	seq_printf(m, "block_error %d\n", atomic_read(&sim_block_errors));
	for (i = 0; i < ARRAY_SIZE(sim_commands); i++)
		seq_printf(m, "%s %d\n", sim_commands[i], atomic_read(&sim_asked[i]));
	for (i = 0; i < ARRAY_SIZE(sim_commands); i++) {
		for (err = 1; err <= MAX_ERRNO; err++) {
			int times = atomic_read(&sim_errors[i][err]);

			if (times)
				seq_printf(m, "%s_error_%u %d\n", sim_commands[i], err, times);
		}
	}
	for (i = 0; i < SIM_BOUND_RESULTS; i++)
		seq_printf(m, "%s %d\n", sim_results[i], atomic_read(&sim_hits[i]));
	return 0;
}

static ssize_t sim_write_bind(struct file *file, const char __user *data, size_t size, loff_t *at)
{
	struct sim_entry *entries;
	unsigned int count, i;

	/* In the order of the words: of two entries for one slot the same one gets it each time. */
	sim->lock();
	entries = sim_collect(&count);
	for (i = 0; entries && i < count; i++)
		atomic_inc(&sim_hits[sim->bind(entries[i].object)]);
	sim->unlock();
	if (!entries)
		return -ENOMEM;
	kvfree(entries);
	return size;
}

static const struct proc_ops sim_bind_ops = {
	.proc_write	= sim_write_bind,
	.proc_lseek	= noop_llseek,
};

void sim_drop_leaked(void)
{
	struct sim_entry *entries;
	unsigned int count, i;

	sim->lock();
	entries = sim_collect(&count);
	sim->unlock();
	if (!entries) {
		pr_err("no memory to free what is left\n");
		return;
	}
	for (i = 0; i < count; i++) {
		struct flow_cls_offload cls = {
			.command = FLOW_CLS_DESTROY,
			.cookie = entries[i].cookie,
		};

		sim->command(&cls);
	}
	kvfree(entries);
	pr_info("leaked %u\n", count);
}

int sim_init(const struct sim_driver *driver)
{
	sim = driver;
	sim_dir = proc_mkdir("ppe_sim", NULL);
	if (!sim_dir)
		return -ENOMEM;
	if (proc_create_single("foe", 0400, sim_dir, sim_show_foe) &&
	    proc_create_single("table", 0400, sim_dir, sim_show_table) &&
	    proc_create_single("stats", 0444, sim_dir, sim_show_stats) &&
	    proc_create("bind", 0200, sim_dir, &sim_bind_ops))
		return 0;
	sim_exit();
	return -ENOMEM;
}

void sim_exit(void)
{
	proc_remove(sim_dir);
}
