# SPDX-License-Identifier: GPL-2.0
"""tap: what counts as passed, failed and skipped."""

import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "tap"


class TapTest(unittest.TestCase):
    def run_script(self, text: str, *options: str) -> subprocess.CompletedProcess:
        with tempfile.NamedTemporaryFile("w", suffix=".tap") as file:
            file.write(text)
            file.flush()
            return subprocess.run([SCRIPT, *options, file.name], check=False,
                                  capture_output=True, text=True)

    def count(self, text: str) -> tuple[str, int]:
        done = self.run_script(text, "--brief")
        return done.stdout.strip(), done.returncode

    def test_flat(self) -> None:
        self.assertEqual(self.count("TAP version 13\n1..3\nok 1 a\nok 2 - b # SKIP no\n"
                                    "not ok 3 c\n"), ("1 passed, 1 failed, 1 skipped", 1))

    def test_all_well(self) -> None:
        self.assertEqual(self.count("1..1\nok 1\n"), ("1 passed, 0 failed, 0 skipped", 0))

    def test_nested_counts_leaves(self) -> None:
        self.assertEqual(self.count("    1..2\n    ok 1 a\n    not ok 2 b\nnot ok 1 suite\n"
                                    "    1..1\n    ok 1 c\nok 2 suite\n"),
                         ("2 passed, 1 failed, 0 skipped", 1))

    def test_suite_fails_where_no_case_does(self) -> None:
        self.assertEqual(self.count("    1..1\n    ok 1 a\nnot ok 1 suite\n"),
                         ("1 passed, 1 failed, 0 skipped", 1))

    def test_kernel_log(self) -> None:
        self.assertEqual(self.count("[    0.1] KTAP version 1\n[    0.1] 1..1\n"
                                    "[    0.1]     ok 1 a\n[    0.2] some line\n"
                                    "[    0.2][    T1] ok 1 suite\n"),
                         ("1 passed, 0 failed, 0 skipped", 0))

    def test_cut_short(self) -> None:
        self.assertEqual(self.count("1..3\nok 1 a\n"), ("1 passed, 1 failed, 0 skipped", 1))
        self.assertEqual(self.count("ok 1 a\nBail out! x\n"), ("1 passed, 1 failed, 0 skipped", 1))

    def test_more_than_planned(self) -> None:
        for text in ("1..1\nok 1 a\nok 2 b\n", "ok 1 a\nok 2 b\n1..1\n",
                     "    1..1\n    ok 1 a\n    ok 2 b\nok 1 suite\n1..1\n"):
            self.assertEqual(self.count(text), ("2 passed, 1 failed, 0 skipped", 1))
        self.assertIn(": 1 results planned, 2 seen", self.run_script("1..1\nok 1\nok 2\n").stdout)

    def test_each_has_its_own_plan(self) -> None:
        one = "    KTAP version 1\n    1..1\n        ok 1 x\n        ok 2 y\n    ok 1 a\n"
        self.assertEqual(self.count(f"{one}ok 1 suite\n{one}ok 2 suite\n1..2\n"),
                         ("4 passed, 0 failed, 0 skipped", 0))
        self.assertEqual(self.count("TAP version 13\n1..1\nok 1 a\n" * 2),
                         ("2 passed, 0 failed, 0 skipped", 0))
        self.assertEqual(self.count("ok 1 a\nok 2 b\n"), ("2 passed, 0 failed, 0 skipped", 0))

    def test_words_of_the_phase_are_no_result(self) -> None:
        done = self.run_script("1..1\nok 1 a\nBail out! status 3\n")
        self.assertRegex(done.stdout, r"^FAILED: \S+: Bail out! status 3\n1 passed, 1 failed")

    def test_nothing_is_a_failure(self) -> None:
        self.assertEqual(self.count(""), ("0 passed, 1 failed, 0 skipped", 1))
        self.assertEqual(self.count("ok then\n"), ("0 passed, 1 failed, 0 skipped", 1))

    def test_a_failure_keeps_its_comments(self) -> None:
        done = self.run_script("    # of a\n    ok 1 a\n    # why b\n    not ok 2 b\n"
                               "not ok 1 suite\n")
        self.assertRegex(done.stdout, r"^FAILED: \S+: b\n    why b\n1 passed, 1 failed")

    def test_all_skipped(self) -> None:
        self.assertEqual(self.count("1..0 # SKIP nothing here\n"),
                         ("0 passed, 0 failed, 1 skipped", 1))
