/* SPDX-License-Identifier: GPL-2.0 */
/* What is static in the driver's sources, for the harness. */
#ifndef MTK_SIM_HARNESS_H
#define MTK_SIM_HARNESS_H

#include <net/flow_offload.h>
#include <mtk_eth_soc.h>

/* The hardware's table. */
void mtk_sim_table_lock(void);
void mtk_sim_table_unlock(void);
/* The first of the slots where the hardware looks for packets of an entry. */
u32 mtk_sim_hash(struct mtk_eth *eth, struct mtk_foe_entry *entry);

/* The entries made of rules. */
void mtk_sim_lock(void);
void mtk_sim_unlock(void);
/* Who gets the rules. */
flow_setup_cb_t *mtk_sim_driver_cb(void);

#endif
