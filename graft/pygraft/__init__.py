# SPDX-License-Identifier: GPL-2.0
"""Graft GMEM into a kernel tree: see graft/graft --help."""


class GraftError(Exception):
    """Something the user has to know, in one line."""
