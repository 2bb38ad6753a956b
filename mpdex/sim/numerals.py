"""Numbers as most venues write them."""

from __future__ import annotations

from decimal import Decimal


def number(value: Decimal) -> str:
    """Plain notation, no trailing zeros."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def milliseconds(ns: int) -> int:
    return ns // 1_000_000
