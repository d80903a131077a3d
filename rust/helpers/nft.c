// SPDX-License-Identifier: GPL-2.0

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
