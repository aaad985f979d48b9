# SPDX-License-Identifier: GPL-2.0
"""The table of hooks: reading it, applying and removing its entries.

A hook names its place by an anchor: one line of the file.  No anchor, or more
than one, is an error, unless a line above it says which one is meant.  The hook's own text beside the anchor means that it is
applied already.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from . import GraftError

POSITIONS = ("after", "before", "replace")


@dataclass(frozen=True)
class Hook:
    part: str
    needs: str
    file: str
    position: str
    anchor: str
    text: tuple[str, ...]
    refuse: str = ""
    below: str = ""

    def to_json(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_json(data: dict) -> "Hook":
        return Hook(**{**data, "text": tuple(data["text"])})


def read_table(path: Path) -> list[Hook]:
    """Parse the table; the format is described at its top."""
    hooks: list[Hook] = []
    part = needs = position = anchor = refuse = below = ""
    files: list[str] = []
    text: list[str] = []

    def finish() -> None:
        nonlocal files, text, position, refuse, below
        if files and not (position and text):
            raise GraftError(f"{path.name}: the hook of {files[0]} is not complete")
        hooks.extend(Hook(part, needs, name, position, anchor, tuple(text), refuse, below)
                     for name in files)
        files, text, position, refuse, below = [], [], "", "", ""

    for number, line in enumerate(path.read_text().splitlines(), 1):
        word, _, rest = line.partition(" ")
        if line.startswith("+"):
            text.append(line[1:])
        elif not line or line.startswith("#"):
            continue
        elif word == "part":
            finish()
            part, _, needs = rest.split()
        elif word == "file":
            if text:
                finish()
            files.append(rest)
        elif word in POSITIONS:
            position, anchor = word, rest
        elif word == "refuse":
            refuse = rest
        elif word == "below":
            below = rest
        else:
            raise GraftError(f"{path.name}:{number}: cannot read: {line}")
    finish()
    return hooks


def normal(line: str) -> str:
    return " ".join(line.split())


def places_of(hook: Hook, anchor: str, lines: list[str]) -> list[int]:
    found = [i for i, line in enumerate(lines) if normal(line) == normal(anchor)]
    if not found:
        raise GraftError(f"{hook.file}: no line reads '{anchor}' (anchor of a hook); "
                         "is this a pristine Linux 7.2 tree?")
    return found


def only_place_of(hook: Hook, anchor: str, lines: list[str]) -> int:
    places = places_of(hook, anchor, lines)
    if len(places) != 1:
        raise GraftError(f"{hook.file}: {len(places)} lines read '{anchor}' (anchor of a hook); "
                         "is this a pristine Linux 7.2 tree?")
    return places[0]


def span(hook: Hook, lines: list[str]) -> tuple[int, int]:
    """Where to look: the whole file, or the block that begins with the line above."""
    if not hook.below:
        return 0, len(lines)
    first = only_place_of(hook, hook.below, lines)
    end = re.match(r"\s*", lines[first]).group() + "}"
    last = next((i for i in range(first + 1, len(lines)) if lines[i].startswith(end)), len(lines))
    return first + 1, last


def find_anchor(hook: Hook, lines: list[str], first: int, last: int) -> int:
    """The one line that reads as the anchor, or the first one of the block."""
    if hook.below:
        return first + places_of(hook, hook.anchor, lines[first:last])[0]
    return only_place_of(hook, hook.anchor, lines)


def find(hook: Hook, lines: list[str]) -> tuple[int, bool]:
    """Where the hook's text is or belongs, and whether it is there."""
    size = len(hook.text)
    text = list(hook.text)

    def text_at(where: int) -> bool:
        return where >= 0 and lines[where:where + size] == text

    first, last = span(hook, lines)
    if hook.position == "replace":
        applied = [i for i in range(first, last) if text_at(i)]
        if len(applied) == 1:
            return applied[0], True
    place = find_anchor(hook, lines, first, last)
    if hook.position == "replace":
        return place, False
    where = place + 1 if hook.position == "after" else place - size
    if text_at(where):
        return where, True
    return (where if hook.position == "after" else place), False


def check_free(hook: Hook, lines: list[str]) -> None:
    """Stop if the place that the hook wants is taken by something else."""
    for line in lines:
        if hook.refuse and re.search(hook.refuse, line) and line not in hook.text:
            raise GraftError(f"{hook.file}: '{normal(line)}' is in the way of "
                             f"'{normal(hook.text[-1])}'")


def applied(hook: Hook, content: str) -> bool:
    return find(hook, content.splitlines())[1]


def apply(hook: Hook, content: str) -> str:
    lines = content.splitlines()
    where, done = find(hook, lines)
    if done:
        return content
    check_free(hook, lines)
    replaced = 1 if hook.position == "replace" else 0
    lines[where:where + replaced] = hook.text
    return "\n".join(lines) + "\n"


def remove(hook: Hook, content: str) -> str:
    lines = content.splitlines()
    where, done = find(hook, lines)
    if not done:
        return content
    # What replaces a line is indented as that was
    indent = re.match(r"\s*", hook.text[0]).group()
    line = [indent + hook.anchor.strip()] if hook.position == "replace" else []
    lines[where:where + len(hook.text)] = line
    return "\n".join(lines) + "\n"
