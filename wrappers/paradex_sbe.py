"""Paradex, binary frames: SBE of schema 1, into the names and texts of the venue's own decoder.

A frame is a header, a block of fixed fields, groups (books only), then texts. Newer versions make
the block longer or add texts at the end, older ones lack them: fields are read as far as the block
reaches, and the rest is found from its length. Prices are int64 in units of 10**-8, times are
microseconds; both leave here as JSON has them, texts of fixed point and milliseconds.

Sources: docs.paradex.trade, "Binary Encoding (SBE)"; the schema of 2026-09-25 as paradex-py 0.8.2
decodes it; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from struct import Struct, calcsize, error, unpack_from
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from mpdex.errors import ProtocolError
from mpdex.types import Json
from wrappers.paradex_auth import VENUE

Parameters = ParamSpec("Parameters")
Decoded = TypeVar("Decoded")

SCHEMA: Final = 1
BBO, BOOK, SUMMARY, ORDER, FILL, POSITION = 2, 3, 4, 20, 21, 22

_HEADER: Final = Struct("<HHHH")  # length of the block, template, schema, version
_header: Final = _HEADER.unpack_from
_BODY: Final = _HEADER.size
_GROUP: Final = Struct("<HH")  # length of an entry, number of entries
_LEVEL: Final = Struct("<qq").size  # price, size
_book_head: Final = Struct("<qqB").unpack_from  # time, number, kind of package
_quote: Final = Struct("<qqqqqq").unpack_from  # time, number, bid, its size, ask, its size
_SNAPSHOT: Final = 0
_NULL: Final = -(2**63)


def read(decode: Callable[Parameters, Decoded]) -> Callable[Parameters, Decoded]:
    """Decorates a decoder: a frame that ends too early is a ProtocolError."""

    @wraps(decode)
    def decoded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Decoded:
        try:
            return decode(*args, **kwargs)
        except (error, IndexError, ValueError) as cause:
            raise ProtocolError(
                f"a binary frame that is too short: {cause}", venue=VENUE
            ) from cause

    return decoded


@read
def template_of(frame: bytes) -> int:
    """Raises: ProtocolError: a frame of another schema."""
    _, template, schema, _ = _header(frame)
    if schema != SCHEMA:
        raise ProtocolError(f"a binary frame of schema {schema}", venue=VENUE)
    return int(template)


def fixed(units: int) -> str:
    """An int64 in units of 10**-8 as text, all eight decimals written."""
    digits = f"{units:09d}" if units >= 0 else f"{units:010d}"
    return f"{digits[:-8]}.{digits[-8:]}"


@lru_cache(maxsize=4096)
def _level(price: int, size: int) -> tuple[str, str]:
    """From one frame to the next most levels stay as they were."""
    return fixed(price), fixed(size)


# --------------------------------------------------------------------------- market data


class BookFrame(NamedTuple):
    """Levels as (price, size); a size of zero removes the level. `time_ms` of the venue."""

    market: str
    number: int
    snapshot: bool
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    time_ms: int


@read
def decode_book(frame: bytes) -> BookFrame:
    block = _header(frame)[0]
    time_us, number, kind = _book_head(frame, _BODY)
    bids, at = _levels(frame, _BODY + block)
    asks, at = _levels(frame, at)
    return BookFrame(_text(frame, at), number, kind == _SNAPSHOT, bids, asks, time_us // 1000)


def _levels(frame: bytes, at: int) -> tuple[list[tuple[str, str]], int]:
    """One side and where it ends; an entry may be longer than we know."""
    length, count = _GROUP.unpack_from(frame, at)
    start, end = at + _GROUP.size, at + _GROUP.size + count * length
    if length == _LEVEL:
        flat = unpack_from(f"<{2 * count}q", frame, start)
        return [*map(_level, flat[::2], flat[1::2])], end
    entries = (unpack_from("<qq", frame, place) for place in range(start, end, length))
    return [_level(price, size) for price, size in entries], end


class QuoteFrame(NamedTuple):
    """Best bid and offer; "" for an empty side."""

    market: str
    bid: str
    bid_size: str
    ask: str
    ask_size: str
    time_ms: int


@read
def decode_bbo(frame: bytes) -> QuoteFrame:
    block = _header(frame)[0]
    time_us, _, bid, bid_size, ask, ask_size = _quote(frame, _BODY)
    market, time_ms = _text(frame, _BODY + block), time_us // 1000
    return QuoteFrame(market, _side(bid), _side(bid_size), _side(ask), _side(ask_size), time_ms)


def _side(units: int) -> str:
    return "" if units == _NULL else fixed(units)


def _text(frame: bytes, at: int) -> str:
    for text in _texts(frame, at):
        return text
    raise ValueError("no text where the market's name should be")


def _texts(frame: bytes, at: int) -> Iterator[str]:
    """Every text from `at` to the end, each with its length in front."""
    while at < len(frame):
        start, at = at + 1, at + 1 + frame[at]
        if at > len(frame):
            raise ValueError("a text is longer than the frame")
        yield frame[start:at].decode()


# --------------------------------------------------------------------------- values of fields


def _nullable(units: int) -> str | None:
    return None if units == _NULL else fixed(units)


def _fine(units: int) -> str | None:
    """In units of 10**-12."""
    digits = f"{units:013d}" if units >= 0 else f"{units:014d}"
    return None if units == _NULL else f"{digits[:-12]}.{digits[-12:]}"


def _ms(microseconds: int) -> int | None:
    return None if microseconds == _NULL else microseconds // 1000


def _number(value: int) -> int | None:
    return None if value == _NULL else value


def _address(value: bytes) -> str:
    return hex(int.from_bytes(value, "big"))


def _word(*words: str, first: int = 1, start: str = "") -> Callable[[int], str | None]:
    """A number that stands for a word; one that is not known is null, as 254 is.

    Args:
        start: of every word.
    """
    return dict(enumerate((start + word for word in words), first)).get


def _bits(*names: str) -> Callable[[int], list[str]]:
    return lambda flags: [name for bit, name in enumerate(names) if name and flags >> bit & 1]


_KINDS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "e8": ("q", _nullable),
    "e12": ("q", _fine),
    "time": ("q", _ms),
    "number": ("q", _number),
    "count": ("Q", int),
    "hours": ("h", int),
    "account": ("32s", _address),
    "side": ("B", _word("BUY", "SELL")),
    "direction": ("B", _word("LONG", "SHORT")),
    "order_type": (
        "B",
        _word(
            "LIMIT",
            "MARKET",
            "STOP_LIMIT",
            "STOP_MARKET",
            "TAKE_PROFIT_LIMIT",
            "TAKE_PROFIT_MARKET",
            "STOP_LOSS_LIMIT",
            "STOP_LOSS_MARKET",
        ),
    ),
    "order_status": ("B", _word("NEW", "UNTRIGGERED", "OPEN", "CLOSED")),
    "time_in_force": ("B", _word("GTC", "IOC", "POST_ONLY", "RPI")),
    "trade_type": (
        "B",
        _word("FILL", "LIQUIDATION", "UNWIND_TRANSFER", "SETTLE_MARKET", "RPI", "BLOCK_TRADE"),
    ),
    "liquidity": ("B", _word("MAKER", "TAKER")),
    "stp": ("B", _word("NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", first=0)),
    "package": ("B", _word("SNAPSHOT", "DELTA", first=0)),
    "position_status": ("B", _word("OPEN", "CLOSED", "UNSPECIFIED")),
    "account_status": ("B", _word("ACTIVE", "LIQUIDATION")),
    "request_status": (
        "B",
        _word("UNSPECIFIED", "PENDING", "PROCESSED", "REJECTED", "SUCCESS", first=0),
    ),
    "request_type": ("B", _word("UNSPECIFIED", "MODIFY_ORDER", first=0)),
    "order_flags": (
        "B",
        _bits(
            "REDUCE_ONLY",
            "STOP_CONDITION_BELOW_TRIGGER",
            "STOP_CONDITION_ABOVE_TRIGGER",
            "INTERACTIVE",
            "TARGET_STRATEGY_VWAP",
            "MMP",
        ),
    ),
    "asset_kind": (
        "B",
        _word("UNSPECIFIED", "PERPETUAL_FUTURE", "OPTION", "SPOT", first=0, start="ASSET_KIND_"),
    ),
    "source": (
        "B",
        _word(
            *("UNSPECIFIED", "PARADEX", "BINANCE", "BYBIT", "OKX", "DERIBIT", "DERIVE"),
            *("HYPERLIQUID", "LIGHTER", "DATABENTO", "PUBLISHER", "PYTH", "STORK"),
            first=0,
            start="SOURCE_",
        ),
    ),
    "fill_flags": ("B", _bits("INTERACTIVE", "RPI", "FASTFILL", "", "", "", "", "UNKNOWN")),
}


# --------------------------------------------------------------------------- templates


class _Field(NamedTuple):
    name: str
    offset: int
    end: int
    format: str
    value: Callable[[Any], Any]


class _Template:
    """One layout: what its block holds, in order ("name:kind name:kind"), and its texts."""

    def __init__(self, channel: str, block: str, texts: str) -> None:
        self.channel = channel
        self.fields = list(_laid_out(block))
        self.length = self.fields[-1].end
        self.texts = texts.split()

    def decode(self, frame: bytes) -> dict[str, Json]:
        block = _header(frame)[0]
        data: dict[str, Json] = {}
        for name, offset, end, form, value in self.fields:
            data[name] = (
                value(unpack_from(form, frame, _BODY + offset)[0]) if end <= block else None
            )
        at = _BODY + block
        if self.channel == "order_book":
            data["bids"], at = _levels(frame, at)
            data["asks"], at = _levels(frame, at)
        texts = _texts(frame, at)
        return data | {name: next(texts, None) for name in self.texts}


def _laid_out(block: str) -> Iterator[_Field]:
    offset = 0
    for entry in block.split():
        name, _, kind = entry.partition(":")
        form, value = _KINDS[kind or name]
        end = offset + calcsize(f"<{form}")
        yield _Field(name, offset, end, f"<{form}", value)
        offset = end


_HEAD: Final = "timestamp:time seq_no:number"
_TEMPLATES: Final = {
    1: _Template(
        "trades",
        f"{_HEAD} trade_id:number side price:e8 size:e8 created_at:time trade_type",
        "market trade_id_str",
    ),
    BBO: _Template("bbo", f"{_HEAD} bid_price:e8 bid_size:e8 ask_price:e8 ask_size:e8", "market"),
    BOOK: _Template(
        "order_book",
        f"{_HEAD} pkg_type:package best_bid_price:e8 best_bid_size:e8 best_ask_price:e8 "
        "best_ask_size:e8 relative_spread:e8 best_bid_api_price:e8 best_bid_api_size:e8 "
        "best_ask_api_price:e8 best_ask_api_size:e8",
        "market",
    ),
    SUMMARY: _Template(
        "markets_summary",
        f"{_HEAD} mark_price:e8 index_price:e8 last_price:e8 volume_usd24h:e8 open_interest:e8 "
        "funding_rate:e8 bid:e8 ask:e8 total_volume:e8 price_change_rate24h:e8 mark_iv:e8 "
        "bid_iv:e8 ask_iv:e8 last_iv:e8 delta:e8 gamma:e8 vega:e8 theta:e8 rho:e8 volga:e8 "
        "vanna:e8 future_funding_rate:e8 external_fair_price:e8 bid_size:e8 ask_size:e8 "
        "forward_rate:e8 risk_free_rate:e8 funding_rate_precise:e12",
        "market",
    ),
    5: _Template(
        "funding_data",
        f"{_HEAD} funding_rate:e8 funding_index:e8 created_at:time funding_premium:e8 "
        "funding_rate8h:e8 funding_period_hours:hours impact_premium_rate:e8",
        "market",
    ),
    6: _Template(
        "funding_rate_comparison",
        "timestamp:time last_updated_at:time hourly_funding_rate:e12 asset_kind source",
        "market",
    ),
    ORDER: _Template(
        "orders",
        f"{_HEAD} status:order_status side order_type time_in_force price:e8 trigger_price:e8 "
        "size:e8 size_open:e8 avg_fill_price:e8 created_at:time updated_at:time account "
        "received_at:time published_at:time stp flags:order_flags request_status request_type",
        "order_id client_order_id market cancel_reason request_id request_message",
    ),
    FILL: _Template(
        "fills",
        f"{_HEAD} fill_type:trade_type side liquidity price:e8 size:e8 fee:e8 realized_pnl:e8 "
        "created_at:time account underlying_price:e8 realized_funding:e8 flags:fill_flags "
        "orderbook_seq_no:count",
        "fill_id order_id client_order_id trade_id market fee_currency",
    ),
    POSITION: _Template(
        "positions",
        f"{_HEAD} side:direction size:e8 avg_entry_price:e8 unrealized_pnl:e8 realized_pnl:e8 "
        "mark_price:e8 liquidation_price:e8 leverage:e8 updated_at:time account "
        "avg_entry_price_usd:e8 cost:e8 cost_usd:e8 cached_funding_index:e8 "
        "unrealized_funding_pnl:e8 status:position_status",
        "market last_fill_id",
    ),
    23: _Template(
        "account",
        f"{_HEAD} total_collateral:e8 free_collateral:e8 initial_margin_req:e8 "
        "maintenance_margin_req:e8 account_value:e8 unrealized_pnl:e8 updated_at:time account "
        "margin_cushion:e8 status:account_status last_seen_notification:time",
        "settlement_asset",
    ),
}


@read
def decode(frame: bytes) -> tuple[str, dict[str, Json]]:
    """The kind of channel that a frame is of, and its fields; ("", {}) for a template not known.

    Raises: ProtocolError.
    """
    template = _TEMPLATES.get(template_of(frame))
    if template is None:
        return "", {}
    data = template.decode(frame)
    if template.channel == "orders":
        request = _request_info(data)
        data["request_info"] = request if _header(frame)[0] >= template.length else None
    if data.get("side") == "SHORT":
        data["size"] = _negative(data["size"])
    return template.channel, data


def _negative(size: str | None) -> str | None:
    """JSON signs what the frame only names; nothing has no sign."""
    return f"-{size}" if size and size[0] != "-" and size.strip("0.") else size


def _request_info(data: dict[str, Json]) -> dict[str, Json] | None:
    """What became of a change that was asked for, where the frame is about one."""
    names = ("request_id", "request_status", "request_type", "request_message")
    id, status, kind, message = (data.pop(name) for name in names)
    if status == kind == "UNSPECIFIED":
        return None
    return {"id": id or "", "status": status, "request_type": kind, "message": message or ""}
