"""Hyperliquid's words, for every venue that trades on its books: records and numbers.

Records name a market by `coin`: "BTC", "xyz:TSLA" on a builder's dex, "@107" or "PURR/USDC" for
spot. Numbers are decimal text; times are milliseconds.

Source: hyperliquid.gitbook.io, "For developers, API" and "Notation"; hyperliquid-python-sdk 0.24.0;
frames captured live in 2025 and 2026; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Literal

from mpdex.errors import BadOrder, ProtocolError, UsageError
from mpdex.types import (
    Fill,
    Json,
    Market,
    Order,
    OrderStatus,
    Position,
    Side,
    TimeInForce,
)
from mpdex.utils.precision import plain
from mpdex.utils.translation import checked as _checked
from mpdex.utils.wire_words import known

FAMILY: Final = "hyperliquid"
INFO: Final = "/info"
EXCHANGE: Final = "/exchange"

checked = _checked(FAMILY)
SymbolOf = Callable[[str], str]  # our symbol of what a record calls a market

SIGNIFICANT_FIGURES: Final = 5
PERP_DECIMALS, SPOT_DECIMALS = 6, 8  # of a price, less those of the size
MIN_NOTIONAL: Final = Decimal(10)
# "more than 95% away from the reference price". UNVERIFIED: that the reference is the mark.
PRICE_BAND: Final = Decimal("0.95")
SPOT_ASSETS: Final = 10_000
DEX_ASSETS, DEX_STEP = 100_000, 10_000  # the first builder's dex begins at 110,000

MAX_BUILDER_FEE: Final = 100  # tenths of a basis point, on perpetuals; on spot it is more
_ADDRESSES: Final = ("account_address", "vault_address", "builder")
_HEX: Final = frozenset("0123456789abcdef")
_PLACING: Final = frozenset({"order", "modify", "batchModify"})
_DECIMALS: Final = 8  # of any number on the wire
_UNIT: Final = Decimal(1).scaleb(-_DECIMALS)
_NOISE: Final = Decimal("1e-12")  # what the SDK forgives a rounded number
_MICRO: Final = 6


# --------------------------------------------------------------------------- who


def named_address(keys: Mapping[str, str]) -> str:
    """Whose state is read: the vault's, else the account's; "" where neither is named."""
    return (keys.get("vault_address") or keys.get("account_address") or "").lower()


def checked_address(text: str, name: str, venue: str) -> str:
    """An address in lower case, as it is hashed. Raises: UsageError."""
    address = text.strip().lower()
    digits = address.removeprefix("0x")
    if len(digits) != 40 or set(digits) - _HEX:
        raise UsageError(f"{name} is not 0x and 40 hexadecimal digits", venue=venue)
    return "0x" + digits


def checked_keys(keys: Mapping[str, str], venue: str) -> dict[str, str]:
    """With addresses in that spelling, and a builder whole or not at all. Raises: UsageError."""
    named = [name for name in _ADDRESSES if keys.get(name)]
    checked = {**keys, **{name: checked_address(keys[name], name, venue) for name in named}}
    fee = str(keys.get("builder_fee") or "")
    if bool(fee) != bool(keys.get("builder")):
        raise UsageError("builder and builder_fee belong together; give both or none", venue=venue)
    if fee and not (fee.isdecimal() and 0 < int(fee) <= MAX_BUILDER_FEE):
        bound = f"a whole number of tenths of a basis point, up to {MAX_BUILDER_FEE}"
        raise UsageError(f"builder_fee is {bound}", venue=venue)
    return checked


# --------------------------------------------------------------------------- actions


def expires_ms(
    action: Mapping[str, Json], now_ms: int, usual_ms: int | None, immediate_ms: int | None
) -> int | None:
    """When an order is too late; None for anything else, and where there is no such bound.

    Args:
        usual_ms, immediate_ms: how long an order may take to arrive, and one that must trade at
            once.
    """
    if action["type"] not in _PLACING:
        return None
    bound_ms = immediate_ms if _must_trade(action) else usual_ms
    return None if bound_ms is None else now_ms + bound_ms


def _must_trade(action: Mapping[str, Json]) -> bool:
    """At once, and every order of it."""
    return action["type"] == "order" and all(
        order["t"].get("limit", {}).get("tif") == "Ioc" for order in action["orders"]
    )


# --------------------------------------------------------------------------- numbers


def number_text(number: Decimal) -> str:
    """As it is hashed: at most 8 decimals, no trailing zeros, no exponent, zero is "0".

    Raises: BadOrder for more decimals than that.
    """
    shortest = number.normalize()
    exponent = shortest.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_DECIMALS:
        shortest = number.quantize(_UNIT).normalize()
        if abs(shortest - number) >= _NOISE:
            raise BadOrder(f"{number} has more than {_DECIMALS} decimals", venue=FAMILY)
    return plain(shortest)


def micros(usd: Decimal) -> int:
    """Millionths of a dollar. Raises: BadOrder for more than 6 decimals."""
    scaled = usd.scaleb(_MICRO)
    whole = int(scaled)
    if whole != scaled:
        raise BadOrder(f"{usd} has more than {_MICRO} decimals", venue=FAMILY)
    return whole


def optional(value: Json) -> Decimal | None:
    return None if value is None else Decimal(value)


# --------------------------------------------------------------------------- markets


def decode_perps(
    meta: Json,
    symbol_of: Callable[[str, str], str],
    tokens: Mapping[int, str],
    *,
    dex: str = "",
    position: int = 0,
    fee_scale: Decimal | None = None,
) -> list[Market]:
    """The perpetuals of one dex; an asset's id is its place in the list, delisted ones counted.

    Args:
        symbol_of: our symbol of the venue's name and the quote currency.
        tokens: index -> name, for the currency that the dex settles in.
        dex, position: its name, and its place in the list of dexs.
        fee_scale: what its deployer puts on the fees.
    """
    quote = tokens[meta.get("collateralToken", 0)]
    first = DEX_ASSETS + DEX_STEP * position if position else 0
    markets = []
    for index, entry in enumerate(meta["universe"]):
        wire = entry["name"]
        coin, multiplier = _coin(wire.rpartition(":")[2])
        raw = {**entry, "wire": wire, "asset": first + index, "dex": dex, "feeScale": fee_scale}
        decimals = entry["szDecimals"]
        grid = _Grid(decimals, PERP_DECIMALS)
        markets.append(
            _market(
                symbol_of(wire, quote),
                coin,
                quote,
                "perp",
                grid,
                raw,
                multiplier=multiplier,
                max_leverage=Decimal(entry["maxLeverage"]),
                active=not entry.get("isDelisted", False),
            )
        )
    return markets


def decode_spots(meta: Json, symbol_of: Callable[[str, str], str]) -> list[Market]:
    """The spot markets; a second one of the same two tokens goes by the venue's own name."""
    tokens = {token["index"]: token for token in meta["tokens"]}
    markets: dict[str, Market] = {}
    for entry in meta["universe"]:
        base, quote = (tokens[index] for index in entry["tokens"])
        symbol = symbol_of(base["name"], quote["name"])
        if symbol in markets:
            symbol = entry["name"]
        raw = {**entry, "wire": entry["name"], "asset": SPOT_ASSETS + entry["index"], "dex": ""}
        grid = _Grid(base["szDecimals"], SPOT_DECIMALS)
        markets[symbol] = _market(symbol, base["name"], quote["name"], "spot", grid, raw)
    return list(markets.values())


