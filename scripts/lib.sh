# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Shared by every script here: where things live, how to talk, how to enter the builder.
#
# Nothing is ever built or installed on the host itself: the host only needs root and mmdebstrap.
# All tools live in the builder, a Debian root in the cache, and run there in a private mount
# namespace which sees the checkout as /src and the cache as /cache.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# NFT_OFFLOAD_KERNEL=SERIES: not the stock kernel, but test kernels of the source that
# setup-kernel-source has fetched. An old one wants the compilers of its time: those of a suite.
KERNEL=${NFT_OFFLOAD_KERNEL:-}
case $KERNEL in
6.12) SUITE=trixie ;;
*) SUITE=${NFT_OFFLOAD_SUITE:-sid} ;;
esac
GCC=16
[ "$SUITE" != trixie ] || GCC=14
# What is built for another kernel than the usual one is apart.
VARIANT=${KERNEL:-${NFT_OFFLOAD_SUITE:-}}
# NFT_OFFLOAD_OWN=y: without the kernel's own crate, whether there is one or not.
VARIANT=${VARIANT:+$VARIANT-}${NFT_OFFLOAD_OWN:+own-}
CACHE=${NFT_OFFLOAD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nft-offload-rs}
# shellcheck disable=SC2034 # for those who source this
JOBS=$(nproc)
# What belongs to this checkout is apart from that of others in the same cache, with its logs.
CHECKOUT=$(printf '%s' "$TOP" | sha256sum | cut -c1-8)
# shellcheck disable=SC2034
LOG=$CACHE/module-$CHECKOUT/log

# The builder is keyed by what it is made of, so that a changed list makes a new one.
BUILDER_KEY=$SUITE-$(sha256sum "$TOP/scripts/builder.packages" | cut -c1-12)
BUILDER=$CACHE/builder-$BUILDER_KEY

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Git, also in somebody else's checkout: that of the user who then became root.
git_here() { git -c "safe.directory=$TOP" -C "$TOP" "$@"; }

# alone NAME: until this script ends, nobody else makes what has that name in the cache.
alone() {
	mkdir -p "$CACHE"
	exec 8>"$CACHE/.$1.lock"
	flock 8
}

# Runs a long command with its output in a log; prints a line on progress every 20 seconds and,
# if the command fails, the end of the log.
#   step NAME LOG COMMAND...
step() {
	local name=$1 log=$2 start=$SECONDS pid ticker
	shift 2
	mkdir -p "$(dirname "$log")"
	say "$name …"
	"$@" >"$log" 2>&1 &
	pid=$!
	(
		while sleep 20; do
			printf '    %s: %d s, %s\n' "$name" $((SECONDS - start)) \
				"$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c1-90)" >&2
		done
	) 8>&- &
	ticker=$!
	local rc=0
	wait "$pid" || rc=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	if [ "$rc" != 0 ]; then
		tail -n 40 "$log" >&2
		die "$name failed (whole log: $log)"
	fi
	say "$name: done in $((SECONDS - start)) s"
}

# Runs a command inside the builder. The mounts live and die with the command.
#   in_builder COMMAND...
in_builder() {
	unshare --mount --propagation private -- \
		"$TOP/scripts/enter-builder" "$BUILDER" "$TOP" "$CACHE" "$@"
}

# The kernel release resolved at set-up, e.g. 7.2.13+deb15-amd64; or the series that was asked for.
kernel_release() {
	[ -z "$KERNEL" ] || { echo "$KERNEL" && return; }
	cat "$BUILDER/etc/nft-offload/release" 2>/dev/null || die "no kernel resolved yet: run 'make setup'"
}

# Where the trees of this kernel live, as the builder sees them; with a flavour, of the kernel for its
# architecture.
kernel_dir() {
	local release
	release=$(kernel_release)
	case ${1:-} in
	arm64*) release=${release%-amd64}-arm64 ;;
	esac
	printf '/cache/kernel-%s\n' "$release"
}

# Runs a command in the root that has the tools for a flavour.
#   in_root_of FLAVOUR COMMAND...
in_root_of() {
	local flavour=$1
	shift
	case $flavour in
	arm64*) "$TOP/scripts/in-arm64" "$@" ;;
	*) in_builder "$@" ;;
	esac
}

# Where our module is built for a flavour (stock, um, um-smp, x86, arm64), as the builder sees it.
module_dir() {
	printf '/cache/module-%s/%s\n' "$CHECKOUT" "$VARIANT$1"
}

# Where the kernel of a guest was built, as the builder sees it: for all checkouts, but for the one
# that has the module in its own tree (test-in-tree).
guest_kernel() {
	case $1 in
	um-tree) module_dir um-tree-kernel ;;
	*) printf '%s/%s\n' "$(kernel_dir "$1")" "$1" ;;
	esac
}

# The kernel that QEMU starts, as the builder sees it.
guest_image() {
	case $1 in
	stock | arm64) printf '%s/vmlinuz\n' "$(kernel_dir "$1")" ;;
	arm64*) printf '%s/arch/arm64/boot/Image\n' "$(guest_kernel "$1")" ;;
	*) printf '%s/arch/x86/boot/bzImage\n' "$(guest_kernel "$1")" ;;
	esac
}

# What make is told about the compiler for a flavour, a line each.
compiler_of() {
	local cc=gcc-$GCC hostcc=gcc-$GCC
	case $1 in
	stock) cc=x86_64-linux-gnu-gcc-$GCC ;;
	arm64*)
		cc=aarch64-linux-gnu-gcc-$GCC
		echo "CROSS_COMPILE=aarch64-linux-gnu-"
		;;
	um-debug)
		cc=clang hostcc=clang
		# Without a threshold, clang's large code model puts all data into sections (.lbss, .ldata)
		# that the linker script of User-mode Linux does not know; lockdep then knows no lock. Not
		# for modules, which are too far away for short addresses.
		echo "CFLAGS_KERNEL=-mlarge-data-threshold=2147483647 -Wno-unused-command-line-argument"
		# With a frame pointer, the return from the stub's signal handler finds its frame shifted.
		echo "CFLAGS_stub.o=-fno-pic -fno-stack-protector -fomit-frame-pointer"
		;;
	esac
	# Its Rust part knows no target for User-mode Linux.
	[ "$KERNEL-${1%%-*}" != 6.12-um ] || echo BINDGEN_TARGET_um=x86_64-linux-gnu
	printf '%s\n' "CC=$cc" "HOSTCC=$hostcc"
}

# The kernel's name for the architecture of a flavour.
arch_of() {
	case $1 in
	um*) echo um ;;
	arm64*) echo arm64 ;;
	*) echo x86_64 ;;
	esac
}
