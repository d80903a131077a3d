// SPDX-License-Identifier: GPL-2.0
/*
 * The offload code of the Airoha driver, as it is in the kernel tree, without its hardware: memory
 * stands in for the registers and the table, and pairs of network devices for the ports. Nothing is
 * forwarded by the table. It is there to be looked at, in /proc/ppe_sim.
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

static ushort soc = 0x7581;
module_param(soc, ushort, 0444);
MODULE_PARM_DESC(soc, "0x7581: two engines, with counters; 0x7583: one, without");

static unsigned int ports = 2;
module_param(ports, uint, 0444);
MODULE_PARM_DESC(ports, "How many ports there are, up to 4; the second one is the uplink");

static struct airoha_eth_soc_data airoha_sim_soc;
static struct platform_device *airoha_sim_device;
static struct airoha_eth *airoha_sim_eth;
static struct airoha_gdm_port airoha_sim_ports[AIROHA_MAX_NUM_GDM_PORTS];
static struct airoha_npu airoha_sim_npu;
/* The first part of the table is within the hardware, and reached through registers. */
static struct airoha_foe_entry *airoha_sim_sram;
static u32 airoha_sim_sram_slots;

/* What the driver's source needs of those that are not built. */
u32 airoha_rr(void __iomem *base, u32 offset)
{
	if (offset == REG_FE_FOE_TS)
		return sim_clock();
	return readl(base + offset);
}

/* One transfer between the registers and a slot. The driver waits until it is acknowledged. */
static void airoha_sim_transfer(void __iomem *base, bool second, u32 control)
{
	u32 slot = FIELD_GET(PPE_SRAM_CTRL_ENTRY_MASK, control);
	u32 *words, i;

	if (!(control & PPE_SRAM_CTRL_REQ_MASK) || slot >= airoha_sim_sram_slots)
		return;
	words = (u32 *)&airoha_sim_sram[slot];
	for (i = 0; i < PPE_ENTRY_SIZE / sizeof(u32); i++) {
		void __iomem *word = base + REG_PPE_RAM_ENTRY(second, i);

		if (control & PPE_SRAM_CTRL_WR_MASK)
			words[i] = readl(word);
		else
			writel(words[i], word);
	}
	writel(control | PPE_SRAM_CTRL_ACK_MASK, base + REG_PPE_RAM_CTRL(second));
}

void airoha_wr(void __iomem *base, u32 offset, u32 val)
{
	writel(val, base + offset);
	if (offset == REG_PPE_RAM_CTRL(0) || offset == REG_PPE_RAM_CTRL(1))
		airoha_sim_transfer(base, offset == REG_PPE_RAM_CTRL(1), val);
}

u32 airoha_rmw(void __iomem *base, u32 offset, u32 mask, u32 val)
{
	u32 now = (airoha_rr(base, offset) & ~mask) | val;

	airoha_wr(base, offset, now);
	return now;
}

/* Engines of this SoC lead to the port with its own number, but for the last one. */
int airoha_get_fe_port(struct airoha_gdm_dev *dev)
{
	if (airoha_is_7583(dev->eth))
		return dev->port->id;
	return dev->port->id == AIROHA_GDM4_IDX ? FE_PSE_PORT_GDM4 : dev->port->id;
}

bool airoha_is_valid_gdm_dev(struct airoha_eth *eth, struct airoha_gdm_dev *dev)
{
	unsigned int i;

	for (i = 0; i < ports; i++)
		if (dev == netdev_priv(wire_port(i)))
			return true;
	return false;
}

#ifdef CONFIG_DEBUG_FS
int airoha_ppe_debugfs_init(struct airoha_ppe *ppe)
{
	return 0;
}
#endif

/*
 * The processor that sets the engines up. The driver asks for it with the first rule, and waits until
 * it sees that something was set.
 */
struct airoha_npu *airoha_npu_get(struct device *dev)
{
	return &airoha_sim_npu;
}

void airoha_npu_put(struct airoha_npu *npu)
{
}

