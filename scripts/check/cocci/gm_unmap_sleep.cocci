// SPDX-License-Identifier: GPL-2.0-only
/// gm_mmu.peer_unmap must not sleep when GM_UNMAP_NONBLOCK is set: a driver that
/// takes sleeping locks there, and never looks at the flag, sleeps all the same.
///
/// Follows calls through all files of a driver's folder.
// Confidence: Moderate
// Comments: functions of one name in two files of a folder are taken for one

virtual report

@initialize:python@
@@
import os

ops = set()		# (folder, function)
calls = {}		# (folder, function): functions that it calls
sleeps = {}		# (folder, function): [(what sleeps, position)]
looks = set()		# (folder, function) that look at the flag

def where(p):
    return os.path.dirname(p.file), p.current_element

def reached(start):
    seen, todo = set(), [start]
    while todo:
        folder, function = todo.pop()
        if (folder, function) not in seen:
            seen.add((folder, function))
            todo += [(folder, callee) for callee in calls.get((folder, function), ())]
    return seen

@unmap@
identifier table, f;
position p;
@@
struct gm_mmu table = { .peer_unmap = f@p, };

@call@
identifier f;
position p;
@@
f@p(...)

@sleep@
identifier f =~ "^(mutex_lock|down|down_read|down_write|wait_for_completion|wait_event|msleep|usleep_range|synchronize_rcu|flush_work|dma_fence_wait)$";
position p;
@@
f@p(...)

@look@
position p;
@@
GM_UNMAP_NONBLOCK@p

@script:python@
f << unmap.f;
p << unmap.p;
@@
ops.add((os.path.dirname(p[0].file), f))

@script:python@
f << call.f;
p << call.p;
@@
calls.setdefault(where(p[0]), set()).add(f)

@script:python@
f << sleep.f;
p << sleep.p;
@@
sleeps.setdefault(where(p[0]), []).append((f, p[0]))

@script:python@
p << look.p;
@@
looks.add(where(p[0]))

@finalize:python@
@@
found = set()
for op in ops:
    functions = reached(op)
    if functions & looks:
        continue
    for function in functions:
        for what, p in sleeps.get(function, ()):
            found.add((p.file, int(p.line), int(p.column), int(p.column_end),
                       f"ERROR: {what}() in .peer_unmap ({op[1]}), which never looks at GM_UNMAP_NONBLOCK"))
for path, line, column, end, text in sorted(found):
    print(f"{path}:{line}:{column}-{end}: {text}")
