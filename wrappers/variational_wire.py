"""Variational, words: instruments, the objects that answers hold, refusals.

A quote is for one size and both sides. An order is known by its `rfq_id` alone; it is filled whole
or not at all, and `cleared` is the word for it. Decimals come as text, times with up to nine digits
of a second.

Sources: Magicianhax/variational-trading-api, `docs/API.md` (635b894), `src/schemas.ts`,
`src/instrument.ts`, `src/precision.ts`, `test/fixtures/*` (c1f63b9, live 2026-08-13);
journeyanhk/grid-bot-wg 08c5bab (live 2026-09-08); variational 0.6.0 (rounding); read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from typing import Final

from mpdex.errors import (
    AuthError,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MpdexError,
    NoImmediateMatch,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PrecisionRefused,
    PriceOutOfBand,
    RateLimited,
    ReduceOnlyRefused,
    SymbolRefused,
    TransportError,
    VenueError,
)
from mpdex.types import (
    Fill,
    Json,
    Market,
    Order,
    OrderStatus,
    Position,
    Request,
    Side,
    TimeInForce,
)
from mpdex.utils.markets import MarketList
from mpdex.utils.wire_words import known
from wrappers.variational_auth import VENUE

QUOTE: Final = "USDC"
MARKET, LIMIT, CANCEL = "/orders/new/market", "/orders/new/limit", "/orders/cancel"
YEAR_SECONDS: Final = 31_536_000
PAGE: Final = 100
SIDES: Final[Mapping[str, Side]] = {"buy": "buy", "sell": "sell"}
STATUSES: Final = {
    "pending": OrderStatus.OPEN,
    "cleared": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
}
ALL_STATUSES: Final = ",".join(sorted(STATUSES))
# Whether a type of order has a price of its own, once it acts.
_PRICED: Final = {
    "market": False,
    "stop_loss": False,
    "take_profit": False,
    "limit": True,
    "trigger": True,
    "stop_limit": True,
}
# Of trades: what moves a position, and what has happened. UNVERIFIED: that a settlement moves none.
_MOVING: Final = frozenset({"trade", "liquidation", "settlement_market_delisted"})
_DONE: Final = {
    "confirmed": True,
    "cleared": True,
    "pending": False,
    "failed": False,
    "rejected": False,
    "canceled": False,
}

# The identity of a contract says one hour, whatever the market's own interval is; the market's own
# names a contract that does not exist.
_IDENTITY_SECONDS: Final = 3600
_PERPETUAL, _RWA = "perpetual_future", "perpetual_rwa_future"
_RWA_TAGS: Final = {"equity": "EQY", "commodity": "CMD", "index": "IDX", "etf": "ETF"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE: Final = Decimal(1)


# --------------------------------------------------------------------------- instruments


def instrument_of(row: Json) -> dict[str, Json] | None:
    """What bodies call the contract of an asset; None: not one that is traded here.

    Contracts for difference, tokens of one chain and whatever comes next are left out. UNVERIFIED:
    how the list names the chain and the address of a token.
    """
    kind, asset_class = row.get("instrument_type"), row.get("asset_class")
    name = {"underlying": row["asset"], "instrument_type": kind, "settlement_asset": QUOTE}
    if kind == _PERPETUAL and not asset_class and not row.get("is_dex"):
        return {**name, "funding_interval_s": _IDENTITY_SECONDS}
    if kind == _RWA and asset_class in _RWA_TAGS:
        return {**name, "kind": asset_class}
    return None


def instrument_key(instrument: Json) -> str:
    """What queries call it."""
    name, settled = instrument["underlying"], instrument["settlement_asset"]
    if instrument["instrument_type"] == _RWA:
        return f"P-RWA/{_RWA_TAGS[instrument['kind']]}-{name}-{settled}"
    token = instrument.get("dex_token_details")
    chain = f"{token['network']}_{token['underlying_address']}-" if token else ""
    return f"P-{chain}{name}-{settled}-{instrument['funding_interval_s']}"


def flat(instrument: Json) -> dict[str, str]:
    """The third form, of some metadata."""
    query = {name: instrument[name] for name in ("underlying", "instrument_type")}
    return {**query, "asset_class": instrument["kind"]} if "kind" in instrument else query


# --------------------------------------------------------------------------- grids


def lot_of(least: Decimal, price: Decimal) -> Decimal:
    """The step of sizes, from the least value of an order: at most one coin, also at no price."""
    return min(_ONE, _ONE.scaleb((least / price).adjusted())) if price else _ONE


def price_step(price: Decimal, rules: Json) -> Decimal:
    """Digits of a price near this one. UNVERIFIED: that more of them are refused.

    From one upwards so many significant ones, though never fewer decimals than the least; below,
    so many decimals after the zeros.
    """
    if price < 1:
        return _ONE.scaleb(price.adjusted() + 1 - int(rules["max_decimal_only_figures"]))
    figures, least = rules["max_significant_figures"], rules["min_decimal_figures"]
    return _ONE.scaleb(-max(int(figures) - 1 - price.adjusted(), int(least)))


def round_size(price: Decimal, value: Decimal) -> Decimal:
    """About so much worth, in one digit: on the grid whatever the grid is."""
    size = value / price
    return size.quantize(_ONE.scaleb(size.adjusted()), rounding=ROUND_CEILING)


# --------------------------------------------------------------------------- objects


def decode_market(row: Json, instrument: Json, config: Json) -> Market:
    """Step and minimum by the rule of the venue's SDK; a quote tells them, see `completed`."""
    price, least = Decimal(row["price"]), Decimal(config["min_order_notional"])
    step = lot_of(least, price)
    return Market(
        symbol=row["asset"],
        coin=row["asset"],
        quote=QUOTE,
        kind="perp",
        tick=price_step(price, config["default_precision_requirements"]),
        step=step,
        min_size=(least / price / step).to_integral_value(ROUND_CEILING) * step,
        min_notional=least,
        max_size=None,
        multiplier=_ONE,
        max_leverage=None,
        significant_figures=None,
        price_band=None,
        active=row["has_perp"] and not row["is_close_only_mode"],
        raw={**row, "instrument": instrument},
    )


