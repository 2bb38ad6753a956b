"""The binary form of the simulated Paradex's frames: SBE, schema 1, versions 0 to 3.

Made of the JSON frame that says the same. Little-endian; a header, a block of fixed length that
grows with the version, groups, then strings with a length byte. Times are microseconds, amounts
multiples of 1e-8. Channels without a template stay JSON.

Source: docs.paradex.trade, "Binary Encoding (SBE)"; the layouts of its official SDK's schema of
2026-09-25; read 2026-11-21.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_DOWN, Decimal

import msgspec

from mpdex.types import Json

SCHEMA = 1
HIGHEST_VERSION = 3
NULL = -(2**63)
ENUM_NULL = 254
SCALE = 8
_HEADER = struct.Struct("<HHHH")
_GROUP = struct.Struct("<HH")
_LEVEL = struct.Struct("<qq")

SIDES = {"BUY": 1, "SELL": 2, "LONG": 1, "SHORT": 2}
KINDS = {
    "LIMIT": 1,
    "MARKET": 2,
    "STOP_LIMIT": 3,
    "STOP_MARKET": 4,
    "TAKE_PROFIT_LIMIT": 5,
    "TAKE_PROFIT_MARKET": 6,
    "STOP_LOSS_LIMIT": 7,
    "STOP_LOSS_MARKET": 8,
}
STATUSES = {"NEW": 1, "UNTRIGGERED": 2, "OPEN": 3, "CLOSED": 4}
INSTRUCTIONS = {"GTC": 1, "IOC": 2, "POST_ONLY": 3, "RPI": 4}
FILLS = {
    "FILL": 1,
    "LIQUIDATION": 2,
    "UNWIND_TRANSFER": 3,
    "SETTLE_MARKET": 4,
    "RPI": 5,
    "BLOCK_TRADE": 6,
}
LIQUIDITY = {"MAKER": 1, "TAKER": 2}
STP = {"": 0, "EXPIRE_MAKER": 1, "EXPIRE_TAKER": 2, "EXPIRE_BOTH": 3}
FLAGS = (
    "REDUCE_ONLY",
    "STOP_CONDITION_BELOW_TRIGGER",
    "STOP_CONDITION_ABOVE_TRIGGER",
    "INTERACTIVE",
    "TARGET_STRATEGY_VWAP",
    "MMP",
)
POSITION_STATUSES = {"OPEN": 1, "CLOSED": 2}
ACCOUNT_STATUSES = {"ACTIVE": 1, "LIQUIDATION": 2}
REQUEST_STATUSES = {"PENDING": 1, "PROCESSED": 2, "REJECTED": 3, "SUCCESS": 4}
REQUEST_TYPES = {"MODIFY_ORDER": 1}

Data = Mapping[str, Json]


class Packer:
    """Packs the frames of one connection.

    Args:
        version: that the client asked for.
        private: whether the frames of an account are packed, too.
    """

    def __init__(self, version: int, *, private: bool) -> None:
        self._version = version
        self._packed = {**_PUBLIC, **(_PRIVATE if private else {})}

    def pack(self, payload: bytes) -> bytes | None:
        """The binary frame that says the same; None where a text frame does.

        A text that is broken is sent as the bytes that it has.
        """
        try:
            frame = msgspec.json.decode(payload)
        except msgspec.DecodeError:
            return payload
        if not isinstance(frame, dict) or frame.get("method") != "subscription":
            return None
        channel, data = frame["params"]["channel"], frame["params"]["data"]
        made = self._packed.get(channel.partition(".")[0])
        return made(data, self._version) if made else None


# --------------------------------------------------------------------------- values


def _amount(value: Json, scale: int = SCALE) -> int:
    """Null and "" are null."""
    if value is None or value == "":
        return NULL
    return int(Decimal(value).scaleb(scale).to_integral_value(ROUND_DOWN))


def _amounts(data: Data, *names: str) -> list[int]:
    return [_amount(data.get(name)) for name in names]


def _time(value: Json) -> int:
    return int(value or 0) * 1000


def _word(value: Json, words: Mapping[str, int]) -> int:
    return words.get(value, ENUM_NULL) if isinstance(value, str) else ENUM_NULL


def _flags(names: Iterable[str]) -> int:
    return sum(1 << FLAGS.index(name) for name in names if name in FLAGS)


def _address(value: Json) -> bytes:
    return int(value, 16).to_bytes(32, "big")


def _signed64(text: Json) -> int:
    """The low 64 bits of an id, as a signed number."""
    low = int(text) & (2**64 - 1)
    return low - 2**64 if low >> 63 else low


def _strings(*texts: Json) -> bytes:
    raw = [str("" if text is None else text).encode() for text in texts]
    return b"".join(bytes([len(data)]) + data for data in raw)


def _group(levels: Iterable[tuple[str, str]]) -> bytes:
    entries = [_LEVEL.pack(_amount(price), _amount(size)) for price, size in levels]
    return _GROUP.pack(_LEVEL.size, len(entries)) + b"".join(entries)


def _frame(template: int, version: int, block: bytes, tail: bytes) -> bytes:
    return _HEADER.pack(len(block), template, SCHEMA, version) + block + tail


# --------------------------------------------------------------------------- public templates


def _trade(data: Data, version: int) -> bytes:
    when = _time(data["created_at"])
    block = struct.pack(
        "<qqqBqqqB",
        when,
        int(data.get("seq_no", 0)),
        _signed64(data["id"]),
        _word(data["side"], SIDES),
        *_amounts(data, "price", "size"),
        when,
        _word(data["trade_type"], FILLS),
    )
    tail = _strings(data["market"])
    return _frame(1, version, block, tail + _strings(data["id"]) if version >= 2 else tail)


def _bbo(data: Data, version: int) -> bytes:
    best = _amounts(data, "bid", "bid_size", "ask", "ask_size")
    block = struct.pack("<qqqqqq", _time(data["last_updated_at"]), data["seq_no"], *best)
    return _frame(2, version, block, _strings(data["market"]))


def _book(data: Data, version: int) -> bytes:
    """Of a frame that has its levels as `bids` and `asks`, absolute sizes, 0 to remove."""
    best = _amounts(
        data,
        *("best_bid_interactive_price", "best_bid_interactive_size"),
        *("best_ask_interactive_price", "best_ask_interactive_size", "relative_spread"),
        *("best_bid_api_price", "best_bid_api_size", "best_ask_api_price", "best_ask_api_size"),
    )
    kind = 0 if data["update_type"] == "s" else 1
    block = struct.pack("<qqB9q", _time(data["last_updated_at"]), data["seq_no"], kind, *best)
    tail = _group(data["bids"]) + _group(data["asks"]) + _strings(data["market"])
    return _frame(3, version, block, tail)


def _summary(data: Data, version: int) -> bytes:
    """What is told of options only is null."""
    rate = data["funding_rate"]
    amounts = _amounts(
        data,
        *("mark_price", "underlying_price", "last_traded_price", "volume_24h", "open_interest"),
        *("funding_rate", "bid", "ask", "total_volume", "price_change_rate_24h"),
    )
    greeks = [NULL] * 11
    more = _amounts(data, "future_funding_rate", "external_fair_price", "bid_size", "ask_size")
    seq = int(data.get("seq_no", 0))
    block = struct.pack("<27q", _time(data["created_at"]), seq, *amounts, *greeks, *more)
    if version >= 1:
        block += struct.pack("<3q", NULL, NULL, _amount(rate, 12))
    if version >= 3:
        block += struct.pack("<q", NULL)
    return _frame(4, version, block, _strings(data["symbol"]))


def _funding(data: Data, version: int) -> bytes:
    when = _time(data["created_at"])
    block = struct.pack(
        "<7qh",
        when,
        int(data.get("seq_no", 0)),
        *_amounts(data, "funding_rate", "funding_index"),
        when,
        *_amounts(data, "funding_premium", "funding_rate_8h"),
        data["funding_period_hours"],
    )
    if version >= 1:
        block += struct.pack("<q", NULL)
    return _frame(5, version, block, _strings(data["market"]))


# --------------------------------------------------------------------------- private templates


def _order(data: Data, version: int) -> bytes:
    market_order = data["type"] == "MARKET"
    block = struct.pack(
        "<qqBBBB7q32sqqBB",
        _time(data["published_at"]),
        data["seq_no"],
        _word(data["status"], STATUSES),
        _word(data["side"], SIDES),
        _word(data["type"], KINDS),
        _word(data["instruction"], INSTRUCTIONS),
        NULL if market_order else _amount(data["price"]),
        _amount(data["trigger_price"]) or NULL,
        *_amounts(data, "size", "remaining_size", "avg_fill_price"),
        _time(data["created_at"]),
        _time(data["last_updated_at"]),
        _address(data["account"]),
        _time(data["received_at"]),
        _time(data["published_at"]),
        _word(data["stp"], STP),
        _flags(data["flags"]),
    )
    tail = _strings(data["id"], data["client_id"], data["market"], data["cancel_reason"])
    if version < 2:
        return _frame(20, version, block, tail)
    request = data.get("request_info") or {}
    block += bytes(
        [
            REQUEST_STATUSES.get(request.get("status", ""), 0),
            REQUEST_TYPES.get(request.get("request_type", ""), 0),
        ]
    )
    tail += _strings(request.get("id"), request.get("message"))
    return _frame(20, version, block, tail)


def _fill(data: Data, version: int) -> bytes:
    when = _time(data["created_at"])
    block = struct.pack(
        "<qqBBB5q32sqq",
        when,
        NULL,
        _word(data["fill_type"], FILLS),
        _word(data["side"], SIDES),
        _word(data["liquidity"], LIQUIDITY),
        *_amounts(data, "price", "size", "fee", "realized_pnl"),
        when,
        _address(data["account"]),
        *_amounts(data, "underlying_price", "realized_funding"),
    )
    ids = (data["id"], data["order_id"], data["client_id"], data["id"])
    tail = _strings(*ids, data["market"])
    if version < 2:
        return _frame(21, version, block, tail)
    block += struct.pack("<BQ", 0, 0)
    return _frame(21, version, block, tail + _strings(data["fee_currency"]))


def _position(data: Data, version: int) -> bytes:
    """The size goes without its sign; the side has it."""
    when = _time(data["last_updated_at"])
    block = struct.pack(
        "<qqB8q32s5qB",
        when,
        data["seq_no"],
        _word(data["side"], SIDES),
        abs(_amount(data["size"])),
        *_amounts(data, "average_entry_price", "unrealized_pnl", "realized_pnl"),
        NULL,
        *_amounts(data, "liquidation_price", "leverage"),
        when,
        _address(data["account"]),
        *_amounts(data, "average_entry_price_usd", "cost", "cost_usd"),
        *_amounts(data, "cached_funding_index", "unrealized_funding_pnl"),
        _word(data["status"], POSITION_STATUSES),
    )
    return _frame(22, version, block, _strings(data["market"], data["last_fill_id"]))


def _account(data: Data, version: int) -> bytes:
    when = _time(data["updated_at"])
    block = struct.pack(
        "<9q32sqB",
        when,
        data["seq_no"],
        *_amounts(data, "total_collateral", "free_collateral", "initial_margin_requirement"),
        *_amounts(data, "maintenance_margin_requirement", "account_value"),
        NULL,
        when,
        _address(data["account"]),
        _amount(data["margin_cushion"]),
        _word(data["status"], ACCOUNT_STATUSES),
    )
    if version >= 2:
        block += struct.pack("<q", 0)
    return _frame(23, version, block, _strings(data["settlement_asset"]))


_PUBLIC: Mapping[str, Callable[[Data, int], bytes]] = {
    "trades": _trade,
    "bbo": _bbo,
    "order_book": _book,
    "markets_summary": _summary,
    "funding_data": _funding,
}
_PRIVATE: Mapping[str, Callable[[Data, int], bytes]] = {
    "orders": _order,
    "fills": _fill,
    "positions": _position,
    "account": _account,
}
