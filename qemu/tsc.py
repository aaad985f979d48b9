# SPDX-License-Identifier: GPL-2.0
"""How fast the time stamp counter of this host runs, which is that of the guest.

A guest that boots while its host is busy measures it ten times too slow, and then all of
its clocks run ten times too fast: so it is told.
"""

import ctypes
import mmap
import platform
import time

# rdtsc; shl $32, %rdx; or %rdx, %rax; ret
RDTSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
TRIES = 20
WINDOW_S = 0.05


def _sample(rdtsc) -> tuple[int, int]:
    """The counter and the time in ns, read with as little between them as can be had."""
    best = None
    for _ in range(TRIES):
        before = time.monotonic_ns()
        ticks = rdtsc()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, ticks, (before + after) // 2)
    return best[1], best[2]


def host_tsc_khz() -> int:
    """In kHz; 0 if this host has none, or does not let us look."""
    if platform.machine() != "x86_64":
        return 0
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE,
                         prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return 0
    code.write(RDTSC)
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(address)
    ticks, start = _sample(rdtsc)
    time.sleep(WINDOW_S)
    ticks_end, end = _sample(rdtsc)
    return (ticks_end - ticks) * 1_000_000 // (end - start)
