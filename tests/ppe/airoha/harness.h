/* SPDX-License-Identifier: GPL-2.0 */
/* What is static in the driver's source, for the harness. */
#ifndef AIROHA_SIM_HARNESS_H
#define AIROHA_SIM_HARNESS_H

#include <airoha_regs.h>
#include <airoha_eth.h>

/* The hardware's table. */
void airoha_sim_table_lock(void);
void airoha_sim_table_unlock(void);
/* The slot where the hardware looks for packets of an entry. */
u32 airoha_sim_hash(struct airoha_ppe *ppe, struct airoha_foe_entry *entry);
/* Tells the driver that there are many packets of a slot; not only as often as it cares to know. */
void airoha_sim_hit(struct airoha_ppe *ppe, struct sk_buff *skb, u32 hash);

/* The entries made of rules. */
void airoha_sim_lock(void);
void airoha_sim_unlock(void);

#endif
