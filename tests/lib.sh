# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For scenarios in guests: results as KTAP lines.

results=0 failures=0
echo "TAP version 13"

# result ok|"not ok" NAME
result() {
	results=$((results + 1))
	[ "$1" = ok ] || failures=$((failures + 1))
	echo "$1 $results - $2"
}

# check NAME COMMAND...: the command must succeed.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		result ok "$name"
	else
		result "not ok" "$name"
		printf '%s\n' "${out:-(no output) $*}" | head -n 20 | sed 's/^/# /'
	fi
}

# refuse NAME COMMAND...: the command must fail.
refuse() {
	local name=$1
	shift
	check "$name" bash -c '! "$@"' - "$@"
}

# wait_until SECONDS COMMAND...: polls until the command succeeds.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt "$end" ] || return 1
		sleep 0.05
	done
}

finish() {
	echo "1..$results"
	[ "$failures" = 0 ]
	exit
}
