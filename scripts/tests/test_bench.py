# SPDX-License-Identifier: GPL-2.0
"""bench-report: what follows from the benchmark's JSON.  The figures are made up."""

import argparse
import copy
import json
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from unittest import mock

REPO = Path(__file__).resolve().parents[2]
REPORT = REPO / "scripts/bench-report"
MADE_UP = json.loads((Path(__file__).parent / "bench.json").read_text())
sys.dont_write_bytecode = True
sys.path.insert(0, str(REPORT))
import layout  # noqa: E402
import results  # noqa: E402
import tables  # noqa: E402


def load(name: str):
    loader = SourceFileLoader(f"bench_{name}", str(REPORT / name))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module  # dataclasses look there
    loader.exec_module(module)
    return module


class BenchTest(unittest.TestCase):
    def setUp(self) -> None:
        self.data = copy.deepcopy(MADE_UP)

    def bench(self) -> results.Bench:
        return results.parse(self.data)

    def raw(self, key: str) -> dict:
        return next(w for w in self.data["workloads"] if w["key"] == key)

    def workload(self, key: str) -> results.Workload:
        return next(w for w in self.bench().workloads if w.key == key)


class ResultsTest(BenchTest):
    def test_ratios(self) -> None:
        workload = self.workload("to_device_2m_thp")
        self.assertEqual(workload.best_peer(), "explicit")
        self.assertAlmostEqual(workload.ratio("gmem", "limit"), 357200 / 307200)
        self.assertAlmostEqual(workload.ratio("hmm", "explicit"), 2307200 / 308400)

    def test_limit_is_no_peer(self) -> None:
        self.raw("to_device_2m_thp")["results"]["limit"]["total"] = 1
        self.assertEqual(self.workload("to_device_2m_thp").best_peer(), "explicit")

    def test_absent(self) -> None:
        workload = self.workload("resident_4k")
        self.assertIsNone(workload.ratio("gmem", "hmm"))
        self.assertIsNone(workload.ratio("gmem", "limit"))
        self.assertEqual(workload.absent, {"hmm": "its reads are ioctls"})

    def test_nothing_to_nothing(self) -> None:
        self.assertEqual(results.ratio(0, 0), 1)
        self.assertEqual(results.ratio(-2, -3), 1)
        self.assertEqual(results.times(results.ratio(3, 0)), "inf")
        self.assertEqual(results.ratio(0, 3), 0)

    def test_what_is_no_result(self) -> None:
        def figure(value):
            return lambda: self.raw("resident_4k")["results"]["gmem"].update(total=value)

        def contender():
            self.raw("resident_4k")["results"]["who"] = {"total": 1}

        for spoil in (figure(None), figure("1"), figure(float("nan")), figure(True),
                      contender, lambda: self.data.update(schema=2),
                      lambda: self.data.pop("contenders"),
                      lambda: self.raw("resident_4k").pop("what"),
                      lambda: self.data["workloads"].append(self.raw("resident_4k"))):
            self.setUp()
            self.bench()
            spoil()
            with self.assertRaises(results.BenchError):
                self.bench()

    def test_dump_keeps_all(self) -> None:
        self.assertEqual(json.loads(results.dump(self.data)), self.data)


class TablesTest(BenchTest):
    def test_figures(self) -> None:
        rows = tables.figure_rows(self.bench(), self.workload("to_device_2m_thp"))
        self.assertEqual(rows[0], ("GMEM, mock accelerator", "357,200", "307,200", "50,000", "1",
                                   "2,097,152", "1.16", "1.16"))
        self.assertEqual(rows[-1], ("the bare copy", "307,200", "307,200", "0", "1", "-", "1.00",
                                    "1.00"))

    def test_absent_says_why(self) -> None:
        rows = tables.figure_rows(self.bench(), self.workload("resident_4k"))
        self.assertEqual(rows[-1], "HMM, its test driver: its reads are ioctls")

    def test_summary(self) -> None:
        row = tables.summary_row(self.bench(), self.workload("munmap_unused_100k"))
        self.assertEqual(row[1:], ["7,600", "0.40", "0.12", "-", "1.09", "svm"])

    def test_waits(self) -> None:
        rows = tables.waits_rows(self.bench())
        self.assertEqual(rows[3], ["device faults by 8 threads, 2 MiB THP each", "7, 700",
                                   "72, 160,000", "-", "-", "-"])
        self.assertEqual(len(rows), 8)

    def test_standing(self) -> None:
        self.assertIn("svm in 19 of 19, hmm in 10 of 10, explicit in 0 of 5",
                      tables.standing(self.bench()))

    def test_every_workload_is_in_the_text(self) -> None:
        self.raw("resident_4k")["group"] = "new"
        text = load("table").text(self.bench())
        for workload in self.bench().workloads:
            self.assertEqual(text.count(tables.title(workload)), 2, workload.key)

    def test_simple_table(self) -> None:
        self.assertEqual(
            layout.simple_table(["a", "b"], ["over all of it", ["x", "1"], ["y", "-"]]),
            "==========  ==\n"
            "a            b\n"
            "==========  ==\n"
            "over all of it\n"
            "--------------\n"
            "x            1\n"
            "y           \\-\n"
            "==========  ==")


