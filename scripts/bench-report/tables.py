# SPDX-License-Identifier: GPL-2.0
"""The tables that the terminal and the page show."""

from economy import PARTS
from goals import GOALS
from layout import Row
from results import LIMIT, OURS, Bench, Workload, count, times

BUDGET = ("figure", "measured", "at most")
GOAL = ("goal", "measured", "at most", "or, of the limit")
FIGURES = ("contender", "total", "copy", "net", "faults", "bytes moved", "to the limit",
           "to the best peer")
ECONOMY_NAMES = {"glue": "memory manager", "mmu": "device MMU", "engine": "engine",
                 "program": "program"}


def title(workload: Workload) -> str:
    return f"{workload.what} ({workload.unit})"


def figure_rows(bench: Bench, workload: Workload) -> list[Row]:
    best = workload.best_peer()
    rows: list[Row] = []
    for key, name in bench.contenders.items():
        figure = workload.figures.get(key)
        if figure:
            rows.append((name, count(figure.total), count(figure.copy), count(figure.net),
                         count(figure.faults), count(figure.moved_bytes),
                         times(workload.ratio(key, LIMIT)), times(workload.ratio(key, best))))
        elif key in workload.absent:
            rows.append(f"{name}: {workload.absent[key]}")
    return rows


def summary_head(bench: Bench) -> list[str]:
    others = [key for key in bench.contenders if key != OURS]
    return ["workload", OURS, *(f"to {key}" for key in others), "best peer"]


def summary_row(bench: Bench, workload: Workload) -> Row:
    """Ours, as so many times what each other takes."""
    others = [key for key in bench.contenders if key != OURS]
    return [title(workload), count(workload.total(OURS)),
            *(times(workload.ratio(OURS, key)) for key in others), workload.best_peer() or "-"]


def standing(bench: Bench) -> str:
    """In how many workloads ours takes no more than each other."""
    parts = []
    for key in bench.contenders:
        ratios = [w.ratio(OURS, key) for w in bench.workloads]
        against = [r for r in ratios if r is not None and key not in (OURS, LIMIT)]
        if against:
            parts.append(f"{key} in {sum(r <= 1 for r in against)} of {len(against)}")
    return f"workloads in which {OURS} takes no more than another: {', '.join(parts)}"


def budget_rows(bench: Bench) -> list[Row]:
    return [[f"``{key}``", count(bench.data.get(key)), count(limit)]
            for key, limit in bench.data.get("budget", {}).items()]


def goal_rows(bench: Bench) -> list[Row]:
    def number(value: float | None) -> str:
        return times(value) if value is None or abs(value) < 100 else count(value)
    return [[goal.what, number(goal.measured(bench)), number(goal.at_most),
             number(goal.lowest(bench))] for goal in GOALS]


def waits_head(bench: Bench) -> list[str]:
    return ["waits for locks: times, ns of the guest", *bench.contenders]


def waits_rows(bench: Bench) -> list[Row]:
    """In one round of a workload, all threads together, where that was counted."""
    def cell(workload: Workload, key: str) -> str:
        figure = workload.figures.get(key)
        if not figure or figure.lock_waits is None:
            return "-"
        return f"{count(figure.lock_waits)}, {count(figure.lock_wait)}"
    return [[w.what, *(cell(w, key) for key in bench.contenders)] for w in bench.workloads
            if any(figure.lock_waits is not None for figure in w.figures.values())]


def economy_head() -> list[str]:
    return ["lines of code", *(ECONOMY_NAMES[part] for part in PARTS)]


def economy_rows(bench: Bench) -> list[Row]:
    lines = bench.data["economy"]
    return [[name, *(count(lines[key].get(part)) for part in PARTS)]
            for key, name in bench.contenders.items() if key in lines]
