# SPDX-License-Identifier: GPL-2.0
"""scripts/test-mm: which kernels it takes, what counts as a result and as a difference."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
SCRIPT = SCRIPTS.parent / "tools/testing/mm/results"

OUTPUT = """\
mm-test begin cow
TAP version 13
1..3
# [RUN] something
ok 1 basic at 0x7f001234 in 12.5 ms
not ok 2 basic
ok 3 swapped # SKIP no swap
ok 4 transact_test Extra pages 15 (0.0%), extra thread faults 17.

mm-test end 1
mm-test begin memfd_test
memfd: CREATE
memfd: DONE

mm-test end 0
"""
READ = ["cow: plan\t3", "cow: basic at ADDR in TIME\tok", "cow: basic\tnot ok",
        "cow: swapped\tskip", "cow: transact_test Extra pages N.\tok", "cow: status\t1",
        "memfd_test: memfd: CREATE\tbegun", "memfd_test: memfd: DONE\tbegun",
        "memfd_test: status\t0"]


class ResultsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def file(self, name: str, text: str = "") -> Path:
        path = Path(self.folder.name) / name
        path.write_text(text)
        return path

    def run_it(self, *args: object) -> tuple[list[str], int]:
        done = subprocess.run([SCRIPT, *map(str, args)], check=False, capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines(), done.returncode

    def read(self, output: str, log: str = "") -> list[str]:
        return self.run_it("read", self.file("out", output), self.file("log", log))[0]

    def compare(self, grafted: str, *pristine: str) -> tuple[list[str], int]:
        runs = [self.file(f"pristine{n}", text) for n, text in enumerate(pristine)]
        return self.run_it("compare", "--tests", self.file("tests", "60 a x\n\n60 b\n"),
                           "--again", self.file("again"), self.file("grafted", grafted), *runs)

    def again(self) -> str:
        return (Path(self.folder.name) / "again").read_text()

    def test_read(self) -> None:
        self.assertEqual(self.read(OUTPUT), READ)

    def test_same_name_twice(self) -> None:
        self.assertEqual(self.read("mm-test begin a\nok 1 x\nnot ok 2 x\nmm-test end 0\n"),
                         ["a: x\tok", "a: x (2)\tnot ok", "a: status\t0"])

    def test_crash(self) -> None:
        self.assertEqual(self.read("mm-test begin a\nok 1 x\n"),
                         ["a: x\tok", "a: status\tthe guest crashed or hung"])

    def test_kernel_log(self) -> None:
        log = ("[    1.0] mm-test begin a\n[    1.1] WARNING: mm/x.c:12 at f+0x1/0x2, CPU#0: a/17\n"
               "[    1.2] WARNING: mm/x.c:12 at f+0x1/0x2, CPU#1: a/18\n[    1.3] mm-test end 0\n")
        found = self.read("mm-test begin a\n\nmm-test end 0\n", log)
        self.assertEqual(len(found), 2)
        self.assertEqual(found[0], "a: status\t0")
        self.assertRegex(found[1], r"^a: kernel log: WARNING: mm/x\.c.*\tseen$")

    def test_rest(self) -> None:
        rest, _ = self.run_it("rest", self.file("list", "60 a\n60 b x\n60 c\n"),
                              self.file("out", "mm-test begin a\nmm-test end 0\nmm-test begin b x\n"))
        self.assertEqual(rest, ["60 c"])

    def test_same(self) -> None:
        text, status = self.compare("a x: t\tok\nb: t\tnot ok\n", "a x: t\tok\nb: t\tnot ok\n")
        self.assertEqual(text[-1], "test-mm: 2 results on each kernel, 0 differences")
        self.assertEqual((status, self.again()), (0, ""))

    def test_differs(self) -> None:
        text, status = self.compare("a x: t\tok\nb: t\tnot ok\n", "a x: t\tok\nb: t\tok\n")
        self.assertIn("DIFFERENCE: b: t", text)
        self.assertEqual(text[-1], "test-mm: 2 results on each kernel, 1 differences")
        self.assertEqual((status, self.again()), (1, "60 b\n"))

    def test_absent(self) -> None:
        for grafted, pristine in (("a x: t\tok\n", "a x: t\tok\na x: u\tok\n"),
                                  ("a x: t\tok\na x: u\tok\n", "a x: t\tok\n")):
            self.assertEqual(self.compare(grafted, pristine)[1], 1)
            self.assertEqual(self.again(), "60 a x\n")

    def test_unstable(self) -> None:
        text, status = self.compare("a x: t\tok\nb: t\tnot ok\n", "a x: t\tok\nb: t\tok\n",
                                    "b: t\tnot ok\n")
        self.assertIn("unstable: b: t (ok or not ok on the pristine kernel,"
                      " not ok on the grafted)", text)
        self.assertEqual((status, self.again()), (0, ""))

    def test_report_on_one_side(self) -> None:
        self.assertEqual(self.compare("a x: t\tok\na x: kernel log: BUG: N\tseen\n",
                                      "a x: t\tok\n", "a x: t\tok\n")[1], 1)

    def test_skipped_as_a_whole(self) -> None:
        text, _ = self.compare("a x: t\tok\nb: status\t4\n", "a x: t\tok\nb: status\t4\n")
        self.assertIn("proves nothing here: b", text)

    def test_nothing_ran(self) -> None:
        self.assertEqual(self.compare("", "")[1], 1)


class KernelsTest(unittest.TestCase):
    """With stand-ins for what builds: a kernel's folder is its name."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        (self.top / "scripts").mkdir()
        for name in ("lib.sh", "test-mm"):
            shutil.copy(SCRIPTS / name, self.top / "scripts")
        self.script("build-user", "echo it went on >&2; exit 1")

    def script(self, name: str, text: str) -> None:
        path = self.top / "scripts" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def kernels(self, grafted: str, pristine: str, same: bool = False) -> str:
        for name, text in (("mm", grafted), ("mm-pristine", pristine)):
            (self.top / name).mkdir(exist_ok=True)
            (self.top / name / ".config").write_text(text)
        self.script("build-kernel",
                    f"echo {self.top}/mm" + ("" if same else "${PRISTINE:+-pristine}"))
        done = subprocess.run([self.top / "scripts/test-mm"], check=False, capture_output=True,
                              text=True, env={"PATH": "/usr/bin:/bin", "BUILD": str(self.top)})
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_with_and_without(self) -> None:
        self.assertIn("it went on", self.kernels(
            "CONFIG_MMU=y\nCONFIG_GMEM=y\nCONFIG_GPU_BUDDY=y\n", "CONFIG_MMU=y\n"))

    def test_compared_with_itself(self) -> None:
        self.assertIn("has GMEM in it", self.kernels("CONFIG_GMEM=y\n", "", same=True))
        self.assertIn("has no GMEM", self.kernels("CONFIG_MMU=y\n", "CONFIG_MMU=y\n"))

    def test_other_options(self) -> None:
        self.assertIn("different options, < without GMEM, > with it: < CONFIG_KSM=y > CONFIG_UML=y",
                      self.kernels("CONFIG_GMEM=y\nCONFIG_UML=y\n", "CONFIG_KSM=y\n"))


class GraftTreeTest(unittest.TestCase):
    def graft_tree(self, *args: str) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as top:
            kernel = Path(top) / "linux"
            (kernel / "mm").mkdir(parents=True)
            (kernel / "mm/Kconfig").write_text("config MMU\n")
            done = subprocess.run([SCRIPTS / "graft-tree", *args], check=False, capture_output=True,
                                  text=True, env={"PATH": "/usr/bin:/bin", "KDIR": str(kernel),
                                                  "BUILD": f"{top}/build"})
            self.assertEqual([path.name for path in kernel.rglob("*")], ["mm", "Kconfig"])
            return done

    def test_pristine(self) -> None:
        done = self.graft_tree("--pristine")
        self.assertEqual((Path(done.stdout.strip()).name, done.stderr, done.returncode),
                         ("linux", "", 0))

    def test_unknown_argument(self) -> None:
        done = self.graft_tree("--pristin")
        self.assertEqual((done.stdout, done.returncode), ("", 1))
        self.assertIn("do not know '--pristin'", done.stderr)


if __name__ == "__main__":
    unittest.main()