class CheckTest(BenchTest):
    def setUp(self) -> None:
        super().setUp()
        self.check = load("check")
        self.recorded = results.parse(copy.deepcopy(MADE_UP))

    def judge(self) -> list[str]:
        return self.check.judge(self.bench(), self.recorded)

    def set_total(self, workload: str, contender: str, factor: float) -> None:
        figure = self.raw(workload)["results"][contender]
        figure["total"] *= factor
        if "raw" in figure:
            figure["raw"] = [n * factor for n in figure["raw"]]

    def test_same(self) -> None:
        self.assertEqual(self.judge(), [])

    def test_two_percent(self) -> None:
        self.set_total("munmap_unused_1k", "gmem", 1.019)
        self.assertEqual(self.judge(), [])
        self.set_total("munmap_unused_1k", "gmem", 1.01)
        self.assertEqual(len(self.judge()), 3)  # to svm, hmm and the limit

    def test_a_peer_that_differs(self) -> None:
        self.recorded = self.bench()
        figure = self.raw("munmap_unused_1k")["results"]["svm"]
        before = figure["total"]
        self.set_total("munmap_unused_1k", "svm", 0.95)
        self.assertEqual(len(self.judge()), 1)
        samples = figure.get("raw", [])
        figure["raw"] = [*samples, before]
        self.assertEqual(self.judge(), [])
        # What is far off is luck, and ours may not cost more
        figure["raw"] = [*samples, 2 * before]
        self.assertEqual(len(self.judge()), 1)
        figure["raw"] = [*samples, before]
        self.set_total("munmap_unused_1k", "gmem", 1.03)
        self.assertEqual(len(self.judge()), 3)

    def test_a_peer_that_gained(self) -> None:
        self.set_total("munmap_unused_1k", "svm", 0.9)
        self.assertEqual(self.judge(), ["munmap_unused_1k: gmem to svm: 0.916, 0.824 is recorded"])

    def test_better_is_no_failure(self) -> None:
        self.set_total("mprotect_mapped_1k", "gmem", 0.5)
        self.assertEqual(self.judge(), [])

    def test_worse_than_nothing(self) -> None:
        self.raw("resident_4k")["results"]["gmem"]["total"] = 1
        self.assertEqual(len(self.judge()), 1)

    def test_workload_is_gone(self) -> None:
        self.data["workloads"].remove(self.raw("resident_4k"))
        self.assertEqual(len(self.judge()), 1)

    def test_workload_is_new(self) -> None:
        self.data["workloads"].append(self.raw("resident_4k") | {"key": "more"})
        self.assertEqual(len(self.judge()), 1)
        self.assertEqual(self.check.judge(self.bench(), None), [])

    def test_contender_gave_up(self) -> None:
        self.raw("resident_4k")["results"]["svm"] = {"absent": "does not like it"}
        self.assertEqual(len(self.judge()), 1)

    def test_unverified(self) -> None:
        wrong = ["resident_4k: the data of svm was not verified"]
        result = self.raw("resident_4k")["results"]["svm"]
        result["verified"] = False
        self.assertEqual(self.judge(), wrong)
        result["verified"] = 1
        self.assertEqual(self.judge(), wrong)
        del result["verified"]
        self.assertEqual(self.judge(), wrong)

    def test_unverified_limit(self) -> None:
        self.raw("to_device_2m_thp")["results"]["limit"]["verified"] = False
        self.assertEqual(self.judge(), ["to_device_2m_thp: the data of limit was not verified"])

    def test_verified_in_part(self) -> None:
        result = self.raw("resident_4k")["results"]["svm"]
        whole = result["verified_bytes"]
        result["verified_bytes"] = whole - 1
        self.assertEqual(self.judge(), ["resident_4k: not as many bytes were verified for each: "
                                        f"gmem {whole:,}, svm {whole - 1:,}"])
        del result["verified_bytes"]
        self.assertEqual(len(self.judge()), 2)

    def with_memory(self, ours: int, theirs: int) -> results.Bench:
        """As many pages for each GiB, where a GiB is measured."""
        data = copy.deepcopy(MADE_UP)
        memory = next(w for w in data["workloads"] if w["key"] == "records_thp")
        memory["bytes"] = 1 << 30
        for key, pages in ("gmem", ours), ("svm", theirs):
            memory["results"][key] = {"total": pages * 4096}
        return results.parse(data)

    def test_page_of_memory(self) -> None:
        for now, then, failures in (((2, 0), (0, 0), 0), ((3, 0), (0, 0), 1),
                                    ((42, 40), (40, 40), 0), ((43, 40), (40, 40), 1)):
            found = self.check.worse(self.with_memory(*now), self.with_memory(*then))
            self.assertEqual(len(found), failures, found)

    def test_unsteady(self) -> None:
        result = self.raw("munmap_unused_1k")["results"]["svm"]
        for samples, failures in (([100, 112, 100, 88], 1), ([100, 112, 100, 100], 0),
                                  ([100, 100, 200, 100], 0),
                                  ([100, 92, 108, 106], 0), ([0, 0, 1, 1, 0], 1), ([5], 0)):
            result["raw"] = samples
            self.assertEqual(len(self.judge()), failures, samples)
        found = self.check.unsteady(self.bench_with("munmap_unused_1k", [0, 0, 1, 1, 0]))
        self.assertEqual(found, ["munmap_unused_1k: 2 of 5 samples of svm are more than 10% off "
                                 "their median, 0: 1 to 1"])
        self.raw("faults_thp_8")["results"]["svm"]["raw"] = [1, 2, 3, 4]
        result["raw"] = []
        self.assertEqual(self.judge(), [])

    def bench_with(self, key: str, samples: list[float]) -> results.Bench:
        self.raw(key)["results"]["svm"]["raw"] = samples
        return self.bench()

    def test_budget(self) -> None:
        for value, failures in ((61200, 0), (61201, 1)):
            self.data["fault_thp_insns"] = value
            self.assertEqual(len(self.check.judge(self.bench(), None)), failures)
        del self.data["fault_thp_insns"]
        self.assertEqual(len(self.check.judge(self.bench(), None)), 1)
        for budget in ({}, None):
            self.data["budget"] = budget
            self.assertEqual(self.judge(), ["nothing has a budget"])

    def test_goals(self) -> None:
        self.assertEqual([g.measured(self.bench()) for g in self.check.GOALS][1:3],
                         [-300, 7600 / 7501])
        for contender in ("gmem", "svm", "hmm", "limit"):
            self.set_total("munmap_unused_100k", contender, 1.3)
        lost = "munmap of an unused page, 100,000 extents to 1,000: 1.317, the goal is 1.200"
        self.assertEqual(self.judge(), [lost])
        self.assertEqual(self.open(), [])
        self.assertEqual(self.check.judge(self.bench(), None), [])
        # Nobody had reached it when this was recorded
        self.recorded = self.bench()
        self.assertEqual(self.judge(), [])
        for profiles, text in ((set(), "no"), ({"munmap_unused_1k"}, "a")):
            with mock.patch.object(self.check, "read_profiled", return_value=profiles):
                self.assertEqual(self.open(), [f"{lost} ({text} profile shows what the floor is)"])
        self.data["workloads"].remove(self.raw("munmap_unused_100k"))
        self.recorded = self.bench()
        self.assertEqual(self.judge(), ["munmap of an unused page, 100,000 extents to 1,000: "
                                        "was not measured"])

    def open(self) -> list[str]:
        return self.check.open_goals(self.bench(), self.recorded)

    def test_profiled(self) -> None:
        recorded = results.read(REPO / "tools/testing/bench/recorded.json")
        self.assertEqual(self.check.read_profiled() - {w.key for w in recorded.workloads}, set())

    def test_goal_that_nobody_can_reach(self) -> None:
        results_of = self.raw("to_device_2m_thp")["results"]
        results_of["hmm"]["total"] = 600000
        self.recorded = self.bench()
        # The bare copy takes 0.512 of that
        self.assertEqual(self.open(), ["2 MiB THP to the device, to HMM: 0.595, the goal is 0.512 "
                                       "(a profile shows what the floor is)"])
        results_of["gmem"]["total"] = 310000
        self.recorded = self.bench()
        self.assertEqual(self.judge() + self.open(), [])

    def test_more_code(self) -> None:
        self.data["economy"]["gmem"]["glue"] += 2
        self.assertEqual(len(self.judge()), 3)


