# SPDX-License-Identifier: GPL-2.0
"""The table of hooks: reading it, applying and removing its entries.

A hook names its place by an anchor: one line of the file.  No anchor, or more
than one, is an error.  The hook's own text beside the anchor means that it is
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

    def to_json(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_json(data: dict) -> "Hook":
        return Hook(**{**data, "text": tuple(data["text"])})


def read_table(path: Path) -> list[Hook]:
    """Parse the table; the format is described at its top."""
    hooks: list[Hook] = []
    part = needs = position = anchor = refuse = ""
    files: list[str] = []
    text: list[str] = []

    def finish() -> None:
        nonlocal files, text, position, refuse
        if files and not (position and text):
            raise GraftError(f"{path.name}: the hook of {files[0]} is not complete")
        hooks.extend(Hook(part, needs, name, position, anchor, tuple(text), refuse)
                     for name in files)
        files, text, position, refuse = [], [], "", ""

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
        else:
            raise GraftError(f"{path.name}:{number}: cannot read: {line}")
    finish()
    return hooks


def normal(line: str) -> str:
    return " ".join(line.split())


def find(hook: Hook, lines: list[str]) -> tuple[int, bool]:
    """Where the hook's text is or belongs, and whether it is there."""
    size = len(hook.text)
    text = list(hook.text)

    def text_at(where: int) -> bool:
        return where >= 0 and lines[where:where + size] == text

    if hook.position == "replace":
        applied = [i for i in range(len(lines)) if text_at(i)]
        if len(applied) == 1:
            return applied[0], True
    places = [i for i, line in enumerate(lines) if normal(line) == normal(hook.anchor)]
    if len(places) != 1:
        count = "no line reads" if not places else f"{len(places)} lines read"
        raise GraftError(f"{hook.file}: {count} '{hook.anchor}' (anchor of a hook); "
                         "is this a pristine Linux 7.2 tree?")
    if hook.position == "replace":
        return places[0], False
    where = places[0] + 1 if hook.position == "after" else places[0] - size
    if text_at(where):
        return where, True
    return (where if hook.position == "after" else places[0]), False


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
    lines[where:where + len(hook.text)] = [hook.anchor] if hook.position == "replace" else []
    return "\n".join(lines) + "\n"
