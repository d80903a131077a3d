# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A router between two hosts, each in its namespace:
#
#   client 10.0.1.2 ── veth: c0 | r1 10.0.1.1 ── router ── 10.0.2.1 r2 | s0 ── 10.0.2.2 server
#          fd00:1::2                fd00:1::1              fd00:2::1           fd00:2::2

in_client() { ip netns exec client "$@"; }
in_router() { ip netns exec router "$@"; }
in_server() { ip netns exec server "$@"; }

# What connects them: makes c0, r1, r2 and s0. Others may put something else in its place.
cables() {
	ip link add c0 netns client address 02:00:00:00:01:02 type veth \
		peer name r1 netns router address 02:00:00:00:01:01
	ip link add s0 netns server address 02:00:00:00:02:02 type veth \
		peer name r2 netns router address 02:00:00:00:02:01
}

make_topology() {
	local ns dev
	modprobe -q nf_conntrack
	for ns in client router server; do
		ip netns add $ns
		ip -n $ns link set lo up
	done
	cables
	in_router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.netfilter.nf_conntrack_acct=1
	for dev in client:c0:1.2:1::2 router:r1:1.1:1::1 router:r2:2.1:2::1 server:s0:2.2:2::2; do
		IFS=: read -r ns dev four six1 _ six2 <<<"$dev"
		ip -n "$ns" addr add "10.0.$four/24" dev "$dev"
		ip -n "$ns" addr add "fd00:$six1::$six2/64" dev "$dev" nodad
		ip -n "$ns" link set "$dev" up
	done
	ip -n client route add default via 10.0.1.1
	ip -n client -6 route add default via fd00:1::1
	ip -n server route add default via 10.0.2.1
	ip -n server -6 route add default via fd00:2::1
	# An address that ends being tentative changes routes, which ends flows.
	for ns in client router server; do
		wait_until 10 bash -c "[ -z \"\$(ip -n $ns -6 addr show tentative)\" ]"
	done
	wait_until 10 in_client ping -c1 -W1 10.0.2.2
	wait_until 10 in_client ping -c1 -W1 fd00:2::2
}

remove_topology() {
	local ns pids
	for ns in client router server; do
		pids=$(ip netns pids $ns 2>/dev/null)
		# shellcheck disable=SC2086
		[ -z "$pids" ] || kill -9 $pids 2>/dev/null
		ip netns del $ns 2>/dev/null
	done
	wait_until 10 bash -c '! ls /run/netns/* 2>/dev/null'
}

# ruleset [EXTRA TABLE LINES]: the ordinary one, with counters that tell who forwarded.
ruleset() {
	in_router nft -f - <<-RULES || result "not ok" "the ruleset loads"
		flush ruleset
		table inet filter {
			flowtable ft {
				hook ingress priority filter
				devices = { ${devices:-r1, r2} }
				${flags:+flags $flags}
				counter
			}
			counter original { }
			counter reply { }
			chain forward {
				type filter hook forward priority filter; policy accept;
				ct direction original counter name original
				ct direction reply counter name reply
				${2:-} meta l4proto { tcp, udp, gre } flow add @ft
			}
			${1:-}
		}
	RULES
}

# our NAME: a number of our file, in the router.
our() {
	local n
	n=$(in_router sed -n "s/^$1 //p" /proc/self/net/nft_offload_rs 2>/dev/null)
	echo "${n:-0}"
}

# A table that is deleted goes a moment later.
no_flowtables() { in_router grep -qx "flowtables 0" /proc/self/net/nft_offload_rs; }
no_flows() { in_router grep -qx "flows 0" /proc/self/net/nft_offload_rs; }

# listening NAMESPACE t|u [ADDRESS]:PORT: somebody does, by TCP or UDP.
listening() { ip netns exec "$1" ss -Hln"$2" | grep -qF "$3 "; }

# classic NAME: packets that a named counter of the forward chain has seen.
classic() {
	in_router nft list counter inet filter "$1" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# Starts an echo server for UDP and TCP, for both versions of IP, on port 7.
start_echo() {
	in_server socat UDP6-LISTEN:7,fork,reuseaddr,ipv6only=0 EXEC:cat &
	in_server socat TCP6-LISTEN:7,fork,reuseaddr,ipv6only=0 EXEC:cat &
	wait_until 30 listening server t :7
	wait_until 30 listening server u :7
}

start_iperf() {
	in_server iperf3 -s -D --logfile /dev/null
	wait_until 30 listening server t :5201
}

# exchange PROTOCOL HOST PORT COUNT [SOURCE PORT]: so many small packets there and back, in one
# connection.
exchange() {
	in_client python3 - "$@" <<-'PY'
		import socket, sys
		kind, host, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
		family = socket.AF_INET6 if ':' in host else socket.AF_INET
		s = socket.socket(family, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		if len(sys.argv) > 5:
		    s.bind(('', int(sys.argv[5])))
		s.settimeout(5)
		s.connect((host, port))
		for i in range(count):
		    s.sendall(b'%06d' % i)
		    back = s.recv(6)
		    while len(back) < 6:
		        back += s.recv(6 - len(back))
		    assert back == b'%06d' % i, (i, back)
	PY
}

# ours_forwards HOST HOST: an exchange by UDP with one address and by TCP with another, by our fast path.
ours_forwards() {
	local before
	before=$(our packets_forwarded)
	exchange udp "$1" 7 20 && exchange tcp "$2" 7 20 &&
		[ $(($(our packets_forwarded) - before)) -ge 60 ]
}

# A conversation that goes on until its input ends. UDP's packets are sent again after 0.3 s.
#   open_talk PROTOCOL HOST PORT [SOURCE PORT]; say_talk PACKETS [SECONDS [SENT AGAIN AT MOST]]; close_talk
open_talk() {
	coproc TALK { exec ip netns exec client python3 -u /src/tests/talk.py "$@"; }
}
say_talk() {
	local answer
	echo "$1" >&"${TALK[1]}"
	read -r -t "${2:-20}" answer <&"${TALK[0]}"
	[[ $answer = "said "* ]] && [ "${answer#said }" -le "${3:-1000}" ]
}
close_talk() {
	local pid=$TALK_PID
	exec {TALK[1]}>&-
	wait "$pid" 2>/dev/null
}
# capture NAMESPACE FILE WORDS...: tcpdump, which listens from now on; its process is $dump.
capture() {
	rm -f /tmp/listening
	ip netns exec "$1" tcpdump -Uw "$2" "${@:3}" 2>/tmp/listening &
	dump=$!
	wait_until 30 grep -q "listening on" /tmp/listening
}
# captured FILE [REGULAR EXPRESSION]: how many such frames are in there; nothing if there is no such file.
captured() {
	local frames
	frames=$(tcpdump -nner "$1" 2>/dev/null) && grep -c "${2:-.}" <<<"$frames"
}
# Ends a conversation that may be waiting for an answer.
abort_talk() {
	kill "$TALK_PID"
	close_talk
}
