# shellcheck shell=sh
# For sourcing: Debian packages that are fetched through apt and unpacked, but not installed.

# with_lists LOG COMMAND...: runs it; if it fails, once more with new lists of packages, as there were none yet, or they named
# releases that are no longer there. What the last one said is shown if it failed.
with_lists() {
	apt_log=$1
	shift
	"$@" >"$apt_log" 2>&1 </dev/null && return
	[ "$(id -u)" != 0 ] || apt-get -q -o DPkg::Lock::Timeout=300 update >"$apt_log" 2>&1 </dev/null || true
	"$@" >"$apt_log" 2>&1 </dev/null && return
	cat "$apt_log" >&2
	return 1
}

# download FOLDER PACKAGE...: the packages' files, to a folder.
download() {
	(cd "$1" && shift && apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$@")
}

# source_tar PACKAGE FOLDER: what is in the one archive of a kernel's source, of which the package lies in a folder.
source_tar() {
	dpkg-deb --fsys-tarfile "$2/$1"*.deb | tar -xO --occurrence=1 "./usr/src/$1.tar.xz" | xz -dc -T0
}
