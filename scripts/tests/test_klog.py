# SPDX-License-Identifier: GPL-2.0
"""klog-check: its own samples, and that it knows our functions by their names."""

import re
import subprocess
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SCRIPT = REPO / "scripts/klog-check"
# A definition or declaration begins in the first column; the last name is the function's
FUNCTION = re.compile(r"^(?!typedef\b)[a-z][\w\s*]*?\b([a-z_]\w*)\(", re.MULTILINE)
NOT_FUNCTIONS = {"static_assert"}


def load():
    loader = SourceFileLoader("klog_check", str(SCRIPT))
    module = module_from_spec(spec_from_loader("klog_check", loader))
    loader.exec_module(module)
    return module


class KlogCheckTest(unittest.TestCase):
    def test_samples(self) -> None:
        done = subprocess.run([SCRIPT, "--self-test"], check=False,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_knows_our_functions(self) -> None:
        klog = load()
        names = {name for path in (REPO / "mm/gmem").glob("*.[ch]")
                 for name in FUNCTION.findall(path.read_text())} - NOT_FUNCTIONS
        self.assertGreater(len(names), 100)
        self.assertEqual([n for n in sorted(names) if not klog.OURS.match(f"{n}+0x1/0x2")], [])
