#!/bin/bash
# Drives build/cordbmem as a user would, on a process whose memory is known.
# usage: [TOOL=build/cordbmem] [BACKEND=module|portable] tests/tools/test_tool.sh
# Without BACKEND: module where there is a /dev/cordbmem, else portable. Prints TAP. Without root some tests are skipped.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
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
compile forged -rdynamic
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

echo "KTAP version 1"
echo "# back end: $backend"

# ---- the dump ----

rd "$pid" "$pattern" 8192 --raw
ended 0 && mem "$pattern" 8192 | cmp -s - "$work/out"
result "--raw prints what /proc/PID/mem has"

rd "$pid" "$pattern" 8192
ended 0 && cmp -s <(sed '$d' "$work/out" | cut -c 17-66 | tr -s ' ' | sed 's/ *$//') \
	<(mem "$pattern" 8192 | od -An -v -tx1 -w16)
result "the dump has the same bytes"

rd "$pid" "0x$pattern" 0x12
ended 0 && out_is \
	"$(printf '%016x' "0x$pattern")  00 07 0e 15 1c 23 2a 31  38 3f 46 4d 54 5b 62 69  |.....#*18?FMT[bi|" \
	"$(printf '%016x' $((0x$pattern + 16)))  70 77                                             |pw|" \
	"$(printf '%016x' $((0x$pattern + 18)))"
result "rows have true addresses and text, the last one may be short"

rd "$pid" "$(hex "0x$pattern + 5")" 16
ended 0 && [ "$(head -n 1 "$work/out" | cut -c 1-20)" = "$(printf '%016x  23' $((0x$pattern + 5)))" ]
result "rows begin at the address that was given"

rd "$pid" "${at[zeros]}" 4096
ended 0 && [ "$(wc -l <"$work/out")" = 6 ] && [ "$(grep -c '^\*$' "$work/out")" = 2 ]
result "equal rows are squeezed"

rd "$pid" "${at[zeros]}" 4096 -v
ended 0 && [ "$(wc -l <"$work/out")" = 257 ] && ! out_has '^\*'
result "--no-squeeze prints every row"

rd "$pid" "$pattern" 0
ended 0 && [ ! -s "$work/out" ]
result "size 0 prints nothing"

rd "$pid" "$pattern" 8K --raw
ended 0 && [ "$(wc -c <"$work/out")" = 8192 ]
result "sizes take a suffix"

rd "$pid" "${at[none]}" 16 --raw
ended 0 && [ "$(cat "$work/out")" = NNNNNNNNNNNNNNNN ]
result "a page that the process itself may not read is read"

# ---- addresses ----

rd "$pid" target 64 --raw
ended 0 && head -c 64 "$target" | cmp -s - "$work/out"
result "a module's name is where its file begins"

rd "$pid" tests/tools/target+0x10 16 --raw
ended 0 && head -c 32 "$target" | tail -c 16 | cmp -s - "$work/out"
result "module+offset, by the end of the path"

rd "$pid" "$PWD/$target+10" 16 --raw
ended 0 && head -c 32 "$target" | tail -c 16 | cmp -s - "$work/out"
result "module+offset, by the whole path, offset without 0x"

rd "$pid" "libodd+name-1.so+2" 2 --raw
ended 0 && [ "$(cat "$work/out")" = LF ]
result "a module's name may have plus and minus signs"

rd "$pid" "one/code++" 1
ended 0 && out_has "^$(printf '%016x' "0x${at[code]}")  7f"
result "of several mappings of a file the one with code counts"

rd "$pid" twice.so 16
ended 1 "more than once" && [ ! -s "$work/out" ]
result "a file mapped twice without code is told, not guessed"

rd "$pid" tail.so+1000 16
ended 1 "not mapped the start"
result "a file whose start is not mapped has no offsets"

rd "$pid" nosuch.so+10 16
ended 1 "nothing mapped by the name nosuch.so"
result "a module that is not there"

rd "$pid" ools/target 16
ended 1 "nothing mapped by the name"
result "half a name of a folder is no name"

