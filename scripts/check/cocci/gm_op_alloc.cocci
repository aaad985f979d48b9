// SPDX-License-Identifier: GPL-2.0-only
/// gm_mmu.peer_map runs under a lock that memory reclaim waits for: an allocation
/// that enters reclaim deadlocks when memory is short. Allocate in
/// gm_mmu.map_prepare, or with GFP_NOWAIT. gm_mmu.peer_unmap and gm_mmu.tlb_invl
/// must not allocate at all: they cannot fail.
///
/// Follows calls through all files of a driver's folder.
// Confidence: Moderate
// Comments: functions of one name in two files of a folder are taken for one

virtual report

@initialize:python@
@@
import os

WAITING_OK = ("GFP_NOWAIT", "GFP_ATOMIC")
ops = {}		# (folder, function): name of the operation
calls = {}		# (folder, function): functions that it calls
flags = {}		# (folder, function): [(flag, position)]

def where(p):
    return os.path.dirname(p.file), p.current_element

def add_op(p, function, op):
    # An operation that must not allocate at all counts more.
    key = os.path.dirname(p.file), function
    if op != "peer_map" or key not in ops:
        ops[key] = op

def reached(start):
    seen, todo = set(), [start]
    while todo:
        folder, function = todo.pop()
        if (folder, function) not in seen:
            seen.add((folder, function))
            todo += [(folder, callee) for callee in calls.get((folder, function), ())]
    return seen

def check(op, function, found):
    rule = "must not wait for memory reclaim" if op == "peer_map" else "must not allocate"
    for key in reached(function):
        for flag, p in flags.get(key, ()):
            if op != "peer_map" or flag not in WAITING_OK:
                found.add((p.file, int(p.line), int(p.column), int(p.column_end),
                           f"ERROR: {flag} in .{op} ({function[1]}), which {rule}"))

@map@
identifier table, f;
position p;
@@
struct gm_mmu table = { .peer_map = f@p, };

@unmap@
identifier table, f;
position p;
@@
struct gm_mmu table = { .peer_unmap = f@p, };

@invl@
identifier table, f;
position p;
@@
struct gm_mmu table = { .tlb_invl = f@p, };

@call@
identifier f;
position p;
@@
f@p(...)

@flag@
identifier gfp =~ "^GFP_";
position p;
@@
gfp@p

// These take GFP_KERNEL when no flags are given.
@object@
expression what, n;
position p;
@@
(
\(kmalloc_obj@p\|kzalloc_obj@p\|kvmalloc_obj@p\|kvzalloc_obj@p\)(what)
|
\(kmalloc_objs@p\|kzalloc_objs@p\|kvmalloc_objs@p\|kvzalloc_objs@p\)(what, n)
)

@plain@
position p;
@@
\(vmalloc@p\|vzalloc@p\|vmalloc_array@p\|vcalloc@p\)(...)

@script:python@
f << map.f;
p << map.p;
@@
add_op(p[0], f, "peer_map")

@script:python@
f << unmap.f;
p << unmap.p;
@@
add_op(p[0], f, "peer_unmap")

@script:python@
f << invl.f;
p << invl.p;
@@
add_op(p[0], f, "tlb_invl")

@script:python@
f << call.f;
p << call.p;
@@
calls.setdefault(where(p[0]), set()).add(f)

@script:python@
gfp << flag.gfp;
p << flag.p;
@@
flags.setdefault(where(p[0]), []).append((gfp, p[0]))

@script:python@
p << object.p;
@@
flags.setdefault(where(p[0]), []).append(("GFP_KERNEL", p[0]))

@script:python@
p << plain.p;
@@
flags.setdefault(where(p[0]), []).append(("vmalloc()", p[0]))

@finalize:python@
@@
found = set()
for key, op in ops.items():
    check(op, key, found)
for path, line, column, end, text in sorted(found):
    print(f"{path}:{line}:{column}-{end}: {text}")
