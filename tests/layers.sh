# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What can be between the hosts and the router of topology.sh: each function builds it over the link
# that is there (c0 | r1), and says which devices then have the addresses.

# Moves the addresses of the client's side to other devices: DEVICE OF THE CLIENT, OF THE ROUTER.
addresses() {
	local client=$1 router=$2 dev
	for dev in "client:$client:10.0.1.2/24:fd00:1::2/64" "router:$router:10.0.1.1/24:fd00:1::1/64"; do
		IFS=: read -r ns dev four six <<<"$dev"
		ip -n "$ns" link set "$dev" up
		ip -n "$ns" addr replace "$four" dev "$dev"
		ip -n "$ns" addr replace "$six" dev "$dev" nodad
	done
	ip -n client route replace default via 10.0.1.1 dev "$client"
	ip -n client -6 route replace default via fd00:1::1 dev "$client"
	for ns in client router; do
		wait_until 10 bash -c "[ -z \"\$(ip -n $ns -6 addr show tentative)\" ]"
	done
	wait_until 10 in_client ping -c1 -W1 10.0.2.2 || echo "# no way through"
	wait_until 10 in_client ping -c1 -W1 fd00:2::2 || echo "# no way through"
}
# Whether the hosts send segments of real size, which the router's devices join to large packets, as
# network cards do: on or off.
joining() {
	local dev large=off
	[ "$1" = on ] || large=on
	for dev in client:c0 server:s0; do
		ip netns exec "${dev%:*}" ethtool -K "${dev#*:}" tso $large gso $large 2>/dev/null
	done
	for dev in r1 r2; do
		in_router ethtool -K $dev gro "$1" 2>/dev/null
	done
}
# Takes everything away again.
bare() {
	local ns dev
	devices=
	pkill -f tests/pppoe.py 2>/dev/null
	for ns in client router; do
		for dev in $(ip -n $ns -br link | sed -n 's/^\(top\|mid\|br0\|ppp\)\([^ @]*\).*/\1\2/p'); do
			ip -n $ns link del "$dev" 2>/dev/null
		done
	done
	joining off
	for ns in router server; do
		ip -n $ns xfrm state flush
		ip -n $ns xfrm policy flush
	done
	ip -n client link set c0 down address 02:00:00:00:01:02 up
	ip -n client addr flush dev c0 scope global
	ip -n router addr flush dev r1 scope global
	wait_until 5 bash -c '! ip -n router -br link | grep -q "^\(top\|mid\|br0\|ppp\)"'
}

