// SPDX-License-Identifier: GPL-2.0
/*
 * The devices of the simulated NIC: for each port the port itself, and the far end of its cable.
 *
 * They are no rtnl_link devices, as those of a real NIC are not: they come and go with the module,
 * and a namespace that ends gives them back to the first one.
 */

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>

#include "simnic.h"

static unsigned int ports = 2;
module_param(ports, uint, 0444);
MODULE_PARM_DESC(ports, "number of ports (default 2, at most 8)");

bool simnic_indirect;
module_param_named(indirect, simnic_indirect, bool, 0444);
MODULE_PARM_DESC(indirect, "ports have no ndo_setup_tc, drivers bind indirectly");

bool simnic_shared;
module_param_named(shared, simnic_shared, bool, 0444);
MODULE_PARM_DESC(shared, "all ports share one callback, as those of a switch do");

static unsigned int size = 65536;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "rules that fit into the hardware (default 65536)");

static bool marks;
module_param(marks, bool, 0444);
MODULE_PARM_DESC(marks, "ports mark what they receive as forwarded, as those of a switch do in a bridge");

struct simnic_port simnic_ports[SIMNIC_PORTS];
unsigned int simnic_num_ports;

/* Private to each device. */
struct simnic_end {
	struct simnic_port *port;
	struct net_device *peer;	/* the other end of the cable */
	struct simnic_burst burst;	/* of a port, not of the other end */
};

struct simnic_port *simnic_port_of(const struct net_device *dev)
{
	unsigned int i;

	for (i = 0; dev && i < simnic_num_ports; i++) {
		if (simnic_ports[i].dev == dev)
			return &simnic_ports[i];
	}
	return NULL;
}

/*
 * A cable carries bytes, nothing else: what the sender knew about the frame does not arrive. Nor
 * does it vouch for checksums, so a wrong one is noticed by whoever receives the frame.
 */
static void simnic_deliver(struct net_device *to, struct sk_buff *skb)
{
	struct simnic_end *end = netdev_priv(to);
	bool port = end->port->dev == to;
	unsigned int len = skb->len;

	/* There is a carrier if both ends are up. Two tags may come on top of the MTU. */
	if (!netif_carrier_ok(to) ||
	    len > READ_ONCE(to->mtu) + ETH_HLEN + SIMNIC_TAGS * VLAN_HLEN ||
	    skb_orphan_frags_rx(skb, GFP_ATOMIC)) {
		dev_core_stats_rx_dropped_inc(to);
		kfree_skb(skb);
		return;
	}

	if (port) {
		skb = simnic_buffer(skb);
		if (!skb) {
			dev_core_stats_rx_dropped_inc(to);
			return;
		}
	}

	skb_scrub_packet(skb, true);
	skb_clear_hash(skb);
	skb->priority = 0;
	skb->encapsulation = 0;
	skb->offload_fwd_mark = marks && port;
	skb->ip_summed = CHECKSUM_NONE;
	skb->csum_valid = 0;
	skb->csum_complete_sw = 0;
	skb->protocol = eth_type_trans(skb, to);

	dev_sw_netstats_rx_add(to, len);
	if (port)
		simnic_receive(&end->burst, skb);
	else
		netif_rx(skb);
}

/*
 * Makes of what the stack handed over what goes over a cable: one frame, tags in line, checksums
 * filled in. Consumes the frame and returns NULL if that cannot be.
 */
static struct sk_buff *simnic_frame(struct sk_buff *skb, struct net_device *dev)
{
	skb_tx_timestamp(skb);

	/* None is ever asked for: see the features. */
	if (skb_is_gso(skb))
		goto drop;
	if (skb_vlan_tag_present(skb)) {
		skb = __vlan_hwaccel_push_inside(skb);
		if (!skb)
			goto dropped;
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		goto drop;
	if (!pskb_may_pull(skb, ETH_HLEN))
		goto drop;

	dev_sw_netstats_tx_add(dev, 1, skb->len);
	return skb;

drop:
	kfree_skb(skb);
dropped:
	dev_core_stats_tx_dropped_inc(dev);
	return NULL;
}

static netdev_tx_t simnic_port_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct simnic_end *end = netdev_priv(dev);

