# SPDX-License-Identifier: GPL-2.0
"""The graft on a kernel tree of three files."""

import sys
import tempfile
import unittest
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "graft"))
from pygraft import GraftError, hooks  # noqa: E402
from pygraft.tree import MANIFEST, Tree  # noqa: E402

TABLE = """\
part core needs mm/gmem/Kconfig
file mm/Kconfig
after source "mm/damon/Kconfig"
+
+source "mm/gmem/Kconfig"
file include/count.h
replace #define COUNT 472
+#define COUNT 473
file twice.c
below int b(void)
before return 0;
+\tprepare();
file twice.c
below int a(void)
replace return 0;
+\treturn 1;
file tbl
refuse ^472\\s
after 471 common last
+472\tcommon\tours
part mock needs drivers/mock/Kconfig
file tbl
before 470 common first
+469\tcommon\tmock
"""
KERNEL = {
    "Kbuild": "",
    "mm/Kconfig": 'menu\n\nsource "mm/damon/Kconfig"\n\nendmenu\n',
    "include/count.h": "#define COUNT 472\n",
    "twice.c": "int a(void)\n{\n\treturn 0;\n}\nint b(void)\n{\n"
               "\treturn 0;\n\treturn 0;\n}\n",
    "tbl": "470\tcommon\tfirst\n471\tcommon\tlast\n",
}


