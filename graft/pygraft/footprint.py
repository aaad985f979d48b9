# SPDX-License-Identifier: GPL-2.0
"""What the hooks add to the kernel's own files, line by line."""

from collections import defaultdict

from . import hooks

# Hooks in these files are an index entry or a list of tests, not kernel code.
NOT_CORE = ("Documentation/", "tools/")


def report(table: list[hooks.Hook]) -> str:
    """All added lines by file, with totals."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for hook in table:
        sign = "~" if hook.position == "replace" else "+"
        by_file[hook.file] += [f"  {sign}{line}" for line in hook.text]
    lines = []
    for name, text in by_file.items():
        lines += [name, *text]
    core = {n: t for n, t in by_file.items() if not n.startswith(NOT_CORE)}
    rest = {n: t for n, t in by_file.items() if n.startswith(NOT_CORE)}
    lines += ["", f"total: {sum(map(len, core.values()))} lines in {len(core)} core files"]
    if rest:
        lines += [f"and {sum(map(len, rest.values()))} lines in {len(rest)} "
                  "files of documentation and tests"]
    return "\n".join(lines)
