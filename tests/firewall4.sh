# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A ruleset of the shape that OpenWrt's firewall4 writes, with zones lan and wan, in the router of
# topology.sh: one table in one transaction, in which everything is flushed and the flowtable deleted
# and made anew; offloading is the first rule of the forward chain, before what is known of the
# connection's state; the policy is to drop.

# What its zones and the flowtable are made of.
fw4_lan=r1 fw4_wan=r2
fw4_devices='"r1", "r2"'
fw4_hardware=

# The trial that comes first when hardware is wanted: is such a flowtable accepted?
fw4_try_hardware() {
	in_router nft -c "
		add table inet fw4-hw-offload-test;
		add flowtable inet fw4-hw-offload-test ft {
			hook ingress priority 0;
			devices = { $fw4_devices };
			flags offload;
		}"
}

# Loads or reloads it.
fw4_reload() {
	local old='' hardware=''
	if [ -n "$fw4_hardware" ]; then
		fw4_try_hardware || return 1
		hardware='flags offload;'
	fi
	! in_router nft list flowtable inet fw4 ft >/dev/null 2>&1 || old='delete flowtable inet fw4 ft'
	in_router nft -f - <<-RULES
		table inet fw4
		flush table inet fw4
		$old
		table inet fw4 {
			flowtable ft {
				hook ingress priority 0;
				devices = { $fw4_devices };
				counter;
				$hardware
			}
			chain input {
				type filter hook input priority filter; policy drop;
				iif "lo" accept
				ct state vmap { established : accept, related : accept }
				tcp flags & (fin | syn | rst | ack) == syn jump syn_flood
				iifname "$fw4_lan" jump input_lan
				iifname "$fw4_wan" jump input_wan
				jump handle_reject
			}
			chain forward {
				type filter hook forward priority filter; policy drop;
				meta l4proto { tcp, udp } flow offload @ft;
				ct state vmap { established : accept, related : accept }
				iifname "$fw4_lan" jump forward_lan
				iifname "$fw4_wan" jump forward_wan
				jump handle_reject
			}
			chain output {
				type filter hook output priority filter; policy accept;
				oif "lo" accept
				ct state vmap { established : accept, related : accept }
			}
			chain prerouting {
				type filter hook prerouting priority filter; policy accept;
			}
			chain handle_reject {
				meta l4proto tcp reject with tcp reset
				reject with icmpx type port-unreachable
			}
			chain syn_flood {
				limit rate 25/second burst 50 packets return
				drop
			}
			chain input_lan {
				accept
			}
			chain input_wan {
				icmp type echo-request accept
				icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } accept
			}
			chain forward_lan {
				jump accept_to_wan
			}
			chain forward_wan {
				ct status dnat accept
				jump reject_to_lan
			}
			chain accept_to_wan {
				meta nfproto ipv4 oifname "$fw4_wan" ct state invalid counter drop
				oifname "$fw4_wan" counter accept
			}
			chain reject_to_lan {
				oifname "$fw4_lan" counter jump handle_reject
			}
			chain dstnat {
				type nat hook prerouting priority dstnat; policy accept;
			}
			chain srcnat {
				type nat hook postrouting priority srcnat; policy accept;
				oifname "$fw4_wan" jump srcnat_wan
			}
			chain srcnat_wan {
				meta nfproto ipv4 masquerade
			}
			chain mangle_forward {
				type filter hook forward priority mangle; policy accept;
				iifname "$fw4_wan" tcp flags syn tcp option maxseg size set rt mtu
			}
			chain mangle_postrouting {
				type filter hook postrouting priority mangle; policy accept;
				oifname "$fw4_wan" tcp flags syn tcp option maxseg size set rt mtu
			}
		}
	RULES
}

# A table beside it that stays, with the counters that traffic.sh looks at.
fw4_watch() {
	in_router nft -f - <<-'RULES'
		table inet filter {
			counter original { }
			counter reply { }
			chain forward {
				type filter hook forward priority filter - 1; policy accept;
				meta l4proto { tcp, udp } ct direction original counter name original
				meta l4proto { tcp, udp } ct direction reply counter name reply
			}
		}
	RULES
}
