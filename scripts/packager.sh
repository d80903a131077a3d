# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For those who make packages, after lib.sh: a root with the builder's tools and those in
# deb.packages, made of layers. What a command changes in there is forgotten when it ends, so that
# packages are built, installed and removed in a root that is the same each time.

PACKAGER=$CACHE/packager-$BUILDER_KEY-$(sha256sum "$TOP/scripts/deb.packages" | cut -c1-12)

# in_layers UPPER LOWER COMMAND...: with changes going to UPPER/upper.
in_layers() {
	local upper=$1 lower=$2
	shift 2
	mkdir -p "$upper/upper" "$upper/work" "$upper/root"
	# shellcheck disable=SC2016 # expanded by the shell in there
	unshare --mount --propagation private -- bash -c '
		upper=$1 lower=$2 enter=$3
		shift 3
		mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper/upper,workdir=$upper/work" "$upper/root"
		exec "$enter" "$upper/root" "$@"' - \
		"$upper" "$lower" "$TOP/scripts/enter-builder" "$TOP" "$CACHE" "$@"
}

make_packager() {
	local packages
	mapfile -t packages < <(grep -v '^#' "$TOP/scripts/deb.packages" | tr -s '[:space:]' '\n')
	rm -rf "$PACKAGER.new"
	# shellcheck disable=SC2016
	in_layers "$PACKAGER.new" "$BUILDER" sh -ec \
		'apt-get update; apt-get install -y --no-install-recommends "$@"' - "${packages[@]}"
	mv "$PACKAGER.new" "$PACKAGER"
}

setup_packager() {
	[ -d "$PACKAGER" ] || step "tools for packages" "$CACHE/log/packager.log" make_packager
}

# in_packager COMMAND...
in_packager() {
	local scratch rc=0
	scratch=$(mktemp -d "$CACHE/packager-scratch.XXXXXX")
	in_layers "$scratch" "$PACKAGER/upper:$BUILDER" "$@" || rc=$?
	rm -rf --one-file-system "$scratch"
	return $rc
}

# The date of what is built: that of the commit, so that it is the same each time.
source_date() {
	git -C "$TOP" log -1 --format=%ct 2>/dev/null || die "this is no git checkout: packages have the date of its commit"
}

# What git knows of the checkout, changed or not, as a tar archive that is the same each time.
#   source_files [ARGUMENTS OF TAR...]
source_files() {
	git -C "$TOP" ls-files -z |
		tar -C "$TOP" --null -T - --sort=name --mtime="@$(source_date)" --mode=go=rX,u+w \
			--owner=0 --group=0 --numeric-owner --format=gnu "$@" -cf -
}

# The version, which the packages have, too.
source_version() { sed -n '1s/.*(\(.*\)).*/\1/p' "$TOP/packaging/debian/changelog"; }
