# SPDX-License-Identifier: GPL-2.0
"""The archives of qemu/cpio.py, read by the real cpio."""

import io
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "qemu"))
from cpio import Archive  # noqa: E402


class CpioTest(unittest.TestCase):
    def test_round_trip(self) -> None:
        stream = io.BytesIO()
        archive = Archive(stream)
        archive.file("a/b/file", b"hello", 0o755)
        archive.link("a/link", "b/file")
        archive.close()
        self.assertEqual(len(stream.getvalue()) % 512, 0)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["cpio", "-idm", "--quiet"], input=stream.getvalue(), cwd=folder,
                           check=True)
            top = Path(folder)
            self.assertEqual((top / "a/b/file").read_bytes(), b"hello")
            self.assertEqual((top / "a/b/file").stat().st_mode & 0o777, 0o755)
            self.assertEqual((top / "a/link").readlink(), Path("b/file"))
