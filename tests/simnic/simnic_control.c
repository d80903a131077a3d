// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/simnic: the log, the rules and the counters of the simulated NIC, and "control", which
 * takes one command a write to change how it behaves.
 *
 *   fail ERRNO|none [every N]		REPLACE fails, every N-th time
 *   random PERCENT			REPLACE fails so often, with one error or another
 *   seed N				start the numbers for that again
 *   delay MS [replace|destroy|stats|all]	callbacks sleep first
 *   size N				rules that fit
 *   lose				forget all rules, silently
 *   lose_every N			the same after every N-th rule that was accepted; 0: never
 *   age SECONDS			forget rules that were idle so long, silently; 0: never
 *   carry 0|1				forward by rules
 *   hold N				what ports receive waits for N frames or a tick of the clock, and
 *					is polled then, so that GRO joins it; 0: nothing waits
 *   headroom N|none			ports receive into linear buffers with N bytes before the Ethernet
 *					header, which is 14 more before the network header
 *   cloned before|behind|after|never	of what ports receive the last 256 frames are kept, too, in the same
 *					buffers. "before" GRO joins them, as veth has them of a sender with
 *					a packet socket: not for GRO that makes one packet of many, which
 *					does not count who else has them. "behind": of these only what comes
 *					behind the first one of a poll. "after": what GRO has made, as a
 *					packet socket that listens has it. Each word looks at all that are
 *					kept and lets them go: "scribbled" of the counters says how many
 *					were not as they came, scribbled_room how many in what is before
 *					their Ethernet header.
 *   log 0|1				write the log
 *   register N, unregister N		an indirect driver
 */

#include <linux/kstrtox.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string_helpers.h>
#include <linux/uaccess.h>

#include "simnic.h"

/* A callback holds the lock of its flowtable while it sleeps. */
#define SIMNIC_DELAY_MAX	(10 * 60 * 1000)
#define SIMNIC_AGE_MAX		(24 * 60 * 60)
#define SIMNIC_COMMAND_MAX	128
/* What a NIC takes from its ring in one poll. */
#define SIMNIC_HOLD_MAX		NAPI_POLL_WEIGHT
#define SIMNIC_ROOM_MAX		1024

atomic64_t simnic_counts[SIMNIC_COUNTS];

static const char *const simnic_count_names[SIMNIC_COUNTS] = {
	[SIMNIC_RULES]		= "rules",
	[SIMNIC_REPLACED]	= "replaced",
	[SIMNIC_DESTROYED]	= "destroyed",
	[SIMNIC_STATS_CALLS]	= "stats_calls",
	[SIMNIC_EXISTS]		= "exists",
	[SIMNIC_FULL]		= "full",
	[SIMNIC_REFUSED]	= "refused",
	[SIMNIC_WRONG_PORT]	= "wrong_port",
	[SIMNIC_INJECTED]	= "injected",
	[SIMNIC_UNKNOWN]	= "unknown",
	[SIMNIC_LOST]		= "lost",
	[SIMNIC_AGED]		= "aged",
	[SIMNIC_HITS]		= "hits",
	[SIMNIC_MISSES]		= "misses",
	[SIMNIC_LOG_DROPPED]	= "log_dropped",
	[SIMNIC_BOUND]		= "bound",
	[SIMNIC_RUNNING]	= "callbacks_running",
	[SIMNIC_MARKED]		= "marked",
	[SIMNIC_JOINED]		= "joined",
	[SIMNIC_CLONED]		= "cloned",
	[SIMNIC_SCRIBBLED]	= "scribbled",
	[SIMNIC_SCRIBBLED_ROOM]	= "scribbled_room",
};

/*
 * The commands. Each gets its words, the first of which is its name.
 */

static int simnic_number(const char *word, unsigned int most, unsigned int *number)
{
	int err = kstrtouint(word, 0, number);

	if (!err && *number > most)
		err = -EINVAL;
	return err;
}

static int simnic_do_fail(int argc, char **argv)
{
	struct simnic_behaviour *how = &simnic_behaviour;
	unsigned int every = 1;
	int error, err;

	error = simnic_error_of(argv[1]);
	if (!error && strcmp(argv[1], "none"))
		return -EINVAL;
	if (argc > 2) {
		if (argc != 4 || strcmp(argv[2], "every"))
			return -EINVAL;
		err = simnic_number(argv[3], UINT_MAX, &every);
		if (err)
			return err;
		if (!every)
			return -EINVAL;
	}

	mutex_lock(&simnic_call_lock);
	how->fail = error;
	how->fail_every = every;
	how->fail_calls = 0;
	mutex_unlock(&simnic_call_lock);
	return 0;
}

