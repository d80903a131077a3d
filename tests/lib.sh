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
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		result "not ok" "$name"
		printf '%s\n' "${out:-(no output) $*}" | head -n 40 | sed 's/^/# /'
	else
		result ok "$name"
	fi
}

# better NAME COMMAND...: must succeed with ours, and fail with C's.
better() {
	local name=$1
	shift
	if [ "$IMPL" = c ]; then
		refuse "C fails: $name" "$@"
	else
		check "$name" "$@"
	fi
}
both() { check "$@"; }

# says TEXT COMMAND...: it fails, and in one line that has this text.
says() {
	local text=$1 out
	shift
	if out=$("$@" 2>&1) || [ "$(wc -l <<<"$out")" != 1 ] || ! grep -qF "$text" <<<"$out"; then
		echo "$out"
		return 1
	fi
}

# wait_until SECONDS COMMAND...: polls until the command succeeds.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -lt "$end" ]; do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	# A machine that stands still may be late, but not before there was a last look.
	"$@" >/dev/null 2>&1
}

# Whatever passed, passed by our module.
only_ours() {
	[ "$IMPL" = c ] ||
		check "no C flowtable module is loaded" bash -c '! grep -q "^nf_flow_table\|^nft_flow_offload" /proc/modules'
}

# With a kernel that looks for leaks: what was lost since the first program ran. An object counts
# when two scans have missed it, and is not looked at before it is five seconds old.
leaks=/sys/kernel/debug/kmemleak
[ ! -e $leaks ] || echo scan=off >$leaks
leaked() {
	echo scan >$leaks
	sleep 6
	echo scan >$leaks
	awk '/^unreferenced/ { object = $0; next }
		object && /comm / { lost = !/"swapper\/0", pid 1,/; if (lost) print object; object = "" }
		lost { print; found = 1 }
		END { exit !found }' $leaks
}

finish() {
	[ ! -e $leaks ] || refuse "kmemleak finds nothing" leaked
	echo "1..$results"
	[ "$failures" = 0 ]
	exit
}
