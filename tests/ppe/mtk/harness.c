// SPDX-License-Identifier: GPL-2.0
/*
 * The offload code of the MediaTek driver, as it is in the kernel tree, without its hardware: memory
 * stands in for the registers and the tables, and pairs of network devices for the ports. Nothing is
 * forwarded by the tables. They are there to be looked at, in /proc/ppe_sim.
 *
 * The driver looks devices up in the first network namespace, so ports stay there.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/vmalloc.h>
#include <net/pkt_cls.h>
#include "../sim.h"
#include "../wire.h"
#include "harness.h"

#define REGISTERS	SZ_64K
#define PPE_REGISTERS	0x2000	/* of the first engine; each has 1 KiB */
#define CLOCK		0x0010

static int version = 2;
module_param(version, int, 0444);
MODULE_PARM_DESC(version, "Layout of entries, as of NETSYS 1, 2 or 3");

static unsigned int ports = 2;
module_param(ports, uint, 0444);
MODULE_PARM_DESC(ports, "How many ports there are, up to 3");

static unsigned int ppes = 1;
module_param(ppes, uint, 0444);
MODULE_PARM_DESC(ppes, "How many engines, up to one for each port (NETSYS 2 and 3)");

/* As the driver has them for MT7621, MT7986 and MT7988, but for the counters, which nobody counts. */
static struct mtk_soc_data mtk_sim_socs[] = {
	{
		.version = 1,
		.offload_version = 1,
		.hash_offset = 2,
		.foe_entry_size = MTK_FOE_ENTRY_V1_SIZE,
	}, {
		.version = 2,
		.offload_version = 2,
		.hash_offset = 4,
		.foe_entry_size = MTK_FOE_ENTRY_V2_SIZE,
	}, {
		.version = 3,
		.offload_version = 2,
		.hash_offset = 4,
		.foe_entry_size = MTK_FOE_ENTRY_V3_SIZE,
	},
};

static struct platform_device *mtk_sim_device;
static struct mtk_eth *mtk_sim_eth;

/* What the driver's sources need of those that are not built. */
u32 mtk_r32(struct mtk_eth *eth, unsigned int reg)
{
	if (reg == CLOCK)
		return sim_clock();
	return readl(eth->base + reg);
}

int mtk_ppe_debugfs_init(struct mtk_ppe *ppe, int index)
{
	return 0;
}

/* Between a block and the driver's callback, to count. */
static int mtk_sim_block_cb(enum tc_setup_type type, void *type_data, void *cb_priv)
{
	int err = mtk_sim_driver_cb()(type, type_data, cb_priv);

	if (type == TC_SETUP_CLSFLOWER)
		sim_count_command(type_data, err);
	return err;
}

static void mtk_sim_exchange(struct list_head *list, flow_setup_cb_t *from, flow_setup_cb_t *to)
{
	struct flow_block_cb *block_cb;

	list_for_each_entry(block_cb, list, list)
		if (block_cb->cb == from)
			block_cb->cb = to;
}

/*
 * The driver does all of this itself, and finds its callbacks by their functions: it must not see that
 * they were exchanged. Whoever asks holds the lock of the block, so nobody calls them meanwhile.
 */
static int mtk_sim_setup_tc(struct net_device *dev, enum tc_setup_type type, void *type_data)
{
	struct flow_block_offload *offload = type_data;
	int err;

	if (type != TC_SETUP_FT && type != TC_SETUP_BLOCK)
		return mtk_eth_setup_tc(dev, type, type_data);
	mtk_sim_exchange(&offload->block->cb_list, mtk_sim_block_cb, mtk_sim_driver_cb());
	err = mtk_eth_setup_tc(dev, type, type_data);
	mtk_sim_exchange(&offload->block->cb_list, mtk_sim_driver_cb(), mtk_sim_block_cb);
	mtk_sim_exchange(&offload->cb_list, mtk_sim_driver_cb(), mtk_sim_block_cb);
	sim_count_block(offload, err);
	return err;
}

static const struct net_device_ops mtk_sim_port_ops = {
	.ndo_start_xmit		= wire_xmit,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_setup_tc		= mtk_sim_setup_tc,
};

