#!/bin/bash
# "cordbmem sample", on a forged CoreCLR, which may lie about its threads, and on .NET itself.
# usage: tests/tools/test_sample.sh      (see tests/tools/tool.sh)
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/tools/tool.sh
. tests/tools/tool.sh

compile forged -rdynamic
make_dead

# An emulated CPU has no time for more.
sample() { run "$tool" sample "${read_options[@]}" --rate 100 --seconds 1 "$@"; }
# row ID NAME KIND MANAGED WAITING SUSPENDED NATIVE: a pattern for the line of a thread; shares are patterns, too.
row() {
	local share line="^ *$1  +[0-9-]+  $2 +$3"
	for share in "${@:4}"; do
		line+=" +$share"
	done
	echo "$line "
}
all=100\\.0 none=0\\.0

# ---- what has no threads ----

sample "$pid"
ended 7 "there is no CoreCLR in process $pid" && [ ! -s "$work/out" ]
result "sample: no .NET runtime is status 7"
sample "$dead"
ended 5 "$dead" && [ ! -s "$work/out" ]
result "sample: of a process that has exited"

# start_forged: a new one.
cp build/tests/tools/forged "$work/libcoreclr.so"
mkfifo "$work/orders" "$work/answers"
start_forged() {
	"$work/libcoreclr.so" <"$work/orders" >"$work/answers" 2>"$work/forged-err" &
	forged_pid=$!
	exec {orders}>"$work/orders" {answers}<"$work/answers"
	read -t 20 -r -u "$answers"
}
end_forged() {
	exec {orders}>&- {answers}<&-
	wait "$forged_pid"
	forged_pid=''
}
# order WORDS: have it done.
order() { echo "$*" >&"$orders" && read -t 20 -r -u "$answers" && [ "$REPLY" = "done" ]; }

start_forged
sample "$forged_pid"
ended 7 "has set up no debugger side yet" && [ ! -s "$work/out" ]
result "sample: a runtime that is not ready is status 7"
order up
sample "$forged_pid"
ended 7 "has no threads yet" && [ ! -s "$work/out" ]
result "sample: a runtime that has no threads yet is status 7"

# ---- what it tells ----

order threads 9
order thread 0 20020 0
order thread 1 21220 0
order thread 2 21220 1
order thread 3 2021220 0
order thread 4 21222 0
order thread 5 3021220 0
order thread 6 800 0
order thread 7 400 0
order thread 8 1220 1
sample "$forged_pid"
ended 0 && out_has "^process $forged_pid: CoreCLR 10\.0\.42\. \(.*/libcoreclr\.so\), no debugger is attached$" &&
	out_has '^[0-9]+ samples in [0-9.]+ s, 100 a second; [0-9]+ missed, 0 dropped; each 20 ranges, 520 bytes$' &&
	out_has '^the runtime was suspended in 0\.0 % of them, 0 times$'
result "sample: the head of the report"
out_has "$(row 1 '' foreground $none $none $none $all)" && out_has "$(row 2 '' finalizer $none $none $none $all)" &&
	out_has "$(row 3 '' background $all $none $none $none)" && out_has "$(row 4 '' background $none $all $none $none)" &&
	out_has "$(row 5 '' background $none $none $all $none)" && out_has "$(row 6 '' pool $none $all $none $none)"
result "sample: managed, waiting, suspended and native threads, and their kinds"
out_has '^ +7 .*  dead  ( +-){7} +0$' && out_has '^ +8 .*  unstarted  ( +-){7} +0$'
result "sample: a thread that does not run has no shares"

order suspend 2
sample "$forged_pid"
ended 0 && out_has '^the runtime was suspended in 100\.0 % of them, 1 times$'
result "sample: the runtime is suspended"
order suspend -1