def completed(market: Market, quote: Json) -> Market:
    """With the grid and the bounds of sizes that a quote tells; of both sides the narrower."""
    sides = [quote["qty_limits"][side] for side in ("bid", "ask")]
    step = max(Decimal(side["min_qty_tick"]) for side in sides)
    largest = min(Decimal(side["max_qty"]) for side in sides)
    return {
        **market,
        "step": step,
        "min_size": max(Decimal(side["min_qty"]) for side in sides),
        "max_size": (largest / step).to_integral_value(ROUND_DOWN) * step,
    }


def decode_order(row: Json, client_id: str | None, markets: MarketList) -> Order:
    """All is filled, or nothing.

    Of a trigger without a size, which closes whatever position there is, the size is 0.
    """
    priced = known(_PRICED, row["order_type"], "order type", VENUE)
    status = known(STATUSES, row["status"], "order status", VENUE)
    size, cleared = Decimal(row["qty"] or 0), status is OrderStatus.FILLED
    limit = row.get("limit_price") if priced else None
    clearing = row["order_type"] == "market" and status is OrderStatus.OPEN
    return Order(
        id=row["rfq_id"],
        client_order_id=client_id,
        symbol=markets.symbol_of(instrument_key(row["instrument"])),
        side=known(SIDES, row["side"], "side", VENUE),
        type="limit" if priced else "market",
        price=None if limit is None else Decimal(limit),
        size=size,
        filled=size if cleared else Decimal(0),
        average_price=Decimal(row["price"]) if cleared else None,
        status=OrderStatus.PENDING if clearing else status,
        time_in_force=TimeInForce.FOK if row.get("tif") == "fill_or_kill" else TimeInForce.GTC,
        post_only=False,
        reduce_only=bool(row.get("is_reduce_only")),
        reason=_reason(row, status),
        timestamp_ms=time_ms(row["created_at"]) if row.get("created_at") else None,
        raw=row,
    )


def _reason(row: Json, status: OrderStatus) -> str:
    """With the risk checks that failed, where there are some."""
    if status is OrderStatus.CANCELED:
        return str(row.get("cancel_reason") or "")
    if status is not OrderStatus.REJECTED:
        return ""
    checks: Iterable[Json] = row.get("failed_risk_checks") or ()
    return " ".join([str(row.get("clearing_status") or ""), *(str(c.get("name")) for c in checks)])


def decode_fill(row: Json, client_id: str | None, markets: MarketList) -> Fill:
    """Trading costs nothing but the spread, so there is no fee in it."""
    return Fill(
        id=row["id"],
        order_id=row.get("source_rfq") or "",
        client_order_id=client_id,
        symbol=markets.symbol_of(instrument_key(row["instrument"])),
        side=known(SIDES, row["side"], "side", VENUE),
        price=Decimal(row["price"]),
        size=Decimal(row["qty"]),
        fee=Decimal(0),
        fee_asset=QUOTE,
        liquidity="maker" if row.get("role") == "maker" else "taker",
        timestamp_ms=time_ms(row["created_at"]),
        raw=row,
    )


def is_fill(row: Json) -> bool:
    """Whether a trade has happened, and moved a position."""
    word = row.get("status")
    done = True if word is None else known(_DONE, word, "trade status", VENUE)
    return done and row["trade_type"] in _MOVING


