"""Every recorded payload of Variational through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import LimitReached, ProtocolError
from mpdex.types import Market, OrderStatus, Request, TimeInForce
from wrappers.variational import VariationalExchange

D = Decimal
PLACE = Request("POST", "/orders/new/market", signed=True, command=True)
# Answers and frames of calls that nothing here makes: flags, tiers, limits of the provider, and the
# sockets, none of which is opened.
NOT_OURS = (
    "http_ff_response",
    "http_metadata_tiers_response",
    "http_open_interest_v2_btc_response",
    "http_risk_limits_v2_btc_response",
    "ws_heartbeat",
    "ws_prices_btc",
    "ws_text_token_format_incorrect",
    "ws_text_token_timeout",
    "ws_text_unsupported_instrument",
)


class Recorded:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text(), parse_float=Decimal)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "variational")


@pytest.fixture
def dex(recorded: Recorded) -> VariationalExchange:
    """With the markets of the recording."""
    made = VariationalExchange(read_only=True)
    made._markets.replace(made.decode_markets(listed(recorded)))
    return made


def listed(recorded: Recorded) -> list[Any]:
    names = ("http_supported_assets_response_trimmed", "http_metadata_config_response")
    return [recorded(name) for name in names]


def market(dex: VariationalExchange, symbol: str = "BTC") -> Market:
    return dex._markets[symbol]


def picked(record: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(record[name] for name in names)


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    here = Path(__file__).read_text()
    names = [path.stem for path in recorded.folder.glob("*.json")]
    assert len(names) >= 17
    assert [name for name in names if f'"{name}"' not in here] == []


@pytest.mark.parametrize("name", NOT_OURS)
def test_an_answer_to_something_else_is_no_order(
    recorded: Recorded, dex: VariationalExchange, name: str
) -> None:
    with pytest.raises(ProtocolError):
        dex.decode_order(recorded(name))


def test_no_socket_is_opened() -> None:
    assert VariationalExchange.streams() == ()


# --------------------------------------------------------------------------- markets


def test_assets_are_markets(dex: VariationalExchange) -> None:
    btc, eth, share = (market(dex, symbol) for symbol in ("BTC", "ETH", "SHAZ"))
    grid = ("tick", "step", "min_size", "min_notional")
    assert picked(btc, *grid) == (D("0.01"), D("0.000001"), D("0.000002"), D("0.1"))
    assert picked(eth, *grid) == (D("0.01"), D("0.00001"), D("0.00006"), D("0.1"))
    assert picked(share, *grid) == (D("0.0001"), D("0.001"), D("0.002"), D("0.1"))
    assert {m["quote"] for m in (btc, eth, share)} == {"USDC"}
    assert all(m["active"] and m["multiplier"] == 1 for m in (btc, eth, share))
    assert [dex.wire_name(m) for m in (btc, eth, share)] == [
        "P-BTC-USDC-3600",
        "P-ETH-USDC-3600",
        "P-RWA/EQY-SHAZ-USDC",
    ]
    assert btc["raw"]["instrument"]["funding_interval_s"] == 3600, "never the market's own 28800"


def test_a_quote_completes_a_market_and_is_a_book(
    recorded: Recorded, dex: VariationalExchange
) -> None:
    quote = recorded("http_quotes_simple_btc_response")
    told = dex.decode_market_details(quote, market(dex))
    assert picked(told, "step", "min_size") == (D("0.000001"), D("0.000002"))
    assert told["max_size"] == D("15785553.881936"), "of both sides the narrower"
    assert dex.decode_mark(quote, told) == D("63346.7543455801")
    book = dex.decode_book(quote, told)
    assert (book.bids, book.asks) == ([("63344.45", "0.001")], [("63349.06", "0.001")])
    assert (book.snapshot, book.timestamp_ms) == (True, 1_786_636_915_905)


def test_a_rate_is_of_one_interval(recorded: Recorded, dex: VariationalExchange) -> None:
    told = dex.decode_funding_rate(recorded("http_funding_v2_btc_response"), market(dex))
    assert told["rate"] == D("-0.007383") * 28_800 / 31_536_000
    assert told["interval_hours"] == 8
    assert told["next_funding_ms"] == 1_786_636_800_000


def test_trading_costs_nothing_but_the_spread(recorded: Recorded, dex: VariationalExchange) -> None:
    fees = dex.decode_fees(recorded("http_metadata_config_response"), market(dex))
    assert picked(fees, "maker", "taker", "assumed") == (0, 0, False)


# --------------------------------------------------------------------------- account


def test_a_waiting_trigger_is_an_open_order(recorded: Recorded, dex: VariationalExchange) -> None:
    answer = recorded("http_orders_v2_pending_response")
    [order] = dex.decode_orders(answer)
    assert picked(order, "id", "client_order_id", "symbol", "side") == (
        "11111111-2222-3333-4444-555555555555",
        None,
        "BTC",
        "sell",
    )
    assert picked(order, "type", "price", "size", "filled") == ("market", None, D("0.5"), 0)
    assert picked(order, "status", "time_in_force", "reduce_only", "reason") == (
        OrderStatus.OPEN,
        TimeInForce.GTC,
        True,
        "",
    )
    assert order["timestamp_ms"] == 1_786_635_720_000
    assert dex.encode_orders_after(answer, None) is None


def test_money_is_balance_and_profit(recorded: Recorded, dex: VariationalExchange) -> None:
    told = dex.decode_collateral(recorded("http_portfolio_response"))
    assert picked(told, "total", "available", "unrealized_pnl", "currency") == (
        D("10340.96"),
        D("5821.92"),
        D("340.96"),
        "USDC",
    )


def test_margin_is_isolated_where_the_portfolio_says_so(
    recorded: Recorded, dex: VariationalExchange
) -> None:
    told = {"X": {"current": "20", "limits": [{"notional_lower_bound": "0", "min_im": "0.02"}]}}
    for symbol, mode in (("ETH", "isolated"), ("BTC", "cross")):
        answer = [told, recorded("http_portfolio_response")]
        info = dex.decode_leverage_info(answer, market(dex, symbol))
        assert picked(info, "leverage", "max_leverage", "margin_mode") == (20, 50, mode)


def test_positions_have_a_side(recorded: Recorded, dex: VariationalExchange) -> None:
    long, short = dex.decode_positions(recorded("http_positions_response"))
    assert picked(long, "symbol", "side", "size", "entry_price", "mark_price") == (
        "BTC",
        "long",
        D("0.5"),
        63_000,
        D("63561.68"),
    )
    assert picked(short, "symbol", "side", "size") == ("ETH", "short", 4)
    assert [p["liquidation_price"] for p in (long, short)] == [D("58012.4"), None]
    assert [p["unrealized_pnl"] for p in (long, short)] == [D("280.84"), D("60.12")]


def test_a_risk_check_is_a_limit(recorded: Recorded, dex: VariationalExchange) -> None:
    error = dex.decode_error(422, recorded("http_error_risk_check_422"), PLACE)
    assert type(error) is LimitReached
    assert error.code == "user_gross_notional_limit_risk_check"
    assert error.detail.startswith("gross notional limit exceeded")
