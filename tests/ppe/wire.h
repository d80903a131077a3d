/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pairs of network devices: a port of the made-up SoC, and the wire that is plugged into it. What
 * one sends, the other receives.
 */
#ifndef PPE_SIM_WIRE_H
#define PPE_SIM_WIRE_H

#include <linux/netdevice.h>

#define WIRE_MAX	4

/*
 * Allocates COUNT pairs, not registered yet: ppe0 and ppe0w, ppe1 and ppe1w, ... The private data of
 * a port begins with SIZE zero bytes for its driver. OPS are those of the ports; drivers recognise
 * their ports by them, so wires have others.
 */
int wire_alloc(unsigned int count, size_t size, const struct net_device_ops *ops);
int wire_register(void);
void wire_unregister(void);
void wire_free(void);
struct net_device *wire_port(unsigned int index);

/* What the operations of a port need. */
netdev_tx_t wire_xmit(struct sk_buff *skb, struct net_device *dev);

#endif
