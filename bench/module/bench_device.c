// SPDX-License-Identifier: GPL-2.0
/*
 * "nfobench" devices: Ethernet that leads nowhere. A loop that measures gets back what it has sent,
 * and nothing stands between it and the device: no queue, no lock, and what hardware might do for a
 * packet is done before it arrives here.
 */

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <net/rtnetlink.h>

#include "nfo_bench.h"

DEFINE_PER_CPU(struct bench_loop *, bench_current);

static netdev_tx_t bench_device_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct bench_loop *loop = this_cpu_read(bench_current);

	if (loop) {
		loop->sent++;
		if (unlikely(loop->digests)) {
			bench_sent_add(skb, dev);
			bench_digest_frame(loop, skb, dev);
		}
		if (loop->keeps) {
			/* One that was segmented comes back as several. */
			if (likely(!loop->kept))
				loop->kept = skb;
			else
				dev_consume_skb_any(skb);
			return NETDEV_TX_OK;
		}
		if (loop->collects) {
			__skb_queue_tail(&loop->back, skb);
			return NETDEV_TX_OK;
		}
	}

	dev_sw_netstats_tx_add(dev, 1, skb->len);
	bench_sent_add(skb, dev);
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops bench_device_ops = {
	.ndo_start_xmit		= bench_device_xmit,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

static void bench_device_setup(struct net_device *dev)
{
	ether_setup(dev);

	dev->netdev_ops = &bench_device_ops;
	dev->needs_free_netdev = true;
	/* Packets are written to after they were sent, so nobody else may hold them. */
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE | IFF_DISABLE_NETPOLL;
	dev->lltx = true;
	dev->max_mtu = ETH_MAX_MTU;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	eth_hw_addr_random(dev);
}

static struct rtnl_link_ops bench_link_ops __read_mostly = {
	.kind	= "nfobench",
	.setup	= bench_device_setup,
};

int bench_device_init(void)
{
	return rtnl_link_register(&bench_link_ops);
}

void bench_device_exit(void)
{
	rtnl_link_unregister(&bench_link_ops);
}
