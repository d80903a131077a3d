// SPDX-License-Identifier: GPL-2.0

bool nfo_nft_hook_has_device(const struct nft_hook *hook, const struct net_device *dev)
{
#ifdef NFO_HAVE_NFT_HOOK_FIND_OPS
	return nft_hook_find_ops_rcu(hook, dev);
#else
	return hook->ops.dev == dev;
#endif
}

struct nft_flowtable *nfo_nft_flowtable_lookup(const struct net *net, const struct nft_table *table,
					       const struct nlattr *name, u8 genmask)
{
#ifdef NFO_HAVE_NFT_FLOWTABLE_LOOKUP_IN_NET
	return nft_flowtable_lookup(net, table, name, genmask);
#else
	return nft_flowtable_lookup(table, name, genmask);
#endif
}

u8 nfo_nft_genmask_next(const struct net *net)
{
	return nft_genmask_next(net);
}

bool nfo_nft_use_inc(u32 *use)
{
	return nft_use_inc(use);
}

void nfo_nft_use_dec(u32 *use)
{
	nft_use_dec(use);
}

void nfo_nft_use_inc_restore(u32 *use)
{
	nft_use_inc_restore(use);
}

void nfo_flow_block_init(struct flow_block *block)
{
	flow_block_init(block);
}
