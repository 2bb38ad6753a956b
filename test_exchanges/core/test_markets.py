"""The list of markets: exact spelling, nearest names, one market of a coin or none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mpdex.errors import UnknownSymbol, Unsupported
from mpdex.types import Market
from mpdex.utils.markets import MarketList, coin_of


def market(symbol: str, coin: str, **changes: Any) -> Market:
    told: dict[str, Any] = {
        "symbol": symbol,
        "coin": coin,
        "quote": "USD",
        "kind": "perp",
        "tick": Decimal("0.01"),
        "step": Decimal("0.001"),
        "min_size": Decimal("0.001"),
        "min_notional": None,
        "max_size": None,
        "multiplier": Decimal(1),
        "max_leverage": None,
        "significant_figures": None,
        "price_band": None,
        "active": True,
        "raw": {},
    }
    return Market(**{**told, **changes})  # type: ignore[typeddict-item]


@pytest.fixture
def markets() -> MarketList:
    found = MarketList("acme")
    found.replace(
        [
            market("ETH-PERP", "ETH"),
            market("BTC-PERP", "BTC"),
            market("kPEPE-PERP", "PEPE", multiplier=Decimal(1000)),
            market("OLD-PERP", "OLD", active=False),
            market("ETH/USDC", "ETH", kind="spot"),
            market("BTC/USDC", "BTC", kind="spot"),
            market("BTC/EUR", "BTC", kind="spot", quote="EUR"),
        ]
    )
    return found


def test_a_symbol_gives_its_market(markets: MarketList) -> None:
    assert markets["ETH-PERP"]["coin"] == "ETH"
    assert markets["OLD-PERP"]["active"] is False


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("ETH_PERP", "ETH-PERP"), ("eth-perp", "ETH-PERP"), ("BTC", "BTC-PERP")]
)
def test_an_unknown_symbol_names_the_nearest(markets: MarketList, wrong: str, nearest: str) -> None:
    with pytest.raises(UnknownSymbol, match=f"'{wrong}'.*{nearest}") as caught:
        markets[wrong]
    assert caught.value.venue == "acme"


def test_where_nothing_is_near_nothing_is_named(markets: MarketList) -> None:
    with pytest.raises(UnknownSymbol, match=r"no market '\?\?\?\?' here$"):
        markets["????"]


def test_before_loading_the_message_says_so() -> None:
    with pytest.raises(UnknownSymbol, match="not loaded, await init"):
        MarketList("acme")["ETH-PERP"]


def test_symbols_are_sorted_active_and_of_a_kind(markets: MarketList) -> None:
    assert markets.symbols("perp") == ["BTC-PERP", "ETH-PERP", "kPEPE-PERP"]
    assert markets.symbols("spot") == ["BTC/EUR", "BTC/USDC", "ETH/USDC"]
    assert markets.symbols("option") == []


def test_a_coin_has_the_first_of_its_symbols(markets: MarketList) -> None:
    assert markets.by_coin("spot") == {"BTC": "BTC/EUR", "ETH": "ETH/USDC"}
    assert markets.by_coin("perp")["PEPE"] == "kPEPE-PERP"


@pytest.mark.parametrize("coin", ["ETH", "eth"])
def test_a_coin_is_found_whatever_its_case(markets: MarketList, coin: str) -> None:
    assert markets.find(coin, "perp")["symbol"] == "ETH-PERP"
    assert markets.find(coin, "spot")["symbol"] == "ETH/USDC"


def test_an_ambiguous_coin_names_its_markets(markets: MarketList) -> None:
    with pytest.raises(UnknownSymbol, match="ambiguous: BTC/EUR, BTC/USDC"):
        markets.find("BTC", "spot")


@pytest.mark.parametrize("coin", ["OLD", "DOGE"])
def test_a_coin_without_an_active_market_is_unknown(markets: MarketList, coin: str) -> None:
    with pytest.raises(UnknownSymbol, match=f"no market '{coin}'"):
        markets.find(coin, "perp")


def test_a_new_answer_takes_the_place_of_the_old(markets: MarketList) -> None:
    markets.replace([market("SOL-PERP", "SOL")])
    assert markets.symbols("perp") == ["SOL-PERP"]
    with pytest.raises(UnknownSymbol):
        markets["ETH-PERP"]


def test_one_market_is_completed(markets: MarketList) -> None:
    markets.complete({**markets["ETH-PERP"], "max_leverage": Decimal(50)})
    assert markets["ETH-PERP"]["max_leverage"] == 50
    assert markets["BTC-PERP"]["max_leverage"] is None


def test_a_venue_without_spot_says_why() -> None:
    found = MarketList("acme", no_spot="it has none")
    found.replace([market("ETH-PERP", "ETH")])
    with pytest.raises(Unsupported, match="acme: no spot market 'ETH/USDC': it has none"):
        found["ETH/USDC"]
    with pytest.raises(Unsupported, match="it has none"):
        found.find("ETH", "spot")
    with pytest.raises(UnknownSymbol, match="ETH-PERP"):
        found["ETH_PERP"]


@pytest.mark.parametrize(
    ("name", "coin", "count"),
    [("ETH", "ETH", 1), ("1000PEPE", "PEPE", 1000), ("1000", "1000", 1), ("1INCH", "1INCH", 1)],
)
def test_contracts_of_a_thousand_coins(name: str, coin: str, count: int) -> None:
    assert coin_of(name) == (coin, Decimal(count))
