// SPDX-License-Identifier: GPL-2.0-only
/// The device must not repeat an access whose fault was not resolved: look at what
/// gm_dev_fault() returns, or at gm_fault.ret.
// Confidence: High

virtual report

@seen exists@
expression ctx, fault;
position p;
@@

\(gm_dev_fault@p\|gm_dev_fault_batch@p\)(ctx, &fault, ...);
...
fault.ret

@seen_at exists@
expression ctx, fault;
identifier f =~ "^gm_dev_fault(_batch)?$";
position p;
@@

f@p(ctx, fault, ...);
...
\(fault->ret\|fault[...].ret\)

@ignored@
identifier f =~ "^gm_dev_fault(_batch)?$";
position p != {seen.p, seen_at.p};
@@

f@p(...);

@cast@
identifier f =~ "^gm_dev_fault(_batch)?$";
position p != {seen.p, seen_at.p};
@@

  (void)f@p(...);

@script:python depends on report@
p << ignored.p;
f << ignored.f;
@@
coccilib.report.print_report(p[0], "ERROR: nobody looks whether %s() resolved the fault" % f)

@script:python depends on report@
p << cast.p;
f << cast.f;
@@
coccilib.report.print_report(p[0], "ERROR: nobody looks whether %s() resolved the fault" % f)
