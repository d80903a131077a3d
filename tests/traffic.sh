# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Conversations between the hosts of topology.sh, and who carried them.

# 200 packets of one flow, one after the other, each echoed.
talk() { # HOST:PORT as python sees it, tcp or udp
	in_client python3 - "$1" "$2" "$3" <<-'PY'
		import socket, sys
		host, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
		family = socket.AF_INET6 if ':' in host else socket.AF_INET
		s = socket.socket(family, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
		s.settimeout(5)
		s.connect((host, port))
		if kind == 'tcp':
		    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		for i in range(200):
		    data = b'%d:' % i + bytes((i * 7 + j) % 256 for j in range(i * 5))
		    s.sendall(data)
		    back = b''
		    while len(back) < len(data):
		        back += s.recv(65536)
		    assert back == data, i
	PY
}

# carried NAME HOST PORT PROTOCOL: the conversation is right, and nearly all of it went by us.
carried() {
	local name=$1 before after seen
	shift
	in_router nft reset counters >/dev/null
	before=$(our packets_forwarded)
	check "$name: every byte comes back" talk "$@"
	after=$(our packets_forwarded)
	seen=$(($(classic original) + $(classic reply)))
	[ "$IMPL" = c ] ||
		check "$name: by the fast path ($((after - before)) packets, classic $seen)" \
			[ $((after - before)) -gt 350 ]
	check "$name: few by the classic path ($seen)" [ $seen -lt 20 ]
}

# bulk NAME [OPTIONS OF IPERF3...]: so many bytes that the first packets do not matter.
bulk() {
	local name=$1 amount=100M out
	shift
	# Older ones do not know it.
	if [[ $* = *--gsro* ]] && ! iperf3 --help 2>&1 | grep -q -e --gsro; then
		echo "# skipped: bulk, $name: this iperf3 sends no segments for others to make"
		return
	fi
	[ "${1:-}" != -u ] || amount=6M
	# A kernel that checks everything carries a few megabits per second.
	[ ! -e "$leaks" ] || amount=5M
	in_router nft reset counters >/dev/null
	out=$(in_client iperf3 -c 10.0.2.2 -n $amount "$@" 2>&1)
	check "bulk, $name: it flows ($(grep receiver <<<"$out" | grep -o '[0-9.]* [GMK]bits/sec' | head -n 1))" \
		grep -q receiver <<<"$out"
	check "bulk, $name: by the fast path" [ $(($(classic original) + $(classic reply))) -lt 100 ]
}
