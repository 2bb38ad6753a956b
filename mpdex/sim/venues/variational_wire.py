"""Words of the simulated Variational's wire: what requests hold, and how they are refused.

Decimals are text both ways, but for `max_slippage`, which is a number. Slippage is a fraction of 1.
Of the texts of refusals only those of risk checks are public; the others are UNVERIFIED.

Source: Magicianhax/variational-trading-api, `docs/API.md` (635b894), `src/schemas.ts`,
`test/fixtures/*` (c1f63b9, live 2026-08-13); read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from mpdex.sim.records import SimMarket
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.variational_truth import IDENTITY_SECONDS, QUOTE
from mpdex.types import Json, Side

PERPETUAL = "perpetual_future"
SIDES: Mapping[str, Side] = {"buy": "buy", "sell": "sell"}
STATUSES = frozenset({"pending", "canceled", "cleared", "rejected"})
MOST_ROWS, ROWS = 100, 20  # of a page; UNVERIFIED: how many there are where none are asked for
_PLAIN = re.compile(r"\d{1,20}(\.\d{1,20})?")
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Fault(NamedTuple):
    """A refusal: status, body, headers."""

    status: int
    body: Json
    headers: Mapping[str, str] = {}


def said(status: int, message: str, code: str = "") -> Fault:
    """In the venue's usual form."""
    body = {"message": message}
    return Fault(status, {"error_code": code, **body} if code else body)


def failed_check(code: str, message: str, limit: str = "0", result: str = "0") -> Fault:
    """A risk check, as it was seen live."""
    check = {"error_code": code, "name": code, "passed": False, "limit": limit, "result": result}
    return Fault(422, {**check, "message": f"Validation error: {message}"})


# --------------------------------------------------------------------------- refusals

SESSION_OVER = Fault(401, {"message": "Unauthorized"}, {"x-omni-auth": "r"})
WRONG_ADDRESS = said(401, "Connected address does not match the session")
WRONG_SIGNATURE = said(401, "Invalid signature")
CAPTCHA = said(403, "Captcha token is required")
FORBIDDEN = said(403, "Forbidden")
MALFORMED = said(400, "Validation error: malformed request")
UNSUPPORTED = said(400, "Validation error: unsupported instrument")
DECIMALS = said(400, "Validation error: too many decimals")
TOO_SMALL = said(400, "Validation error: order notional is below the minimum")
TOO_LARGE = said(400, "Validation error: qty is above the maximum")
NO_QUOTE = failed_check("olp_risk_checks", "the liquidity provider does not quote this size")
QUOTE_UNKNOWN = said(400, "Validation error: quote not found")
QUOTE_EXPIRED = said(400, "Validation error: quote has expired")
NO_ORDER = said(404, "Order not found")
NOT_FOUND = said(404, "Not found")
NOT_SIMULATED = said(400, "Validation error: not simulated")
CLOSE_ONLY = failed_check("global_configs_check", "market is in close only mode")
TOO_FAR = said(422, "Validation error: limit price is too far from the mark price")
OI_LIMIT = failed_check("oi_limit_exceeded", "open interest limit exceeded", "100", "101")
_CHALLENGE = (
    '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head>'
    "<body>Enable JavaScript and cookies to continue</body></html>"
)
# Neutral refusal class -> the venue's own, for the fault `reject`: those told at once, and the ones
# that are told when an acknowledged order is cleared.
REJECTS = {
    "POST_ONLY": MALFORMED,
    "PRICE_BAND": TOO_FAR,
    "NOT_FOUND": NO_ORDER,
    "NONCE": QUOTE_EXPIRED,
    "DUPLICATE_CID": QUOTE_UNKNOWN,
    "PERMISSION": FORBIDDEN,
    "SYMBOL": UNSUPPORTED,
    "PRECISION": DECIMALS,
    "AUTH": SESSION_OVER,
    "OI_CAP": OI_LIMIT,
    "MARKET_STATE": CLOSE_ONLY,
}
LATE_REJECTS = {"MARGIN": "margin", "REDUCE_ONLY": "reduce_only"}


class Refusal(Exception):
    """The venue says no."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(f"{fault.status}")


def render(fault: Fault) -> SimReply:
    return SimReply(fault.body, fault.status, fault.headers)


def over_limit(seconds: float, *, orders: bool) -> SimReply:
    """Too many requests; too many orders are a ban from them."""
    wait = max(int(seconds) + 1, 1)
    text = "temporarily banned from orders" if orders else "Too many requests"
    body = {"message": text, "wait_until_seconds": wait}
    headers = {"x-rate-limit-resets-in-ms": str(wait * 1000)}
    return SimReply(body, 418 if orders else 429, headers)


def challenge(request: SimRequest) -> SimReply | None:
    """What the wall in front answers to whoever does not look like a browser; None: it lets pass.

    Seen live: no browser's name is refused, and so is a client that wants JSON and says so.
    """
    browser = "Mozilla/" in request.headers.get("user-agent", "")
    if browser and request.headers.get("accept") != "application/json":
        return None
    return wall()


def wall() -> SimReply:
    """Its page."""
    headers = {"cf-mitigated": "challenge", "server": "cloudflare"}
    return SimReply(_CHALLENGE, 403, headers, "text/html; charset=UTF-8")


# --------------------------------------------------------------------------- instruments


def instrument(market: SimMarket) -> dict[str, Json]:
    """In bodies. The interval is that of the identity, never the market's."""
    return {
        "instrument_type": PERPETUAL,
        "underlying": market.symbol,
        "funding_interval_s": IDENTITY_SECONDS,
        "settlement_asset": QUOTE,
    }