static void mtk_sim_describe(const void *object, struct sim_entry *to)
{
	const struct mtk_flow_entry *entry = object;

	BUILD_BUG_ON(sizeof(entry->data) > sizeof(to->words));
	memcpy(to->words, &entry->data, mtk_sim_eth->soc->foe_entry_size);
	to->type = entry->type;
	to->wed = entry->wed_index;
	to->ppe = entry->ppe_index;
	/* Those that only lead to others have none themselves. */
	to->hash = entry->type == MTK_FLOW_TYPE_L4 ? entry->hash : SIM_UNBOUND;
	to->cookie = entry->cookie;
}

static enum sim_state mtk_sim_slot(unsigned int ppe, unsigned int slot, u32 *words)
{
	mtk_sim_table_lock();
	memcpy(words, mtk_foe_get_entry(mtk_sim_eth->ppe[ppe], slot),
	       mtk_sim_eth->soc->foe_entry_size);
	mtk_sim_table_unlock();
	return FIELD_GET(MTK_FOE_IB1_STATE, words[0]);
}

/* A packet, as far as the driver looks at it. */
static struct sk_buff *mtk_sim_packet(void)
{
	struct sk_buff *skb = alloc_skb(NET_SKB_PAD + ETH_ZLEN, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD);
	skb_put_zero(skb, ETH_ZLEN);
	skb->dev = mtk_sim_eth->netdev[0];
	skb_reset_mac_header(skb);
	skb_pull(skb, ETH_HLEN);
	skb->protocol = htons(ETH_P_IP);
	return skb;
}

/*
 * The hardware notes packets that it has no entry for in a slot, unbound, with no more than where
 * they come from and go to. Once there are enough of them, it tells the driver the slot with the
 * next, and the driver puts the entry in place.
 */
static enum sim_bound mtk_sim_bind(void *object)
{
	const struct mtk_soc_data *soc = mtk_sim_eth->soc;
	struct mtk_flow_entry *entry = object;
	struct mtk_foe_entry unbound = {};
	u32 words[SIM_WORDS];
	struct mtk_ppe *ppe;
	struct sk_buff *skb;
	unsigned int way;
	size_t tuple;
	u32 hash;

	/* A bridge's entry leads to one for each tuple that is seen, and nobody has such rules. */
	if (entry->type != MTK_FLOW_TYPE_L4)
		return SIM_BOUND_SKIPPED;
	if (entry->hash != SIM_UNBOUND)
		return SIM_BOUND_BEFORE;

	/*
	 * The hardware would take the next slot for the next tuple with this hash. But then the driver
	 * forgets where the first one is, and never takes it back: a test could not tell that from an
	 * entry that was forgotten by who made it.
	 */
	ppe = mtk_sim_eth->ppe[entry->ppe_index];
	hash = mtk_sim_hash(mtk_sim_eth, &entry->data);
	for (way = 0; way < soc->hash_offset; way++)
		if (mtk_sim_slot(entry->ppe_index, hash + way, words) == SIM_BIND)
			return SIM_BOUND_COLLIDED;

	skb = mtk_sim_packet();
	if (!skb)
		return SIM_BOUND_REFUSED;
	unbound.ib1 = entry->data.ib1 & (mtk_get_ib1_pkt_type_mask(mtk_sim_eth) | MTK_FOE_IB1_UDP);
	unbound.ib1 |= FIELD_PREP(MTK_FOE_IB1_STATE, MTK_FOE_STATE_UNBIND);
	if (mtk_get_ib1_pkt_type(mtk_sim_eth, unbound.ib1) >= MTK_PPE_PKT_TYPE_IPV6_ROUTE_3T)
		tuple = offsetof(struct mtk_foe_ipv6, _rsv);
	else
		tuple = offsetof(struct mtk_foe_ipv4, ib2);
	memcpy(unbound.data, entry->data.data, tuple);
	mtk_sim_table_lock();
	memcpy(mtk_foe_get_entry(ppe, hash), &unbound, soc->foe_entry_size);
	mtk_sim_table_unlock();

	__mtk_ppe_check_skb(ppe, skb, hash);
	kfree_skb(skb);
	/* With two entries for one tuple, the later one is bound. */
	return entry->hash == hash ? SIM_BOUND_NOW : SIM_BOUND_REFUSED;
}

static int mtk_sim_command(struct flow_cls_offload *cls)
{
	return mtk_flow_offload_cmd(mtk_sim_eth, cls, 0);
}

static struct sim_driver mtk_sim_driver = {
	.slots		= MTK_PPE_ENTRIES,
	.lock		= mtk_sim_lock,
	.unlock		= mtk_sim_unlock,
	.describe	= mtk_sim_describe,
	.slot		= mtk_sim_slot,
	.bind		= mtk_sim_bind,
	.command	= mtk_sim_command,
};