class PageTest(BenchTest):
    def test_same_json_same_files(self) -> None:
        page = load("page")
        self.assertEqual(page.files(self.bench()), page.files(self.bench()))

    def test_samples_make_no_difference(self) -> None:
        page, record = load("page"), load("record")
        kept = record.essence(self.data)
        self.assertNotIn('"raw"', json.dumps(kept))
        self.assertEqual(page.files(results.parse(kept)), page.files(self.bench()))

    def test_page_includes_all_and_no_more(self) -> None:
        text = (REPO / "Documentation/mm/gmem/benchmark.rst").read_text()
        for name in load("page").files(self.bench()):
            self.assertEqual(text.count(f".. include:: benchmark/{name}\n"), 1, name)
        self.assertEqual(text.count(".. include:: benchmark/profiles.txt\n"), 1)
        for plot in load("plots").PLOTS:
            self.assertEqual(text.count(f".. kernel-figure:: benchmark/{plot.name}.svg\n"), 1)

    def test_page_is_what_was_recorded(self) -> None:
        recorded = results.read(REPO / "tools/testing/bench/recorded.json")
        folder = REPO / "Documentation/mm/gmem/benchmark"
        for name, text in load("page").files(recorded).items():
            self.assertEqual((folder / name).read_text(), text, name)


