// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/nfo_bench: "control" takes one command a write, in the namespace of whoever writes.
 *
 *   template clear
 *   template ID DEV HEXFRAME [field OFFSET:WIDTH:DIV:MOD[:SUM[,SUM]...]]...
 *	a frame that arrives by DEV. In that of flow n, each field, a number of WIDTH bytes, is
 *	greater by n / DIV % MOD, and the checksums at the offsets SUM are right again
 *   make FROM TO ID[,ID...]
 *	for each flow, its packets come in one after the other; the last one is looked at
 *   run MODE ID[,ID...] COUNT [START]
 *	so many packets, of the flows that "order" says from START on, the templates in turn:
 *	  build		only made
 *	  hook		given to the first ingress hook of the device
 *	  xmit		given to the device that the hook gives it to
 *	  digest	as hook, and what becomes of it is made into a number
 *	  receive	new packets, by netif_receive_skb()
 *	  alloc		all of receive but that
 *	  feed		new packets, made by the dozen, given to the hook, and until all that it
 *			kept have left: making and freeing them is not in the time
 *	  feed-digest	as feed, and what leaves is made into a number
 *	  feed-nothing	all of feed but the hook
 *   run2 MODE ID[,ID...] COUNT START1 START2
 *	the same on two CPUs at once
 *   gaps MILLISECONDS [NS]
 *	when the CPU was somebody else's, for longer than NS
 *   wakes MILLISECONDS [NS]
 *	how long somebody more urgent than everything else waits for the CPU, every NS
 *   workers
 *	the CPU time that the kernel's workers have had
 *   demote DEV
 *	the next flowtable is not of the type of this device's
 *   record N
 *	frames that are sent, to be read from "sent"
 */

#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string_helpers.h>
#include <linux/uaccess.h>

#include "nfo_bench.h"

/* The longest has a frame in it, two digits a byte. */
#define BENCH_COMMAND_MAX	(2 * BENCH_FRAME_MAX + 1024)

static const struct {
	const char *name;
	int least, most;		/* words after the name */
	int (*run)(int argc, char **argv);
} bench_commands[] = {
	{ "template", 1, 3 + 2 * BENCH_FIELDS, bench_do_template },
	{ "make", 3, 3, bench_do_make },
	{ "run", 3, 4, bench_do_run },
	{ "run2", 5, 5, bench_do_run2 },
	{ "gaps", 1, 2, bench_do_gaps },
	{ "wakes", 1, 2, bench_do_wakes },
	{ "workers", 0, 0, bench_do_workers },
	{ "demote", 1, 1, bench_do_demote },
	{ "record", 1, 1, bench_do_record },
};

static int bench_control_run(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; argc && i < ARRAY_SIZE(bench_commands); i++) {
		if (strcmp(argv[0], bench_commands[i].name))
			continue;
		if (argc - 1 < bench_commands[i].least || argc - 1 > bench_commands[i].most)
			return -EINVAL;
		return bench_commands[i].run(argc, argv);
	}
	return -EINVAL;
}

static ssize_t bench_control_write(struct file *file, const char __user *from, size_t count,
				   loff_t *pos)
{
	char *text, **argv;
	int argc, err;

	if (count > BENCH_COMMAND_MAX)
		return -EINVAL;
	text = memdup_user_nul(from, count);
	if (IS_ERR(text))
		return PTR_ERR(text);
	argv = argv_split(GFP_KERNEL, text, &argc);
	kfree(text);
	if (!argv)
		return -ENOMEM;

	err = mutex_lock_killable(&bench_lock);
	if (!err) {
		bench_result_clear();
		err = bench_control_run(argc, argv);
		mutex_unlock(&bench_lock);
	}
	argv_free(argv);
	return err ?: count;
}

static const struct proc_ops bench_control_ops = {
	.proc_write	= bench_control_write,
	.proc_lseek	= noop_llseek,
};

static struct proc_dir_entry *bench_proc;

int bench_control_init(void)
{
	bench_proc = proc_mkdir("nfo_bench", NULL);
	if (!bench_proc)
		return -ENOMEM;

	if (!proc_create("control", 0200, bench_proc, &bench_control_ops) ||
	    !proc_create("order", 0200, bench_proc, &bench_order_ops) ||
	    !proc_create_seq("sent", 0400, bench_proc, &bench_sent_ops) ||
	    !proc_create_single("result", 0400, bench_proc, bench_result_show)) {
		bench_control_exit();
		return -ENOMEM;
	}
	return 0;
}

/* Waits for whoever is in one of the files, and lets nobody in again. */
void bench_control_exit(void)
{
	proc_remove(bench_proc);
}
