# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For those who make packages, after lib.sh: a root with the builder's tools and those in
# deb.packages, made of layers. What a command changes in there is forgotten when it ends, so that
# packages are built, installed and removed in a root that is the same each time.

# shellcheck source=scripts/overlay.sh
. "$TOP/scripts/overlay.sh"

PACKAGER=$CACHE/packager-$BUILDER_KEY-$(sha256sum "$TOP/scripts/deb.packages" | cut -c1-12)

make_packager() {
	add_layer "$PACKAGER.new" "$TOP/scripts/deb.packages"
	mv "$PACKAGER.new" "$PACKAGER"
}

setup_packager() {
	[ ! -d "$PACKAGER" ] || return 0
	alone packager
	[ -d "$PACKAGER" ] || step "tools for packages" "$CACHE/log/packager.log" make_packager
}

# in_packager COMMAND...
in_packager() { in_scratch "$PACKAGER" "$@"; }

# The date of what is built: that of the commit, so that it is the same each time.
source_date() {
	git_here log -1 --format=%ct 2>/dev/null || die "this is no git checkout: packages have the date of its commit"
}

# What git knows of the checkout, changed or not, as a tar archive that is the same each time.
#   source_files [ARGUMENTS OF TAR...]
source_files() {
	git_here ls-files -z |
		tar -C "$TOP" --null -T - --sort=name --mtime="@$(source_date)" --mode=go=rX,u+w \
			--owner=0 --group=0 --numeric-owner --format=gnu "$@" -cf -
}

# The version, which the packages have, too.
source_version() { sed -n '1s/.*(\(.*\)).*/\1/p' "$TOP/packaging/debian/changelog"; }
