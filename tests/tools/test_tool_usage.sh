#!/bin/bash
# Help, and what is said of wrong usage.
# usage: tests/tools/test_tool_usage.sh      (see tests/tools/tool.sh)
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/tools/tool.sh
. tests/tools/tool.sh

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

finish
