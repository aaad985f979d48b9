// SPDX-License-Identifier: GPL-2.0-only
/// gm_dev_register_physmem() returns an id, which is positive, or a negative errno:
/// a test for zero takes every success for a failure, or every error for an id.
// Confidence: High

virtual report

@test exists@
expression x, e;
position p;
@@

x = gm_dev_register_physmem(...)
... when != x = e
    when != x < 0
    when != x >= 0
(
x@p == 0
|
x@p != 0
|
!x@p
)

@branch exists@
expression x, e;
statement s1, s2;
position p;
@@

x = gm_dev_register_physmem(...);
... when != x = e
    when != x < 0
    when != x >= 0
if (x@p) s1 else s2

@direct@
statement s1, s2;
position p;
@@

(
if (gm_dev_register_physmem@p(...)) s1 else s2
|
if (!gm_dev_register_physmem@p(...)) s1 else s2
)

@ignored@
position p;
@@

gm_dev_register_physmem@p(...);

@stored@
unsigned int x;
position p;
@@

x@p = gm_dev_register_physmem(...)

@script:python depends on report@
p << test.p;
@@
coccilib.report.print_report(p[0], "ERROR: an hnode id is tested for zero: failure is negative")

@script:python depends on report@
p << branch.p;
@@
coccilib.report.print_report(p[0], "ERROR: an hnode id is tested for zero: failure is negative")

@script:python depends on report@
p << direct.p;
@@
coccilib.report.print_report(p[0], "ERROR: an hnode id is tested for zero: failure is negative")

@script:python depends on report@
p << ignored.p;
@@
coccilib.report.print_report(p[0], "ERROR: the id of the hnode is lost, and so is a failure")

@script:python depends on report@
p << stored.p;
@@
coccilib.report.print_report(p[0], "ERROR: an hnode id in an unsigned variable: failure is negative")
