# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Both implementations in one guest, one after the other.

# use c|rs: what decides between the two is what modprobe finds.
use() {
	if [ "$1" = c ]; then
		rm -f /etc/modprobe.d/nft-offload-rs.conf
		echo 'blacklist nft_offload_rs' >/etc/modprobe.d/test.conf
	else
		cp /src/packaging/nft-offload-rs.conf /etc/modprobe.d/
		rm -f /etc/modprobe.d/test.conf
	fi
}
unuse() {
	if grep -q ^nft_offload_rs /proc/modules; then
		rmmod nft_offload_rs
	else
		modprobe -r nft_flow_offload nf_flow_table_inet
	fi
}
