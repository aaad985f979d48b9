# SPDX-License-Identifier: GPL-2.0
"""The checks, with stand-ins for the tools: one that breaks down is no success."""

import subprocess
import tempfile
import unittest
from pathlib import Path

CHECKS = Path(__file__).resolve().parents[1] / "check/checks"
FINDING = "scripts/x:1:1: warning: text [SC1000]"


def run_check(check: str, tool_name: str, status: int, *findings: str) -> tuple[str, str, int]:
    with tempfile.TemporaryDirectory() as folder:
        tool = Path(folder) / tool_name
        lines = "".join(f"echo '{finding}'\n" for finding in findings)
        tool.write_text(f"#!/bin/sh\n{lines}exit {status}\n")
        tool.chmod(0o755)
        done = subprocess.run([CHECKS / check], check=False, capture_output=True,
                              text=True, env={"PATH": f"{folder}:/usr/bin:/bin",
                                              "BUILD": folder, "CHECK_OUT": folder})
        return done.stdout.strip(), done.stderr.strip(), done.returncode


class ShellcheckTest(unittest.TestCase):
    def check(self, status: int, *findings: str) -> tuple[str, str, int]:
        return run_check("shellcheck", "shellcheck", status, *findings)

    def test_nothing_found(self) -> None:
        self.assertEqual(self.check(0), ("", "", 0))

    def test_findings(self) -> None:
        self.assertEqual(self.check(1, FINDING), (FINDING, "", 1))

    def test_broken(self) -> None:
        # The last is what the checks themselves say when there is nothing to check
        for status in (1, 2, 3, 4, 127, 137, 77):
            self.assertEqual(self.check(status),
                             ("", f"error: shellcheck broke down (status {status})", 1))
        self.assertEqual(self.check(2, FINDING)[1:],
                         ("error: shellcheck broke down (status 2)", 1))


class OtherToolsTest(unittest.TestCase):
    def test_manuals(self) -> None:
        self.assertEqual(run_check("manuals", "mandoc", 0), ("", "", 0))
        self.assertEqual(run_check("manuals", "mandoc", 4, FINDING), (FINDING, "", 1))
        for status in (5, 6, 127, 139):
            self.assertEqual(run_check("manuals", "mandoc", status),
                             ("", f"error: mandoc broke down (status {status})", 1))

    def test_python(self) -> None:
        with_python = "python", "python3"
        self.assertEqual(run_check(*with_python, 0)[::2], ("", 0))
        said, _, status = run_check(*with_python, 137)
        self.assertIn("scripts/mutants: does not compile", said)
        self.assertEqual(status, 1)


if __name__ == "__main__":
    unittest.main()
