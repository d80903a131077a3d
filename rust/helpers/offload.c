// SPDX-License-Identifier: GPL-2.0

bool nfo_dev_can_setup_tc(const struct net_device *dev)
{
	return dev->netdev_ops->ndo_setup_tc;
}

int nfo_dev_setup_ft(struct net_device *dev, struct flow_block_offload *offload)
{
	return dev->netdev_ops->ndo_setup_tc(dev, TC_SETUP_FT, offload);
}

void nfo_init_list_head(struct list_head *list)
{
	INIT_LIST_HEAD(list);
}

void nfo_list_splice_init(struct list_head *from, struct list_head *to)
{
	list_splice_init(from, to);
}

void nfo_list_del(struct list_head *entry)
{
	list_del(entry);
}

struct flow_action_entry *nfo_rule_action(struct flow_rule *rule, unsigned int number)
{
	return &rule->action.entries[number];
}

void nfo_action_mangle(struct flow_action_entry *entry, unsigned int header, u32 offset, u32 mask,
		       u32 value)
{
	entry->id = FLOW_ACTION_MANGLE;
	entry->mangle.htype = header;
	entry->mangle.offset = offset;
	entry->mangle.mask = mask;
	entry->mangle.val = value;
}

void nfo_action_vlan_push(struct flow_action_entry *entry, u16 id, __be16 protocol)
{
	entry->id = FLOW_ACTION_VLAN_PUSH;
	entry->vlan.vid = id;
	entry->vlan.proto = protocol;
}

void nfo_action_pppoe_push(struct flow_action_entry *entry, u16 session)
{
	entry->id = FLOW_ACTION_PPPOE_PUSH;
	entry->pppoe.sid = session;
}

void nfo_action_csum(struct flow_action_entry *entry, u32 flags)
{
	entry->id = FLOW_ACTION_CSUM;
	entry->csum_flags = flags;
}

void nfo_action_redirect(struct flow_action_entry *entry, struct net_device *dev)
{
	entry->id = FLOW_ACTION_REDIRECT;
	entry->dev = dev;
}

void nfo_match_vlan(struct flow_dissector_key_vlan *key, u16 id, __be16 protocol)
{
	key->vlan_id = id;
	key->vlan_tpid = protocol;
}
