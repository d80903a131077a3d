// SPDX-License-Identifier: GPL-2.0
/* The driver's own source, and ways to what is static in it. */
#include <airoha_ppe.c>
#include "harness.h"

void airoha_sim_table_lock(void)
{
	spin_lock_bh(&ppe_lock);
}

void airoha_sim_table_unlock(void)
{
	spin_unlock_bh(&ppe_lock);
}

u32 airoha_sim_hash(struct airoha_ppe *ppe, struct airoha_foe_entry *entry)
{
	return airoha_ppe_foe_get_entry_hash(ppe, entry);
}

void airoha_sim_hit(struct airoha_ppe *ppe, struct sk_buff *skb, u32 hash)
{
	airoha_ppe_foe_insert_entry(ppe, skb, hash, false);
}

void airoha_sim_lock(void)
{
	mutex_lock(&flow_offload_mutex);
}

void airoha_sim_unlock(void)
{
	mutex_unlock(&flow_offload_mutex);
}