def token_names(spot_meta: Json) -> dict[int, str]:
    """Index -> name of every token."""
    return {token["index"]: token["name"] for token in spot_meta["tokens"]}


class _Grid:
    """Size step and price tick, by the number of decimals of a size."""

    def __init__(self, size_decimals: int, decimals: int) -> None:
        self.step = Decimal(1).scaleb(-size_decimals)
        self.tick = Decimal(1).scaleb(-max(decimals - size_decimals, 0))


def _market(
    symbol: str,
    coin: str,
    quote: str,
    kind: Literal["perp", "spot"],
    grid: _Grid,
    raw: Json,
    *,
    multiplier: Decimal = Decimal(1),
    max_leverage: Decimal | None = None,
    active: bool = True,
) -> Market:
    return Market(
        symbol=symbol,
        coin=coin,
        quote=quote,
        kind=kind,
        tick=grid.tick,
        step=grid.step,
        min_size=grid.step,
        min_notional=MIN_NOTIONAL,
        max_size=None,
        multiplier=multiplier,
        max_leverage=max_leverage,
        significant_figures=SIGNIFICANT_FIGURES,
        price_band=PRICE_BAND,
        active=active,
        raw=raw,
    )


def _coin(name: str) -> tuple[str, Decimal]:
    """Small coins are traded by the thousand and written with a small k: kPEPE, kBONK."""
    if name[:1] == "k" and name[1:2].isupper():
        return name[1:], Decimal(1000)
    return name, Decimal(1)


# --------------------------------------------------------------------------- orders

