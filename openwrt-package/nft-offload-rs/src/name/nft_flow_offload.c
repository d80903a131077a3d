// SPDX-License-Identifier: GPL-2.0
/*
 * A name and nothing else. LuCI offers its switches for flow offloading when there is a module of
 * this name, that of the C expression which nft_offload_rs takes the place of.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("Tells LuCI that flows can be offloaded: by nft_offload_rs");
MODULE_LICENSE("GPL");
