// SPDX-License-Identifier: GPL-2.0
/* The harness's parts that are not of one driver, see wire.c. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "../wire.c"
#include "../sim.c"