_STATUSES: Final[Mapping[str, OrderStatus]] = {
    "open": OrderStatus.OPEN,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "triggered": OrderStatus.PENDING,
    "rejected": OrderStatus.REJECTED,
    "scheduledCancel": OrderStatus.CANCELED,
    "internalCancel": OrderStatus.CANCELED,
}
# The list of reasons grows; what such a status means, its end says.
_BY_END: Final = (
    ("Canceled", OrderStatus.CANCELED),
    ("Cancel", OrderStatus.CANCELED),
    ("Rejected", OrderStatus.REJECTED),
)
# It was valid and found nothing: canceled, not refused.
_UNMATCHED: Final = frozenset({"iocCancelRejected"})
_ORDINARY: Final = frozenset({"open", "filled", "canceled", "triggered"})
_SIDES: Final[Mapping[str, Side]] = {"B": "buy", "A": "sell"}
_IMMEDIATE: Final = frozenset({"Ioc", "FrontendMarket", "LiquidationMarket"})


def status_of(word: str, size: Decimal, filled: Decimal) -> OrderStatus:
    """Our status for the venue's word.

    An immediate order that filled in part is called "filled" there; its rest was canceled.
    Raises: ProtocolError for a word that is not known.
    """
    status = _STATUSES.get(word) or next((s for end, s in _BY_END if word.endswith(end)), None)
    if status is None:
        raise ProtocolError(f"unknown order status {word!r}", venue=FAMILY)
    if word in _UNMATCHED or (status is OrderStatus.FILLED and filled < size):
        return OrderStatus.CANCELED
    return status


def decode_order(entry: Json, symbol_of: SymbolOf, word: str, time_ms: int | None = None) -> Order:
    """One order in the form of streams, of open orders, and of the history.

    Streams leave out how long it lives; it is then told as a GTC limit order. The average price
    of what was filled is told nowhere.
    """
    size = Decimal(entry["origSz"])
    filled = size - Decimal(entry["sz"])
    market = "Market" in entry.get("orderType", "")
    tif = entry.get("tif")
    return Order(
        id=str(entry["oid"]),
        client_order_id=entry.get("cloid"),
        symbol=symbol_of(entry["coin"]),
        side=known(_SIDES, entry["side"], "side", FAMILY),
        type="market" if market else "limit",
        price=None if market else Decimal(entry["limitPx"]),
        size=size,
        filled=filled,
        average_price=None,
        status=status_of(word, size, filled),
        time_in_force=TimeInForce.IOC if tif in _IMMEDIATE else TimeInForce.GTC,
        post_only=tif == "Alo",
        reduce_only=bool(entry.get("reduceOnly")),
        reason="" if word in _ORDINARY else word,
        timestamp_ms=int(entry["timestamp"] if time_ms is None else time_ms),
        raw=entry,
    )


def decode_fill(entry: Json, symbol_of: SymbolOf) -> Fill:
    """One execution; its fee holds the builder's part. Small remainders that the venue sweeps up
    all have the trade id 0."""
    trade = entry["tid"] or f"{entry['time']}-{entry['coin']}"
    return Fill(
        id=str(trade),
        order_id=str(entry["oid"]),
        client_order_id=entry.get("cloid"),
        symbol=symbol_of(entry["coin"]),
        side=known(_SIDES, entry["side"], "side", FAMILY),
        price=Decimal(entry["px"]),
        size=Decimal(entry["sz"]),
        fee=Decimal(entry["fee"]),
        fee_asset=entry["feeToken"],
        liquidity="taker" if entry["crossed"] else "maker",
        timestamp_ms=int(entry["time"]),
        raw=entry,
    )


# --------------------------------------------------------------------------- positions


def decode_positions(state: Json, symbol_of: SymbolOf) -> list[Position]:
    """The open positions of one dex."""
    entries = (entry["position"] for entry in state["assetPositions"])
    return [_position(entry, symbol_of) for entry in entries if Decimal(entry["szi"])]


def _position(entry: Json, symbol_of: SymbolOf) -> Position:
    size = Decimal(entry["szi"])
    return Position(
        symbol=symbol_of(entry["coin"]),
        side="long" if size > 0 else "short",
        size=abs(size),
        entry_price=optional(entry["entryPx"]) or Decimal(0),
        mark_price=Decimal(entry["positionValue"]) / abs(size),
        unrealized_pnl=Decimal(entry["unrealizedPnl"]),
        liquidation_price=optional(entry["liquidationPx"]),
        leverage=Decimal(entry["leverage"]["value"]),
        raw=entry,
    )
