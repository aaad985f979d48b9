# SPDX-License-Identifier: GPL-2.0
"""mirror-tree: a copy that follows its original and keeps its graft."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "mirror-tree"


class MirrorTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source, self.target = Path(folder.name, "a"), Path(folder.name, "b")
        (self.source / "sub").mkdir(parents=True)
        (self.source / ".git").mkdir()
        (self.source / ".git/HEAD").write_text("x")
        (self.source / "sub/one").write_text("1")
        (self.source / "two").write_text("2")
        os.symlink("two", self.source / "link")

    def mirror(self, *options: str) -> str:
        return subprocess.run([SCRIPT, *options, self.source, self.target], check=True,
                              capture_output=True, text=True).stdout.strip()

    def test_copy_and_follow(self) -> None:
        self.assertEqual(self.mirror(), "3 files copied, 0 removed")
        self.assertTrue((self.target / "link").is_symlink())
        self.assertFalse((self.target / ".git").exists())
        self.assertEqual(self.mirror(), "0 files copied, 0 removed")
        (self.source / "two").write_text("22")
        (self.source / "sub/one").unlink()
        self.assertEqual(self.mirror(), "1 files copied, 1 removed")
        self.assertEqual((self.target / "two").read_text(), "22")

    def test_links_share_files(self) -> None:
        self.mirror("--link")
        self.assertTrue((self.source / "two").samefile(self.target / "two"))
        self.assertEqual(self.mirror("--link"), "0 files copied, 0 removed")

    def test_graft_is_left_alone(self) -> None:
        self.mirror()
        stat = (self.target / "two").stat()
        (self.target / "two").write_text("2 and a hook")
        (self.target / "ours").write_text("overlay")
        (self.target / ".gmem-graft.json").write_text(json.dumps(
            {"files": ["ours"], "stamps": {"two": [stat.st_size, stat.st_mtime_ns]}}))
        self.assertEqual(self.mirror(), "0 files copied, 0 removed")
        (self.source / "two").write_text("changed")
        self.assertEqual(self.mirror(), "1 files copied, 0 removed")
        self.assertEqual((self.target / "two").read_text(), "changed")
