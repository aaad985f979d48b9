/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_GMEM_ADVICE_H
#define _MM_GMEM_ADVICE_H

struct gm_hint;

long gm_advise(const struct gm_hint *hint);

#endif /* _MM_GMEM_ADVICE_H */
