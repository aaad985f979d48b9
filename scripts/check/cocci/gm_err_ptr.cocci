// SPDX-License-Identifier: GPL-2.0-only
/// gm_dev_create(), gm_as_create(), gm_as_get_mm() and gm_as_attach() return an
/// ERR_PTR() on failure and never NULL: a test for NULL lets every error through.
// Confidence: High

virtual report

@test exists@
expression x, e;
position p;
@@

x = \(gm_dev_create\|gm_as_create\|gm_as_get_mm\|gm_as_attach\)(...)
... when != x = e
    when != IS_ERR(x)
    when != PTR_ERR_OR_ZERO(x)
(
x@p == NULL
|
x@p != NULL
|
IS_ERR_OR_NULL(x@p)
)

@declared exists@
type t;
identifier x;
expression e;
position p;
@@

t x = \(gm_dev_create\|gm_as_create\|gm_as_get_mm\|gm_as_attach\)(...);
... when != x = e
    when != IS_ERR(x)
    when != PTR_ERR_OR_ZERO(x)
(
x@p == NULL
|
x@p != NULL
|
IS_ERR_OR_NULL(x@p)
)

@direct@
position p;
@@

(
\(gm_dev_create@p\|gm_as_create@p\|gm_as_get_mm@p\|gm_as_attach@p\)(...) == NULL
|
\(gm_dev_create@p\|gm_as_create@p\|gm_as_get_mm@p\|gm_as_attach@p\)(...) != NULL
)

@script:python depends on report@
p << test.p;
@@
coccilib.report.print_report(p[0], "ERROR: compared with NULL, but failure is an ERR_PTR(): use IS_ERR()")

@script:python depends on report@
p << declared.p;
@@
coccilib.report.print_report(p[0], "ERROR: compared with NULL, but failure is an ERR_PTR(): use IS_ERR()")

@script:python depends on report@
p << direct.p;
@@
coccilib.report.print_report(p[0], "ERROR: compared with NULL, but failure is an ERR_PTR(): use IS_ERR()")
