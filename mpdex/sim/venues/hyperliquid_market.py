"""What anybody may ask the simulated Hyperliquid: universes, contexts, books, trades, candles.

Asset ids are positions: those of coins that are not simulated are taken by delisted ones.

Source: hyperliquid.gitbook.io, "Info endpoint" and its perpetuals and spot pages; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import groupby

from mpdex.sim.exchange import SimExchange
from mpdex.sim.records import ZERO, Level, MarkChanged, PublicTrade, SimEvent, SimMarket
from mpdex.sim.venues.hyperliquid_exchange import DEXS, FUNDING
from mpdex.sim.venues.hyperliquid_render import (
    milliseconds,
    money,
    number,
    render_levels,
    render_trade,
)
from mpdex.sim.venues.hyperliquid_wire import Malformed
from mpdex.types import Json

Query = Mapping[str, Json]
DEPTH, FAST_DEPTH = 20, 5
REMEMBERED_TRADES = 2000
HOUR_NS = 3_600 * 10**9
_MINUTE, _HOUR = 60, 3_600
INTERVALS = {
    **{f"{n}m": n * _MINUTE for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * _HOUR for n in (1, 2, 4, 8, 12)},
    "1d": 24 * _HOUR,
}


def _gone(name: str, decimals: int, leverage: int) -> Json:
    return {
        "szDecimals": decimals,
        "name": name,
        "maxLeverage": leverage,
        "marginTableId": leverage,
        "isDelisted": True,
    }


# Of these only MATIC is delisted live; the simulator has no market for the other two.
DELISTED: Mapping[int, Json] = {
    2: _gone("ATOM", 2, 5),
    3: _gone("MATIC", 1, 20),
    4: _gone("DYDX", 1, 5),
}


def _table(number: int, name: str, *tiers: tuple[str, int]) -> Json:
    levels = [{"lowerBound": bound, "maxLeverage": leverage} for bound, leverage in tiers]
    return [number, {"description": name, "marginTiers": levels}]


TABLES = [
    _table(54, "tiered 20x (2)", ("0.0", 20), ("70000000.0", 10)),
    _table(55, "tiered 25x", ("0.0", 25), ("100000000.0", 15)),
    _table(56, "tiered 40x", ("0.0", 40), ("150000000.0", 20)),
]
GROWTH_SINCE = "2025-11-23T17:21:40.390706535"
BUILDER_DEX = {
    "name": "xyz",
    "fullName": "XYZ",
    "deployer": "0x88806a71d74ad0a510b350545c9ae490912f0888",
    "oracleUpdater": None,
    "feeRecipient": None,
    "assetToStreamingOiCap": [["xyz:XYZ100", "500000000.0"]],
    "subDeployers": [],
    "deployerFeeScale": "1.0",
    "lastDeployerFeeScaleChangeTime": "1970-01-01T00:00:00",
    "assetToFundingMultiplier": [["xyz:XYZ100", "1.0"]],
}
USDC_TOKEN = {
    "name": "USDC",
    "szDecimals": 8,
    "weiDecimals": 8,
    "index": 0,
    "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
    "isCanonical": True,
    "evmContract": None,
    "fullName": None,
}
# Base token of a spot market: index (its place in the list, as live), wei decimals, id.
TOKENS = {
    "PURR": (1, 5, "0xc1fb593aeffbeb02f85e0308e9956a90"),
    "UETH": (2, 9, "0xe1edd30daaf5caac3fe63569e24748da"),
}


def decimals_of(market: SimMarket) -> int:
    """`szDecimals`: what the step is told by."""
    return -market.step.adjusted()


class MarketData:
    """One venue's public side.

    Raises: Malformed from all answers, where the venue answers 422.
    """

    def __init__(self, exchange: SimExchange) -> None:
        self._exchange = exchange
        self._trades: dict[str, deque[PublicTrade]] = defaultdict(
            lambda: deque(maxlen=REMEMBERED_TRADES)
        )
        self._index: dict[str, Decimal] = {}
        self.answers: dict[str, Callable[[Query], Json]] = {
            "meta": lambda query: self.render_meta(self.dex(query)),
            "metaAndAssetCtxs": self.answer_meta_and_contexts,
            "allPerpMetas": lambda _: [self.render_meta(dex) for dex in DEXS],
            "perpDexs": lambda _: [None, BUILDER_DEX],
            "spotMeta": lambda _: self.render_spot_meta(),
            "spotMetaAndAssetCtxs": self.answer_spot_and_contexts,
            "allMids": lambda query: self.render_mids(self.dex(query)),
            "l2Book": self.answer_book,
            "recentTrades": self.answer_trades,
            "candleSnapshot": self.answer_candles,
            "fundingHistory": self.answer_funding,
            "predictedFundings": self.answer_predicted,
            "perpsAtOpenInterestCap": lambda _: [],
            "exchangeStatus": self.answer_status,
        }

    def note(self, event: SimEvent) -> None:
        """Remember what later answers need."""
        match event:
            case PublicTrade(symbol):
                self._trades[symbol].append(event)
            case MarkChanged(symbol, _, index):
                self._index[symbol] = index

    # ---------------------------------------------------------------- finding

    def dex(self, query: Query) -> str:
        """The dex of a query; "" where none is named."""
        dex = query.get("dex") or ""
        if dex not in DEXS:
            raise Malformed
        return str(dex)

    def market(self, coin: Json) -> SimMarket:
        """By the coin's exact name, case included."""
        found = self._exchange.markets.get(str(coin))
        if found is None:
            raise Malformed
        return found

    def by_asset(self, asset: int) -> SimMarket | None:
        markets = self._exchange.markets.values()
        return next((m for m in markets if m.info["asset"] == asset), None)

    def perps(self, dex: str) -> list[SimMarket]:
        """In the order of their ids."""
        found = [m for m in self._exchange.markets.values() if m.info.get("dex") == dex]
        return sorted(found, key=lambda market: market.info["asset"])

    def spots(self) -> list[SimMarket]:
        found = [m for m in self._exchange.markets.values() if m.kind == "spot"]
        return sorted(found, key=lambda market: market.info["asset"])

    # ---------------------------------------------------------------- universes

    def render_meta(self, dex: str) -> dict[str, Json]:
        listed = {m.info["asset"] % 10_000: self._render_perp(m) for m in self.perps(dex)}
        if not dex:
            listed |= DELISTED
        return {
            "universe": [listed[place] for place in sorted(listed)],
            "marginTables": TABLES if not dex else [],
            "collateralToken": 0,
        }

    def _render_perp(self, market: SimMarket) -> dict[str, Json]:
        fields: dict[str, Json] = {
            "szDecimals": decimals_of(market),
            "name": market.symbol,
            "maxLeverage": int(market.max_leverage),
            "marginTableId": market.info["table"],
        }
        if market.info["dex"]:
            fields |= {
                "onlyIsolated": True,
                "marginMode": "strictIsolated",
                "growthMode": "enabled",
                "lastGrowthModeChangeTime": GROWTH_SINCE,
            }
        return fields

    def render_spot_meta(self) -> dict[str, Json]:
        universe, tokens = [], [USDC_TOKEN]
        for market in self.spots():
            name = market.info["token"]
            index, wei, id = TOKENS[name]
            tokens.append(
                {
                    "name": name,
                    "szDecimals": decimals_of(market),
                    "weiDecimals": wei,
                    "index": index,
                    "tokenId": id,
                    "isCanonical": name == "PURR",
                    "evmContract": None,
                    "fullName": None,
                }
            )
            universe.append(
                {
                    "tokens": [index, 0],
                    "name": market.symbol,
                    "index": market.info["asset"] - 10_000,
                    "isCanonical": name == "PURR",
                }
            )
        return {"universe": universe, "tokens": tokens}

    # ---------------------------------------------------------------- contexts

    def render_context(self, market: SimMarket) -> dict[str, Json]:
        """State of a perp. Without a two-sided book there is no mid, no premium, no impact."""
        symbol, mark = market.symbol, self._exchange.mark(market.symbol)
        bid, ask = self._exchange.best(symbol)
        two = bid is not None and ask is not None
        oracle = self._index.get(symbol, mark)
        return {
            "funding": number(self._exchange.funding_rate(symbol)),
            "openInterest": number(self.open_interest(symbol)),
            **self._day(market),
            "premium": "0.0" if two else None,
            "oraclePx": number(oracle),
            "markPx": number(mark),
            "midPx": self.render_mid(symbol),
            "impactPxs": [number(bid or ZERO), number(ask or ZERO)] if two else None,
        }

    def render_spot_context(self, market: SimMarket) -> dict[str, Json]:
        return {
            **self._day(market),
            "markPx": number(self._exchange.mark(market.symbol)),
            "midPx": self.render_mid(market.symbol),
            "circulatingSupply": "1000000.0",
            "coin": market.symbol,
            "totalSupply": "1000000.0",
        }

    def _day(self, market: SimMarket) -> dict[str, Json]:
        """Of the trades remembered, where the venue takes a day's."""
        trades = self._trades[market.symbol]
        first = trades[0].price if trades else self._exchange.mark(market.symbol)
        return {
            "prevDayPx": number(first),
            "dayNtlVlm": money(sum((t.price * t.size for t in trades), ZERO)),
            "dayBaseVlm": number(sum((t.size for t in trades), ZERO)),
        }

    def open_interest(self, symbol: str) -> Decimal:
        """What the accounts here hold: nothing is known of anybody else."""
        held = (abs(account.size(symbol)) for account in self._exchange.accounts.values())
        return sum(held, ZERO)

    def mid(self, symbol: str) -> Decimal | None:
        bid, ask = self._exchange.best(symbol)
        return None if bid is None or ask is None else (bid + ask) / 2

    def render_mid(self, symbol: str) -> str | None:
        mid = self.mid(symbol)
        return None if mid is None else number(mid)

    def render_mids(self, dex: str) -> dict[str, Json]:
        """Of one dex; those of spot go with the first."""
        markets = self.perps(dex) + ([] if dex else self.spots())
        mids = ((m.symbol, self.render_mid(m.symbol)) for m in markets)
        return {symbol: mid for symbol, mid in mids if mid is not None}

    def render_contexts(self, dex: str) -> list[Json]:
        """One context an asset, of those delisted too."""
        by_place: dict[int, Json]
        by_place = {m.info["asset"] % 10_000: self.render_context(m) for m in self.perps(dex)}
        if not dex:
            by_place |= dict.fromkeys(DELISTED, _DEAD)
        return [by_place[place] for place in sorted(by_place)]

    def answer_meta_and_contexts(self, query: Query) -> Json:
        dex = self.dex(query)
        return [self.render_meta(dex), self.render_contexts(dex)]

    def answer_spot_and_contexts(self, _: Query) -> Json:
        return [self.render_spot_meta(), [self.render_spot_context(m) for m in self.spots()]]

    # ---------------------------------------------------------------- books and trades

    def render_book(
        self, market: SimMarket, depth: int = DEPTH, digits: int | None = None, mantissa: int = 1
    ) -> dict[str, Json]:
        """The best levels; with `digits` such of so many significant figures, summed up."""
        bids, asks, _ = self._exchange.book(market.symbol, depth if digits is None else None)
        book = {"coin": market.symbol, "time": self._exchange.clock.now_ms()}
        if digits is None:
            return {**book, "levels": [render_levels(bids), render_levels(asks)]}
        best = bids or asks
        step = Decimal(mantissa).scaleb(best[0][0].adjusted() + 1 - digits) if best else ZERO
        sides = _summed(bids, step, ROUND_FLOOR), _summed(asks, step, ROUND_CEILING)
        levels = [render_levels(side[:depth]) for side in sides]
        return {**book, "levels": levels, "spread": number(_spread(bids, asks))}

    def answer_book(self, query: Query) -> Json:
        digits, mantissa = query.get("nSigFigs"), query.get("mantissa") or 1
        if digits not in (None, 2, 3, 4, 5) or mantissa not in (1, 2, 5):
            raise Malformed
        return self.render_book(self.market(query.get("coin")), DEPTH, digits, mantissa)

    def render_trades(self, symbol: str, most: int) -> list[Json]:
        """The newest, oldest first."""
        return [render_trade(trade) for trade in [*self._trades[symbol]][-most:]]

    def answer_trades(self, query: Query) -> Json:
        return self.render_trades(self.market(query.get("coin")).symbol, 10)[::-1]

    def answer_candles(self, query: Query) -> Json:
        """Of the trades remembered; intervals without a trade are left out."""
        asked = query.get("req")
        if not isinstance(asked, dict) or asked.get("interval") not in INTERVALS:
            raise Malformed
        market, step = self.market(asked.get("coin")), INTERVALS[asked["interval"]] * 1000
        since, until = asked.get("startTime") or 0, asked.get("endTime") or 1 << 62
        grouped = groupby(
            self._trades[market.symbol], lambda trade: milliseconds(trade.time_ns) // step
        )
        return [
            _candle(market.symbol, asked["interval"], start * step, step, list(trades))
            for start, trades in grouped
            if since <= (start + 1) * step and start * step <= until
        ]

    # ---------------------------------------------------------------- funding and status

    def next_funding_ms(self) -> int:
        return milliseconds((self._exchange.clock.now_ns() // HOUR_NS + 1) * HOUR_NS)

    def answer_funding(self, query: Query) -> Json:
        """Only the last hour's: the simulator keeps no history of rates."""
        market = self.market(query.get("coin"))
        rate, at = self._exchange.funding_rate(market.symbol), self.next_funding_ms() - 3_600_000
        since = query.get("startTime")
        if not isinstance(since, int):
            raise Malformed
        row = {
            "coin": market.symbol,
            "fundingRate": number(rate),
            "premium": number(rate - FUNDING),
            "time": at,
        }
        return [row] if since <= at else []

    def answer_predicted(self, _: Query) -> Json:
        return [
            [
                market.symbol,
                [
                    [
                        "HlPerp",
                        {
                            "fundingRate": number(self._exchange.funding_rate(market.symbol)),
                            "nextFundingTime": self.next_funding_ms(),
                            "fundingIntervalHours": 1,
                        },
                    ]
                ],
            ]
            for market in self.perps("")
        ]

    def answer_status(self, _: Query) -> Json:
        return {"time": self._exchange.clock.now_ms(), "specialStatuses": None}


def _summed(levels: Sequence[Level], step: Decimal, rounding: str) -> list[Level]:
    """Levels on a coarser grid."""
    together: dict[Decimal, Decimal] = defaultdict(Decimal)
    for price, size in levels:
        together[(price / step).to_integral_value(rounding) * step] += size
    return list(together.items())


def _spread(bids: Sequence[Level], asks: Sequence[Level]) -> Decimal:
    return asks[0][0] - bids[0][0] if bids and asks else ZERO


_DEAD: Json = {
    "funding": "0.0",
    "openInterest": "0.0",
    "prevDayPx": "1.0",
    "dayNtlVlm": "0.0",
    "dayBaseVlm": "0.0",
    "premium": None,
    "oraclePx": "1.0",
    "markPx": "1.0",
    "midPx": None,
    "impactPxs": None,
}


def _candle(
    coin: str, interval: str, start_ms: int, step_ms: int, trades: Sequence[PublicTrade]
) -> dict[str, Json]:
    prices = [trade.price for trade in trades]
    return {
        "t": start_ms,
        "T": start_ms + step_ms - 1,
        "s": coin,
        "i": interval,
        "o": number(prices[0]),
        "c": number(prices[-1]),
        "h": number(max(prices)),
        "l": number(min(prices)),
        "v": number(sum((trade.size for trade in trades), ZERO)),
        "n": len(trades),
    }
