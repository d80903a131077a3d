// SPDX-License-Identifier: GPL-2.0
/*
 * Thin shims over static inlines and macros, for Rust to call. No logic belongs here: what decides
 * something is written in Rust.
 */
#include "bindings_helper.h"
#include "probed.h"

#include "helpers/batch.c"
#include "helpers/conntrack.c"
#include "helpers/device.c"
#include "helpers/dst.c"
#include "helpers/memory.c"
#include "helpers/nft.c"
#include "helpers/offload.c"
#ifdef NFO_OWN
#include "helpers/own.c"
#endif
#include "helpers/params.c"
#include "helpers/percpu.c"
#include "helpers/registry.c"
#include "helpers/skb.c"
#include "helpers/sync.c"
#include "helpers/trace.c"

#include "layouts.h"