line=$(awk -v start="$pattern" 'index($1, start "-") == 1 { print $1 }' "/proc/$pid/maps")
rd "$pid" "$line" --raw
ended 0 && mem "$pattern" 8192 | cmp -s - "$work/out"
result "a range as /proc/PID/maps prints it"

IFS=' -' read -r first last _ < <(grep -F '[stack]' "/proc/$pid/maps")
rd "$pid" '[stack]' --raw
ended 0 && mem "$first" $((0x$last - 0x$first)) | cmp -s - "$work/out"
result "[stack] without a size is all of it"

rd "$pid" '[vdso]+1' 3 --raw
ended 0 && [ "$(cat "$work/out")" = ELF ]
result "[vdso] with offset and size"

rd "$pid" '[heap]+1000000000'
ended 2 "past the end"
result "past the end of a name a size is needed"

rd "$pid" "$pattern+10" 1
ended 0 && out_has "^$(printf '%016x' $((0x$pattern + 16)))  70"
result "a number may have an offset, too"

# ---- what cannot be read ----

rd "$pid" "$(hex "0x$end - 20")" 64 --raw
ended 3 "read 20 of 64 bytes, stopped at 0x$end: nothing is mapped" && mem "$(hex "0x$end - 20")" 20 |
	cmp -s - "$work/out"
result "partial: the bytes before the hole, and why"

rd "$pid" "$(hex "0x$end - 20")" 64
ended 3 "stopped at 0x$end" && ends_with "$(printf '%016x' "0x$end")"
result "partial: the dump ends where the hole begins"

rd "$pid" "$(hex "0x$end - 1")" 2 --raw
ended 3 "read 1 of 2 bytes" && [ "$(wc -c <"$work/out")" = 1 ]
result "partial: one byte"

rd "$pid" "$end" 64
ended 1 "read 0 of 64 bytes, stopped at 0x$end" && [ ! -s "$work/out" ]
result "nothing can be read: status 1, no output"

for address in 1000 0xffff800000000000 0000800000000000 fffffffffffffff0 ffffffffff600000 0; do
	rd "$pid" "$address" 16
	ended 1 "read 0 of 16 bytes, stopped at 0x" && [ ! -s "$work/out" ]
	result "address $address cannot be read"
done

rd "$pid" "$pattern" 0xffffffffffffffff --raw
ended 3 "read 8192 of 18446744073709551615 bytes" && [ "$(wc -c <"$work/out")" = 8192 ]
result "the largest size"

# ---- patches ----

