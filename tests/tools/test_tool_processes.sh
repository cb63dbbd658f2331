#!/bin/bash
# Processes that can be read, or not, with the module or without: "cordbmem doctor", "info", and what "read" says.
# usage: tests/tools/test_tool_processes.sh      (see tests/tools/tool.sh)
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/tools/tool.sh
. tests/tools/tool.sh

# ---- processes ----

make_dead
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

# ---- the process goes away ----

end_target
rd "$pid" "$pattern" 16
ended 5 "$pid"
result "the process is gone"

finish
