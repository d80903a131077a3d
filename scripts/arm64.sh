# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For arm64, after lib.sh: a layer over the builder with a cross compiler and QEMU, and in /guest the
# root file system of the guests, whose programs are of arm64.

# shellcheck source=scripts/overlay.sh
. "$TOP/scripts/overlay.sh"

# Programs for guests, as the builder has them for its own.
guest_packages() {
	{
		sed '1,/^# in the guest$/d' "$TOP/scripts/builder.packages"
		cat "$TOP/scripts/arm64-guest.packages"
	} | grep -v '^#' | tr -s '[:space:]' '\n'
}

ARM64=$CACHE/arm64-$BUILDER_KEY-$({
	cat "$TOP/scripts/arm64.packages"
	guest_packages
} | sha256sum | cut -c1-12)
