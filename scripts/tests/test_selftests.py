# SPDX-License-Identifier: GPL-2.0
"""The selftests' Makefile: what a change of a header builds again."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SELFTESTS = Path(__file__).resolve().parents[2] / "tools/testing/selftests/gmem"

AGO = 1_000_000_000

# What the kernel's does as far as ours relies on it
LIB_MK = """\
KHDR_INCLUDES ?= -isystem $(dir $(lastword $(MAKEFILE_LIST)))../../../usr/include
TEST_GEN_PROGS := $(addprefix $(OUTPUT)/,$(TEST_GEN_PROGS))
all: $(TEST_GEN_PROGS)
LOCAL_HDRS += ../kselftest.h
$(OUTPUT)/%:%.c $(LOCAL_HDRS)
\t@echo $(filter-out $(LOCAL_HDRS),$^) >$@; echo $(@F)
"""


class HeadersTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        self.gmem = self.top / "tools/testing/selftests/gmem"
        shutil.copytree(SELFTESTS, self.gmem)
        (self.gmem.parent / "lib.mk").write_text(LIB_MK)
        (self.gmem.parent / "kselftest.h").touch()
        (self.top / "out").mkdir()

    def header(self, where: str, name: str) -> Path:
        path = self.top / where / "usr/include" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    def age(self) -> None:
        """Let nothing be new, and the programs newer than the rest."""
        for path in self.top.rglob("*"):
            os.utime(path, (AGO, AGO + (path.parent == self.top / "out")))

    def make(self, *args: str) -> list[str]:
        """The programs that were built."""
        command = ["make", "-s", "-C", self.gmem, f"OUTPUT={self.top}/out", *args, "all"]
        done = subprocess.run(command, check=True, capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin"})
        self.assertEqual(done.stderr, "")
        self.age()
        return sorted(done.stdout.split())

    def rebuilt(self, header: Path, *args: str) -> None:
        every = self.make(*args)
        self.assertIn("migrate", every)
        self.assertEqual(self.make(*args), [])
        header.touch()
        self.assertEqual(self.make(*args), every)
        self.assertEqual((self.top / "out/stale").read_text(), "stale.c gmem_test.c\n")

    def test_built_by_the_project(self) -> None:
        self.rebuilt(self.header("kernel", "linux/gmem.h"),
                     f"KHDR_INCLUDES=-isystem {self.top}/kernel/usr/include")

    def test_built_in_a_kernel_tree(self) -> None:
        self.rebuilt(self.header(".", "linux/gmem_mock.h"))

    def test_number_of_the_system_call(self) -> None:
        self.rebuilt(self.header(".", "asm/unistd_64.h"))

    def test_no_headers_installed(self) -> None:
        self.assertIn("stale", self.make())
        self.assertIn("stale", self.make("-B", "KHDR_INCLUDES="))


if __name__ == "__main__":
    unittest.main()
