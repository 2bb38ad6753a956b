"""Precision and symbols: PS-01 to PS-12 of the fault matrix."""

from __future__ import annotations
