"""Market data: MD-01 to MD-10 of the fault matrix."""

from __future__ import annotations
