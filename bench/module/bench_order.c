// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/nfo_bench/order: the number of the flow of each packet, in binary. Another order is another
 * pattern of access to memory: whatever a script can think of.
 */

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "nfo_bench.h"

#define BENCH_ORDER_BYTES	(BENCH_ORDER_MAX * sizeof(u32))

static u32 *bench_numbers;
static size_t bench_room;		/* both in bytes */
static size_t bench_filled;

const u32 *bench_order(u32 *len)
{
	lockdep_assert_held(&bench_lock);
	*len = bench_filled / sizeof(u32);
	return bench_numbers;
}

void bench_order_exit(void)
{
	kvfree(bench_numbers);
}

static int bench_order_open(struct inode *inode, struct file *file)
{
	if (file->f_flags & O_TRUNC) {
		mutex_lock(&bench_lock);
		bench_filled = 0;
		mutex_unlock(&bench_lock);
	}
	return 0;
}

static int bench_order_reserve(size_t bytes)
{
	u32 *numbers;

	if (bytes <= bench_room)
		return 0;
	bytes = roundup_pow_of_two(max_t(size_t, bytes, PAGE_SIZE));
	numbers = kvrealloc(bench_numbers, bytes, GFP_KERNEL);
	if (!numbers)
		return -ENOMEM;
	bench_numbers = numbers;
	bench_room = bytes;
	return 0;
}

static ssize_t bench_order_write(struct file *file, const char __user *from, size_t count,
				 loff_t *pos)
{
	ssize_t err;

	mutex_lock(&bench_lock);
	if (file->f_flags & O_APPEND)
		*pos = bench_filled;
	/* No holes. */
	if (*pos < 0 || *pos > bench_filled) {
		err = -EINVAL;
	} else if (count > BENCH_ORDER_BYTES - *pos) {
		err = -ENOSPC;
	} else {
		err = bench_order_reserve(*pos + count);
		if (!err && copy_from_user((u8 *)bench_numbers + *pos, from, count))
			err = -EFAULT;
	}
	if (!err) {
		*pos += count;
		bench_filled = max_t(size_t, bench_filled, *pos);
	}
	mutex_unlock(&bench_lock);
	return err ?: count;
}

const struct proc_ops bench_order_ops = {
	.proc_open	= bench_order_open,
	.proc_write	= bench_order_write,
	.proc_lseek	= default_llseek,
};
