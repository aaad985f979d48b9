# SPDX-License-Identifier: GPL-2.0
"""Write initramfs archives (cpio, "newc"): no tool, no root needed."""

from pathlib import Path
from typing import BinaryIO

DIRECTORY, FILE, LINK = 0o040000, 0o100000, 0o120000


class Archive:
    """An archive in the making; close() ends it.  Archives can follow one another."""

    def __init__(self, stream: BinaryIO):
        self.stream = stream
        self.inode = 0
        self.folders: set[str] = set()

    def _pad(self) -> None:
        self.stream.write(b"\0" * (-self.stream.tell() % 4))

    def _entry(self, name: str, mode: int, data: bytes) -> None:
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        self.stream.write(b"070701" + b"".join(b"%08x" % f for f in fields) + encoded)
        self._pad()
        self.stream.write(data)
        self._pad()

    def folder(self, name: str) -> None:
        """A directory and those above it, once each."""
        if name in ("", ".") or name in self.folders:
            return
        self.folder(str(Path(name).parent))
        self.folders.add(name)
        self._entry(name, DIRECTORY | 0o755, b"")

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self.folder(str(Path(name).parent))
        self._entry(name, FILE | mode, data)

    def link(self, name: str, target: str) -> None:
        self.folder(str(Path(name).parent))
        self._entry(name, LINK | 0o777, target.encode())

    def close(self) -> None:
        self._entry("TRAILER!!!", 0, b"")
        self.stream.write(b"\0" * (-self.stream.tell() % 512))