	skb = simnic_frame(skb, dev);
	if (!skb)
		return NETDEV_TX_OK;

	if (skb->offload_fwd_mark)
		simnic_count(SIMNIC_MARKED);
	simnic_deliver(end->peer, skb);
	return NETDEV_TX_OK;
}

/* What the wire sends arrives at the NIC; the router's software gets what has no rule. */
static netdev_tx_t simnic_wire_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct simnic_end *end = netdev_priv(dev);
	struct net_device *to = end->peer;

	skb = simnic_frame(skb, dev);
	if (!skb)
		return NETDEV_TX_OK;

	/* A port that is down hears nothing, and so has no rule for it either. */
	if (netif_carrier_ok(to))
		to = simnic_forward(end->port, skb) ?: to;
	simnic_deliver(to, skb);
	return NETDEV_TX_OK;
}

static int simnic_open(struct net_device *dev)
{
	struct simnic_end *end = netdev_priv(dev);

	if (end->port->dev == dev)
		simnic_burst_start(&end->burst);
	if (end->peer->flags & IFF_UP) {
		netif_carrier_on(dev);
		netif_carrier_on(end->peer);
	}
	return 0;
}

static int simnic_stop(struct net_device *dev)
{
	struct simnic_end *end = netdev_priv(dev);

	netif_carrier_off(dev);
	netif_carrier_off(end->peer);
	if (end->port->dev == dev)
		simnic_burst_stop(&end->burst);
	return 0;
}

/* Every frame arrives anyway; this tells the stack that there is no need for promiscuous mode. */
static void simnic_set_rx_mode(struct net_device *dev)
{
}

#define SIMNIC_OPS					\
	.ndo_open		= simnic_open,		\
	.ndo_stop		= simnic_stop,		\
	.ndo_set_rx_mode	= simnic_set_rx_mode,	\
	.ndo_set_mac_address	= eth_mac_addr,		\
	.ndo_validate_addr	= eth_validate_addr

static const struct net_device_ops simnic_direct_ops = {
	SIMNIC_OPS,
	.ndo_start_xmit		= simnic_port_xmit,
	.ndo_setup_tc		= simnic_setup_tc,
};

/* A device with ndo_setup_tc, even one that always refuses, is never offered to other drivers. */
static const struct net_device_ops simnic_indirect_ops = {
	SIMNIC_OPS,
	.ndo_start_xmit		= simnic_port_xmit,
};

static const struct net_device_ops simnic_wire_ops = {
	SIMNIC_OPS,
	.ndo_start_xmit		= simnic_wire_xmit,
};

static const struct ethtool_ops simnic_ethtool_ops = {
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
};

static void simnic_setup(struct net_device *dev)
{
	ether_setup(dev);

	/* Frames are changed on their way, so nobody else may hold them. */
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE | IFF_DISABLE_NETPOLL |
			   IFF_UNICAST_FLT;
	dev->lltx = true;
	dev->features = NETIF_F_HIGHDMA;
	dev->max_mtu = ETH_MAX_MTU;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->ethtool_ops = &simnic_ethtool_ops;
	eth_hw_addr_random(dev);
	netif_carrier_off(dev);
}

static struct net_device *simnic_alloc(const char *format, unsigned int index)
{
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), format, index);
	return alloc_netdev(sizeof(struct simnic_end), name, NET_NAME_PREDICTABLE, simnic_setup);
}