class ProfileTest(BenchTest):
    # Both modules were at the same address, one after the other
    SYMBOLS = """\
profile inplace_4k hmm
profile to_device_2m_thp hmm
contender hmm
ffffffffa0000000 t dmirror_fault	[test_hmm]
ffffffffa0000800 d dmirror_data	[test_hmm]
profile inplace_4k gmem
profile to_device_2m_thp gmem
contender gmem
ffffffffa0000000 t cmd_run.isra.0	[gmem_mock]
ffffffffa0000100 t gmock_fault	[gmem_mock]
"""
    NM = {"kernel": "ffffffff81000000 T do_syscall_64\nffffffff81000100 t gm_fault\n"
                    "ffffffff81000200 T lpt_find\nffffffff81000300 T gmap\n"
                    "ffffffff81000400 D data\n                 U none\n",
          "program": "0000000000401000 t mock_touch\n"}
    COUNTS = ("total 100\ninsn ffffffffa0000004 30\ninsn ffffffffa0000904 20\n"
              "insn ffffffff81000010 10\ninsn ffffffff81000110 15\ninsn ffffffff81000204 5\n"
              "insn ffffffff81000304 10\ninsn 401004 9\ninsn 1000 1\n"
              "call 0 401000 1 100\ncall 401000 ffffffff81000000 1 90\n"
              "call ffffffff81000000 ffffffffa0000000 1 80\ncall 1 ffffffff81000100 2 35\n"
              "call 2 ffffffff81000100 1 5\n")

    def setUp(self) -> None:
        super().setUp()
        self.profile = load("profile")
        self.read, modules = self.profile.read_symbols(self.SYMBOLS)
        base = [found for of, said in self.NM.items() for line in said.splitlines()
                for found in self.profile.symbol(line, of)]
        for profile in self.read:
            symbols = self.profile.Symbols(base + modules[profile.contender])
            self.profile.count(profile, self.COUNTS, symbols)

    def test_whose(self) -> None:
        self.assertEqual([p.owners() for p in self.read[1:3]], 2 * [
            {"GMEM": 20, "driver": 50, "kernel": 20, "program": 10}])

    def test_module_of_its_own(self) -> None:
        names = [{f.name for f in p.alone if f.owner == "driver"} for p in self.read]
        self.assertEqual(names, 2 * [{"dmirror_fault"}] + 2 * [{"cmd_run.isra.0", "gmock_fault"}])

    def test_page(self) -> None:
        hmm, _, gmem, _ = self.read
        self.assertEqual(self.profile.page_rows(hmm), [
            ("``dmirror_fault``", "driver", "80", "80.0%", "1"),
            ("``gm_fault``", "GMEM", "40", "40.0%", "3")])
        # cmd_run() but leads there
        self.assertEqual(len(self.profile.page_rows(gmem)), 1)
        self.assertIn(".. rubric:: device fault in place, one page of 4 KiB: gmem\n\n"
                      "100 instructions: 20 of GMEM itself, 50 of the driver, 20 of the kernel, "
                      "10 of the program.\n\n==",
                      self.profile.page(gmem, self.bench()))

    def test_order(self) -> None:
        self.assertEqual([(p.workload, p.contender)
                          for p in self.profile.in_order(self.read, self.bench())],
                         [(key, who) for key in ("inplace_4k", "to_device_2m_thp")
                          for who in ("gmem", "hmm")])

    def test_text(self) -> None:
        text = self.profile.text(self.read[0], 60)
        self.assertTrue(text.startswith("== inplace_4k, hmm ==\n100 instructions: GMEM 20, "))
        self.assertEqual(text.count("do_syscall_64"), 2)

    def test_nothing_counted(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            symbols = Path(folder) / "symbols"
            symbols.write_text(self.SYMBOLS)
            args = argparse.Namespace(symbols=symbols, kernel=None, program=None,
                                      counts=Path(folder) / "counts")
            with mock.patch.object(self.profile, "symbols_of", return_value=[]):
                for number in range(4):
                    with self.assertRaises(results.BenchError):
                        self.profile.read_profiles(args)
                    (Path(folder) / f"counts.{number}").write_text(self.COUNTS)
                self.assertEqual(len(self.profile.read_profiles(args)), 4)
                symbols.write_text("profile inplace_4k hmm\n")
                with self.assertRaises(results.BenchError):
                    self.profile.read_profiles(args)


class PlotsTest(BenchTest):
    def setUp(self) -> None:
        super().setUp()
        self.plots = load("plots")

    def script(self, name: str) -> str:
        plot = next(plot for plot in self.plots.PLOTS if plot.name == name)
        return self.plots.script(plot, self.bench(), Path("it's.svg"))

    def test_panels(self) -> None:
        for name, panels in (("size", 2), ("extents", 2), ("scaling", 2)):
            self.assertIn(f"set multiplot layout 1,{panels}\n", self.script(name))
        self.assertIn("set output 'it''s.svg'\n", self.script("size"))
        self.assertIn("set title 'munmap of an unused page, extents mapped'\n",
                      self.script("extents"))

    def test_points(self) -> None:
        self.assertIn("EOD\n1000 9100\n100000 19000\nEOD\n", self.script("extents"))
        # 367,828 instructions for 512 pages
        self.assertIn("EOD\n4096 5600\n2097152 718.414\n", self.script("size"))
        self.assertIn("EOD\n1 1\n2 1.00247\n", self.script("scaling"))

    def test_nothing_to_show(self) -> None:
        self.data["workloads"] = [self.raw("munmap_unused_1k"), self.raw("resident_4k")]
        self.assertEqual(self.script("extents"), "")
        self.assertEqual(self.script("size"), "")


class CollectTest(BenchTest):
    def test_second_machine(self) -> None:
        collect = load("collect")
        with tempfile.TemporaryDirectory() as folder:
            parts = [Path(folder) / "1.json", Path(folder) / "2.json"]
            for part, start in zip(parts, (0, 1)):
                part.write_text(json.dumps(self.data | {
                    "fault_thp_insns": start, "workloads": self.data["workloads"][start::2]}))
            merged = results.parse(collect.merge(parts))
        self.assertEqual({w.key for w in merged.workloads}, {w.key for w in self.bench().workloads})
        self.assertEqual(merged.data["fault_thp_insns"], 0)
        self.assertEqual(merged.data["machine"]["cpus"], "1 and 1")


if __name__ == "__main__":
    unittest.main()
