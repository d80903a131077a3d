# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Translation of addresses by the router of topology.sh: of the source, of the destination, of both.

# The chains of a kind, for the ruleset.
translation() { # KIND
	local source='' destination=''
	case $1 in source | both) source='oifname "r2" masquerade' ;; esac
	case $1 in
	destination | both)
		destination='ip daddr 10.0.2.99 dnat ip to 10.0.2.2; ip6 daddr fd00:2::99 dnat ip6 to fd00:2::2'
		;;
	esac
	echo "chain post { type nat hook postrouting priority srcnat; $source; }
		chain pre { type nat hook prerouting priority dstnat; $destination; }"
}
# Where a connection of that kind, of IPv4 or IPv6, is to go, so that it comes to the server.
translated() { # KIND 4|6
	local host=10.0.2.2
	[ "$2" = 4 ] || host=fd00:2::2
	case $1 in destination | both) host=${host%2}99 ;; esac
	echo "$host"
}
