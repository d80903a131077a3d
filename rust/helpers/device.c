// SPDX-License-Identifier: GPL-2.0

void nfo_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

void nfo_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

struct net_device *nfo_netdev_notifier_info_to_dev(void *info)
{
	return netdev_notifier_info_to_dev(info);
}

bool nfo_is_valid_ether_addr(const u8 *addr)
{
	return is_valid_ether_addr(addr);
}

struct net *nfo_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

struct net *nfo_read_pnet(const possible_net_t *pnet)
{
	return read_pnet(pnet);
}

struct proc_dir_entry *nfo_proc_net(const struct net *net)
{
	return net->proc_net;
}

bool nfo_dev_has_forward_path(const struct net_device *dev)
{
	return dev->netdev_ops->ndo_fill_forward_path;
}

bool nfo_dev_has_header(const struct net_device *dev)
{
	return dev->header_ops && dev->header_ops->create;
}
