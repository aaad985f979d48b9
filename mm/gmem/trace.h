/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_GMEM_TRACE_H
#define _MM_GMEM_TRACE_H

#include "internal.h"
#include <trace/events/gmem.h>

#endif /* _MM_GMEM_TRACE_H */