def instrument_key(market: SimMarket) -> str:
    """In queries."""
    return f"P-{market.symbol}-{QUOTE}-{IDENTITY_SECONDS}"


def read_instrument(fields: Mapping[str, Json], markets: Mapping[str, SimMarket]) -> SimMarket:
    """Exactly right, or it names a contract that does not exist."""
    given = fields.get("instrument")
    if not isinstance(given, dict):
        raise Refusal(MALFORMED)
    market = markets.get(str(given.get("underlying")))
    if market is None or given != instrument(market):
        raise Refusal(UNSUPPORTED)
    return market


# --------------------------------------------------------------------------- single values


def read_object(request: SimRequest) -> dict[str, Any]:
    """The body; what is a number there is an int or a Decimal, and text stays text."""
    try:
        fields = _decode(request.body)
    except msgspec.DecodeError as error:
        raise Refusal(MALFORMED) from error
    if not isinstance(fields, dict):
        raise Refusal(MALFORMED)
    return fields


def read_amount(fields: Mapping[str, Json], key: str) -> Decimal:
    """Decimal text in plain notation; a number is refused."""
    value = fields.get(key)
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise Refusal(MALFORMED)
    return Decimal(value)


def read_side(fields: Mapping[str, Json]) -> Side:
    side = SIDES.get(str(fields.get("side")))
    if side is None:
        raise Refusal(MALFORMED)
    return side


def read_flag(fields: Mapping[str, Json], key: str) -> bool:
    value = fields.get(key)
    if not isinstance(value, bool):
        raise Refusal(MALFORMED)
    return value


def read_slippage(value: Json) -> Decimal:
    """A fraction of 1, as a number. UNVERIFIED: that the whole price is the most."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= 1:
        raise Refusal(MALFORMED)
    return Decimal(value)


def check_size(market: SimMarket, size: Decimal, price: Decimal | None) -> None:
    """Whether an order or a quote may have it."""
    problem = market.problem(size, price)
    if problem == "max_size":
        raise Refusal(TOO_LARGE)
    if problem in ("size", "notional"):
        raise Refusal(TOO_SMALL)
    if problem:
        raise Refusal(DECIMALS)


def stamp(time_ns: int) -> str:
    """RFC 3339, with as many digits as were seen."""
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{time_ns % 10**9:09d}Z"


def read_time(query: Mapping[str, str], key: str, default: int) -> int:
    """Nanoseconds of a time of a query."""
    text = query.get(key)
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refusal(MALFORMED) from error
    if moment.tzinfo is None:
        raise Refusal(MALFORMED)
    return int(moment.timestamp() * 1_000_000) * 1000


def plain(value: Decimal) -> str:
    """Without an exponent."""
    return format(value, "f")


# --------------------------------------------------------------------------- pages


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list are asked for."""

    key: str | None
    since_ns: int
    until_ns: int
    limit: int
    offset: int
    newest_first: bool
    raw: Mapping[str, str] = field(default_factory=dict)

    def cut(self, oldest_first: list[dict[str, Json]], most: int | None = None) -> Json:
        """One page of rows, in the envelope that lists have."""
        rows = oldest_first[::-1] if self.newest_first else oldest_first
        limit = min(self.limit, most or self.limit)
        end = self.offset + limit
        following = {"limit": str(limit), "offset": str(end)} if end < len(rows) else None
        pages = max(len(rows) - 1, 0) // limit * limit
        pagination = {
            "last_page": {"limit": str(limit), "offset": str(pages)},
            "next_page": following,
            "object_count": len(rows),
        }
        return {"result": rows[self.offset : end], "pagination": pagination}


def read_page(query: Mapping[str, str]) -> Page:
    return Page(
        query.get("instrument"),
        read_time(query, "created_at_gte", 0),
        read_time(query, "created_at_lte", 1 << 62),
        max(min(_count(query, "limit", ROWS), MOST_ROWS), 1),
        _count(query, "offset", 0),
        query.get("order", "desc") == "desc",
        query,
    )


def _count(query: Mapping[str, str], key: str, default: int) -> int:
    text = query.get(key, str(default))
    if not (text.isascii() and text.isdigit()):
        raise Refusal(MALFORMED)
    return int(text)
