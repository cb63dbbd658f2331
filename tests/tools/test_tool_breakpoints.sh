#!/bin/bash
# "cordbmem breakpoints", its --watch, and "read --managed", on a forged CoreCLR and on .NET itself.
# usage: tests/tools/test_tool_breakpoints.sh      (see tests/tools/tool.sh)
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/tools/tool.sh
. tests/tools/tool.sh

compile forged -rdynamic
make_dead

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

finish
