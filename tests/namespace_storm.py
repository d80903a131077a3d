# SPDX-License-Identifier: GPL-2.0
"""Routers that end with live flows: each in a namespace of its own, between two hosts that stay."""
import ctypes
import os
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def run(*command, text=None):
    subprocess.run(command, input=text, text=True, check=True)


def enter(name):
    with open(f"/run/netns/{name}") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def udp(name, address, port):
    enter(name)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 15, 1)  # SO_REUSEPORT
    s.bind((address, port))
    s.settimeout(5)
    return s


RULES = """
table ip t {
	flowtable ft { hook ingress priority 0; devices = { r1, r2 }; }
	chain forward { type filter hook forward priority 0; meta l4proto udp flow add @ft; }
	chain post { type nat hook postrouting priority 100; oifname "r2" masquerade; }
}
"""

home = os.open("/proc/self/ns/net", os.O_RDONLY)
run("ip", "-batch", "-", text="netns add hosta\nnetns add hostb\n")
for i in range(int(sys.argv[1])):
    libc.setns(home, CLONE_NEWNET)
    name = f"storm{i}"
    run("ip", "netns", "add", name)
    run("ip", "-batch", "-", text=f"""
link add ha netns hosta address 02:00:00:00:00:0a type veth peer name r1 netns {name} address 02:00:00:00:00:1a
link add hb netns hostb address 02:00:00:00:00:0b type veth peer name r2 netns {name} address 02:00:00:00:00:1b
""")
    for host, dev, net, mac in ("hosta", "ha", 1, "1a"), ("hostb", "hb", 2, "1b"):
        run("ip", "-n", host, "-batch", "-", text=f"""
addr add 10.0.{net}.2/24 dev {dev}
link set {dev} up
neigh replace 10.0.{net}.1 lladdr 02:00:00:00:00:{mac} dev {dev}
route add default via 10.0.{net}.1
""")
    run("ip", "-n", name, "-batch", "-", text="""
addr add 10.0.1.1/24 dev r1
addr add 10.0.2.1/24 dev r2
link set r1 up
link set r2 up
neigh replace 10.0.1.2 lladdr 02:00:00:00:00:0a dev r1
neigh replace 10.0.2.2 lladdr 02:00:00:00:00:0b dev r2
""")
    enter(name)
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")
    run("nft", "-f", "-", text=RULES)
    a, b = udp("hosta", "10.0.1.2", 1000), udp("hostb", "10.0.2.2", 2000)
    for number in range(4):
        # A device that has just got its carrier drops packets until the kernel has noticed, in either
        # direction; later ones may not be lost.
        a.settimeout(0.5 if number == 0 else 5)
        b.settimeout(0.5 if number == 0 else 5)
        for attempt in range(20):
            try:
                a.sendto(b"there", ("10.0.2.2", 2000))
                data, source = b.recvfrom(100)
                b.sendto(b"back", source)
                assert a.recvfrom(100)[0] == b"back"
                break
            except TimeoutError:
                assert number == 0 and attempt < 19, f"packet {number} is lost"
    a.close()
    b.close()
    enter(name)
    with open("/proc/self/net/nft_offload_rs") as file:
        counts = dict(line.split() for line in file)
    assert counts["flows"] == "1" and int(counts["packets_forwarded"]) >= 4, counts
    libc.setns(home, CLONE_NEWNET)
    run("ip", "netns", "del", name)
    # The veths go with the namespace's cleanup, in its own time: waiting for that makes room.
    for host, dev in ("hosta", "ha"), ("hostb", "hb"):
        subprocess.run(["ip", "-n", host, "link", "del", dev], stderr=subprocess.DEVNULL)
run("ip", "-batch", "-", text="netns del hosta\nnetns del hostb\n")
