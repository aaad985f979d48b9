# SPDX-License-Identifier: GPL-2.0
"""The project's own files, and their places in a kernel tree."""

import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path

from . import GraftError

# What editors, builds and the version control leave beside sources.
NOT_SOURCES = ("*.o", "*.a", "*.so", "*.ko", "*.mod", "*.mod.c", "*.cmd", "*.order",
               "*.symvers", "*.d", "*.pyc", "*~", "*.swp", ".#*", "*.orig", "*.rej")


@dataclass(frozen=True)
class Entry:
    part: str
    source: Path
    target: str


def read_table(path: Path) -> list[tuple[str, str, str]]:
    """Parse the table; the format is described at its top."""
    rows = []
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        fields = line.split()
        if len(fields) != 3:
            raise GraftError(f"{path.name}: cannot read: {line}")
        rows.append((fields[0], fields[1], fields[2]))
    return rows


def is_source(path: Path) -> bool:
    if path.is_symlink() or any(fnmatch.fnmatch(path.name, p) for p in NOT_SOURCES):
        return False
    with path.open("rb") as stream:
        return stream.read(4) != b"\x7fELF"


def walk(top: Path) -> list[Path]:
    found = []
    for folder, subdirs, names in os.walk(top):
        subdirs[:] = sorted(d for d in subdirs if d != "__pycache__")
        found += [Path(folder, name) for name in sorted(names)]
    return found


def entries(repo: Path, table: list[tuple[str, str, str]]) -> list[Entry]:
    """All files of the overlay, in the table's order."""
    found = []
    for part, source, target in table:
        top = repo / source
        if top.is_file():
            found.append(Entry(part, top, target))
        elif top.is_dir():
            found += [Entry(part, path, f"{target}/{path.relative_to(top)}")
                      for path in walk(top) if is_source(path)]
    return found
