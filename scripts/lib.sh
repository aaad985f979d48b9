# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts share: where things are, and how they talk.  To be sourced.

set -euo pipefail

# What was said to our make is not meant for the kernel's
unset MAKEFLAGS MFLAGS MAKELEVEL

# shellcheck disable=SC2034 # used by the scripts that source this
{
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$(realpath -m "${BUILD:-$REPO/build}")
LOGS=$BUILD/log
RESULTS=$BUILD/results
FLAVOUR=${FLAVOUR:-base}
JOBS=${JOBS:-$(nproc)}
SUITE=trixie-backports
PACKAGE=linux-source-7.2
}

# The start of the whole command, set by make
GMEM_T0=${GMEM_T0:-$(date +%s)}
export GMEM_T0

# say PHASE TEXT: one line about what is going on
say() {
	local elapsed=$(($(date +%s) - GMEM_T0))

	printf '[%2d:%02d] %-9s %s\n' $((elapsed / 60)) $((elapsed % 60)) "$1" "$2" >&2
}

# die TEXT: the one clear line
die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# usage FILE: the comment at the top of a script is its help
usage() {
	sed -n '2,/^$/s/^# \{0,1\}//p' "$1" | sed '1{/^SPDX/d}'
	exit 0
}

# lock NAME: one make at a time in one place; the lock ends with the script
lock() {
	mkdir -p "$BUILD/lock"
	exec 9>"$BUILD/lock/$1"
	if ! flock -n 9; then
		say lock "waiting for another make that is working on $1"
		flock 9
	fi
}

# start COMMAND...: in the background, as a process group of its own; sets job
start() {
	set -m
	"$@" &
	job=$!
	set +m
}

# await PHASE COMMAND...: while the job runs, say now and then what COMMAND prints;
# its status is the job's, and the job ends with the script
await() {
	local phase=$1 every=20 last now

	shift
	[ -t 2 ] && every=5
	trap 'kill -- "-$job" 2>/dev/null' EXIT
	trap 'exit 130' INT TERM HUP
	last=$(date +%s)
	while kill -0 "$job" 2>/dev/null; do
		sleep 0.5
		now=$(date +%s)
		if [ $((now - last)) -ge "$every" ]; then
			say "$phase" "$("$@")"
			last=$now
		fi
	done
	trap - EXIT INT TERM HUP
	wait "$job"
}

# need_space GIGABYTES: before something big is written
need_space() {
	local free

	mkdir -p "$BUILD"
	free=$(df -Pk "$BUILD" | awk 'NR == 2 { print int($4 / 1048576) }')
	[ "$free" -ge "$1" ] ||
		die "$1 GB of disk space are needed in $BUILD and $free GB are free:" \
			"make room, or set BUILD=dir elsewhere"
}
