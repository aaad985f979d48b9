# SPDX-License-Identifier: GPL-2.0
"""coverage-report: what it makes of counters, and when it fails."""

import contextlib
import io
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "coverage-report"
HEAD = "TN:\nSF:/x/tree/linux-7.2/mm/gmem/a.c\n"


def load():
    loader = SourceFileLoader("coverage_report", str(SCRIPT))
    module = module_from_spec(spec_from_loader("coverage_report", loader))
    loader.exec_module(module)
    return module


class CoverageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.report = load()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def judge(self, hits: list[int], calls: tuple[int, int], why: dict) -> list[str]:
        """Two functions, from line 1 and 11, of ten lines each."""
        info = self.folder / "all.info"
        info.write_text(HEAD + "FN:1,gm_a\nFN:11,gm_b\n"
                        + f"FNDA:{calls[0]},gm_a\nFNDA:{calls[1]},gm_b\n"
                        + "".join(f"DA:{n},{hit}\n" for n, hit in enumerate(hits, 1)))
        with contextlib.redirect_stdout(io.StringIO()):
            return self.report.judge(self.report.read(info), why)

    def test_all_reached(self) -> None:
        self.assertEqual(self.judge([1] * 20, (1, 1), {}), [])

    def test_line_needs_reason(self) -> None:
        hits = [1] * 14 + [0] + [1] * 5
        self.assertEqual(len(self.judge(hits, (1, 1), {("a.c", "gm_a"): "x"})), 1)
        self.assertEqual(self.judge(hits, (1, 1), {("a.c", "gm_b"): "x"}), [])

    def test_function_must_be_reached(self) -> None:
        found = self.judge([1] * 19 + [0], (1, 0), {("a.c", "gm_b"): "x"})
        self.assertEqual(found, ["mm/gmem/a.c: gm_b() was not reached"])

    def test_too_few_lines(self) -> None:
        why = {("a.c", "gm_a"): "x", ("a.c", "gm_b"): "x"}
        self.assertEqual(self.judge([0] * 3 + [1] * 17, (1, 1), why), [])
        self.assertEqual(len(self.judge([0] * 4 + [1] * 16, (1, 1), why)), 1)

    def test_nothing_counted(self) -> None:
        info = self.folder / "all.info"
        info.write_text("")
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertTrue(self.report.judge(self.report.read(info), {}))

    def test_incomplete_data(self) -> None:
        piece = b"3 /sys/kernel/debug/gcov/b/mm/gmem/a.gcda\nabc"
        data = self.folder / "x.gcov"
        for content, good in ((piece + b"0 end\n", True), (piece, False), (b"", False),
                              (piece[:-1], False), (b"0 end\n", False)):
            data.write_bytes(content)
            if good:
                folder = self.report.unpack(data, self.folder, self.folder / "out")
                self.assertEqual((folder / "mm/gmem/a.gcda").read_bytes(), b"abc")
            else:
                with self.assertRaises(self.report.CoverageError):
                    self.report.unpack(data, self.folder, self.folder / "out")

    def test_reason_is_wanted(self) -> None:
        path = self.folder / "reasons"
        path.write_text("# comment\n\na.c gm_a cannot happen here\n")
        self.assertEqual(self.report.reasons(path), {("a.c", "gm_a"): "cannot happen here"})
        path.write_text("a.c gm_a\n")
        with self.assertRaises(self.report.CoverageError):
            self.report.reasons(path)
