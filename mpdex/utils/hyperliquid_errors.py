"""Hyperliquid's refusals: texts and statuses, and the one class that each is here.

A refusal hides inside a 200, as `{"status": "err"}` or as the error of one part of a batch. There
are no codes, so a text is known by how it begins; orders' texts end in " asset=5".

Source: hyperliquid.gitbook.io, "Error responses", "Order status", "Nonces and API wallets"; texts
collected live in 2025 and 2026; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

# HTTP status, or what a text begins with (or, after a star, has in it), in lower case -> ours.
ERRORS: Final[Mapping[int | str, type[VenueError]]] = {
    401: AuthError,
    403: AuthError,  # of the edge, not of the venue: a blocked address or region
    429: RateLimited,
    "too many cumulative requests": RateLimited,
    "too many pending post requests": RateLimited,
    "cannot track more than": LimitReached,
    "post only order would have immediately matched": PostOnlyWouldCross,
    "insufficient margin": InsufficientMargin,
    "insufficient spot balance": InsufficientMargin,
    "order has insufficient spot balance": InsufficientMargin,
    "order must have minimum value": PrecisionRefused,
    "order could not immediately match": NoImmediateMatch,
    "no liquidity available for market order": NoImmediateMatch,
    "price must be divisible by tick size": PrecisionRefused,
    "order has invalid price": PrecisionRefused,
    "order has invalid size": PrecisionRefused,
    "order has zero size": PrecisionRefused,
    "reduce only order would increase position": ReduceOnlyRefused,
    "order price cannot be more than": PriceOutOfBand,
    "price too far from oracle": PriceOutOfBand,
    "order value too large": LimitReached,
    "order was never placed, already canceled, or filled": OrderNotFound,
    "cannot modify canceled or filled order": OrderNotFound,
    "attempted to modify to invalid new order": OrderRejected,
    "error placing new order during modify": OrderRejected,
    "invalid tp/sl price": OrderRejected,
    "order would increase open interest": LimitReached,
    "order rejected due to price more aggressive than oracle": LimitReached,
    "order would cause position to exceed margin tier limit": LimitReached,
    "user or api wallet": AuthError,
    "unable to recover signer": AuthError,
    "must deposit before performing actions": AuthError,
    "mainnet and testnet require different signature": AuthError,
    "vault not registered": AuthError,
    "builder fee has not been approved": AuthError,
    "invalid nonce": NonceRefused,
    "nonce mismatch": NonceRefused,
    "action already expired": NonceRefused,
    "cannot switch leverage type": VenueError,
    "position does not use isolated margin": VenueError,
    "action disabled when unified account": VenueError,
    "orders are empty": OrderRejected,
    # UNVERIFIED wording: a client id that lives already; halts, upgrades, delisted assets.
    "duplicate cloid": DuplicateClientId,
    "*trading is halted": MarketUnavailable,
    "*only post-only": MarketUnavailable,
    "*post only orders are accepted": MarketUnavailable,
    "*delisted": MarketUnavailable,
    "*builder fee": AuthError,
    "*unknown asset": SymbolRefused,
    "*invalid asset": SymbolRefused,
}

# Why an order ended, as its status says it.
REASONS: Final[Mapping[str, type[VenueError]]] = {
    "tickRejected": PrecisionRefused,
    "minTradeNtlRejected": PrecisionRefused,
    "minTradeSpotNtlRejected": PrecisionRefused,
    "perpMarginRejected": InsufficientMargin,
    "insufficientSpotBalanceRejected": InsufficientMargin,
    "reduceOnlyRejected": ReduceOnlyRefused,
    "badAloPxRejected": PostOnlyWouldCross,
    "iocCancelRejected": NoImmediateMatch,
    "marketOrderNoLiquidityRejected": NoImmediateMatch,
    "badTriggerPxRejected": OrderRejected,
    "positionIncreaseAtOpenInterestCapRejected": LimitReached,
    "positionFlipAtOpenInterestCapRejected": LimitReached,
    "tooAggressiveAtOpenInterestCapRejected": LimitReached,
    "openInterestIncreaseRejected": LimitReached,
    "perpMaxPositionRejected": LimitReached,
    "tooManyOpenOrdersRejected": LimitReached,
    "oracleRejected": PriceOutOfBand,
    "marginCanceled": InsufficientMargin,
    "openInterestCapCanceled": LimitReached,
    "selfTradeCanceled": OrderRejected,
    "reduceOnlyCanceled": ReduceOnlyRefused,
    "delistedCanceled": MarketUnavailable,
    "liquidatedCanceled": OrderRejected,
}

_TEXTS: Final = tuple((text, kind) for text, kind in ERRORS.items() if isinstance(text, str))
# "One action per 10 s" once the allowance of an address is used up.
_ALLOWANCE_PAUSE: Final = 10.0
_ASSET: Final = " asset="


def reason_class(word: str) -> type[VenueError] | None:
    """The refusal that a status is; None: an ordinary end, or a word not known."""
    known = REASONS.get(word)
    return OrderRejected if known is None and word.endswith("Rejected") else known


def failure_of(status: int, answer: Json, request: Request, venue: str) -> MpdexError | None:
    """The failure that an answer is; a refusal hides inside a 200, or one level deeper."""
    if status >= 400:
        return refusal(f"HTTP {status}: {answer}", request, venue, answer, status)
    if not isinstance(answer, dict):
        return None
    match answer.get("status"):
        case "err":
            return refusal(str(answer["response"]), request, venue, answer)
        case "error":
            return _post_failure(str(answer["response"]), request, venue, answer)
        case "ok":
            texts = _refused_parts(answer.get("response"))
            return next((refusal(text, request, venue, answer) for text in texts), None)
    return None


def refusal(text: str, request: Request, venue: str, raw: Json, status: int = 200) -> MpdexError:
    """A refusal in our words; the venue's own phrase is its code."""
    message = text.partition(_ASSET)[0][:300]
    phrase, kind = _classify(message.lower(), status, request)
    fields = {"venue": venue, "raw": raw, "code": phrase, "request": str(request)}
    if kind is RateLimited:
        pause = None if status == 429 else _ALLOWANCE_PAUSE
        return RateLimited(message, retry_after=pause, **fields)
    return kind(message, **fields)


def _classify(text: str, status: int, request: Request) -> tuple[str, type[VenueError]]:
    if status in ERRORS:
        return str(status), ERRORS[status]
    for phrase, kind in _TEXTS:
        if text.startswith(phrase) or (phrase[0] == "*" and phrase[1:] in text):
            return phrase.removeprefix("*"), kind
    return text[:60], OrderRejected if request.command and request.call else VenueError


def _post_failure(text: str, request: Request, venue: str, raw: Json) -> MpdexError:
    """A call over the socket that failed: the text mirrors an HTTP status. UNVERIFIED: how."""
    status = text[:3]
    if status.isdecimal() and "400" <= status < "500":
        return refusal(text, request, venue, raw, int(status))
    if _classify(text.lower(), 200, request)[0] in ERRORS:
        return refusal(text, request, venue, raw)
    unclear = OutcomeUnknown if request.command else TransportError
    return unclear(text[:300], venue=venue, raw=raw, request=str(request))


def _refused_parts(response: Json) -> Iterable[str]:
    """Texts of the parts of a batch that were refused; one may stand for all of them."""
    data = response.get("data") if isinstance(response, dict) else None
    if not isinstance(data, dict):
        return []
    parts = data["statuses"] if "statuses" in data else [data.get("status")]
    return [str(part["error"]) for part in parts if isinstance(part, dict) and "error" in part]