layer_none() { addresses c0 r1; }
# A device that the one who plays the client makes for himself.
layer_tap() { :; }
layer_pieces() { :; }
# vlan PROTOCOL ID over DEVICE as NAME, in a namespace
vlan() { ip -n "$1" link add link "$2" name "$3" type vlan proto "$4" id "$5" && ip -n "$1" link set "$3" up; }
layer_vlan() {
	vlan client c0 top 802.1q 10
	vlan router r1 top 802.1q 10
	addresses top top
}
layer_8021ad() {
	vlan client c0 top 802.1ad 10
	vlan router r1 top 802.1ad 10
	addresses top top
}
layer_qinq() {
	vlan client c0 mid 802.1ad 100
	vlan router r1 mid 802.1ad 100
	vlan client mid top 802.1q 10
	vlan router mid top 802.1q 10
	addresses top top
}
layer_vlan_in_vlan() {
	vlan client c0 mid 802.1q 100
	vlan router r1 mid 802.1q 100
	vlan client mid top 802.1q 10
	vlan router mid top 802.1q 10
	addresses top top
}
# PPPoE over a device, with a session: the client's and the router's end.
sessions() { # DEVICE OF THE CLIENT, OF THE ROUTER, SESSION
	local client router
	client=$(ip netns exec client cat "/sys/class/net/$1/address")
	router=$(ip netns exec router cat "/sys/class/net/$2/address")
	in_client python3 /src/tests/pppoe.py "$1" "$router" "$3" &
	in_router python3 /src/tests/pppoe.py "$2" "$client" "$3" &
	wait_until 10 ip -n client link show ppp0
	wait_until 10 ip -n router link show ppp0
	ip -n client link set ppp0 mtu 1492
	ip -n router link set ppp0 mtu 1492
}
layer_pppoe() {
	sessions c0 r1 "${1:-4660}"
	addresses ppp0 ppp0
}
layer_vlan_pppoe() {
	vlan client c0 mid 802.1q 7
	vlan router r1 mid 802.1q 7
	sessions mid mid 4661
	addresses ppp0 ppp0
}
# A bridge in the router, its port being r1.
bridge() {
	ip -n router link add br0 address 02:00:00:00:01:01 type bridge "$@"
	ip -n router link set r1 master br0
	ip -n router link set br0 up
}
layer_bridge() {
	bridge
	addresses c0 br0
}
# The port takes the tag off, that the VLAN device above the bridge has put on.
layer_bridge_untag() {
	bridge vlan_filtering 1 vlan_default_pvid 0
	in_router bridge vlan add dev r1 vid 10 pvid untagged
	in_router bridge vlan add dev br0 vid 10 self
	vlan router br0 top 802.1q 10
	addresses c0 top
}
# The bridge puts a tag on, that the port leaves there.
layer_bridge_tag() {
	bridge vlan_filtering 1 vlan_default_pvid 0
	in_router bridge vlan add dev r1 vid 10
	in_router bridge vlan add dev br0 vid 10 pvid untagged self
	vlan client c0 top 802.1q 10
	addresses top br0
}
# Tagged above and below.
layer_bridge_keep() {
	bridge vlan_filtering 1 vlan_default_pvid 0
	in_router bridge vlan add dev r1 vid 10
	in_router bridge vlan add dev br0 vid 10 self
	vlan client c0 top 802.1q 10
	vlan router br0 top 802.1q 10
	addresses top top
}
# Untagged above and below, within a VLAN of the bridge.
layer_bridge_pvid() {
	bridge vlan_filtering 1 vlan_default_pvid 5
	in_router bridge vlan add dev br0 vid 5 pvid untagged self
	addresses c0 br0
}
layer_vlan_on_bridge() {
	bridge
	vlan client c0 top 802.1q 10
	vlan router br0 top 802.1q 10
	addresses top top
}
layer_bridge_of_vlan() {
	vlan router r1 mid 802.1q 10
	ip -n router link add br0 type bridge
	ip -n router link set mid master br0
	ip -n router link set br0 up
	vlan client c0 top 802.1q 10
	addresses top br0
}
layer_pppoe_on_bridge() {
	bridge
	sessions c0 br0 4662
	addresses ppp0 ppp0
}
# IPv4 through IPv4, between the addresses of the devices that have them now.
ipip_over() { # DEVICE OF THE CLIENT, OF THE ROUTER, [OPTIONS OF BOTH TUNNELS]
	ip -n client addr add 10.0.9.2/24 dev "$1"
	ip -n router addr add 10.0.9.1/24 dev "$2"
	ip -n client link add topip type ipip local 10.0.9.2 remote 10.0.9.1 "${@:3}"
	ip -n router link add topip type ipip local 10.0.9.1 remote 10.0.9.2 "${@:3}"
	ip -n client addr del 10.0.1.2/24 dev "$1"
	ip -n router addr del 10.0.1.1/24 dev "$2"
	addresses topip topip
}
layer_ipip() {
	addresses c0 r1
	ipip_over c0 r1
}
layer_ipip_over_vlan() {
	layer_vlan
	ipip_over top top
}
layer_ipip_over_qinq() {
	layer_qinq
	ipip_over top top
}
layer_ipip_over_bridge() {
	layer_bridge
	ipip_over c0 br0
}
layer_ipip_over_vlan_on_bridge() {
	layer_vlan_on_bridge
	ipip_over top top
}
layer_ipip_over_pppoe() {
	layer_pppoe
	ipip_over ppp0 ppp0
}
layer_joined() {
	joining on
	addresses c0 r1
}
layer_joined_vlan() {
	joining on
	layer_vlan
}
layer_joined_pppoe() {
	joining on
	layer_pppoe
}
layer_joined_vlan_pppoe() {
	joining on
	layer_vlan_pppoe
}
layer_ip6ip6() {
	addresses c0 r1
	ip -n client addr add fd00:9::2/64 dev c0 nodad
	ip -n router addr add fd00:9::1/64 dev r1 nodad
	ip -n client link add top type ip6tnl mode ip6ip6 local fd00:9::2 remote fd00:9::1 encaplimit none
	ip -n router link add top type ip6tnl mode ip6ip6 local fd00:9::1 remote fd00:9::2 encaplimit none
	ip -n client addr del fd00:1::2/64 dev c0
	ip -n router addr del fd00:1::1/64 dev r1
	addresses top top
}
# Ethernet over GRE with a checksum, over devices that leave sums to software: what has been summed on
# the way in is CHECKSUM_COMPLETE for what is inside. To the flowtable it is a device like any other.
# shellcheck disable=SC2034 # for the ruleset
layer_gretap() {
	local dev
	for dev in client:c0 router:r1 router:r2 server:s0; do
		ip netns exec "${dev%:*}" ethtool -K "${dev#*:}" tx off >/dev/null 2>&1
	done
	ip -n client addr add 10.0.9.2/24 dev c0
	ip -n router addr add 10.0.9.1/24 dev r1
	ip -n client link add top type gretap local 10.0.9.2 remote 10.0.9.1 csum
	ip -n router link add top type gretap local 10.0.9.1 remote 10.0.9.2 csum
	in_client ethtool -K top tx off >/dev/null 2>&1
	devices="top, r2"
	addresses top top
}
# tunnel_state NAMESPACE NUMBER FROM TO: how packets in a tunnel between these addresses are encrypted.
tunnel_state() {
	ip -n "$1" xfrm state add src "$3" dst "$4" proto esp spi "$2" reqid "$2" mode tunnel \
		aead 'rfc4106(gcm(aes))' "0x$(printf '%040d' 42)" 128
}
# encrypted NUMBER ROUTER SERVER CLIENTS HOSTS: what is between these networks goes through a tunnel between
# the router and the server, there by NUMBER and back by the one after it.
encrypted() {
	local ns
	local -a there=(src "$4" dst "$5" tmpl src "$2" dst "$3" proto esp reqid "$1" mode tunnel)
	local -a back=(src "$5" dst "$4" tmpl src "$3" dst "$2" proto esp reqid $(($1 + 1)) mode tunnel)
	for ns in router server; do
		tunnel_state $ns "$1" "$2" "$3"
		tunnel_state $ns $(($1 + 1)) "$3" "$2"
	done
	ip -n router xfrm policy add dir out "${there[@]}"
	ip -n router xfrm policy add dir fwd "${back[@]}"
	ip -n server xfrm policy add dir in "${there[@]}"
	ip -n server xfrm policy add dir out "${back[@]}"
}
# Encrypted between the router and the server: nothing is between the client and the router.
layer_ipsec() {
	encrypted 1 10.0.2.1 10.0.2.2 10.0.1.0/24 10.0.2.2/32
	addresses c0 r1
}