static int simnic_do_delay(int argc, char **argv)
{
	static const char *const calls[SIMNIC_CALLS] = {
		[FLOW_CLS_REPLACE]	= "replace",
		[FLOW_CLS_DESTROY]	= "destroy",
		[FLOW_CLS_STATS]	= "stats",
	};
	bool all = argc < 3 || !strcmp(argv[2], "all"), known = all;
	unsigned int delay, i;
	int err;

	err = simnic_number(argv[1], SIMNIC_DELAY_MAX, &delay);
	if (err)
		return err;
	for (i = 0; i < SIMNIC_CALLS; i++) {
		if (!all && strcmp(argv[2], calls[i]))
			continue;
		WRITE_ONCE(simnic_behaviour.delay[i], delay);
		known = true;
	}
	return known ? 0 : -EINVAL;
}

static int simnic_do_lose(int argc, char **argv)
{
	mutex_lock(&simnic_call_lock);
	simnic_table_lose();
	mutex_unlock(&simnic_call_lock);
	return 0;
}

static int simnic_do_number(int argc, char **argv)
{
	struct simnic_behaviour *how = &simnic_behaviour;
	const struct {
		const char *name;
		unsigned int most;
		unsigned int *number;
	} numbers[] = {
		{ "random", 100, &how->random },
		{ "size", UINT_MAX, &how->size },
		{ "lose_every", UINT_MAX, &how->lose_every },
		{ "age", SIMNIC_AGE_MAX, &how->age },
	};
	unsigned int number, i;
	int err;

	for (i = 0; strcmp(argv[0], numbers[i].name); i++)
		;
	err = simnic_number(argv[1], numbers[i].most, &number);
	if (err)
		return err;

	mutex_lock(&simnic_call_lock);
	*numbers[i].number = number;
	if (numbers[i].number == &how->lose_every)
		how->accepted = 0;
	if (numbers[i].number == &how->age)
		simnic_table_age();
	mutex_unlock(&simnic_call_lock);
	return 0;
}

static int simnic_do_seed(int argc, char **argv)
{
	u64 seed;
	int err;

	err = kstrtou64(argv[1], 0, &seed);
	if (err)
		return err;

	mutex_lock(&simnic_call_lock);
	prandom_seed_state(&simnic_behaviour.rnd, seed);
	mutex_unlock(&simnic_call_lock);
	return 0;
}

static int simnic_do_carry(int argc, char **argv)
{
	unsigned int on;
	int err = simnic_number(argv[1], 1, &on);

	if (!err)
		WRITE_ONCE(simnic_behaviour.carry, on);
	return err;
}

static int simnic_do_hold(int argc, char **argv)
{
	unsigned int frames;
	int err = simnic_number(argv[1], SIMNIC_HOLD_MAX, &frames);

	if (!err)
		WRITE_ONCE(simnic_behaviour.hold, frames);
	return err;
}

static int simnic_do_headroom(int argc, char **argv)
{
	unsigned int room;
	int err;

	if (!strcmp(argv[1], "none")) {
		WRITE_ONCE(simnic_behaviour.room, -1);
		return 0;
	}
	err = simnic_number(argv[1], SIMNIC_ROOM_MAX, &room);
	if (!err)
		WRITE_ONCE(simnic_behaviour.room, room);
	return err;
}

static int simnic_do_cloned(int argc, char **argv)
{
	static const char *const words[] = {
		[SIMNIC_CLONED_NEVER]	= "never",
		[SIMNIC_CLONED_BEFORE]	= "before",
		[SIMNIC_CLONED_BEHIND]	= "behind",
		[SIMNIC_CLONED_AFTER]	= "after",
	};
	int when = match_string(words, ARRAY_SIZE(words), argv[1]);

	if (when < 0)
		return when;
	mutex_lock(&simnic_call_lock);
	simnic_clone_frames(when);
	mutex_unlock(&simnic_call_lock);
	return 0;
}

static int simnic_do_log(int argc, char **argv)
{
	unsigned int on;
	int err = simnic_number(argv[1], 1, &on);

	if (!err)
		simnic_log_enable(on);
	return err;
}

static int simnic_do_register(int argc, char **argv)
{
	unsigned int driver;

	return simnic_number(argv[1], SIMNIC_DRIVERS - 1, &driver) ?: simnic_register(driver);
}

static int simnic_do_unregister(int argc, char **argv)
{
	unsigned int driver;

	return simnic_number(argv[1], SIMNIC_DRIVERS - 1, &driver) ?: simnic_unregister(driver);
}

