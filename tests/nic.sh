# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A simulated NIC (simnic) in the place of the cables of topology.sh: the router's r1 and r2 are its
# ports, and c0 and s0 what is at the other ends of their cables.

nic=/proc/simnic
# What modprobe is told: shared=1, indirect=1.
nic_options=
cables() {
	local i=0 end dev
	[ -d $nic ] || { modprobe simnic $nic_options; }
	for end in client:c0:01:02:router:r1:01:01 server:s0:02:02:router:r2:02:01; do
		IFS=: read -r a_ns a_dev a1 a2 b_ns b_dev b1 b2 <<<"$end"
		for dev in "sim${i}w:$a_ns:$a_dev:$a1:$a2" "sim$i:$b_ns:$b_dev:$b1:$b2"; do
			IFS=: read -r from ns to one two <<<"$dev"
			ip link set "$from" netns "$ns"
			ip -n "$ns" link set "$from" name "$to" address "02:00:00:00:$one:$two"
		done
		i=$((i + 1))
	done
}
# Takes the devices back before their namespaces go.
uncable() {
	local i=0 end
	for end in client:c0:router:r1 server:s0:router:r2; do
		IFS=: read -r a_ns a_dev b_ns b_dev <<<"$end"
		ip -n "$a_ns" link set "$a_dev" down name "sim${i}w" netns 1
		ip -n "$b_ns" link set "$b_dev" down name "sim$i" netns 1
		i=$((i + 1))
	done
}
nic() { echo "$*" >$nic/control; }
# nic_says NAME: one of its numbers.
nic_says() { sed -n "s/^$1 //p" $nic/stats; }
nic_has() { [ "$(nic_says rules)" = "$1" ]; }
