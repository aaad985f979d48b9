# SPDX-License-Identifier: GPL-2.0
"""Columns of text, for a terminal and for a page.

A row is a list of cells, or a text that goes over all columns.
"""

from collections.abc import Sequence

Row = Sequence[str] | str


def widths(rows: list[Row]) -> list[int]:
    cells = [row for row in rows if not isinstance(row, str)]
    return [max(len(cell) for cell in column) for column in zip(*cells)]


def line(row: Sequence[str], width: list[int]) -> str:
    """The first cell is text, the others are figures."""
    first, *others = (cell.ljust(n) if i == 0 else cell.rjust(n)
                      for i, (cell, n) in enumerate(zip(row, width)))
    return "  ".join([first, *others]).rstrip()


def terminal(head: Sequence[str], rows: list[Row]) -> str:
    width = widths([head, *rows])
    return "\n".join([line(head, width)] + [row if isinstance(row, str) else line(row, width)
                                            for row in rows])


def simple_table(head: Sequence[str], rows: list[Row]) -> str:
    """A "simple table" of reStructuredText."""
    # Else it is a list, of one item that is empty
    rows = [row if isinstance(row, str) else [r"\-" if cell == "-" else cell for cell in row]
            for row in rows]
    width = widths([head, *rows])
    # A text over all columns makes them wider, if it must
    longest = max((len(row) for row in rows if isinstance(row, str)), default=0)
    width[0] += max(0, longest - sum(width) - 2 * (len(width) - 1))
    rule = "  ".join("=" * n for n in width)
    span = "-" * len(rule)
    body = [text for row in rows
            for text in ((row, span) if isinstance(row, str) else (line(row, width),))]
    return "\n".join([rule, line(head, width), rule, *body, rule])
