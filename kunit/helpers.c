// SPDX-License-Identifier: GPL-2.0
/*
 * The module's shims that its table needs.
 */
#include "../rust/bindings_helper.h"

#include "../rust/helpers/memory.c"
#include "../rust/helpers/sync.c"