sample "$forged_pid" --json
ended 0 && [[ $(<"$work/out") =~ ^\{\"pid\":$forged_pid,\"runtime\":\{\"path\":\".*/libcoreclr.so\",\"version\":\"10\.0\.42\.\",.*,\"threads\":\[.*\{\"id\":3,\"os_id\":null,\"name\":null,\"kind\":\"background\",\"samples\":([0-9]+),\"managed\":([0-9]+),\"waiting\":0,\"suspended\":0,\"native\":0,.*\"unit\":\"ns\",\"doors\":\[\{\"door\":\"[a-z]+\",\"reads\":[0-9]+,.*\}$ ]] &&
	[ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ] && [ "${BASH_REMATCH[1]}" -gt 0 ]
result "sample: --json"

# ---- doors ----

doors=(readmemory process_vm_readv proc-mem)
if [ "$backend" = module ] && [ -n "$("$tool" info | sed -n '/^feature  *window  *yes/p')" ]; then
	doors+=(window)
fi
for door in "${doors[@]}"; do
	sample "$forged_pid" --through "$door"
	ended 0 && out_has "^  $door +[0-9]+ +[0-9]+ +[0-9]+$" && out_has "$(row 4 '' background $none $all $none $none)"
	result "sample: --through $door"
done
sample "$forged_pid" --through all --icount
ended 0 && out_has '^cost of a sample: instructions '
seen=$?
for door in "${doors[@]}"; do
	out_has "^  $door +[0-9]+ +[0-9]+ +[0-9]+( +100\.0)?$"
	seen+=$?
done
[[ $seen =~ ^0+$ ]] && { [ "${#doors[@]}" = 4 ] || out_has '^  window +there are no live windows '; }
result "sample: --through all compares them"
if [ "${#doors[@]}" = 4 ]; then
	out_has '^[1-9][0-9]* pages of the process are mapped, in [1-9][0-9]* windows; '
	result "sample: windows are what it reads through"
else
	sample "$forged_pid" --through window
	ended 1 "there are no live windows" && [ ! -s "$work/out" ]
	result "sample: --through window where there are none"
fi

# ---- what lies ----

order link 8 3
sample "$forged_pid"
ended 8 "does not end, or is none" && [ ! -s "$work/out" ]
result "sample: a list that runs in a circle is status 8"
order link 8 8
sample "$forged_pid"
ended 8 "does not end, or is none"
result "sample: a thread that is its own successor"
order link 8 -1
sample "$forged_pid"
ended 8 "does not end, or is none"
result "sample: a list that leads astray"
order threads 5000
sample "$forged_pid"
ended 8 "does not end, or is none"
result "sample: more threads than there can be"
order threads 1000
sample "$forged_pid"
ended 0 && out_has "$(row 1000 '' foreground $none $none $none $all)"
result "sample: a thousand threads"
order threads 30
order churn
sample "$forged_pid"
# Whether it ever stands still for long enough is chance.
ended 0 || ended 8 "does not end, or is none"
result "sample: threads that are others all the time do no harm"
order far
sample "$forged_pid"
ended 8 "does not publish where its threads are"
result "sample: a member that is too far away"
end_forged

start_forged
order up
order threads 3
order mute
sample "$forged_pid"
ended 8 "does not publish where its threads are" && [ ! -s "$work/out" ]
result "sample: a runtime that does not publish its threads is status 8"
end_forged

# ---- how it ends ----

start_forged
order up
order threads 3
# in_background ARGUMENT...: samples for long, and waits until it does: from then on it has its own way with signals.
in_background() {
	"$tool" sample "${read_options[@]}" --rate 100 --seconds 600 "$@" >"$work/out" 2>"$work/err" \
		{orders}>&- {answers}<&- &
	watch_pid=$!
	for _ in {1..100}; do
		! grep -q '^SigCgt:.*[1-9a-f]' "/proc/$watch_pid/status" || break
		sleep 0.1
	done
	sleep 1
}
in_background "$forged_pid"
kill -INT "$watch_pid"
wait "$watch_pid"
status=$? watch_pid=''
ended 0 && out_has "$(row 3 '' foreground $none $none $none $all)"
result "sample: SIGINT ends it, with a report"
in_background "$forged_pid"
end_forged
wait "$watch_pid"
status=$? watch_pid=''
ended 5 "went away" && out_has "$(row 3 '' foreground $none $none $none $all)"
result "sample: the end of the process is status 5, after the report"

# ---- wrong usage ----

[ -n "${CORDBMEM_VM:-}" ] || for words in "sample --help" "help sample"; do
	# shellcheck disable=SC2086 # words
	tool $words
	ended 0 && out_has '^usage: cordbmem sample ' && ! grep -q '.\{91\}' "$work/out"
	result "cordbmem $words"
done
usage "sample without pid" sample
usage "sample with two" sample 1 2
usage "sample: pid" sample 0x1
usage "sample: unknown option" sample --frobnicate 1
usage "sample: unknown door" sample 1 --through door
for word in 0 -1 10001 1k ''; do
	usage "rate '$word'" sample 1 --rate "$word"
done
usage "seconds" sample 1 --seconds 86401

# ---- .NET itself ----

# (A folder of its own, for .NET would take the forged libcoreclr.so for its own.)
mkdir "$work/app"
# compile_threads: with the compiler of the SDK, for the oldest runtime there is.
compile_threads() {
	local assemblies=$1 sdk reference references=()
	sdk=$(dotnet --list-sdks | tail -n 1 | sed 's/^\([^ ]*\) \[\(.*\)\]$/\2\/\1/')
	for reference in "$assemblies"/System*.dll; do
		[[ $reference == *.Native.dll ]] || references+=("-reference:$reference")
	done
	HOME=$work DOTNET_CLI_HOME=$work DOTNET_NOLOGO=1 dotnet exec "$sdk/Roslyn/bincore/csc.dll" -nologo -noconfig -nostdlib -optimize+ \
		-nullable:enable -warnaserror+ -target:exe "-out:$work/app/threads.dll" "${references[@]}" tests/tools/threads.cs
}

# sample_dotnet NAME DOTNET VERSION
sample_dotnet() {
	local name=$1
	printf '{ "runtimeOptions": { "framework": { "name": "Microsoft.NETCore.App", "version": "%s" } } }\n' "$3" \
		>"$work/app/threads.runtimeconfig.json"
	"$2" "$work/app/threads.dll" <"$work/orders" >"$work/answers" 2>"$work/dotnet-err" &
	dotnet_pid=$!
	exec {orders}>"$work/orders" {answers}<"$work/answers"
	while read -t 60 -r -u "$answers" && [ "$REPLY" != ready ]; do :; done

	run "$tool" sample "${read_options[@]}" "$dotnet_pid" --seconds 3 --through all
	ended 0 && out_has "^process $dotnet_pid: CoreCLR ${3%%.*}\.[0-9.]* \(/.*/libcoreclr\.so\), no debugger is attached$"
	result "$name: it is sampled"
	# Most of the time, for a garbage collection may hold them up.
	local most='(9[0-9]\.[0-9]|100\.0)' few='[0-9]\.[0-9]' some='[0-9.]+'
	out_has "$(row '[0-9]+' t-spin background '([5-9][0-9]\.[0-9]|100\.0)' 0.0 "$some" "$some")"
	result "$name: a loop is managed"
	out_has "$(row '[0-9]+' t-sleep background "$few" "$most" "$few" "$few")" &&
		out_has "$(row '[0-9]+' t-lock background "$few" "$most" "$few" "$few")"
	result "$name: Thread.Sleep and a lock that another thread has are waiting"
	out_has "$(row '[0-9]+' t-read background "$few" "$few" "$few" "$most")"
	result "$name: a read of a pipe is native"
	out_has "$(row 1 '[^ ]+' main "$some" "$some" "$some" "$some")" && out_has ' \.NET Finalizer +finalizer ' &&
		out_has ' \.NET TP Worker +pool '
	result "$name: main thread, finalizer and thread pool are told"
	# The columns behind these four: alloc, throw.
	out_has ' t-alloc +background( +[0-9.]+){4} +[1-9][0-9.]+ +0\.0 ' && out_has ' t-spin +background( +[0-9.]+){4} +0\.0 +0\.0 '
	result "$name: who allocates, and who does not"
	out_has ' t-throw +background( +[0-9.]+){5} +[1-9][0-9.]+ ' && out_has ' t-sleep +background( +[0-9.]+){5} +0\.0 '
	result "$name: who throws, and who does not"
	exec {orders}>&- {answers}<&-
	wait "$dotnet_pid"
	dotnet_pid=''
}

export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
what="sample: a genuine .NET process"
root=build/coreclr/net9/dotnet
if [ -n "${CORDBMEM_VM:-}" ]; then
	skip "$what" "a .NET program takes too long to start on an emulated CPU"
elif ! command -v dotnet >"$work/dotnet" || [ -z "$(dotnet --list-sdks)" ]; then
	skip "$what" "there is no dotnet here, or no SDK of it"
else
	version=$(dotnet --list-runtimes | sed -n 's/^Microsoft\.NETCore\.App \([^ ]*\) .*/\1/p' | tail -n 1)
	assemblies=$(dotnet --list-runtimes | sed -n 's/^Microsoft\.NETCore\.App \([^ ]*\) \[\(.*\)\]$/\2\/\1/p' | tail -n 1)
	[ ! -e "$root/complete" ] || assemblies=$root/shared/Microsoft.NETCore.App/$(cat "$root/complete")
	if ! compile_threads "$assemblies" >"$work/out" 2>&1; then
		false
		result "$what: tests/tools/threads.cs compiles"
	else
		sample_dotnet ".NET $version" dotnet "$version"
		if [ -e "$root/complete" ]; then
			sample_dotnet ".NET $(cat "$root/complete")" "$root/dotnet" "$(cat "$root/complete")"
		else
			skip "$what of version 9" "it has not been made; tests/coreclr/runtimes net9 does"
		fi
	fi
fi

finish
