#!/bin/bash
# shellcheck disable=SC2034 # variables are for those who source this
# Drives build/cordbmem as a user would, on a process whose memory is known: what all tests/tools/test_*.sh begin with.
# usage: . tests/tools/tool.sh, in the folder of the project; the test ends with finish
#
# From the environment: TOOL (build/cordbmem); BACKEND (module where there is a /dev/cordbmem, else portable). The tests print TAP.
# Without root some are skipped.

backend=${BACKEND:-$([ -e /dev/cordbmem ] && echo module || echo portable)}
work=$(mktemp -d)
target_pid='' forged_pid='' watch_pid='' dotnet_pid=''
# shellcheck disable=SC2317 # called by the trap
tidy() {
	local left
	for left in $target_pid $forged_pid $watch_pid $dotnet_pid; do
		kill -KILL "$left" 2>/dev/null
	done
	rm -rf "$work"
}
trap tidy EXIT
chmod 755 "$work"

# A copy, since another uid may not get into the folder of the build.
cp "${TOOL:-build/cordbmem}" "$work/cordbmem" || exit 1
chmod 755 "$work/cordbmem"
tool=$work/cordbmem
read_options=()
[ "$backend" = module ] || read_options=(--portable)

# ---- reporting ----

number=0 failures=0
# result WHAT: "ok" if the last command succeeded. What it looked at is told if it did not.
result() {
	if [ $? = 0 ]; then
		number=$((number + 1))
		echo "ok $number - $1"
	else
		number=$((number + 1)) failures=$((failures + 1))
		echo "not ok $number - $1"
		echo "# status $status"
		head -c 1000 "$work/out" | cat -v | cut -c 1-120 | sed 's/^/# out: /'
		head -c 1000 "$work/err" | sed 's/^/# err: /'
	fi
}
skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

# The last command of a test.
finish() {
	[ -z "$target_pid" ] || end_target
	echo "1..$number"
	[ "$failures" = 0 ]
}

# run COMMAND...: leaves $status, $work/out and $work/err.
run() {
	"$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}
tool() { run "$tool" "$@"; }
rd() { run "$tool" read "${read_options[@]}" "$@"; }

# Builtins only in these, for starting a program takes an emulated CPU a tenth of a second.

# The last run ended with STATUS, and what it said on standard error is one line that matches the pattern (none for "").
ended() {
	local said
	mapfile -t said <"$work/err"
	[ "$status" = "$1" ] || return 1
	if [ -z "${2:-}" ]; then
		[ ${#said[@]} = 0 ]
	else
		[ ${#said[@]} = 1 ] && [[ ${said[0]} =~ ^cordbmem:\ .*$2 ]]
	fi
}
out_is() {
	local lines
	mapfile -t lines <"$work/out"
	[ "${lines[*]}" = "$*" ]
}
ends_with() {
	local lines
	mapfile -t lines <"$work/out"
	[ "${lines[-1]:-}" = "$1" ]
}
# Whether a line of it matches.
out_has() {
	local lines line
	mapfile -t lines <"$work/out"
	for line in "${lines[@]}"; do
		[[ ! $line =~ $1 ]] || return 0
	done
	return 1
}
# A usage error: status 2, nothing printed, and a way to help. What has nothing to do with the back end is not worth the
# time of an emulated CPU.
usage() {
	local what=$1
	[ -z "${CORDBMEM_VM:-}" ] || return 0
	shift
	tool "$@"
	ended 2 "see 'cordbmem .*--help'" && [ ! -s "$work/out" ]
	result "usage error: $what"
}

hex() { printf %x $(($1)); }
# mem ADDRESS SIZE: what /proc/PID/mem has there.
mem() { dd if="/proc/$pid/mem" iflag=skip_bytes,count_bytes,fullblock skip=$((0x$1)) count="$2" bs=64K status=none; }

# ---- the process ----

# compile PROGRAM OPTION...
compile() {
	local program=build/tests/tools/$1
	[ ! "$program" -nt "tests/tools/$1.c" ] || return 0
	mkdir -p "${program%/*}"
	# Several runs may find it missing at once, hence the rename.
	"${CC:-gcc}" -std=c17 -D_GNU_SOURCE -O1 -Wall -Wextra -Wconversion -Werror "${@:2}" -o "$program.$$" "tests/tools/$1.c" || exit 1
	mv "$program.$$" "$program"
}
compile target
target=build/tests/tools/target
mkdir -p "$work/one" "$work/two"
modules=("$work/libodd+name-1.so" "$work/one/twice.so" "$work/one/code++" "$work/one/tail.so")
for file in "${modules[@]}"; do
	head -c 8192 "$target" >"$file"
done
declare -A at size
coproc TARGET { exec env -i "$target" "${modules[@]}"; }
# shellcheck disable=SC2153 # bash sets it
pid=$TARGET_PID target_pid=$TARGET_PID
while read -r name address bytes <&"${TARGET[0]}" && [ "$name" != ready ]; do
	at[$name]=$address size[$name]=$bytes
done
[ "${name:-}" = ready ] || { echo "Bail out! the target did not start"; exit 1; }
pattern=${at[pattern]}
end=$(hex "0x$pattern + ${size[pattern]}")
end_target() {
	local input=${TARGET[1]}
	exec {input}>&-
	wait "$target_pid" 2>/dev/null
	target_pid=''
}

# make_dead: leaves in $dead the pid of a process that has exited.
make_dead() {
	sh -c 'echo $$' >"$work/dead"
	dead=$(cat "$work/dead")
}

echo "KTAP version 1"
echo "# back end: $backend"
