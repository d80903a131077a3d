# SPDX-License-Identifier: GPL-2.0
"""A router of its own, in a namespace, between two devices of the bench module: one for each
implementation, or for none."""
import os
import subprocess

from packets import ADDRESSES, CLIENT_MAC, ROUTER_LEFT, ROUTER_RIGHT, SERVER_MAC, SESSION, VLAN

PROC = "/proc/nfo_bench/"


def mac(raw):
    return raw.hex(":")


class Side:
    def __init__(self, name, layer="plain", direct=False, rules="flows", counter=True):
        self.name = name
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.here = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.there = os.open(f"/run/netns/{name}", os.O_RDONLY)
        self.helpers = []
        self.links(layer, direct)
        self.rules(rules, counter)

    def run(self, *words, stdin=None):
        return subprocess.run(["ip", "netns", "exec", self.name, *words], check=True, text=True, input=stdin,
                              capture_output=True).stdout

    def batch(self, lines):
        self.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    def links(self, layer, direct):
        """r2 is towards the server, r1 towards the clients: below a bridge if the way is to be direct, and
        below whatever the layer is."""
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                 "net.ipv4.conf.all.rp_filter=0", "net.ipv6.conf.default.accept_dad=0",
                 "net.ipv6.conf.default.addr_gen_mode=1")
        lines = [f"link add {dev} address {mac(address)} type nfobench"
                 for dev, address in (("r1", ROUTER_LEFT), ("r2", ROUTER_RIGHT))]
        lines += ["link set lo up", "link set r1 up", "link set r2 up"]
        low = "r1"
        if direct:
            lines += [f"link add br0 address {mac(ROUTER_LEFT)} type bridge", "link set r1 master br0",
                      "link set br0 up"]
            low = "br0"
        top = low
        if layer == "vlan":
            lines += [f"link add link {low} name top type vlan id {VLAN}", "link set top up"]
            top = "top"
        lines += ["addr add 10.0.2.1/24 dev r2", "addr add fd00:2::1/64 dev r2 nodad",
                  f"neigh add 10.0.2.2 lladdr {mac(SERVER_MAC)} nud permanent dev r2",
                  f"neigh add fd00:2::2 lladdr {mac(SERVER_MAC)} nud permanent dev r2"]
        self.batch(lines)
        if direct:
            self.run("bridge", "fdb", "replace", mac(CLIENT_MAC), "dev", "r1", "master", "static")
        if layer == "pppoe":
            words = ["python3", "/src/tests/pppoe.py", low, mac(CLIENT_MAC), str(SESSION)]
            helper = subprocess.Popen(["ip", "netns", "exec", self.name, *words],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.helpers.append(helper)
            assert helper.stdout.readline() == "up\n"
            self.batch(["link set ppp0 up mtu 1492", "route add 10.1.0.0/16 dev ppp0",
                        "route add fd00:1::/64 dev ppp0"])
        elif layer == "ipip":
            lines = [f"neigh add {ADDRESSES[4][4]} lladdr {mac(CLIENT_MAC)} nud permanent dev {low}",
                     f"neigh add {ADDRESSES[6][4]} lladdr {mac(CLIENT_MAC)} nud permanent dev {low}",
                     f"addr add {ADDRESSES[4][5]}/24 dev {low}",
                     f"addr add {ADDRESSES[6][5]}/64 dev {low} nodad",
                     f"link add top4 type ipip local {ADDRESSES[4][5]} remote {ADDRESSES[4][4]}",
                     f"link add top6 type ip6tnl mode ip6ip6 local {ADDRESSES[6][5]} "
                     f"remote {ADDRESSES[6][4]} encaplimit none",
                     "link set top4 up", "link set top6 up",
                     "route add 10.1.0.0/16 dev top4", "route add fd00:1::/64 dev top6"]
            self.batch(lines)
        else:
            self.batch([f"addr add 10.0.1.1/24 dev {top}", f"addr add fd00:1:0:1::1/64 dev {top} nodad",
                        f"neigh add 10.0.1.2 lladdr {mac(CLIENT_MAC)} nud permanent dev {top}",
                        f"neigh add fd00:1:0:1::2 lladdr {mac(CLIENT_MAC)} nud permanent dev {top}",
                        "route add 10.1.0.0/16 via 10.0.1.2", "route add fd00:1::/64 via fd00:1:0:1::2"])

    def rules(self, kind, counter):
        """flows: with a flowtable; nat: the same without it; none: no rules, and no conntrack."""
        if kind == "none":
            return
        counted = "counter" if counter else ""
        offload = f"flowtable ft {{ hook ingress priority 0; devices = {{ r1, r2 }}; {counted}; }}"
        add = "meta l4proto { tcp, udp } flow add @ft"
        if kind == "nat":
            offload = add = ""
        self.run("nft", "-f", "-", stdin=f"""
            table inet bench {{
                {offload}
                chain forward {{
                    type filter hook forward priority 0; policy accept;
                    {add}
                    ct state established,related accept
                    ct state invalid drop
                    iifname "r3" drop
                }}
                chain post {{
                    type nat hook postrouting priority srcnat;
                    meta nfproto ipv4 th dport {{ 7001, 7003 }} \\
                        snat ip prefix to ip saddr map {{ 10.1.0.0/16 : 100.64.0.0/16 }}
                    meta nfproto ipv6 th dport {{ 7001, 7003 }} \\
                        snat ip6 prefix to ip6 saddr map {{ fd00:1::/64 : fd00:64::/64 }}
                }}
                chain pre {{
                    type nat hook prerouting priority dstnat;
                    ip daddr 10.0.2.99 dnat ip to 10.0.2.2
                    ip6 daddr fd00:2::99 dnat ip6 to fd00:2::2
                }}
            }}
            """)

    def command(self, words):
        """Gives the bench module an order, and returns what came of it."""
        os.setns(self.there, os.CLONE_NEWNET)
        try:
            with open(PROC + "control", "w", buffering=1 << 16) as control:
                control.write(words)
        finally:
            os.setns(self.here, os.CLONE_NEWNET)
        with open(PROC + "result") as result:
            return {key: int(value, 0) for key, value in (line.split() for line in result)}

    def ours(self):
        """The numbers of our module in this namespace."""
        text = self.run("cat", "/proc/self/net/nft_offload_rs")
        return {key: int(value) for key, value in (line.split() for line in text.splitlines())}

    def close(self):
        for helper in self.helpers:
            helper.kill()
            helper.wait()
        os.close(self.there)
        os.close(self.here)
        subprocess.run(["ip", "netns", "del", self.name], check=True)