static const struct {
	const char *name;
	int least, most;		/* words after the name */
	int (*run)(int argc, char **argv);
} simnic_commands[] = {
	{ "fail", 1, 3, simnic_do_fail },
	{ "random", 1, 1, simnic_do_number },
	{ "seed", 1, 1, simnic_do_seed },
	{ "delay", 1, 2, simnic_do_delay },
	{ "size", 1, 1, simnic_do_number },
	{ "lose", 0, 0, simnic_do_lose },
	{ "lose_every", 1, 1, simnic_do_number },
	{ "age", 1, 1, simnic_do_number },
	{ "carry", 1, 1, simnic_do_carry },
	{ "hold", 1, 1, simnic_do_hold },
	{ "headroom", 1, 1, simnic_do_headroom },
	{ "cloned", 1, 1, simnic_do_cloned },
	{ "log", 1, 1, simnic_do_log },
	{ "register", 1, 1, simnic_do_register },
	{ "unregister", 1, 1, simnic_do_unregister },
};

static int simnic_run(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; argc && i < ARRAY_SIZE(simnic_commands); i++) {
		if (strcmp(argv[0], simnic_commands[i].name))
			continue;
		if (argc - 1 < simnic_commands[i].least || argc - 1 > simnic_commands[i].most)
			return -EINVAL;
		return simnic_commands[i].run(argc, argv);
	}
	return -EINVAL;
}

/* The words of what is written, to be freed with argv_free(). */
static char **simnic_words(const char __user *from, size_t count, int *argc)
{
	char *text, **argv;

	if (count > SIMNIC_COMMAND_MAX)
		return ERR_PTR(-EINVAL);
	text = memdup_user_nul(from, count);
	if (IS_ERR(text))
		return ERR_CAST(text);
	argv = argv_split(GFP_KERNEL, text, argc);
	kfree(text);
	return argv ?: ERR_PTR(-ENOMEM);
}

static ssize_t simnic_control_write(struct file *file, const char __user *from, size_t count,
				    loff_t *pos)
{
	char **argv;
	int argc, err;

	argv = simnic_words(from, count, &argc);
	if (IS_ERR(argv))
		return PTR_ERR(argv);
	err = simnic_run(argc, argv);
	argv_free(argv);
	return err ?: count;
}

static const struct proc_ops simnic_control_ops = {
	.proc_write	= simnic_control_write,
	.proc_lseek	= noop_llseek,
};

/*
 * The log.
 */

static ssize_t simnic_log_write(struct file *file, const char __user *from, size_t count,
				loff_t *pos)
{
	bool clear;
	char **argv;
	int argc;

	argv = simnic_words(from, count, &argc);
	if (IS_ERR(argv))
		return PTR_ERR(argv);
	clear = argc == 1 && !strcmp(argv[0], "clear");
	argv_free(argv);
	if (!clear)
		return -EINVAL;
	simnic_log_clear();
	return count;
}

static ssize_t simnic_log_proc_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	return simnic_log_read(to, count, pos);
}

static const struct proc_ops simnic_log_ops = {
	.proc_read	= simnic_log_proc_read,
	.proc_write	= simnic_log_write,
	.proc_lseek	= default_llseek,
};

/*
 * The rules: a position is a bucket, so it stays good whatever comes and goes in between.
 */

static void *simnic_rules_start(struct seq_file *seq, loff_t *pos)
{
	return *pos < simnic_table_buckets() ? pos : NULL;
}

static void *simnic_rules_next(struct seq_file *seq, void *at, loff_t *pos)
{
	++*pos;
	return simnic_rules_start(seq, pos);
}

static void simnic_rules_stop(struct seq_file *seq, void *at)
{
}

static int simnic_rules_show(struct seq_file *seq, void *at)
{
	simnic_table_show(seq, *(loff_t *)at);
	return 0;
}

static const struct seq_operations simnic_rules_ops = {
	.start	= simnic_rules_start,
	.next	= simnic_rules_next,
	.stop	= simnic_rules_stop,
	.show	= simnic_rules_show,
};

static int simnic_stats_show(struct seq_file *seq, void *unused)
{
	unsigned int i;

	for (i = 0; i < SIMNIC_COUNTS; i++)
		seq_printf(seq, "%s %lld\n", simnic_count_names[i],
			   atomic64_read(&simnic_counts[i]));
	return 0;
}

static struct proc_dir_entry *simnic_proc;

/* Cookies are addresses of the kernel: nobody else's business. */
int simnic_control_init(void)
{
	simnic_proc = proc_mkdir("simnic", NULL);
	if (!simnic_proc)
		return -ENOMEM;

	if (!proc_create("control", 0200, simnic_proc, &simnic_control_ops) ||
	    !proc_create("log", 0600, simnic_proc, &simnic_log_ops) ||
	    !proc_create_seq("rules", 0400, simnic_proc, &simnic_rules_ops) ||
	    !proc_create_single("stats", 0400, simnic_proc, simnic_stats_show)) {
		simnic_control_exit();
		return -ENOMEM;
	}
	return 0;
}

/* Waits for whoever is in one of the files, and lets nobody in again. */
void simnic_control_exit(void)
{
	proc_remove(simnic_proc);
}