def write(top: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(top: Path) -> dict[str, str]:
    return {str(p.relative_to(top)): p.read_text() for p in sorted(top.rglob("*")) if p.is_file()}


class GraftTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.kernel, self.repo = Path(folder.name, "kernel"), Path(folder.name, "repo")
        write(self.kernel, KERNEL)
        write(self.repo, {"graft/hooks": TABLE,
                          "graft/overlay": "core mm/gmem mm/gmem\nmock mock drivers/mock\n",
                          "mm/gmem/Kconfig": "config GMEM\n", "mm/gmem/a.c": "int a;\n",
                          "mm/gmem/a.o": "object"})

    def tree(self) -> Tree:
        return Tree(self.kernel, self.repo)

    def test_apply(self) -> None:
        self.tree().apply()
        now = read(self.kernel)
        self.assertEqual(now["mm/Kconfig"], 'menu\n\nsource "mm/damon/Kconfig"\n\n'
                         'source "mm/gmem/Kconfig"\n\nendmenu\n')
        self.assertEqual(now["include/count.h"], "#define COUNT 473\n")
        self.assertEqual(now["twice.c"], "int a(void)\n{\n\treturn 1;\n}\nint b(void)\n{\n"
                         "\tprepare();\n\treturn 0;\n\treturn 0;\n}\n")
        self.assertEqual(now["tbl"], "470\tcommon\tfirst\n471\tcommon\tlast\n472\tcommon\tours\n")
        self.assertIn("mm/gmem/a.c", now)
        self.assertNotIn("mm/gmem/a.o", now)

    def test_apply_again_writes_nothing(self) -> None:
        self.tree().apply()
        before = {p: p.stat().st_mtime_ns for p in self.kernel.rglob("*") if p.is_file()}
        self.assertIn("0 files written, 0 removed", self.tree().apply())
        self.assertEqual(before, {p: p.stat().st_mtime_ns for p in before})

    def test_remove_restores_every_byte(self) -> None:
        self.tree().apply()
        self.tree().remove()
        self.assertEqual(read(self.kernel), KERNEL)
        self.assertFalse((self.kernel / "mm/gmem").exists())

    def test_remove_restores_times(self) -> None:
        before = (self.kernel / "tbl").stat().st_mtime_ns
        self.tree().apply()
        self.tree().apply()
        self.tree().remove()
        self.assertEqual((self.kernel / "tbl").stat().st_mtime_ns, before)

    def test_remove_keeps_other_changes(self) -> None:
        self.tree().apply()
        with (self.kernel / "tbl").open("a") as stream:
            stream.write("500\tcommon\tuser\n")
        self.tree().remove()
        self.assertEqual(read(self.kernel)["tbl"], KERNEL["tbl"] + "500\tcommon\tuser\n")

    def test_remove_after_the_tables_changed(self) -> None:
        self.tree().apply()
        write(self.repo, {"graft/hooks": TABLE.replace("ours", "theirs")})
        self.tree().apply()
        self.assertIn("472\tcommon\ttheirs\n", read(self.kernel)["tbl"])
        self.assertNotIn("ours", read(self.kernel)["tbl"])
        self.tree().remove()
        self.assertEqual(read(self.kernel), KERNEL)

    def test_replaced_line_changes(self) -> None:
        before = (self.kernel / "include/count.h").stat().st_mtime_ns
        self.tree().apply()
        write(self.repo, {"graft/hooks": TABLE.replace("473", "474")})
        self.tree().apply()
        self.assertEqual(read(self.kernel)["include/count.h"], "#define COUNT 474\n")
        self.tree().remove()
        self.assertEqual(read(self.kernel), KERNEL)
        self.assertEqual((self.kernel / "include/count.h").stat().st_mtime_ns, before)

    def test_vanished_file_is_removed(self) -> None:
        self.tree().apply()
        (self.repo / "mm/gmem/a.c").unlink()
        self.tree().apply()
        self.assertFalse((self.kernel / "mm/gmem/a.c").exists())

    def test_part_comes_and_goes(self) -> None:
        write(self.repo, {"mock/Kconfig": "config MOCK\n"})
        self.tree().apply()
        self.assertIn("469\tcommon\tmock\n470", read(self.kernel)["tbl"])
        (self.repo / "mock/Kconfig").unlink()
        self.tree().apply()
        self.assertNotIn("mock", read(self.kernel)["tbl"])

    def refused(self, *words: str) -> None:
        before = read(self.kernel)
        with self.assertRaises(GraftError) as caught:
            self.tree().apply()
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertEqual(read(self.kernel), before)
        self.assertFalse((self.kernel / MANIFEST).exists())

    def test_missing_anchor_names_file_and_anchor(self) -> None:
        write(self.kernel, {"mm/Kconfig": "menu\nendmenu\n"})
        self.refused("mm/Kconfig", 'source "mm/damon/Kconfig"')

    def test_anchor_twice(self) -> None:
        write(self.kernel, {"tbl": KERNEL["tbl"] * 2})
        self.refused("tbl", "2 lines")

    def test_anchor_of_another_block(self) -> None:
        write(self.kernel, {"twice.c": KERNEL["twice.c"].replace("\treturn 0;\n", "", 1)})
        self.refused("twice.c", "return 0;")

    def test_text_of_another_block(self) -> None:
        write(self.kernel, {"twice.c": KERNEL["twice.c"] + "int c(void)\n{\n\treturn 1;\n}\n"})
        self.tree().apply()
        self.assertIn("int a(void)\n{\n\treturn 1;\n}\n", read(self.kernel)["twice.c"])

    def test_number_taken(self) -> None:
        write(self.kernel, {"tbl": KERNEL["tbl"] + "472\tcommon\tother\n"})
        self.refused("tbl", "other")

    def test_missing_file(self) -> None:
        (self.kernel / "tbl").unlink()
        self.refused("tbl")

    def test_file_of_the_kernel_is_not_overwritten(self) -> None:
        write(self.kernel, {"mm/gmem/a.c": "something else\n"})
        self.refused("mm/gmem/a.c")

    def test_symbolic_link(self) -> None:
        (self.kernel / "tbl").rename(self.kernel / "real")
        (self.kernel / "tbl").symlink_to("real")
        self.refused("tbl", "symbolic link")

    def test_interrupted_apply(self) -> None:
        self.tree().apply()
        write(self.kernel, {"tbl": KERNEL["tbl"]})
        (self.kernel / "mm/gmem/a.c").unlink()
        self.tree().apply()
        self.assertEqual(self.tree().status()[1], True)
        self.tree().remove()
        self.assertEqual(read(self.kernel), KERNEL)

    def test_hard_link_keeps_its_contents(self) -> None:
        (self.kernel.parent / "link").hardlink_to(self.kernel / "tbl")
        self.tree().apply()
        self.assertEqual((self.kernel.parent / "link").read_text(), KERNEL["tbl"])

    def test_the_real_table_reads(self) -> None:
        table = hooks.read_table(REPO / "graft/hooks")
        self.assertGreater(len(table), 20)
        self.assertEqual(len({(h.file, h.below, h.anchor) for h in table}), len(table))
