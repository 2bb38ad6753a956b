"""Reads Paradex's binary frames by the published layout, apart from who makes and uses them."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any, NamedTuple

NULL = -(2**63)


class Template(NamedTuple):
    """Fields of a block, `name:form`, with the version that brought them; then its strings."""

    fields: str
    strings: str
    later: tuple[tuple[int, str], ...] = ()
    later_strings: str = ""


# Forms: n number, t time, a amount, f amount of 1e-12, b byte, h 16 bits, Q unsigned, x account
TEMPLATES: dict[int, Template] = {
    1: Template(
        "timestamp:t seq_no:n trade_id:n side:b price:a size:a created_at:t trade_type:b",
        "market",
        later_strings="trade_id_str",
    ),
    2: Template("timestamp:t seq_no:n bid_price:a bid_size:a ask_price:a ask_size:a", "market"),
    3: Template(
        "timestamp:t seq_no:n pkg_type:b best_bid_price:a best_bid_size:a best_ask_price:a"
        " best_ask_size:a relative_spread:a best_bid_api_price:a best_bid_api_size:a"
        " best_ask_api_price:a best_ask_api_size:a",
        "market",
    ),
    4: Template(
        "timestamp:t seq_no:n mark_price:a index_price:a last_price:a volume_usd24h:a"
        " open_interest:a funding_rate:a bid:a ask:a total_volume:a price_change_rate24h:a"
        " mark_iv:a bid_iv:a ask_iv:a last_iv:a delta:a gamma:a vega:a theta:a rho:a volga:a"
        " vanna:a future_funding_rate:a external_fair_price:a bid_size:a ask_size:a",
        "market",
        (
            (1, "forward_rate:a risk_free_rate:a funding_rate_precise:f"),
            (3, "settlement_twap_estimate:a"),
        ),
    ),
    5: Template(
        "timestamp:t seq_no:n funding_rate:a funding_index:a created_at:t funding_premium:a"
        " funding_rate8h:a funding_period_hours:h",
        "market",
        ((1, "impact_premium_rate:a"),),
    ),
    20: Template(
        "timestamp:t seq_no:n status:b side:b order_type:b time_in_force:b price:a"
        " trigger_price:a size:a size_open:a avg_fill_price:a created_at:t updated_at:t account:x"
        " received_at:t published_at:t stp:b flags:b",
        "order_id client_order_id market cancel_reason",
        ((2, "request_status:b request_type:b"),),
        "request_id request_message",
    ),
    21: Template(
        "timestamp:t seq_no:n fill_type:b side:b liquidity:b price:a size:a fee:a realized_pnl:a"
        " created_at:t account:x underlying_price:a realized_funding:a",
        "fill_id order_id client_order_id trade_id market",
        ((2, "flags:b orderbook_seq_no:Q"),),
        "fee_currency",
    ),
    22: Template(
        "timestamp:t seq_no:n side:b size:a avg_entry_price:a unrealized_pnl:a realized_pnl:a"
        " mark_price:a liquidation_price:a leverage:a updated_at:t account:x"
        " avg_entry_price_usd:a cost:a cost_usd:a cached_funding_index:a unrealized_funding_pnl:a"
        " status:b",
        "market last_fill_id",
    ),
    23: Template(
        "timestamp:t seq_no:n total_collateral:a free_collateral:a initial_margin_req:a"
        " maintenance_margin_req:a account_value:a unrealized_pnl:a updated_at:t account:x"
        " margin_cushion:a status:b",
        "settlement_asset",
        ((2, "last_seen_notification:n"),),
    ),
}
_CODES = {"n": "q", "t": "q", "a": "q", "f": "q", "b": "B", "h": "h", "Q": "Q", "x": "32s"}


def read_frame(frame: bytes) -> tuple[int, int, dict[str, Any]]:
    """(template, version, fields): amounts as Decimal, times in milliseconds, words as numbers."""
    length, number, schema, version = struct.unpack_from("<HHHH", frame)
    assert schema == 1
    template = TEMPLATES[number]
    added = [fields for since, fields in template.later if version >= since]
    fields = [field.split(":") for field in " ".join([template.fields, *added]).split()]
    layout = struct.Struct("<" + "".join(_CODES[form] for _, form in fields))
    assert layout.size == length, "a block of another length than its version has"
    values = layout.unpack_from(frame, 8)
    read = {name: _value(form, raw) for (name, form), raw in zip(fields, values, strict=True)}
    place = 8 + length
    if number == 3:
        for side in ("bids", "asks"):
            read[side], place = _levels(frame, place)
    names = template.strings.split()
    names += template.later_strings.split() if version >= 2 else []
    for name in names:
        read[name], place = _string(frame, place)
    assert place == len(frame), "bytes are left"
    return number, version, read


def _value(form: str, raw: Any) -> Any:
    if form == "x":
        return hex(int.from_bytes(raw, "big"))
    if raw == NULL:
        return None
    match form:
        case "t":
            return raw // 1000
        case "a" | "f":
            return Decimal(raw).scaleb(-8 if form == "a" else -12)
    return raw


def _levels(frame: bytes, place: int) -> tuple[list[tuple[Decimal, Decimal]], int]:
    size, count = struct.unpack_from("<HH", frame, place)
    place += 4
    levels = []
    for _ in range(count):
        price, amount = struct.unpack_from("<qq", frame, place)
        levels.append((Decimal(price).scaleb(-8), Decimal(amount).scaleb(-8)))
        place += size
    return levels, place


def _string(frame: bytes, place: int) -> tuple[str, int]:
    end = place + 1 + frame[place]
    return frame[place + 1 : end].decode(), end
