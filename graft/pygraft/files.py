# SPDX-License-Identifier: GPL-2.0
"""Files that are never half-written and never change without need."""

import os
import shutil
from pathlib import Path


def write_if_changed(path: Path, data: bytes, like: Path | None = None) -> bool:
    """Put data into path by write-and-rename; leave path alone if it holds it.

    The rename makes a new inode, so a hard link of the old file keeps the old
    contents.  The new file gets the mode of `like`, if given.
    """
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.graft-tmp")
    temp.write_bytes(data)
    if like:
        shutil.copymode(like, temp)
    os.replace(temp, path)
    return True


def remove_with_empty_parents(path: Path, top: Path) -> None:
    """Remove a file, and the directories above it that it leaves empty."""
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == top or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()
