# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Roots made of layers, after lib.sh: the builder with more packages over it, which stays as it is.

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

# in_scratch LAYER COMMAND...: in that layer over the builder; what changes is forgotten when the
# command ends.
in_scratch() {
	local layer=$1 scratch rc=0
	shift
	scratch=$(mktemp -d "$CACHE/scratch.XXXXXX")
	in_layers "$scratch" "$layer/upper:$BUILDER" "$@" || rc=$?
	rm -rf --one-file-system "$scratch"
	return $rc
}

# add_layer LAYER LIST: makes that layer, with the packages of that list installed.
add_layer() {
	local layer=$1 packages
	mapfile -t packages < <(grep -v '^#' "$2" | tr -s '[:space:]' '\n')
	rm -rf "$layer"
	# shellcheck disable=SC2016
	in_layers "$layer" "$BUILDER" sh -ec \
		'apt-get update; apt-get install -y --no-install-recommends "$@"' - "${packages[@]}"
}
