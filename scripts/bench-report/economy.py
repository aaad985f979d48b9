#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Lines of code that somebody writes to work on one memory with a device.

A line counts if something other than white space and comments is on it.  The table
says which lines are whose and what for:

	CONTENDER PART FILE [NAME...]

stands for the whole file, or for the functions, structures, variables and macros that
are named; "*" is the rest of the file, and must be somebody's when parts of it are
named.  FILE is one of the project or else of the kernel.  The part "-" does not count.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from results import BenchError

PARTS = ("glue", "mmu", "engine", "program")
LEFT_OUT = "-"
REST = "*"
FUNCTION_POINTER = re.compile(r"[^(]*\(\s*\*\s*(?:const\s+)?(\w+)\s*(?:\[.*?\]\s*)?\)\s*\(")
TOKEN = re.compile(r"""/\*.*?\*/ | //(?:\\\n|[^\n])* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
                   re.DOTALL | re.VERBOSE)


@dataclass
class Chunk:
    """What stands for itself at the top level of a file."""
    name: str
    lines: int


def strip(text: str) -> str:
    """Without comments, and with nothing in quotes; lines stay where they are."""
    def blank(match: re.Match) -> str:
        token = match[0]
        return "\n" * token.count("\n") if token[0] == "/" else '""' + "\n" * token.count("\n")
    return TOKEN.sub(blank, text)


def code_lines(text: str) -> list[str]:
    return [line for line in strip(text).splitlines() if line.strip()]


def name_of(lines: list[str]) -> str:
    head = re.split(r"[={;]", " ".join(lines), maxsplit=1)[0]
    if match := (re.match(r"\s*#\s*define\s+(\w+)", head) or FUNCTION_POINTER.match(head)
                 or re.search(r"(\w+)\s*\(", head)):
        return match[1]
    words = re.findall(r"\w+", re.sub(r"\[.*?\]", "", head))
    return words[-1] if words and not head.lstrip().startswith("#") else ""


def statements(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """Line by line, but directives of the preprocessor as a whole; are they one?"""
    held: list[str] = []
    for line in lines:
        directive = bool(held) or line.lstrip().startswith("#")
        held.append(line)
        if not directive or not line.endswith("\\"):
            yield directive, held
            held = []
    if held:
        yield True, held


def chunks(text: str) -> Iterator[Chunk]:
    held: list[str] = []
    depth = 0
    for directive, lines in statements(code_lines(text)):
        held += lines
        if directive:
            done = len(held) == len(lines)
        else:
            depth += sum(lines[0].count(c) for c in "{(") - sum(lines[0].count(c) for c in ")}")
            done = not depth and lines[0].rstrip().endswith((";", "}"))
        if done:
            yield Chunk(name_of(held), len(held))
            held = []
    if depth:
        raise BenchError("the braces do not match")
    if held:
        yield Chunk(name_of(held), len(held))


@dataclass
class Row:
    contender: str
    part: str
    file: str
    names: list[str]


def read_table(path: Path) -> list[Row]:
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) < 3 or words[1] not in (*PARTS, LEFT_OUT):
            raise BenchError(f"{path}:{number}: CONTENDER PART FILE [NAME...] is wanted")
        rows.append(Row(words[0], words[1], words[2], words[3:]))
    return rows


def find(file: str, folders: list[Path]) -> Path:
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    raise BenchError(f"{file} is neither in {' nor in '.join(map(str, folders))}")


def divide(file: str, text: str, rows: list[Row]) -> dict[str, int]:
    """What each part gets of a file's lines, by the rows of one contender for it."""
    found: dict[str, int] = {}
    whole = [row for row in rows if not row.names]
    owner = {name: row.part for row in rows for name in row.names}
    if len(owner) < sum(len(row.names) for row in rows) or len(whole) > (len(rows) == 1):
        raise BenchError(f"{file}: named twice for {rows[0].contender}")
    if whole:
        return {whole[0].part: len(code_lines(text))}
    pieces = list(chunks(text))
    if missing := set(owner) - {chunk.name for chunk in pieces} - {REST}:
        raise BenchError(f"{file} has no {' '.join(sorted(missing))}")
    for chunk in pieces:
        part = owner.get(chunk.name) or owner.get(REST)
        if not part:
            raise BenchError(f"{file}: whose is {chunk.name or 'a directive'}?")
        found[part] = found.get(part, 0) + chunk.lines
    return found


def count(table: list[Row], folders: list[Path]) -> dict[str, dict[str, int]]:
    """Lines by contender and part."""
    found: dict[str, dict[str, int]] = {}
    for contender, file in dict.fromkeys((row.contender, row.file) for row in table):
        rows = [row for row in table if (row.contender, row.file) == (contender, file)]
        text = find(file, folders).read_text()
        for part, lines in divide(file, text, rows).items():
            if part != LEFT_OUT:
                sums = found.setdefault(contender, {})
                sums[part] = sums.get(part, 0) + lines
    return found


def main() -> int:
    repo = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=repo / "tools/testing/bench/economy")
    parser.add_argument("tree", type=Path, help="the kernel's")
    args = parser.parse_args()
    try:
        for contender, lines in count(read_table(args.table), [repo, args.tree]).items():
            print(f"{contender:10}", *(f"{part} {lines.get(part, 0):5}" for part in PARTS))
    except (BenchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
