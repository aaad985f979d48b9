/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _HMADVISE_UTIL_H
#define _HMADVISE_UTIL_H

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#endif /* _HMADVISE_UTIL_H */