static int airoha_sim_npu_init(struct airoha_npu *npu)
{
	int i;

	for (i = 0; i < airoha_sim_soc.num_ppe; i++) {
		airoha_fe_set(airoha_sim_eth, REG_PPE_GLO_CFG(i), PPE_GLO_CFG_EN_MASK);
		airoha_fe_set(airoha_sim_eth, REG_PPE_PPE_FLOW_CFG(i), PPE_FLOW_CFG_IP4_NAPT_MASK);
	}
	return 0;
}

static int airoha_sim_npu_deinit(struct airoha_npu *npu)
{
	return 0;
}

static int airoha_sim_npu_init_stats(struct airoha_npu *npu, dma_addr_t addr, u32 entries)
{
	/* Nobody counts. But the driver reads the counters, and clears them. */
	return entries <= PPE_STATS_NUM_ENTRIES * airoha_sim_soc.num_ppe ? 0 : -EINVAL;
}

static int airoha_sim_block_cb(enum tc_setup_type type, void *type_data, void *cb_priv)
{
	struct net_device *dev = cb_priv;
	int err;

	if (type != TC_SETUP_CLSFLOWER || !tc_can_offload(dev))
		return -EOPNOTSUPP;
	err = airoha_ppe_setup_tc_block_cb(&airoha_sim_eth->ppe->dev, type_data);
	sim_count_command(type_data, err);
	return err;
}

/* One callback for each block and port, however often they are bound. */
static int airoha_sim_setup_block(struct net_device *dev, struct flow_block_offload *offload)
{
	static LIST_HEAD(callbacks);
	struct flow_block_cb *block_cb;

	if (offload->binder_type != FLOW_BLOCK_BINDER_TYPE_CLSACT_INGRESS)
		return -EOPNOTSUPP;
	offload->driver_block_list = &callbacks;
	block_cb = flow_block_cb_lookup(offload->block, airoha_sim_block_cb, dev);

	if (offload->command == FLOW_BLOCK_UNBIND) {
		if (!block_cb)
			return -ENOENT;
		if (flow_block_cb_decref(block_cb))
			return 0;
		list_del(&block_cb->driver_list);
		flow_block_cb_remove(block_cb, offload);
		return 0;
	}
	if (offload->command != FLOW_BLOCK_BIND)
		return -EOPNOTSUPP;
	if (!block_cb) {
		block_cb = flow_block_cb_alloc(airoha_sim_block_cb, dev, dev, NULL);
		if (IS_ERR(block_cb))
			return PTR_ERR(block_cb);
		flow_block_cb_add(block_cb, offload);
		list_add_tail(&block_cb->driver_list, &callbacks);
	}
	flow_block_cb_incref(block_cb);
	return 0;
}

static int airoha_sim_setup_tc(struct net_device *dev, enum tc_setup_type type, void *type_data)
{
	int err;

	if (type != TC_SETUP_FT && type != TC_SETUP_BLOCK)
		return -EOPNOTSUPP;
	err = airoha_sim_setup_block(dev, type_data);
	sim_count_block(type_data, err);
	return err;
}

static const struct net_device_ops airoha_sim_port_ops = {
	.ndo_start_xmit		= wire_xmit,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_setup_tc		= airoha_sim_setup_tc,
};

static void airoha_sim_describe(const void *object, struct sim_entry *to)
{
	const struct airoha_flow_table_entry *entry = object;

	BUILD_BUG_ON(sizeof(entry->data) > sizeof(to->words));
	memcpy(to->words, &entry->data, sizeof(entry->data));
	to->type = entry->type;
	/* For a line as with the other driver. There is one table for all engines. */
	to->wed = -1;
	to->ppe = 0;
	to->hash = entry->type == FLOW_TYPE_L4 ? entry->hash : SIM_UNBOUND;
	to->cookie = entry->cookie;
}

static struct airoha_foe_entry *airoha_sim_entry(u32 slot)
{
	struct airoha_foe_entry *table = airoha_sim_eth->ppe->foe;

	return slot < airoha_sim_sram_slots ? &airoha_sim_sram[slot] : &table[slot];
}

