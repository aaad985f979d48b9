# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the checks share.  To be sourced.  A check is a script in checks/ that
# prints one line for each finding on its standard output, and what it is doing on
# the other.  Its status is 0 when it found nothing, 1 when it did, and 77 with the
# reason as the only line when there is nothing to check.
#
# From scripts/check/run they get
#
#   CHECK_OUT	a folder for their files
#   TREE	the kernel tree with GMEM in it
#   KERNEL	a build folder for it, configured and prepared

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

CHECKS=$REPO/scripts/check
SKIP=77

skip() {
	echo "$*"
	exit $SKIP
}

# All files of the project, as paths from its top: those that git knows, and new
# ones that it does not ignore
our_files() {
	cd "$REPO"
	if [ -e .git ]; then
		git ls-files -co --exclude-standard
	else
		find . -path ./build -prune -o -type f -printf '%P\n'
	fi | sort -u | while IFS= read -r file; do
		# Deleted, and not yet committed
		[ ! -f "$file" ] || printf '%s\n' "$file"
	done
}

# The scripts among them whose first line names the interpreter: our_scripts REGEX
our_scripts() {
	# shellcheck disable=SC2016 # those of awk
	(cd "$REPO" && our_files | xargs -d '\n' awk -v "interpreter=^#!.*[/ ]($1)( |\$)" '
		FNR == 1 { if ($0 ~ interpreter) print FILENAME; nextfile }')
}

# The files of the project that are compiled into the kernel
our_kernel_files() {
	our_files | grep -E '^(include|mm|drivers|kunit|samples)/.*\.[ch]$' || true
}

# The folders in TREE that hold them, as the graft's table says
kernel_dirs() {
	local dir

	awk '!/^#/ && NF == 3 { print $3 }' "$REPO/graft/overlay" |
		grep -E '^(mm|drivers|samples)/' | sort | while IFS= read -r dir; do
		# A folder in one that was named already is built with it
		[ -f "$TREE/$dir/Makefile" ] && [ "$dir" != mm/gmem/kunit ] && echo "$dir"
	done
	true
}

# kmake ARGUMENT...: the kernel's make, on TREE, in KERNEL
kmake() {
	local cc=gcc

	command -v ccache >/dev/null && cc="ccache gcc"
	CCACHE_BASEDIR=$(dirname "$BUILD") KBUILD_BUILD_TIMESTAMP=@0 \
		KBUILD_BUILD_USER=gmem KBUILD_BUILD_HOST=gmem \
		make -C "$TREE" O="$KERNEL" CC="$cc" HOSTCC="$cc" -j"$JOBS" \
		KCFLAGS="-fmacro-prefix-map=$(realpath --relative-to="$KERNEL" "$TREE")/=" "$@"
}

# Paths in the tree and in staging folders as paths in the project
in_project() {
	sed -e "s|[^ ]*/${TREE##*/}/||g" -e "s|$CHECK_OUT/[a-z-]*/||g" -e 's|^\(\./\)*||' \
		-e 's|^\(\.\./\)*||' -e 's|mm/gmem/kunit/|kunit/|g'
}

# make_failure STATUS LOG: why make failed, if it did, and the compiler is silent
make_failure() {
	[ "$1" != 0 ] || return 0
	grep -q 'error:' "$2" || grep -m1 -E '\*\*\* .*(No rule|rror)' "$2" ||
		echo "make ended with status $1, see $2"
}

# report FILE: its lines are findings
report() {
	[ ! -s "$1" ] || { cat "$1"; exit 1; }
}

# A file with a finding of the compiler and one of sparse, built as a module of its
# own: a checker that is silent about it did not run.  Prints what make prints.
control() {
	rm -rf "$CHECK_OUT/control"
	cp -r "$CHECKS/tests/control" "$CHECK_OUT/control"
	kmake M="$CHECK_OUT/control" "$@" control.o 2>&1
}
