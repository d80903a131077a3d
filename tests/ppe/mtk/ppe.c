// SPDX-License-Identifier: GPL-2.0
/* The driver's own source, and ways to what is static in it. */
#include <mtk_ppe.c>
#include "harness.h"

void mtk_sim_table_lock(void)
{
	spin_lock_bh(&ppe_lock);
}

void mtk_sim_table_unlock(void)
{
	spin_unlock_bh(&ppe_lock);
}

u32 mtk_sim_hash(struct mtk_eth *eth, struct mtk_foe_entry *entry)
{
	return mtk_ppe_hash_entry(eth, entry);
}
