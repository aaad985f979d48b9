# SPDX-License-Identifier: GPL-2.0
"""mutants: the table fits the code, and what the results say."""

import io
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from unittest import mock

REPO = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
LOADER = SourceFileLoader("mutants", str(REPO / "scripts/mutants"))
SPEC = spec_from_loader("mutants", LOADER)
mutants = module_from_spec(SPEC)
sys.modules["mutants"] = mutants  # dataclasses look there
LOADER.exec_module(mutants)

TABLE = """\
mutant a
what a does
file f.c
line x = f();
+	x = BROKEN ? 0 : f();
tests one two
mutant b
what b does
file f.c
line x = f();
+	if (!BROKEN)
+		x = f();
tests three
"""


class MutantsTest(unittest.TestCase):
    def test_table_fits_the_code(self) -> None:
        table = mutants.read_table(mutants.TABLE.read_text())
        mutants.mutate(table, lambda name: (REPO / name).read_text())
        programs = {p.stem for p in (REPO / "tools/testing/selftests/gmem").glob("*.c")}
        self.assertEqual({test for m in table for test in m.tests} - programs, set())
        self.assertEqual(len({m.name for m in table}), len(table))

    def test_one_line_of_two_mutants(self) -> None:
        table = mutants.read_table(TABLE)
        text = mutants.mutate(table, lambda _: "int y;\n\tx = f();\n")["f.c"].splitlines()
        self.assertEqual(text[0], "int y;")
        self.assertEqual([line.strip() for line in text[1:]], [
            f"if ({mutants.chosen(1)}) {{", "x = 1 ? 0 : f();", "} else",
            f"if ({mutants.chosen(2)}) {{", "if (!1)", "x = f();", "} else",
            "{", "x = 0 ? 0 : f();", "}"])

    def test_a_line_that_is_gone(self) -> None:
        with self.assertRaises(mutants.TableError):
            mutants.mutate(mutants.read_table(TABLE), lambda _: "\tx = g();\n")

    def test_incomplete(self) -> None:
        with self.assertRaises(mutants.TableError):
            mutants.read_table("mutant a\nwhy\ntests x\n")

    def test_results(self) -> None:
        ran, failed = mutants.read_tap("    ok 1 gmem.a.b\n    not ok 2 gmem.c\nnot ok 1 - p (X=1)\n"
                                       "    ok 1 d # x\nnot ok 2 - q (status 3, l)\n"
                                       "not ok 3 - r (status 124, l)\n"
                                       "    not ok 1 e\nnot ok 4 - s (status 125, l)\n")
        self.assertEqual(ran, {"p:gmem.a.b", "p:gmem.c", "q:d", "s:e"})
        self.assertEqual(failed, {"p:gmem.c", "q:(status or log)", "r:(did not end)", "s:e"})

    def score(self, taps: dict[tuple[str, str], str], table: str = TABLE) -> tuple[int, str]:
        """The status and what is printed, if these are the results by mutant and program."""
        def run(mutant, program, _only, _limit):
            return taps.get((mutant.name, program), f"    ok 1 g.x\nok 1 - {program}\n")

        said = io.StringIO()
        with tempfile.TemporaryDirectory() as out, redirect_stdout(said), \
                mock.patch.object(mutants, "run_program", run), \
                mock.patch.object(mutants, "OUT", Path(out)):
            status = mutants.judge(mutants.read_table(table), False, 1)
        return status, said.getvalue()

    def test_baseline(self) -> None:
        bad = "    not ok 1 g.x\nnot ok 1 - {} (status 1, l)\n"
        noticed = {("a", "one"): bad.format("one"), ("b", "three"): bad.format("three")}
        status, said = self.score(noticed)
        self.assertEqual(status, 0)
        self.assertNotIn("SURVIVED", said)
        status, said = self.score({**noticed, ("none", "three"): bad.format("three")})
        self.assertEqual(status, 1)
        self.assertIn("noticed  a:", said)
        self.assertIn("SURVIVED b:", said)
        self.assertIn("WRONG with no mutant: three:g.x", said)
        # Not even built
        status, said = self.score({**noticed, ("none", "three"): ""})
        self.assertEqual(status, 1)
        self.assertIn("WRONG with no mutant: three:(did not run)", said)

    def test_no_end_is_not_noticed(self) -> None:
        taps = {("a", "one"): "    not ok 1 g.x\nnot ok 1 - one (status 1, l)\n",
                ("b", "three"): "    ok 1 g.x\nnot ok 1 - three (status 124, l)\n"}
        status, said = self.score(taps)
        self.assertEqual(status, 1)
        self.assertIn("SURVIVED b:", said)
        status, said = self.score(taps, TABLE + "hangs\n")
        self.assertEqual(status, 0)
        self.assertIn("noticed  b:", said)

    def test_brief(self) -> None:
        table = mutants.read_table(TABLE.replace("tests three", "tests one two"))
        asked = []

        def run(mutant, program, only, limit):
            if mutant.number:
                asked.append((mutant.name, program, sorted(only)))
            bad = (mutant.name == "a" and program == "one")
            return f"    {'not ok' if bad else 'ok'} 1 g.x\n    ok 2 g.y\nok 1 - {program}\n"

        saved, mutants.run_program = mutants.run_program, run
        try:
            score = mutants.Score()
            self.assertEqual(score.mutant(table[0], True, 1), {"one:g.x"})
            self.assertEqual(score.left("one"), {"g.y"})
            self.assertEqual(score.mutant(table[1], True, 1), set())
        finally:
            mutants.run_program = saved
        # What is left, and then all, because nothing noticed
        self.assertEqual(asked[2:], [("b", "one", ["g.y"]), ("b", "two", ["g.x", "g.y"]),
                                     ("b", "one", []), ("b", "two", [])])

    def test_arguments(self) -> None:
        self.assertEqual(mutants.only_these({"g.y", "g.x"}), "-r g.x -r g.y")
        self.assertEqual(mutants.only_these({"seed 1"}), "")


if __name__ == "__main__":
    unittest.main()
