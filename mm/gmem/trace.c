// SPDX-License-Identifier: GPL-2.0-only
/* The one place that creates the tracepoints of include/trace/events/gmem.h. */
#include "internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/gmem.h>