static enum sim_state airoha_sim_slot(unsigned int ppe, unsigned int slot, u32 *words)
{
	airoha_sim_table_lock();
	memcpy(words, airoha_sim_entry(slot), PPE_ENTRY_SIZE);
	airoha_sim_table_unlock();
	return FIELD_GET(AIROHA_FOE_IB1_BIND_STATE, words[0]);
}

/* A packet, as far as the driver looks at it. */
static struct sk_buff *airoha_sim_packet(void)
{
	struct sk_buff *skb = alloc_skb(NET_SKB_PAD + ETH_ZLEN, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD);
	skb_put_zero(skb, ETH_ZLEN);
	skb->dev = wire_port(0);
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
static enum sim_bound airoha_sim_bind(void *object)
{
	struct airoha_flow_table_entry *entry = object;
	struct airoha_foe_entry unbound = {};
	u32 words[SIM_WORDS], hash;
	struct sk_buff *skb;
	size_t tuple;

	/* A bridge's entry leads to one for each tuple that is seen, and nobody has such rules. */
	if (entry->type != FLOW_TYPE_L4)
		return SIM_BOUND_SKIPPED;
	if (entry->hash != SIM_UNBOUND)
		return SIM_BOUND_BEFORE;
	hash = airoha_sim_hash(airoha_sim_eth->ppe, &entry->data);
	if (airoha_sim_slot(0, hash, words) == SIM_BIND)
		return SIM_BOUND_COLLIDED;

	skb = airoha_sim_packet();
	if (!skb)
		return SIM_BOUND_REFUSED;
	unbound.ib1 = entry->data.ib1 & (AIROHA_FOE_IB1_BIND_PACKET_TYPE | AIROHA_FOE_IB1_BIND_UDP);
	unbound.ib1 |= FIELD_PREP(AIROHA_FOE_IB1_BIND_STATE, AIROHA_FOE_STATE_UNBIND);
	if (FIELD_GET(AIROHA_FOE_IB1_BIND_PACKET_TYPE, unbound.ib1) >= PPE_PKT_TYPE_IPV6_ROUTE_3T)
		tuple = offsetof(struct airoha_foe_entry, ipv6.data);
	else
		tuple = offsetof(struct airoha_foe_entry, ipv4.ib2);
	memcpy(unbound.data + sizeof(u32), entry->data.data + sizeof(u32), tuple - sizeof(u32));
	airoha_sim_table_lock();
	*airoha_sim_entry(hash) = unbound;
	airoha_sim_table_unlock();

