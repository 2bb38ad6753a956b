"""Combinations of faults: C-01 to C-10 of the fault matrix."""

from __future__ import annotations
