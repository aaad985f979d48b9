# SPDX-License-Identifier: GPL-2.0
"""kunit-suites and the phase that runs it: a suite that did not run is missed."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from fnmatch import fnmatch
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
LOADER = SourceFileLoader("kunit_suites", str(SCRIPTS / "kunit-suites"))
kunit_suites = module_from_spec(spec_from_loader("kunit_suites", LOADER))
LOADER.exec_module(kunit_suites)

SUITE = 'static struct kunit_suite {0}_suite = {{\n\t.name = "{1}",\n}};\n'
LOG = "[    0.1] KTAP version 1\n[    0.1] 1..{}\n"
STAND_INS = {
    "graft-tree": 'echo "$BUILD/.."',
    "vm": 'cp "$BUILD/said" "$BUILD/log/$LOG.log"',
    "klog-check": "true",
    "../tools/testing/kunit/kunit.py":
        '[ "$1" = parse ] || cp "$BUILD/said" "$BUILD/out/uml/test.log"',
}


def write(top: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)


class SourceTest(unittest.TestCase):
    """The project's own suites."""

    def test_all_are_run(self) -> None:
        phase = (SCRIPTS / "phases/kunit").read_text()
        glob = re.search(r"kunit\.filter_glob=([^\" ]*)", phase)[1]
        names = kunit_suites.suites(kunit_suites.REPO)
        self.assertEqual([name for name in names if not fnmatch(name, glob)], [])
        self.assertTrue(glob.startswith("gmem"))

    def test_all_are_found(self) -> None:
        sources = [path.read_text() for folder in kunit_suites.FOLDERS
                   for path in (kunit_suites.REPO / folder).rglob("*.[ch]")]
        self.assertEqual(len(kunit_suites.suites(kunit_suites.REPO)),
                         sum(len(re.findall(r"struct\s+kunit_suite\s+\w", s)) for s in sources))


class PhaseTest(unittest.TestCase):
    """The phase, with stand-ins for what builds and boots."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        (self.top / "scripts/phases").mkdir(parents=True)
        (self.top / "build").mkdir()
        for name in ("lib.sh", "kunit-suites", "phases/kunit"):
            shutil.copy(SCRIPTS / name, self.top / "scripts" / name)
        for name, text in STAND_INS.items():
            path = self.top / "scripts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        write(self.top, {"kunit/lpt_test.c": SUITE.format("lpt", "gmem_lpt"),
                         "kunit/frames_test.c": SUITE.format("frames", "gmem_frames"),
                         "kunit/Makefile": "obj-$(CONFIG_LPT) += lpt_test.o\n"
                                           "obj-$(CONFIG_ALL) += fake.o frames_test.o\n",
                         "mm/gmem/kunit/.kunitconfig": "CONFIG_KUNIT=y\nCONFIG_LPT=y\n"})

    def run_phase(self, name: str, *reported: str) -> tuple[str, int]:
        """What the phase says of itself, when these lines are in the log."""
        said = LOG.format(len(reported)) + "".join(f"[    0.2] {line}\n" for line in reported)
        write(self.top, {"build/said": said})
        tap = self.top / "tap"
        done = subprocess.run([self.top / "scripts/phases/kunit", name, tap], check=False,
                              capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin", "BUILD": str(self.top / "build")})
        return tap.read_text().removeprefix(said), done.returncode

    def test_all_reported(self) -> None:
        self.assertEqual(self.run_phase("kunit-vm", "ok 1 gmem_lpt", "not ok 2 gmem_frames"),
                         ("", 0))
        self.assertEqual(self.run_phase("kunit-uml", "ok 1 gmem_lpt"), ("", 0))

    def test_one_did_not_run(self) -> None:
        for name in ("kunit-vm", "kunit-debug"):
            self.assertEqual(self.run_phase(name, "ok 1 gmem_lpt"),
                             ("Bail out! no result of: gmem_frames\n", 1))
        self.assertEqual(self.run_phase("kunit-uml", "ok 1 gmem_frames"),
                         ("Bail out! no result of: gmem_lpt\n", 1))

    def test_begun_is_no_result(self) -> None:
        self.assertEqual(self.run_phase("kunit-vm", "ok 1 gmem_lpt", "    # Subtest: gmem_frames",
                                        "    ok 1 gmem_frames", "# gmem_frames: pass:1"),
                         ("Bail out! no result of: gmem_frames\n", 1))

    def test_filtered_out(self) -> None:
        write(self.top, {"drivers/x/a.c": SUITE.format("one", "mock")
                         + "struct kunit_suite bare = { .name = NAME };\n"})
        said, status = self.run_phase("kunit-vm", "ok 1 gmem_lpt", "ok 2 gmem_frames")
        self.assertEqual((said, status), ("Bail out! no result of: bare mock\n", 1))

    def test_nobody_builds_it(self) -> None:
        write(self.top, {"kunit/new_test.c": SUITE.format("new", "gmem_new")})
        self.assertEqual(self.run_phase("kunit-uml", "ok 1 gmem_lpt"),
                         ("Bail out! no result of: gmem_new\n", 1))

    def test_nothing_to_miss(self) -> None:
        shutil.rmtree(self.top / "kunit")
        self.assertEqual(self.run_phase("kunit-vm", "ok 1 gmem_lpt")[1], 1)


if __name__ == "__main__":
    unittest.main()
