// SPDX-License-Identifier: GPL-2.0
/* The driver's own source, and ways to what is static in it. */
#include <mtk_ppe_offload.c>
#include "harness.h"

flow_setup_cb_t *mtk_sim_driver_cb(void)
{
	return mtk_eth_setup_tc_block_cb;
}

void mtk_sim_lock(void)
{
	mutex_lock(&mtk_flow_offload_mutex);
}

void mtk_sim_unlock(void)
{
	mutex_unlock(&mtk_flow_offload_mutex);
}
