/* SPDX-License-Identifier: GPL-2.0-only */
/* KUnit can replace functions. Here they stay what they are. */
#define KUNIT_STATIC_STUB_REDIRECT(...)	do {} while (0)
