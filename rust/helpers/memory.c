// SPDX-License-Identifier: GPL-2.0

struct mem_cgroup *nfo_memcg_of_current(void)
{
	return get_mem_cgroup_from_mm(current->mm);
}

bool nfo_memcg_tryget(struct mem_cgroup *memcg)
{
	return mem_cgroup_tryget(memcg);
}

void nfo_memcg_put(struct mem_cgroup *memcg)
{
	mem_cgroup_put(memcg);
}

bool nfo_memcg_has_parent(struct mem_cgroup *memcg)
{
	return memcg && parent_mem_cgroup(memcg);
}

struct mem_cgroup *nfo_memcg_activate(struct mem_cgroup *memcg)
{
	return set_active_memcg(memcg);
}
