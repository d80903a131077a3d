// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading.
 */

#include <linux/module.h>

#include "nfo_bench.h"

/* One command at a time, and nobody in the files meanwhile. */
DEFINE_MUTEX(bench_lock);

static int __init bench_init(void)
{
	int err = bench_device_init();

	if (err)
		return err;
	err = bench_control_init();
	if (err)
		bench_device_exit();
	return err;
}
module_init(bench_init);

/* No command runs any more once the files are gone, and nothing is sent once the devices are. */
static void __exit bench_exit(void)
{
	bench_control_exit();
	bench_device_exit();
	bench_sent_exit();
	bench_order_exit();
	bench_template_exit();
}
module_exit(bench_exit);

MODULE_DESCRIPTION("Measures the ingress hooks of flowtables");
MODULE_LICENSE("GPL");
