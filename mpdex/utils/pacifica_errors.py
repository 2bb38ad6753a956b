"""Pacifica, refusals: what its codes and its words mean.

Codes were numbered anew in 2026, and the stream gives none for what its engine refuses, so words go
before codes.

Sources: docs.pacifica.fi, "Error codes"; the codes of 2026 as ccxt 4.5.90 lists them; bodies that
connectors quote; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mpdex.errors import (
    AuthError,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MpdexError,
    NoImmediateMatch,
    NonceRefused,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    PrecisionRefused,
    PriceOutOfBand,
    RateLimited,
    ReduceOnlyRefused,
    SymbolRefused,
    TransportError,
    VenueError,
)
from mpdex.types import Json, Request
from mpdex.utils.pacifica_wire import CANCEL, CREATE, CREATE_MARKET, ORDER_EVENTS

# HTTP status, code of the stream (400 and above) or business code -> ours. Business codes were
# numbered anew in 2026; these are the new numbers, and words go before them.
ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    401: AuthError,
    402: AuthError,
    403: AuthError,
    429: RateLimited,
    "1": AuthError,
    "3": SymbolRefused,
    "4": OrderRejected,
    "5": InsufficientMargin,
    "6": OrderNotFound,
    "7": PrecisionRefused,
    "8": LimitReached,
    "10": LimitReached,
    "11": OrderRejected,
    "12": OrderRejected,
    "13": OrderRejected,
    "20": OrderRejected,
    "21": ReduceOnlyRefused,
    "22": ReduceOnlyRefused,
    "23": ReduceOnlyRefused,
    "25": NoImmediateMatch,
    "28": InsufficientMargin,
    "30": PriceOutOfBand,
    "36": DuplicateClientId,
    "38": MarketUnavailable,
    "41": LimitReached,
    "49": LimitReached,
    "50": OrderRejected,
    "51": OrderRejected,
    "52": PrecisionRefused,
    "53": MarketUnavailable,
    "56": MarketUnavailable,
    "59": PrecisionRefused,
    "62": InsufficientMargin,
    "63": MarketUnavailable,
    "119": MarketUnavailable,
    "signature_verification_failed": AuthError,
    "invalid_amount": PrecisionRefused,
}
# The engine does not know, or did not tell, what became of it: internal error, database error,
# channel closed, response dropped.
_UNDECIDED: Final = frozenset({"0", "14", "26", "27"})
# Codes whose old meaning was another one: after these a cancel has found nothing, either way.
_NO_SUCH_ORDER: Final = frozenset({"5", "6"})
_BY_WORDS: Final[tuple[tuple[str, type[VenueError]], ...]] = (
    ("account not found", AuthError),
    ("beta access", AuthError),
    ("not authorized", AuthError),
    ("unauthorized", AuthError),
    ("signature", AuthError),
    ("public key", AuthError),
    ("restricted", AuthError),
    ("rate limit", RateLimited),
    ("too many requests", RateLimited),
    ("failed to cancel", OrderNotFound),
    ("order not found", OrderNotFound),
    ("history not found", OrderNotFound),
    ("duplicate", DuplicateClientId),
    ("reduce", ReduceOnlyRefused),
    ("insufficient", InsufficientMargin),
    ("immediate liquidation", InsufficientMargin),
    ("post only", PostOnlyWouldCross),
    ("post-only", PostOnlyWouldCross),
    ("too far", PriceOutOfBand),
    ("too low", PrecisionRefused),
    ("tick", PrecisionRefused),
    ("lot size", PrecisionRefused),
    ("multiple", PrecisionRefused),
    ("invalid amount", PrecisionRefused),
    ("invalid price", PrecisionRefused),
    ("too high", LimitReached),
    ("limit reached", LimitReached),
    ("limit exceeded", LimitReached),
    ("no reasonable price", NoImmediateMatch),
    ("trading disabled", MarketUnavailable),
    ("trading is disabled", MarketUnavailable),
    ("halted", MarketUnavailable),
    ("mark price", MarketUnavailable),
    ("book not found", SymbolRefused),
    ("symbol", SymbolRefused),
)
# The time stamp and its window are what makes a request unique: one outside them never acts.
_LATE: Final = ("invalid message", "message expired", "signature expired")
# Nothing but this is told of an order whose price or size is not on the grid, since 2026.
_OFF_GRID: Final = "bad request"


def error_of(venue: str, status: int, answer: Json, request: Request) -> MpdexError:
    """The failure that an answer is: by its id and its words first, then code, then status."""
    fields = answer if isinstance(answer, dict) else {}
    told = fields.get("code")
    code = str(status if told is None else told)
    if code.isdecimal() and int(code) >= 400:  # the stream's own codes are written like a status
        status = int(code)
    message = str(fields.get("error") or answer or f"HTTP {status}")[:300]
    kind = _kind(status, code, fields.get("error_id") or "", message.lower(), request)
    where = str(request)
    if issubclass(kind, OutcomeUnknown | TransportError):
        return kind(f"{code}: {message}", venue=venue, raw=answer, request=where)
    if issubclass(kind, RateLimited):
        after = (fields.get("rl") or {}).get("t")
        return kind(message, venue=venue, raw=answer, code=code, request=where, retry_after=after)
    return kind(message, venue=venue, raw=answer, code=code, request=where)  # type: ignore[call-arg]


def _kind(status: int, code: str, error_id: str, words: str, request: Request) -> type[MpdexError]:
    known = ERRORS.get(error_id)
    if known is None:
        known = _by_words(words, request)
    if known is None and (status >= 500 or code in _UNDECIDED or "internal" in words):
        return OutcomeUnknown if request.command else TransportError
    if known is None and request.path == CANCEL and code in _NO_SUCH_ORDER:
        return OrderNotFound
    known = known or ERRORS.get(code) or ERRORS.get(status)
    if known is None:
        return _by_status(status, request)
    assert issubclass(known, VenueError)
    return known if request.command or not issubclass(known, OrderRejected) else VenueError


def _by_words(words: str, request: Request) -> type[VenueError] | None:
    if any(late in words for late in _LATE):
        return NonceRefused if request.command else AuthError
    if words == _OFF_GRID and request.path in (CREATE, CREATE_MARKET):
        return PrecisionRefused
    return next((kind for word, kind in _BY_WORDS if word in words), None)


def _by_status(status: int, request: Request) -> type[VenueError]:
    if status == 404 and request.path in (CANCEL, ORDER_EVENTS):
        return OrderNotFound
    return OrderRejected if request.command else VenueError
