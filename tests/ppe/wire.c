// SPDX-License-Identifier: GPL-2.0
/*
 * Ports and wires, see wire.h. Included by each of the test modules, as objects from outside of
 * their directories would be written outside of their output.
 */
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include "wire.h"

struct wire_end {
	struct net_device *peer;
};

static struct net_device *wire_ends[WIRE_MAX][2];
static unsigned int wire_count;
static size_t wire_offset;
static bool wire_registered;

/* Behind the driver's data, in wires, too: then it is in one place, whatever the device. */
static struct wire_end *wire_end(struct net_device *dev)
{
	return netdev_priv(dev) + wire_offset;
}

netdev_tx_t wire_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct net_device *peer = wire_end(dev)->peer;
	unsigned int length = skb->len;

	skb_tx_timestamp(skb);
	/*
	 * Leaves behind here what packets do not have on a wire, and queues it for the other end: to
	 * receive it at once could go round in circles on this stack.
	 */
	if (likely(dev_forward_skb(peer, skb) == NET_RX_SUCCESS)) {
		dev_sw_netstats_tx_add(dev, 1, length);
		dev_sw_netstats_rx_add(peer, length);
	} else {
		dev_core_stats_tx_dropped_inc(dev);
	}
	return NETDEV_TX_OK;
}

static const struct net_device_ops wire_ops = {
	.ndo_start_xmit		= wire_xmit,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

struct net_device *wire_port(unsigned int index)
{
	return wire_ends[index][0];
}

static struct net_device *wire_new(unsigned int index, bool wire, size_t size,
				   const struct net_device_ops *ops)
{
	/* The same at each load, since they appear in the entries that are compared. */
	u8 address[ETH_ALEN] = { 0x02, 0x00, 0x00, 0x00, wire ? 0xfe : 0xff, index };
	struct net_device *dev;
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "ppe%u%s", index, wire ? "w" : "");
	dev = alloc_netdev(size, name, NET_NAME_USER, ether_setup);
	if (!dev)
		return NULL;
	eth_hw_addr_set(dev, address);
	dev->netdev_ops = ops;
	dev->max_mtu = 9000;
	dev->lltx = true;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	/*
	 * Nothing but this, on ports: checksums, segments and tags are then in the packets by the time
	 * they get here, as on a real wire.
	 */
	if (!wire) {
		dev->hw_features |= NETIF_F_HW_TC;
		dev->features |= NETIF_F_HW_TC;
	}
	return dev;
}

int wire_alloc(unsigned int count, size_t size, const struct net_device_ops *ops)
{
	unsigned int i;

	wire_offset = ALIGN(size, sizeof(void *));
	size = wire_offset + sizeof(struct wire_end);
	wire_count = count;
	for (i = 0; i < count; i++) {
		struct net_device *port = wire_new(i, false, size, ops);
		struct net_device *wire = wire_new(i, true, size, &wire_ops);

		wire_ends[i][0] = port;
		wire_ends[i][1] = wire;
		if (!port || !wire) {
			wire_free();
			return -ENOMEM;
		}
		wire_end(port)->peer = wire;
		wire_end(wire)->peer = port;
	}
	return 0;
}

/* With RTNL held. All are closed before the first is gone, so nobody sends to one that is. */
static void wire_unregister_first(unsigned int count)
{
	LIST_HEAD(list);
	unsigned int i;

	for (i = 0; i < count; i++)
		unregister_netdevice_queue(wire_ends[i / 2][i % 2], &list);
	unregister_netdevice_many(&list);
}

int wire_register(void)
{
	unsigned int i;
	int err = 0;

	rtnl_lock();
	for (i = 0; i < 2 * wire_count && !err; i++)
		err = register_netdevice(wire_ends[i / 2][i % 2]);
	if (err)
		wire_unregister_first(i - 1);
	rtnl_unlock();
	wire_registered = !err;
	return err;
}

void wire_unregister(void)
{
	if (!wire_registered)
		return;
	rtnl_lock();
	wire_unregister_first(2 * wire_count);
	rtnl_unlock();
	wire_registered = false;
}

void wire_free(void)
{
	unsigned int i;

	for (i = 0; i < 2 * wire_count; i++) {
		if (wire_ends[i / 2][i % 2])
			free_netdev(wire_ends[i / 2][i % 2]);
		wire_ends[i / 2][i % 2] = NULL;
	}
}
