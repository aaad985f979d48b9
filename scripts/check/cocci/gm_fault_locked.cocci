// SPDX-License-Identifier: GPL-2.0-only
/// gm_dev_fault() sleeps, takes the mmap_lock and calls the driver back: it must
/// not be called under a spinlock, in an RCU read section or with the mmap_lock
/// held.
// Confidence: High

virtual report

@spin exists@
expression lock;
position p;
identifier f =~ "^gm_dev_fault(_batch)?$";
@@

\(spin_lock\|spin_lock_bh\|spin_lock_irq\|raw_spin_lock\|raw_spin_lock_irq\|read_lock\|write_lock\)(lock)
... when != \(spin_unlock\|spin_unlock_bh\|spin_unlock_irq\|raw_spin_unlock\|raw_spin_unlock_irq\|read_unlock\|write_unlock\)(lock)
f@p(...)

@irqsave exists@
expression lock, flags;
position p;
identifier f =~ "^gm_dev_fault(_batch)?$";
@@

\(spin_lock_irqsave\|raw_spin_lock_irqsave\)(lock, flags)
... when != \(spin_unlock_irqrestore\|raw_spin_unlock_irqrestore\)(lock, flags)
f@p(...)

@rcu exists@
position p;
identifier f =~ "^gm_dev_fault(_batch)?$";
@@

rcu_read_lock()
... when != rcu_read_unlock()
f@p(...)

@mmap exists@
expression mm;
position p;
identifier f =~ "^gm_dev_fault(_batch)?$";
@@

\(mmap_read_lock\|mmap_write_lock\)(mm)
... when != \(mmap_read_unlock\|mmap_write_unlock\)(mm)
f@p(...)

@script:python depends on report@
p << spin.p;
f << spin.f;
@@
coccilib.report.print_report(p[0], "ERROR: %s() under a spinlock" % f)

@script:python depends on report@
p << irqsave.p;
f << irqsave.f;
@@
coccilib.report.print_report(p[0], "ERROR: %s() under a spinlock" % f)

@script:python depends on report@
p << rcu.p;
f << rcu.f;
@@
coccilib.report.print_report(p[0], "ERROR: %s() in an RCU read section" % f)

@script:python depends on report@
p << mmap.p;
f << mmap.f;
@@
coccilib.report.print_report(p[0], "ERROR: %s() with the mmap_lock held" % f)