static void mtk_sim_free(void)
{
	if (mtk_sim_eth) {
		vfree((__force void *)mtk_sim_eth->base);
		kvfree(mtk_sim_eth);
	}
	wire_free();
	/* The tables go with it. */
	platform_device_unregister(mtk_sim_device);
}

/* The SoC and its ports, without engines yet. */
static int mtk_sim_make(struct mtk_soc_data *soc)
{
	unsigned int i;
	int err;

	mtk_sim_device = platform_device_register_simple("mtk_sim", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(mtk_sim_device))
		return PTR_ERR(mtk_sim_device);
	err = dma_coerce_mask_and_coherent(&mtk_sim_device->dev, DMA_BIT_MASK(64));
	if (!err)
		err = wire_alloc(ports, sizeof(struct mtk_mac), &mtk_sim_port_ops);
	if (err)
		goto err_free;

	err = -ENOMEM;
	mtk_sim_eth = kvzalloc_obj(*mtk_sim_eth);
	if (!mtk_sim_eth)
		goto err_free;
	mtk_sim_eth->base = (__force void __iomem *)vzalloc(REGISTERS);
	if (!mtk_sim_eth->base)
		goto err_free;
	mtk_sim_eth->dev = &mtk_sim_device->dev;
	mtk_sim_eth->dma_dev = &mtk_sim_device->dev;
	mtk_sim_eth->soc = soc;
	for (i = 0; i < ports; i++) {
		struct mtk_mac *mac = netdev_priv(wire_port(i));

		mac->id = i;
		mac->hw = mtk_sim_eth;
		mac->ppe_idx = i < ppes ? i : 0;
		mtk_sim_eth->mac[i] = mac;
		mtk_sim_eth->netdev[i] = wire_port(i);
	}
	return 0;

err_free:
	mtk_sim_free();
	return err;
}

static int __init mtk_sim_init(void)
{
	struct mtk_soc_data *soc;
	unsigned int i;
	int err;

	if (version < 1 || version > ARRAY_SIZE(mtk_sim_socs) || !ports || ports > MTK_MAX_DEVS ||
	    !ppes || ppes > ports || (version == 1 && ppes > 1))
		return -EINVAL;
	soc = &mtk_sim_socs[version - 1];
	soc->ppe_num = ppes;
	err = mtk_sim_make(soc);
	if (err)
		return err;

	err = -ENOMEM;
	for (i = 0; i < ppes; i++) {
		void __iomem *base = mtk_sim_eth->base + PPE_REGISTERS + i * SZ_1K;

		mtk_sim_eth->ppe[i] = mtk_ppe_init(mtk_sim_eth, base, i);
		if (!mtk_sim_eth->ppe[i])
			goto err_deinit;
		mtk_ppe_start(mtk_sim_eth->ppe[i]);
	}
	/* Once: the table is that of all engines. */
	err = mtk_eth_offload_init(mtk_sim_eth, 0);
	if (err)
		goto err_deinit;

	mtk_sim_driver.words = soc->foe_entry_size / sizeof(u32);
	mtk_sim_driver.ppes = ppes;
	mtk_sim_driver.flows = &mtk_sim_eth->flow_table;
	err = sim_init(&mtk_sim_driver);
	if (err)
		goto err_destroy;
	err = wire_register();
	if (!err)
		return 0;
	sim_exit();
err_destroy:
	rhashtable_destroy(&mtk_sim_eth->flow_table);
err_deinit:
	mtk_ppe_deinit(mtk_sim_eth);
	mtk_sim_free();
	return err;
}

static void __exit mtk_sim_exit(void)
{
	unsigned int i;

	/* With its device each block loses the driver's callback: nobody calls in any more. */
	wire_unregister();
	sim_exit();
	sim_drop_leaked();
	for (i = 0; i < ppes; i++)
		mtk_ppe_stop(mtk_sim_eth->ppe[i]);
	rhashtable_destroy(&mtk_sim_eth->flow_table);
	mtk_ppe_deinit(mtk_sim_eth);
	mtk_sim_free();
}

module_init(mtk_sim_init);
module_exit(mtk_sim_exit);
MODULE_DESCRIPTION("MediaTek's flow offload over memory, for tests");
MODULE_LICENSE("GPL");
