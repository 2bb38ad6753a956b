"""The vocabulary of the fault language, and how its times, numbers and sizes are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from mpdex.errors import UsageError

OPS = (
    "place",
    "cancel",
    "amend",
    "query_order",
    "query_open",
    "query_fills",
    "query_positions",
    "query_balance",
    "query_leverage",
    "leverage",
    "meta",
    "auth",
    "ws_private",
    "ws_public",
    "trade",
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILTERS = _words("nth every prob between at side when transport")
STREAM_ACTIONS = _words(
    "disconnect silence lose duplicate reorder gap stale_snapshot handshake mutate corrupt replay"
)
CONNECTION_ACTIONS = _words("disconnect silence replay")
TRUTH_ACTIONS = _words(
    "fill move thin halt liquidate adl manual_trade fund drop_order set_leverage"
    " cancel_all withdraw change limit expire"
)
REQUEST_ACTIONS = CONNECTION_ACTIONS | _words(
    "reject http drop_request drop_response delay ack_then ack_ok keep ignore mutate"
    " not_found empty stale page fill drop_order duplicate stale_snapshot"
)
PROCESS = ("proc", "disk", "clock")
PROCESS_ACTIONS = _words("crash signal suspend step skew full readonly tear")
# Which of them stands for which actor, where a rule does not say.
ACTORS = {"step": "clock", "skew": "clock", "full": "disk", "readonly": "disk", "tear": "disk"}
COUNTED = _words("lose duplicate gap handshake corrupt")
POINTS = _words(
    "before_journal after_journal after_send after_ack after_fill_recv after_hedge_send in_recovery"
)
PHASES = {
    "before_place_ack": "place",
    "resting": "place",
    "after_cancel_send": "cancel",
    "after_cancel_ack": "cancel",
    "after_restart": "truth",
}
SIGNALS = _words("TERM INT KILL")
HALTS = _words("post_only cancel_only reduce_only market down")
# Actions whose arguments are times for which, or after which, they act.
LASTING = _words("disconnect silence delay ack_then stale stale_snapshot halt fill suspend thin")
# Changes that end with the window of their rule.
STATES = _words("halt thin move change limit full readonly step skew")

FOREVER = 10.0**9  # seconds
SECONDS = {"": 0.001, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
TIME = r"\d+(?:\.\d+)?\s*(?:ms|min|s|m|h)"
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|)")
_SIZE = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<factor>\d+(?:\.\d+)?|\.\d+)\s*\*?\s*)?(?P<unit>[A-Za-z_]\w*)?"
    r"(?:\s*/\s*(?P<parts>\d+(?:\.\d+)?))?"
)
_WHOLE = _words("q size all")
UNITS = _words("min_P min_H lot_P lot_H")


class BadRule(UsageError):
    """A fault rule that cannot be read; the message quotes it."""


def parse_seconds(text: str) -> float:
    """`4s`, `500ms`, `5m`; a bare number is milliseconds."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise BadRule(f"not a time: {text!r}")
    return float(found[1]) * SECONDS[found[2]]  # seconds


def parse_signed_ms(text: str) -> Decimal:
    """A time that may be negative, in milliseconds."""
    text = text.strip()
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.lstrip("+"))
    return sign * Decimal(str(round(parse_seconds(digits) * 1000, 3)))


def parse_number(text: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation as error:
        raise BadRule(f"not a number: {text!r}") from error


def parse_bps(text: str) -> Decimal:
    """`60`, `+700 bps`: basis points."""
    return parse_number(text.strip().removesuffix("bps"))


def parse_rate(text: str) -> Decimal:
    """A fraction: `0.005`, `50 bps`, `0.5%`."""
    text = text.strip()
    if text.endswith("bps"):
        return parse_bps(text) / 10_000
    return parse_number(text[:-1]) / 100 if text.endswith("%") else parse_number(text)


def parse_size(text: str, whole: Decimal, units: Mapping[str, Decimal] | None = None) -> Decimal:
    """Coins; `q`, `0.4q`, `q/10`, `all` are parts of `whole`; `0.1*min_H` of a venue's minimum.

    Args:
        units: values of min_P, min_H, lot_P and lot_H.

    Raises: BadRule.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found or (not any(found.group("factor", "unit")) and text.strip()):
        raise BadRule(f"not a size: {text!r}")
    unit = found["unit"] or ""
    if unit in _WHOLE or not text.strip():
        size = whole
    elif unit:
        size = _unit(unit, units)
    else:
        size = Decimal(1)
    size *= Decimal(found["factor"] or 1) / Decimal(found["parts"] or 1)
    return -size if found["sign"] == "-" else size


def _unit(name: str, units: Mapping[str, Decimal] | None) -> Decimal:
    if name not in UNITS:
        raise BadRule(f"not a unit of size: {name!r}; there are q, {', '.join(sorted(UNITS))}")
    return (units or {}).get(name, Decimal(0))