patched() { # OFFSET SIZE PATCH... : the range with 0xee where the patches say so
	local from=$1 count=$2 patches=() byte bytes
	shift 2
	local -A shown=()
	for byte; do
		printf -v bytes '%*s' "${byte#*:}" ''
		patches+=(-p "$(hex "0x$pattern + ${byte%:*}")=${bytes// /ee}")
		for ((i = ${byte%:*}; i < ${byte%:*} + ${byte#*:}; i++)); do shown[$i]=ee; done
	done
	rd "$pid" "$(hex "0x$pattern + $from")" "$count" --raw "${patches[@]}"
	ended 0 && cmp -s <(od -An -v -tx1 -w1 "$work/out" | tr -d ' ') <(
		for ((i = from; i < from + count; i++)); do
			[ -n "${shown[$i]:-}" ] && echo ee || printf '%02x\n' $(((i * 7 + (i >> 8)) & 255))
		done
	)
}
patched 32 32 40:1
result "patch: inside the range"
patched 32 32 28:8
result "patch: reaches into the range from before it"
patched 32 32 60:16
result "patch: reaches out of the range"
patched 36 4 32:16
result "patch: is larger than the range"
patched 32 32 31:1 64:1
result "patch: just before and just after the range changes nothing"
patched 4000 200 4090:12 4050:1 4060:2
result "patch: several, one over a page's edge"
patched 0 8192 0:1 8191:1 4096:16
result "patch: first and last byte of a mapping"

rd "$pid" "$pattern" 4 --raw -p "$pattern=11" -p "$pattern=2233"
ended 0 && [ "$(od -An -tx1 "$work/out")" = " 11 33 0e 15" ]
result "patch: the first of two wins"

rd "$pid" target 4 --raw --patch "target+1=6162" --patch=target+3=63
ended 0 && [ "$(tail -c 3 "$work/out")" = abc ]
result "patch: by module+offset"

rd "$pid" "$(hex "0x$end - 4")" 16 --raw -p "$(hex "0x$end - 2")=aabbccdd"
ended 3 "read 4 of 16" && [ "$(tail -c 2 "$work/out" | od -An -tx1)" = " aa bb" ]
result "patch: a partial read that stops inside one"

rd "$pid" "$end" 16 --raw -p "$end=aabbccdd"
ended 1 "read 0 of 16" && [ ! -s "$work/out" ]
result "patch: makes nothing readable that is not"

# ---- strings ----

rd "$pid" "${at[utf8]}" --string
# shellcheck disable=SC1003 # backslashes
ended 0 && out_is 'Hé\n\x1b[1m\xff中\\'
result "--string: escapes what is not text"

rd "$pid" "${at[utf8]}" --string --raw
ended 0 && mem "${at[utf8]}" "${size[utf8]}" | cmp -s - "$work/out"
result "--string --raw: as it is"

rd "$pid" "${at[utf16]}" --string16
# shellcheck disable=SC1003 # backslashes
ended 0 && out_is 'Hé\n\u009b\ud800中😀\\'
result "--string16: escapes what is not text"

rd "$pid" "${at[utf16]}" -w -r
# shellcheck disable=SC1003 # backslashes
ended 0 && printf 'H\xc3\xa9\n\xc2\x9b\xef\xbf\xbd\xe4\xb8\xad\xf0\x9f\x98\x80\\' | cmp -s - "$work/out"
result "--string16 --raw: in UTF-8"

rd "$pid" "${at[utf8]}" 1 --string
ended 3 "does not end within 1 byte" && out_is H
result "--string: cut at SIZE"

rd "$pid" "${at[endless]}" --string
ended 3 "read 8 of 4096 bytes, stopped at" && out_is zzzzzzzz
result "--string: runs into a hole"

rd "$pid" "$end" --string16
ended 1 "read 0 of" && [ ! -s "$work/out" ]
result "--string16: nothing there"

# ---- output ----

: >"$work/out"
"$tool" read "${read_options[@]}" "$pid" "$pattern" 8192 >/dev/full 2>"$work/err"
status=$?
ended 1 "cannot write standard output: No space left"
result "a full disk is a failure"

"$tool" read "${read_options[@]}" "$pid" "$pattern" 16 >&- 2>"$work/err"
status=$?
ended 1 "cannot write standard output"
result "a closed standard output is a failure"

"$tool" --help >/dev/full 2>"$work/err"
status=$?
ended 1 "cannot write standard output"
result "--help that cannot be written is a failure"

"$tool" read "${read_options[@]}" "$pid" "${at[sparse]}" "${size[sparse]}" --raw 2>"$work/err" | head -c 1 >"$work/out"
status=${PIPESTATUS[0]}
# timeout and some shells leave SIGPIPE ignored; then it is an error like any other.
{ [ "$status" = 141 ] && [ ! -s "$work/err" ]; } || ended 1 "Broken pipe"
result "a reader that has enough ends the program"

(trap '' PIPE; "$tool" read "${read_options[@]}" "$pid" "${at[sparse]}" "${size[sparse]}" --raw 2>"$work/err"; echo $? >"$work/status") |
	head -c 1 >"$work/out"
status=$(cat "$work/status")
ended 1 "Broken pipe"
result "with SIGPIPE ignored, too"

if [ -z "${CORDBMEM_VM:-}" ]; then
	"$tool" read "${read_options[@]}" "$pid" "${at[sparse]}" "${size[sparse]}" --raw 2>"$work/err" | cmp -n "${size[sparse]}" - /dev/zero >"$work/out"
	[ "${PIPESTATUS[*]}" = "0 0" ] && [ ! -s "$work/err" ]
	result "more than 4 GiB, without as much memory"
else
	# The emulated CPU is too slow for all of it.
	rd "$pid" "$(hex "0x${at[sparse]} + ${size[sparse]} - 1048576")" 1M --raw
	ended 0 && head -c 1M /dev/zero | cmp -s - "$work/out"
	result "the end of a mapping of more than 4 GiB"
fi

# ---- processes ----

sh -c 'echo $$' >"$work/dead"
dead=$(cat "$work/dead")
rd "$dead" 1000 16
ended 5 "$dead"
result "a process that has exited"

rd "$dead" libc.so.6 16
ended 5 "$dead"
result "a module of a process that has exited"

if [ "$(id -u)" = 0 ] && grep -qs '^kthreadd$' /proc/2/comm; then
	rd 2 1000 16
	ended 5 "2"
	result "a kernel thread"
	tool doctor "${read_options[@]}" 2
	ended 5 && out_has '^FAIL  image' && ends_with 'verdict: process 2 cannot be read (no-memory-image)'
	result "doctor: a kernel thread"
else
	skip "a kernel thread" "needs root, and a kernel whose threads are seen here"
	skip "doctor: a kernel thread" "needs root, and a kernel whose threads are seen here"
fi

tool doctor "${read_options[@]}" "$pid"
ended 0 && out_has '^ok    open ' && ends_with "verdict: process $pid can be read" && ! out_has ^FAIL
result "doctor: a process that can be read"

out_has '^-     runtime .* no CoreCLR in process'
result "doctor: says that there is no .NET runtime"

tool doctor "${read_options[@]}" "$dead"
ended 5 && ! out_has ' runtime ' && out_has "^FAIL  process " && ends_with "verdict: process $dead cannot be read (no-process)"
result "doctor: a process that has exited"

nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
if [ "$(id -u)" = 0 ] && "${nobody[@]}" true 2>/dev/null; then
	other=different-uid
	[ "$backend" = portable ] || other=node-permission
	run "${nobody[@]}" "$tool" doctor "${read_options[@]}" "$pid"
	ended 4 && out_has '^FAIL  uid ' && ends_with "verdict: process $pid cannot be read ($other)"
	result "doctor: as another user"
	run "${nobody[@]}" "$tool" read "${read_options[@]}" "$pid" "$pattern" 16
	ended 4 . && [ ! -s "$work/out" ]
	result "read: as another user"
	run "${nobody[@]}" "$tool" info
	if [ "$backend" = module ]; then ended 4 "/dev/cordbmem"; else [ "$status" != 0 ]; fi
	result "info: as another user"
	if [ "$backend" = module ]; then
		# Whoever has the node is still asked for the process.
		chmod 666 /dev/cordbmem
		run "${nobody[@]}" "$tool" read "$pid" "$pattern" 16
		first=$status
		run "${nobody[@]}" "$tool" doctor "$pid"
		chmod 600 /dev/cordbmem
		[ "$first" = 4 ] && ended 4 && ends_with "verdict: process $pid cannot be read (different-uid)"
		result "doctor: as another user who may open the node"
	fi
else
	for what in "doctor: as another user" "read: as another user" "info: as another user"; do
		skip "$what" "needs root"
	done
fi

# ---- managed breakpoints ----

bp() { run "$tool" breakpoints "${read_options[@]}" "$@"; }

bp "$pid"
ended 7 "there is no CoreCLR in process $pid" && [ ! -s "$work/out" ]
result "breakpoints: no .NET runtime is status 7"
rd "$pid" "$pattern" 16 --managed
ended 7 "there is no CoreCLR in process $pid" && [ ! -s "$work/out" ]
result "read --managed: likewise"
bp "$dead"
ended 5 "$dead" && [ ! -s "$work/out" ]
result "breakpoints: of a process that has exited"

# A folder whose name a terminal would obey.
folder=$work/$'\e[31m"\\red'
clr=$folder/libcoreclr.so shown=$work/'\x1b[31m"\\red/libcoreclr.so' quoted=$work/'\u001b[31m\"\\red/libcoreclr.so'
mkdir "$folder"
cp build/tests/tools/forged "$clr"
mkfifo "$work/orders" "$work/answers" "$work/news"
"$clr" <"$work/orders" >"$work/answers" 2>"$work/err" &
forged_pid=$!
exec {orders}>"$work/orders" {answers}<"$work/answers"
read -t 20 -r -u "$answers" code
# order WORDS: have it done.
order() { echo "$*" >&"$orders" && read -t 20 -r -u "$answers" && [ "$REPLY" = "done" ]; }
at() { printf '%016x' $((0x$code + $1)); }
head="process $forged_pid: CoreCLR 10.0.42. ($shown)"
columns='address           original  memory  method      kind              module'
row5="$(at 5)  06        cc      0x06000005  il-replica        /srv/app.dll"
# shellcheck disable=SC1003 # backslashes
row6="$(at 6)  07        cc      0x06000006  native-managed    "'/\x1b[2J/\u202e"\\'$'\xef\xbf\xbd中😀.dll'

bp "$forged_pid"
ended 7 "has set up no debugger side yet" && [ ! -s "$work/out" ]
result "breakpoints: a runtime that is not ready is status 7"
tool doctor "${read_options[@]}" "$forged_pid"
ended 0 && out_has '^warn  runtime .* no debugger side yet' && ends_with "verdict: process $forged_pid can be read"
result "doctor: a runtime that is not ready does not count"

order up
bp "$forged_pid"
ended 0 && out_is "$head, no debugger is attached, no managed breakpoint is set"
result "breakpoints: an empty list says so"

order flags 200
order set 5 0 1
bp "$forged_pid"
ended 0 && out_is "$head, a debugger is attached, 1 managed breakpoint is set" "" "$columns" "$row5"
result "breakpoints: one"
order set 6 1 2
order set 9 2 3
bp "$forged_pid"
mapfile -t lines <"$work/out"
ended 0 && [ ${#lines[@]} = 6 ] && [ "${lines[0]}" = "$head, a debugger is attached, 3 managed breakpoints are set" ] &&
	[ "${lines[3]}" = "$row5" ] && [ "${lines[4]}" = "$row6" ] &&
	[[ ${lines[5]} =~ ^$(at 9)\ \ 0a\ +cc\ +0x06000009\ \ native-unmanaged\ \ \(no\ file,\ Module\ 0x[0-9a-f]+\)$ ]]
result "breakpoints: the table, with names that a terminal would obey"

bp "$forged_pid" --json
mapfile -t lines <"$work/out"
digits='"0x[0-9a-f]+"'
document='^\{"pid":'$forged_pid',"runtime":\{"path":"[^ ]*","version":"10\.0\.42\.","base":'$digits',"patch_table":'$digits'\},'
document+='"debugger_attached":true,"count":3,"breakpoints":\[\{[^{}]*\},\{[^{}]*\},\{[^{}]*\}\]\}$'
json5='{"address":"0x'$(hex "0x$code + 5")'","original":"0x06","in_memory":"0xcc","method":"0x06000005","kind":"il-replica","module":"0x'
ended 0 && [ ${#lines[@]} = 1 ] && [[ ${lines[0]} =~ $document ]] && [[ ${lines[0]} == *"\"path\":\"$quoted\",\"version\""* ]] &&
	[[ ${lines[0]} == *"[$json5"*'"path":"/srv/app.dll"}'* ]] &&
	[[ ${lines[0]} == *'"path":"/\u001b[2J/\u202e\"\\\ufffd\u4e2d\ud83d\ude00.dll"}'*'"path":""}]}' ]]
result "breakpoints --json: one document, escaped"

rd "$forged_pid" "$(hex "0x$code + 4")" 7 --raw
[ "$(od -An -tx1 "$work/out")" = " 05 cc cc 08 09 cc 0b" ] && rd "$forged_pid" "$(hex "0x$code + 4")" 7 --raw --managed &&
	ended 0 && [ "$(od -An -tx1 "$work/out")" = " 05 06 07 08 09 0a 0b" ]
result "read --managed: shows what the breakpoints replaced"
rd "$forged_pid" "$(hex "0x$code + 4")" 3 --raw -m -p "$(hex "0x$code + 4")=eeef"
ended 0 && [ "$(od -An -tx1 "$work/out")" = " ee ef 07" ]
result "read --managed: with patches"
tool doctor "${read_options[@]}" "$forged_pid"
ended 0 && out_has "^ok    runtime         CoreCLR 10\.0\.42\. \(.*\\\\x1b\[31m.*\), a debugger is attached$"
result "doctor: names the runtime"

# watch OPTION...: its output is then to be had by news.
watch() {
	"$tool" breakpoints "${read_options[@]}" --watch --interval 10 "$forged_pid" "$@" >"$work/news" 2>"$work/err" </dev/null {orders}>&- &
	watch_pid=$!
	: >"$work/out"
	exec {news}<"$work/news"
}
# news PATTERN...: the next lines match.
news() {
	local wanted
	for wanted; do
		read -t 20 -r -u "$news" && echo "$REPLY" >>"$work/out" && [[ $REPLY =~ $wanted ]] || return 1
	done
}
# It has ended by itself, or does after the signal.
watch_ends() {
	[ -z "${1:-}" ] || kill -"$1" "$watch_pid"
	wait "$watch_pid"
	status=$? watch_pid=''
	exec {news}<&-
}
stamp='^20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}Z'
watch
news "^process $forged_pid: .* 3 managed" '^$' ^address "^$(at 5)" "^$(at 6)" "^$(at 9)" '^$' &&
	order set 20 0 0 && news "$stamp \+ $(at 20)  15        cc      0x06000014  il-primary        /srv/app\.dll$" &&
	order clear 6 && news "$stamp - $(at 6)  07        cc      0x06000006  native-managed    /.*\.dll$" &&
	order clear 20 && news "$stamp - $(at 20) " && order set 6 1 1 && news "$stamp \+ $(at 6)  07 .* il-replica" &&
	order move 6 0 && news "$stamp - $(at 6) .* il-replica        /.*中" "$stamp \+ $(at 6) .* /srv/app\.dll$" &&
	order clear 6 && news "$stamp - $(at 6) " &&
	order flags 0 && news "$stamp \* the debugger detached$" && order flags 100 && news "$stamp \* a debugger attached$"
seen=$?
watch_ends TERM
[ $seen = 0 ] && ended 0
result "breakpoints --watch: each change as it comes, and SIGTERM ends it well"

watch --json
event() { printf '^\{"event":"%s","time":"%s"%s\}$' "$1" "${stamp#^}" "${2:-}"; }
news "$(event list ',"pid":.*,"debugger_attached":true,"count":2,"breakpoints":\[.*\]')" &&
	order set 20 0 7 && news "$(event set ',"address":"0x'"$(hex "0x$code + 20")"'",.*"kind":"unknown".*')" &&
	order clear 20 && news "$(event cleared ',"address":.*')" &&
	order flags 0 && news "$(event detached)" && order flags 200 && news "$(event attached)"
seen=$?
# That shells let programs in the background ignore it does not matter.
watch_ends INT
[ $seen = 0 ] && ended 0
result "breakpoints --watch --json: an object per line, and SIGINT ends it well"

watch
news "^process $forged_pid: "
exec {news}<&-
wait "$watch_pid"
status=$? watch_pid=''
{ [ "$status" = 141 ] && [ ! -s "$work/err" ]; } || ended 1 "Broken pipe"
result "breakpoints --watch: ends when nobody reads it any more, though nothing changes"

order crowd
watch
news "^process $forged_pid: .* 2000 managed breakpoints are set"
seen=$?
watch_ends TERM
[ $seen = 0 ] && ended 0
result "breakpoints --watch: a reader that is stuck does not keep it from ending"
bp "$forged_pid"
mapfile -t lines <"$work/out"
ended 0 && [ ${#lines[@]} = 2003 ] && [[ ${lines[2002]} =~ ^$(at 1999)\ \ 64\ .*\ /srv/app\.dll$ ]]
result "breakpoints: two thousand"

order empty
order lie
bp "$forged_pid"
ended 8 "CoreCLR publishes" && [ ! -s "$work/out" ]
result "breakpoints: a runtime that contradicts itself is status 8"
rd "$forged_pid" "$code" 16 --managed
ended 8 "CoreCLR publishes" && [ ! -s "$work/out" ]
result "read --managed: likewise"
tool doctor "${read_options[@]}" "$forged_pid"
ended 0 && out_has '^warn  runtime         CoreCLR publishes'
result "doctor: a runtime that contradicts itself does not count"

order truth
watch --json
news "$(event list '.*,"count":0,"breakpoints":\[\]')"
seen=$?
exec {orders}>&- {answers}<&-
wait "$forged_pid"
news "$(event gone)"
seen+=$?
watch_ends
[ $seen = 00 ] && ended 5 "process $forged_pid went away"
result "breakpoints --watch: the end of the process is status 5"
forged_pid=''

# What "make demo" and the tests of tests/coreclr have built: each is ready when it says so, and ends with its input.
program='' what="breakpoints: a genuine .NET process has none"
for file in build/demo/dotnet/app/demo.dll build/coreclr/sdk/app/debuggee.dll; do
	[ ! -e "$file" ] || program=$file
done
if [ -n "${CORDBMEM_VM:-}" ]; then
	skip "$what" "tests/coreclr has it; a .NET program takes too long to start on an emulated CPU"
elif ! command -v dotnet >"$work/dotnet"; then
	skip "$what" "there is no dotnet"
elif [ -z "$program" ]; then
	skip "$what" "no .NET program has been built; make demo does"
else
	DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 dotnet "$program" <"$work/orders" >"$work/answers" 2>"$work/err" &
	dotnet_pid=$!
	exec {orders}>"$work/orders" {answers}<"$work/answers"
	while read -t 20 -r -u "$answers" && [ "$REPLY" != ready ]; do :; done
	bp "$dotnet_pid"
	ended 0 && out_is "process $dotnet_pid: CoreCLR $(sed -n 's/.*: CoreCLR //p' "$work/out")" &&
		out_has ': CoreCLR [1-9][0-9.]* \(/.*/libcoreclr\.so\), no debugger is attached, no managed breakpoint is set$'
	result "$what"
	exec {orders}>&- {answers}<&-
	wait "$dotnet_pid"
	dotnet_pid=''
fi

# ---- the module, and its absence ----

if [ "$backend" = module ]; then
	tool info
	ended 0 && out_has '^abi ' && out_has '^feature     force ' && out_has '^module      .*loaded' && out_has '^limit '
	result "info: with the module"
	if out_has '^feature     nofault  yes'; then
		rd "$pid" "$(hex "0x${at[sparse]} + (3 << 30)")" 16 --nofault
		ended 1 "read 0 of 16"
		result "--nofault: what was never touched is not there"
		rd "$pid" "$pattern" 8192 --nofault --raw
		ended 0 && mem "$pattern" 8192 | cmp -s - "$work/out"
		result "--nofault: what was touched is"
	else
		skip "--nofault: what was never touched is not there" "this kernel cannot do that"
		skip "--nofault: what was touched is" "this kernel cannot do that"
	fi
	tool read --portable "$pid" "$pattern" 16
	cp "$work/out" "$work/portable"
	tool read "$pid" "$pattern" 16
	ended 0 && cmp -s "$work/portable" "$work/out"
	result "--portable reads the same"
else
	rd "$pid" "$pattern" 16 --nofault
	ended 1 "." && [ ! -s "$work/out" ]
	result "--nofault needs the module"
	if [ ! -e /dev/cordbmem ]; then
		tool read "$pid" "$pattern" 16
		ended 6 "module" && [ ! -s "$work/out" ]
		result "without the module: status 6, nothing is read by other means"
		tool info
		ended 6 "not loaded" && out_has '^library '
		result "info: without the module"
		tool doctor "$pid"
		ended 6 && out_has '^FAIL  module ' && ends_with "verdict: process $pid cannot be read (no-module)"
		result "doctor: without the module"
	else
		for what in "without the module" "info: without the module" "doctor: without the module"; do
			skip "$what" "it is loaded"
		done
	fi
fi

# ---- help and wrong usage ----

tool --version
ended 0 && out_has '^cordbmem [0-9]'
result "--version"
[ -n "${CORDBMEM_VM:-}" ] || for words in --help "help" "read --help" "help read" "breakpoints --help" "info -h" "doctor --help"; do
	# shellcheck disable=SC2086 # words
	tool $words
	ended 0 && out_has '^usage: cordbmem ' && ! grep -q '.\{91\}' "$work/out"
	result "cordbmem $words"
done

usage "no verb"
usage "unknown verb" frobnicate
usage "unknown option for a verb" --frobnicate
usage "help on an unknown verb" help frobnicate
usage "read without anything" read
usage "read without address" read 1
usage "read without size" read 1 1000
usage "read of a module without size" read 1 libc.so.6
usage "read with too much" read 1 1000 16 16
usage "read: unknown option" read --frobnicate 1 1000 16
usage "read: unknown short option" read -x 1 1000 16
usage "read: an option that takes no value" read --raw=1 1 1000 16
usage "read: an option without its value" read 1 1000 16 --patch
for word in 0 -1 +1 1x 0x10 '' ' 1' 99999999999 bash; do
	usage "pid '$word'" read -- "$word" 1000 16
	usage "doctor: pid '$word'" doctor -- "$word"
	usage "breakpoints: pid '$word'" breakpoints -- "$word"
done
for word in 0xzz 0x 0x12345678123456781 ''; do
	usage "address '$word'" read 1 "$word" 16
done
usage "address plus offset beyond the last one" read 1 ffffffffffffffff+1 16
for word in '' -1 +1 x 1x 1KK 0x 0xg ' 1' 18446744073709551616 17179869184G 1.5K; do
	usage "size '$word'" read -- 1 1000 "$word"
done
usage "range that ends before it starts" read 1 2000-1000
usage "empty range" read 1 1000-1000
usage "range with a size" read 1 1000-2000 16
usage "both kinds of string" read 1 1000 --string --string16
for word in 1000 1000= =00 1000=0 1000=zz 1000=0x00 1000=000 "1000=$(printf '00%.0s' {1..17})" 0xzz=00 '1000=00 ' 1000-2000=00; do
	usage "patch '$word'" read 1 1000 16 --patch "$word"
done
for word in 0 -1 +1 1K 0x10 '' 3600001; do
	usage "interval '$word'" breakpoints 1 --watch --interval "$word"
done
usage "interval without --watch" breakpoints 1 --interval 10
usage "interval without a value" breakpoints 1 --watch --interval
usage "breakpoints without pid" breakpoints
usage "breakpoints with two" breakpoints 1 2
usage "breakpoints: unknown option" breakpoints --frobnicate 1
usage "info with an argument" info 1
usage "info: unknown option" info --frobnicate
usage "doctor without pid" doctor
usage "doctor with two" doctor 1 2
usage "doctor: unknown option" doctor --frobnicate 1

rd "$pid" "$pattern" 16 -p 0=00
ended 2 "patch"
result "usage error: patch at address 0"
rd "$pid" "$pattern" 16 -p ffffffffffffffff=0000
ended 2 "patch"
result "usage error: patch past the last address"
rd "$pid" "$pattern" 0 --string
ended 2 "size of a string"
result "usage error: a string of size 0"

# ---- the process goes away ----

input=${TARGET[1]}
exec {input}>&-
wait "$pid" 2>/dev/null
target_pid=
rd "$pid" "$pattern" 16
ended 5 "$pid"
result "the process is gone"

echo "1..$number"
[ "$failures" = 0 ]