def decode_position(row: Json, markets: MarketList) -> Position:
    """The quantity is signed."""
    info, liquidation = row["position_info"], row.get("estimated_liquidation_price")
    size = Decimal(info["qty"])
    return Position(
        symbol=markets.symbol_of(instrument_key(info["instrument"])),
        side="long" if size > 0 else "short",
        size=abs(size),
        entry_price=Decimal(info["avg_entry_price"]),
        mark_price=Decimal(row["price_info"]["price"]),
        unrealized_pnl=Decimal(row["upnl"]),
        liquidation_price=None if liquidation is None else Decimal(liquidation),
        leverage=None,
        raw=row,
    )


def rows_of(answer: Json) -> list[Json]:
    """Of a list, which comes bare or in an envelope."""
    rows: list[Json] = answer if isinstance(answer, list) else answer["result"]
    return rows


def next_offset(answer: Json, offset: int) -> int | None:
    """Where the following page begins; None: there is none."""
    if isinstance(answer, dict) and "next_page" in (answer.get("pagination") or {}):
        following = answer["pagination"]["next_page"]
        return None if following is None else int(following["offset"])
    return offset + PAGE if len(rows_of(answer)) >= PAGE else None


# --------------------------------------------------------------------------- times


def time_ms(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def iso_text(at_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


# --------------------------------------------------------------------------- refusals

# HTTP status -> ours, where the words tell nothing more.
ERRORS: Final[Mapping[int | str, type[Exception]]] = {
    401: AuthError,
    403: AuthError,
    418: RateLimited,
    429: RateLimited,
}
BANNED: Final = (418, 429)
# Codes of risk checks, reasons of orders, and texts. Of texts only that of the risk checks is
# public: UNVERIFIED, the rest. The first that is found counts.
_BY_WORDS: Final[tuple[tuple[str, type[VenueError]], ...]] = (
    ("taker_funding", InsufficientMargin),
    ("taker_deposit", InsufficientMargin),
    ("insufficient", InsufficientMargin),
    ("not enough", InsufficientMargin),
    ("margin", InsufficientMargin),
    ("reduce_only", ReduceOnlyRefused),
    ("reduce only", ReduceOnlyRefused),
    ("reduce-only", ReduceOnlyRefused),
    ("no_positions", ReduceOnlyRefused),
    ("order_size_exceeds_position", ReduceOnlyRefused),
    ("last_look", NoImmediateMatch),
    ("olp_risk_checks", NoImmediateMatch),
    ("quote has expired", NoImmediateMatch),
    ("quote expired", NoImmediateMatch),
    ("quote not found", NoImmediateMatch),
    ("slippage", NoImmediateMatch),
    ("global_configs_check", MarketUnavailable),
    ("market_delisted", MarketUnavailable),
    ("close only", MarketUnavailable),
    ("close-only", MarketUnavailable),
    ("halt", MarketUnavailable),
    ("market is closed", MarketUnavailable),
    ("_limit_risk_check", LimitReached),
    ("limit_exceeded", LimitReached),
    ("fdv_limit", LimitReached),
    ("_notional_risk_check", LimitReached),
    ("concurrent_orders", LimitReached),
    ("unsupported instrument", SymbolRefused),
    ("decimals", PrecisionRefused),
    ("precision", PrecisionRefused),
    ("tick", PrecisionRefused),
    ("minimum", PrecisionRefused),
    ("above the maximum", PrecisionRefused),
    ("too far", PriceOutOfBand),
    ("rejected_", OrderRejected),
)
_UNDECIDED: Final = frozenset({408})
_INTERNAL: Final = "internal"


def error_of(status: int, answer: Json, request: Request) -> MpdexError | None:
    """The failure that an answer is; None for a success."""
    if status < 400:
        return None
    fields = answer if isinstance(answer, dict) else {}
    told = fields.get("message") or fields.get("error_message") or answer or f"HTTP {status}"
    message = str(told).removeprefix("Validation error:").strip()[:300]
    code, where = str(fields.get("error_code") or status), str(request)
    if status in _UNDECIDED or status >= 500:
        unclear = OutcomeUnknown if request.command else TransportError
        return unclear(f"{status}: {message}", venue=VENUE, raw=answer, request=where)
    if status in BANNED:
        wait = fields.get("wait_until_seconds")
        after = float(wait) if isinstance(wait, int | Decimal) else None  # seconds
        return RateLimited(
            message, retry_after=after, venue=VENUE, raw=answer, code=code, request=where
        )
    kind = _kind(status, f"{code} {message}", request)
    return kind(message, venue=VENUE, raw=answer, code=code, request=where)


def reason_of(words: str) -> type[VenueError] | None:
    """What a code, a reason or a text says of an order; None: nothing that is known."""
    lowered = words.lower()
    return next((kind for part, kind in _BY_WORDS if part in lowered), None)


def _kind(status: int, words: str, request: Request) -> type[VenueError]:
    if status in (401, 403):
        return AuthError
    if request.path == CANCEL:
        return OrderNotFound  # it has ended, most likely by filling: to be looked up
    named = reason_of(words)
    if named is not None:
        return named
    if not request.command or words.startswith(_INTERNAL):
        return VenueError
    return OrderRejected
