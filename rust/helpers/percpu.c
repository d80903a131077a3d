// SPDX-License-Identifier: GPL-2.0

void nfo_this_cpu_inc(u64 __percpu *counter)
{
	this_cpu_inc(*counter);
}

u64 nfo_per_cpu_sum(u64 __percpu *counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(counter, cpu));
	return sum;
}
