# SPDX-License-Identifier: GPL-2.0
"""economy: which lines count, and whose they are."""

import sys
import tempfile
import unittest
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(REPO / "scripts/bench-report"))
import economy  # noqa: E402
from results import BenchError  # noqa: E402

SOURCE = """\
// SPDX-License-Identifier: GPL-2.0
/*
 * A driver.
 */
#include <linux/gmem.h>

#define TWICE(x)		\\
	((x) + /* really */	\\
	 (x))

struct drv {
	int x;		/* counts, too */
};

static const char *const names[] = { "/*", "*/ {", };

static int drv_map(struct drv *drv,
		   int x)
{
#ifdef CONFIG_X
	if (x == '{') // an open one
		return 0;
#endif

	/* says { nothing
	 */
	return TWICE(x);
}

static long (*drv_old)(struct file *filp,
		       int x);
static void (*const drv_table[2])(int) = { NULL, NULL };

static int drv_walk(int (*fn)(int));

static const struct ops drv_ops = {
	.map = drv_map,
};

module_init(drv_init);
TEST_MAIN
"""
CHUNKS = [("", 1), ("TWICE", 3), ("drv", 3), ("names", 1), ("drv_map", 9), ("drv_old", 2),
          ("drv_table", 1), ("drv_walk", 1), ("drv_ops", 3), ("module_init", 1), ("TEST_MAIN", 1)]


class EconomyTest(unittest.TestCase):
    def test_chunks(self) -> None:
        found = [(chunk.name, chunk.lines) for chunk in economy.chunks(SOURCE)]
        self.assertEqual(found, CHUNKS)
        self.assertEqual(sum(n for _, n in CHUNKS), len(economy.code_lines(SOURCE)))

    def test_comment_in_a_string(self) -> None:
        self.assertEqual(economy.code_lines('x = "/*";\n// y\n\ny = \'"\'; /* " */\n'),
                         ['x = "";', 'y = ""; '])
        self.assertEqual(economy.code_lines("x(); /* one\n * two */ y();\n"), ["x(); ", " y();"])

    def test_braces(self) -> None:
        with self.assertRaises(BenchError):
            list(economy.chunks("int f(void)\n{\n#if X\n\tif (x) {\n#else\n\t{\n#endif\n\t}\n}\n"))

    def count(self, table: str) -> dict:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "drv.c").write_text(SOURCE)
            (folder / "table").write_text(f"# a comment\n\n{table}")
            return economy.count(economy.read_table(folder / "table"), [folder / "none", folder])

    def test_whole_file(self) -> None:
        self.assertEqual(self.count("a glue drv.c\nb mmu drv.c\n"),
                         {"a": {"glue": 26}, "b": {"mmu": 26}})

    def test_parts(self) -> None:
        self.assertEqual(self.count("a mmu drv.c drv_map drv_ops\na - drv.c TWICE names\n"
                                    "a glue drv.c *\n"), {"a": {"mmu": 12, "glue": 10}})

    def test_mistakes(self) -> None:
        for table in ("a glue drv.c drv_unmap\na glue drv.c *\n",  # not there
                      "a mmu drv.c drv_map\n",  # the rest is nobody's
                      "a mmu drv.c drv_map\na glue drv.c drv_map *\n",
                      "a mmu drv.c drv_map\na glue drv.c\n",
                      "a glue drv.c\na mmu drv.c\n",
                      "a glue none.c\n", "a glue\n", "a clue drv.c\n"):
            with self.assertRaises(BenchError, msg=table):
                self.count(table)

    def test_table_fits_the_code(self) -> None:
        table = economy.read_table(REPO / "tools/testing/bench/economy")
        ours = [row for row in table if (REPO / row.file).is_file()]
        self.assertGreater(economy.count(ours, [REPO])["gmem"]["glue"], 0)
        # What is no file of the project is the kernel's
        self.assertEqual({row.file for row in table if row not in ours}, {"lib/test_hmm.c"})


if __name__ == "__main__":
    unittest.main()