static int simnic_alloc_port(struct simnic_port *port, unsigned int index)
{
	struct simnic_end *end, *wire_end;

	port->index = index;
	port->dev = simnic_alloc("sim%u", index);
	port->wire = simnic_alloc("sim%uw", index);
	if (!port->dev || !port->wire)
		return -ENOMEM;

	port->dev->netdev_ops = simnic_indirect ? &simnic_indirect_ops : &simnic_direct_ops;
	port->dev->features |= NETIF_F_HW_TC;
	port->wire->netdev_ops = &simnic_wire_ops;

	end = netdev_priv(port->dev);
	end->port = port;
	end->peer = port->wire;
	simnic_burst_init(&end->burst, port->dev);
	wire_end = netdev_priv(port->wire);
	wire_end->port = port;
	wire_end->peer = port->dev;
	return 0;
}

static void simnic_free_ports(void)
{
	struct simnic_end *end;
	unsigned int i;

	for (i = 0; i < SIMNIC_PORTS; i++) {
		if (simnic_ports[i].dev) {
			end = netdev_priv(simnic_ports[i].dev);
			/* It has a cable, or there was no memory for one. */
			if (end->port)
				simnic_burst_exit(&end->burst);
			free_netdev(simnic_ports[i].dev);
		}
		if (simnic_ports[i].wire)
			free_netdev(simnic_ports[i].wire);
	}
}

/*
 * All at once: every device is closed before any is gone, so a frame never meets a device of
 * the NIC that is not there.
 */
static void simnic_unregister_devices(void)
{
	LIST_HEAD(gone);
	unsigned int i;

	rtnl_lock();
	for (i = 0; i < simnic_num_ports; i++) {
		if (simnic_ports[i].dev->reg_state == NETREG_REGISTERED)
			unregister_netdevice_queue(simnic_ports[i].dev, &gone);
		if (simnic_ports[i].wire->reg_state == NETREG_REGISTERED)
			unregister_netdevice_queue(simnic_ports[i].wire, &gone);
	}
	unregister_netdevice_many(&gone);
	rtnl_unlock();
}

static int simnic_register_devices(void)
{
	unsigned int i;
	int err = 0;

	/* One lock for all, so that nobody opens one whose peer is not registered yet. */
	rtnl_lock();
	for (i = 0; i < simnic_num_ports && !err; i++)
		err = register_netdevice(simnic_ports[i].dev) ?:
		      register_netdevice(simnic_ports[i].wire);
	rtnl_unlock();
	return err;
}

/*
 * The devices first: their going makes the flowtables unbind them, so a driver that leaves has
 * nothing left to be taken away. Also undoes what there is of an unfinished start.
 */
static void simnic_stop_all(void)
{
	unsigned int driver;

	simnic_clone_frames(SIMNIC_CLONED_NEVER);
	simnic_unregister_devices();
	for (driver = 0; driver < SIMNIC_DRIVERS; driver++)
		simnic_unregister(driver);
	simnic_wait_unbound();
	simnic_table_exit();
	simnic_log_clear();
	simnic_free_ports();
}

static int __init simnic_init(void)
{
	unsigned int i;
	int err;

	if (!ports || ports > SIMNIC_PORTS) {
		pr_err("simnic: ports must be 1 to %u\n", SIMNIC_PORTS);
		return -EINVAL;
	}
	if (simnic_indirect && simnic_shared) {
		pr_err("simnic: an indirect driver has a callback for each port, none is shared\n");
		return -EINVAL;
	}

	simnic_behaviour.size = size;
	simnic_behaviour.room = -1;
	prandom_seed_state(&simnic_behaviour.rnd, 1);
	for (i = 0; i < ports; i++) {
		err = simnic_alloc_port(&simnic_ports[i], i);
		if (err) {
			simnic_free_ports();
			return err;
		}
	}
	simnic_num_ports = ports;

	err = simnic_register_devices();
	if (!err && simnic_indirect)
		err = simnic_register(0);
	if (!err)
		err = simnic_control_init();
	if (err)
		simnic_stop_all();
	return err;
}
module_init(simnic_init);

static void __exit simnic_exit(void)
{
	simnic_control_exit();
	simnic_stop_all();
}
module_exit(simnic_exit);

MODULE_DESCRIPTION("Simulated NIC with a hardware flow table");
MODULE_LICENSE("GPL");
