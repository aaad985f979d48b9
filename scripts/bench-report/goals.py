# SPDX-License-Identifier: GPL-2.0
"""What GMEM is to reach against others, and against itself in other conditions.

One row each.  Its own budget, in instructions, comes with the benchmark's figures.
"""

from collections.abc import Callable
from dataclasses import dataclass

from results import LIMIT, OURS, Bench, Workload, ratio

# More instructions for each fault than with one thread are spent on waiting
SCALING = 1 / 0.9


@dataclass(frozen=True)
class Goal:
    what: str
    workloads: tuple[str, ...]
    value: Callable[..., float | None]
    at_most: float
    floor: Callable[..., float | None] | None = None

    def _of(self, bench: Bench, value: Callable[..., float | None]) -> float | None:
        found = {w.key: w for w in bench.workloads}
        if not all(key in found for key in self.workloads):
            return None
        return value(*(found[key] for key in self.workloads))

    def measured(self, bench: Bench) -> float | None:
        return self._of(bench, self.value)

    def lowest(self, bench: Bench) -> float | None:
        """What is not to be had for less, by anybody."""
        return self._of(bench, self.floor) if self.floor else None

    def wanted(self, bench: Bench) -> float:
        return max(self.at_most, self.lowest(bench) or 0)


def to_hmm(workload: Workload) -> float | None:
    return workload.ratio(OURS, "hmm")


def limit_to_hmm(workload: Workload) -> float | None:
    return workload.ratio(LIMIT, "hmm")


def besides_hmm(workload: Workload) -> float | None:
    ours, hmm = (workload.figures.get(key) for key in (OURS, "hmm"))
    return ours.net - hmm.net if ours and hmm else None


def to_each_other(many: Workload, few: Workload) -> float | None:
    return ratio(many.total(OURS), few.total(OURS))


def absolute(workload: Workload) -> float | None:
    return workload.total(OURS)


GOALS = (
    Goal("2 MiB THP to the device, to HMM", ("to_device_2m_thp",), to_hmm, 0.2, limit_to_hmm),
    Goal("a page in place, instructions besides those of HMM", ("inplace_4k",), besides_hmm, 1000),
    Goal("munmap of an unused page, 100,000 extents to 1,000",
         ("munmap_unused_100k", "munmap_unused_1k"), to_each_other, 1.2),
    *(Goal(f"a fault by one of {n} threads, to one thread, {name}",
           (f"faults_{kind}_{n}", f"faults_{kind}_1"), to_each_other, SCALING)
      for kind, name in (("thp", "2 MiB THP"), ("base", "2 MiB in base pages"))
      for n in (2, 4, 8)),
    Goal("records for 1 GiB in huge pages, bytes", ("records_thp",), absolute, 1024),
)
