# SPDX-License-Identifier: GPL-2.0
"""What the benchmark's JSON says, and what follows from it.

A *contender* is a way to work on one memory with a device, a *workload* is what each
of them is asked to do, and a *figure* is what that cost.  *Ours* is GMEM; the *limit*
copies the same bytes and does nothing else; all others are *peers*.

Documentation/mm/gmem/benchmark.rst describes the file.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

SCHEMA = 1
OURS = "gmem"
LIMIT = "limit"

# Of a figure
NUMBERS = ("total", "copy", "net", "verified_bytes", "faults", "moved_bytes", "lock_waits",
           "lock_wait")

# In this order; a group that is not here comes last, under its own name
GROUPS = {
    "fault": "Faults",
    "prefetch": "Prefetch",
    "resident": "Access to what is resident",
    "pingpong": "Ping-pong",
    "extents": "Changes of a process with much on the device",
    "lifecycle": "Attach, detach, fork",
    "scaling": "Concurrent faults",
    "memory": "Memory",
}


class BenchError(Exception):
    """What went wrong, in one line."""


@dataclass(frozen=True)
class Figure:
    total: float
    copy: float | None = None
    net: float | None = None
    verified: bool = False
    verified_bytes: float | None = None
    faults: float | None = None
    moved_bytes: float | None = None
    lock_waits: float | None = None
    lock_wait: float | None = None


@dataclass
class Workload:
    key: str
    what: str
    unit: str
    group: str
    bytes: int = 0
    x: float | None = None
    x_name: str | None = None
    figures: dict[str, Figure] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def total(self, contender: str) -> float | None:
        figure = self.figures.get(contender)
        return figure.total if figure else None

    def ratio(self, contender: str, base: str | None) -> float | None:
        """How many times what @base takes; None where one of them is absent."""
        return ratio(self.total(contender), self.total(base) if base else None)

    def best_peer(self) -> str | None:
        peers = [c for c in self.figures if c not in (OURS, LIMIT)]
        return min(peers, key=lambda c: self.figures[c].total) if peers else None


@dataclass
class Bench:
    data: dict
    contenders: dict[str, str]
    workloads: list[Workload]

    def groups(self) -> dict[str, list[Workload]]:
        """The workloads by the titles of their groups."""
        order = list(GROUPS) + sorted({w.group for w in self.workloads} - set(GROUPS))
        found = {GROUPS.get(g, g): [w for w in self.workloads if w.group == g] for g in order}
        return {title: workloads for title, workloads in found.items() if workloads}


def ratio(value: float | None, base: float | None) -> float | None:
    """What is below nothing, in the noise, is nothing."""
    if value is None or base is None:
        return None
    if base > 0:
        return max(value, 0) / base
    return math.inf if value > 0 else 1.0


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_figure(where: str, raw: dict) -> Figure:
    numbers = {name: raw.get(name) for name in NUMBERS
               if name == "total" or raw.get(name) is not None}
    for name, value in numbers.items():
        if not is_number(value):
            raise BenchError(f"{where}: {name} is {value}")
    return Figure(**numbers, verified=raw.get("verified") is True)


def read_samples(where: str, raw: dict) -> list[float]:
    """Of each round; none of them are recorded."""
    samples = raw.get("raw", [])
    if not all(is_number(value) for value in samples):
        raise BenchError(f"{where}: raw is {samples}")
    return samples


def read_workload(raw: dict, contenders: dict[str, str]) -> Workload:
    fields = {name: raw.get(name) for name in ("x", "x_name")}
    workload = Workload(raw["key"], raw["what"], raw["unit"], raw["group"],
                        raw.get("bytes") or 0, **fields)
    for contender, result in raw["results"].items():
        where = f"{workload.key}: {contender}"
        if contender not in contenders:
            raise BenchError(f"{where}: not one of the contenders")
        if "absent" in result:
            workload.absent[contender] = result["absent"]
        else:
            workload.figures[contender] = read_figure(where, result)
            workload.samples[contender] = read_samples(where, result)
    return workload


def parse(data: dict) -> Bench:
    if data.get("schema") != SCHEMA:
        raise BenchError(f"schema {data.get('schema')} instead of {SCHEMA}")
    try:
        contenders = {c["key"]: c["name"] for c in data["contenders"]}
        workloads = [read_workload(raw, contenders) for raw in data["workloads"]]
    except KeyError as error:
        raise BenchError(f"there is no {error}") from None
    keys = [w.key for w in workloads]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise BenchError(f"there twice: {' '.join(sorted(twice))}")
    return Bench(data, contenders, workloads)


def load(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: {error}") from None


def read(path: Path) -> Bench:
    data = load(path)
    try:
        return parse(data)
    except BenchError as error:
        raise BenchError(f"{path}: {error}") from None


def dump(value, indent: str = "") -> str:
    """JSON with what holds no further object or list in one line: for diff."""
    inner = indent + " "
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not any(isinstance(part, (dict, list)) for part in parts):
        return json.dumps(value)
    if isinstance(value, list):
        body = [inner + dump(part, inner) for part in value]
        return "[\n" + ",\n".join(body) + f"\n{indent}]"
    body = [f"{inner}{json.dumps(key)}: {dump(part, inner)}" for key, part in value.items()]
    return "{\n" + ",\n".join(body) + f"\n{indent}}}"


def count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def times(value: float | None) -> str:
    """A ratio, with three digits that mean something."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "inf"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"