	airoha_sim_hit(airoha_sim_eth->ppe, skb, hash);
	kfree_skb(skb);
	return entry->hash == hash ? SIM_BOUND_NOW : SIM_BOUND_REFUSED;
}

static int airoha_sim_command(struct flow_cls_offload *cls)
{
	return airoha_ppe_setup_tc_block_cb(&airoha_sim_eth->ppe->dev, cls);
}

static struct sim_driver airoha_sim_driver = {
	.words		= PPE_ENTRY_SIZE / sizeof(u32),
	.ppes		= 1,
	.lock		= airoha_sim_lock,
	.unlock		= airoha_sim_unlock,
	.describe	= airoha_sim_describe,
	.slot		= airoha_sim_slot,
	.bind		= airoha_sim_bind,
	.command	= airoha_sim_command,
};

static void airoha_sim_free(void)
{
	if (airoha_sim_eth) {
		vfree((__force void *)airoha_sim_eth->fe_regs);
		kvfree(airoha_sim_eth);
	}
	vfree(airoha_sim_sram);
	vfree((__force void *)airoha_sim_npu.stats);
	wire_free();
	/* The table goes with it. */
	platform_device_unregister(airoha_sim_device);
}

/* The SoC and its ports, without engines yet. */
static int airoha_sim_make(void)
{
	unsigned int i;
	int err;

	airoha_sim_device = platform_device_register_simple("airoha_sim", PLATFORM_DEVID_NONE,
							    NULL, 0);
	if (IS_ERR(airoha_sim_device))
		return PTR_ERR(airoha_sim_device);
	err = dma_coerce_mask_and_coherent(&airoha_sim_device->dev, DMA_BIT_MASK(64));
	if (!err)
		err = wire_alloc(ports, sizeof(struct airoha_gdm_dev), &airoha_sim_port_ops);
	if (err)
		goto err_free;

	err = -ENOMEM;
	airoha_sim_sram_slots = PPE_SRAM_NUM_ENTRIES * airoha_sim_soc.num_ppe;
	airoha_sim_sram = vcalloc(airoha_sim_sram_slots, sizeof(*airoha_sim_sram));
	airoha_sim_npu.stats = (__force void __iomem *)
		vcalloc(PPE_STATS_NUM_ENTRIES * airoha_sim_soc.num_ppe, sizeof(struct airoha_foe_stats));
	airoha_sim_eth = kvzalloc_obj(*airoha_sim_eth);
	if (!airoha_sim_sram || !airoha_sim_npu.stats || !airoha_sim_eth)
		goto err_free;
	airoha_sim_eth->fe_regs = (__force void __iomem *)vzalloc(REGISTERS);
	if (!airoha_sim_eth->fe_regs)
		goto err_free;

	airoha_sim_npu.ops.ppe_init = airoha_sim_npu_init;
	airoha_sim_npu.ops.ppe_deinit = airoha_sim_npu_deinit;
	airoha_sim_npu.ops.ppe_init_stats = airoha_sim_npu_init_stats;
	airoha_sim_eth->dev = &airoha_sim_device->dev;
	airoha_sim_eth->soc = &airoha_sim_soc;
	for (i = 0; i < AIROHA_MAX_NUM_QDMA; i++)
		airoha_sim_eth->qdma[i].eth = airoha_sim_eth;
	for (i = 0; i < ports; i++) {
		struct airoha_gdm_dev *dev = netdev_priv(wire_port(i));
		struct airoha_gdm_port *port = &airoha_sim_ports[i];

		/* They are numbered from one, and the second one is the uplink, with a queue of its own. */
		port->id = i + 1;
		port->devs[0] = dev;
		spin_lock_init(&port->stats_lock);
		dev->port = port;
		dev->eth = airoha_sim_eth;
		dev->flags = port->id == AIROHA_GDM2_IDX ? AIROHA_PRIV_F_WAN : 0;
		dev->qdma = &airoha_sim_eth->qdma[!airoha_is_lan_gdm_dev(dev)];
		airoha_sim_eth->ports[i] = port;
	}
	return 0;

err_free:
	airoha_sim_free();
	return err;
}

static int __init airoha_sim_init(void)
{
	int err;

	if ((soc != 0x7581 && soc != 0x7583) || !ports || ports > AIROHA_MAX_NUM_GDM_PORTS ||
	    ports > WIRE_MAX)
		return -EINVAL;
	airoha_sim_soc.version = soc;
	airoha_sim_soc.num_ppe = soc == 0x7581 ? 2 : 1;
	err = airoha_sim_make();
	if (err)
		return err;
	err = airoha_ppe_init(airoha_sim_eth);
	if (err)
		goto err_free;

	airoha_sim_driver.slots = airoha_ppe_get_total_num_entries(airoha_sim_eth->ppe);
	airoha_sim_driver.flows = &airoha_sim_eth->flow_table;
	err = sim_init(&airoha_sim_driver);
	if (err)
		goto err_deinit;
	err = wire_register();
	if (err)
		goto err_exit;
	/* Before, the driver refuses rules. */
	set_bit(DEV_STATE_REGISTERED, &airoha_sim_eth->state);
	return 0;

err_exit:
	sim_exit();
err_deinit:
	airoha_ppe_deinit(airoha_sim_eth);
err_free:
	airoha_sim_free();
	return err;
}

static void __exit airoha_sim_exit(void)
{
	/* With its device each block loses the callback: nobody calls in any more. */
	wire_unregister();
	sim_exit();
	sim_drop_leaked();
	airoha_ppe_deinit(airoha_sim_eth);
	airoha_sim_free();
}

module_init(airoha_sim_init);
module_exit(airoha_sim_exit);
MODULE_DESCRIPTION("Airoha's flow offload over memory, for tests");
MODULE_LICENSE("GPL");
