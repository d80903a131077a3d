// SPDX-License-Identifier: GPL-2.0

#include <net/sch_generic.h>

void nfo_napi_add(struct net_device *dev, struct napi_struct *napi,
		  int (*poll)(struct napi_struct *, int))
{
	/* Nobody waits for packets there. */
	set_bit(NAPI_STATE_NO_BUSY_POLL, &napi->state);
	netif_napi_add(dev, napi, poll);
	napi_enable(napi);
}

/* Somebody may still be looking at it, for a grace period. */
void nfo_napi_del(struct napi_struct *napi)
{
	napi_disable(napi);
	__netif_napi_del(napi);
}

/* Leaves one that is scheduled alone: the second half alone would have it polled once more. */
bool nfo_napi_claim(struct napi_struct *napi)
{
	return !napi_is_scheduled(napi) && napi_schedule(napi);
}

void *nfo_this_cpu_ptr(void __percpu *area)
{
	return this_cpu_ptr(area);
}

void *nfo_per_cpu_ptr(void __percpu *area, unsigned int cpu)
{
	return per_cpu_ptr(area, cpu);
}

unsigned int nfo_next_cpu(unsigned int from)
{
	return cpumask_next((int)from - 1, cpu_possible_mask);
}

/* Less than the configuration allows for, where there are fewer. */
unsigned int nfo_cpus(void)
{
	return nr_cpu_ids;
}

/*
 * Nothing but the hook of one flowtable and its guard look at what comes in by the packet's device, the
 * device is the first that it comes in by, and the packet is nobody else's: a socket that BPF has given it
 * may be one that stays for this section of RCU only.
 */
bool nfo_skb_can_wait(struct sk_buff *skb)
{
	const struct nf_hook_entries *hooks = rcu_dereference(skb->dev->nf_hooks_ingress);

	return hooks && hooks->num_hook_entries == 2 && !rcu_access_pointer(skb->dev->xdp_prog) &&
	       list_empty(&skb->dev->adj_list.lower) && !skb_shared(skb) && !skb_pfmemalloc(skb) &&
	       !skb_sk_is_prefetched(skb);
}

/* On from where the ingress hooks would have let it go. */
void nfo_skb_receive(struct sk_buff *skb)
{
	skb_reset_redirect(skb);
#ifdef CONFIG_NET_CLS_ACT
	skb->tc_skip_classify = 1;
#endif
	netif_receive_skb_core(skb);
}
