#!/bin/bash
# What "cordbmem read" prints: bytes, addresses by name, patches and strings, and why not all could be read.
# usage: tests/tools/test_tool_read.sh      (see tests/tools/tool.sh)
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/tools/tool.sh
. tests/tools/tool.sh

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

finish
