// SPDX-License-Identifier: GPL-2.0
/*
 * demote: nf_tables makes a flowtable of the type that was registered first. One that registers
 * again is last, so that the next flowtable is of another one that was there before.
 */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/nsproxy.h>
#include <linux/rcupdate.h>
#include <net/netfilter/nf_flow_table.h>
#include <net/netfilter/nf_tables.h>

#include "nfo_bench.h"

/* The type of the device's flowtable, whose module stays until it is put. */
static struct nf_flowtable_type *bench_demote_find(const struct net_device *dev)
{
	struct nf_flowtable_type *type = ERR_PTR(-ENOENT);
	const struct nf_hook_entries *entries;

	rcu_read_lock();
	entries = rcu_dereference(dev->nf_hooks_ingress);
	if (entries && entries->num_hook_entries &&
	    nf_hook_entries_get_hook_ops(entries)[0]->hook_ops_type == NF_HOOK_OP_NFT_FT) {
		const struct nf_flowtable *table = entries->hooks[0].priv;

		/* It is const for flowtables, not for the one that has registered it. */
		type = (struct nf_flowtable_type *)table->type;
		if (!try_module_get(type->owner))
			type = ERR_PTR(-ENOENT);
	}
	rcu_read_unlock();
	return type;
}

/* demote DEV */
int bench_do_demote(int argc, char **argv)
{
	struct nf_flowtable_type *type;
	struct net_device *dev;

	dev = dev_get_by_name(current->nsproxy->net_ns, argv[1]);
	if (!dev)
		return -ENODEV;
	type = bench_demote_find(dev);
	dev_put(dev);
	if (IS_ERR(type))
		return PTR_ERR(type);

	nft_unregister_flowtable_type(type);
	/* Whoever is just at it would go on from its new place, and miss the others. */
	synchronize_rcu();
	nft_register_flowtable_type(type);
	module_put(type->owner);
	return 0;
}
