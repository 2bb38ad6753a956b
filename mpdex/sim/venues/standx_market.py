"""Public answers of the simulated StandX: markets, prices, books, trades, funding, klines.

Levels of a book come in no order. What the venue tells of a day is told here of the trades that are
remembered.

Source: docs.standx.com, "Perps HTTP API", and live answers; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import groupby

from mpdex.sim.recent import Recent
from mpdex.sim.records import ZERO, PublicTrade, SimMarket
from mpdex.sim.venues import standx_render as render
from mpdex.sim.venues import standx_wire as wire
from mpdex.sim.venues.standx_truth import BAND, FIRST_LEVERAGE, MOST_OPEN, StandxTruth
from mpdex.sim.venues.standx_wire import Refusal
from mpdex.types import Json

Query = Mapping[str, str]
DEPTH = 50  # UNVERIFIED: levels of a side
KEPT, SHOWN = 1000, 100  # trades
FEW_BARS = 5  # without `countback`, as was seen live
NEEDED = -1  # no number: a query has to say one
HOUR_NS = 3_600 * 10**9
RATIO = Decimal("0.000001")
LISTED = "2025-07-10T05:15:32.089568Z"
RESOLUTIONS = {
    "1T": 1,
    "3S": 3,
    "1": 60,
    "5": 300,
    "15": 900,
    "60": 3600,
    "1D": 86_400,
    "1W": 604_800,
    "1M": 2_592_000,
}


class MarketData:
    """One venue's public side.

    Raises: Refusal from all answers.
    """

    def __init__(self, truth: StandxTruth, rng: random.Random) -> None:
        self._truth = truth
        self._rng = rng
        self.recent = Recent(KEPT)
        self.answers: dict[str, Callable[[Query], Json]] = {
            "/api/health": lambda _: "OK",
            "/api/query_symbol_info": self.answer_info,
            "/api/query_symbol_market": lambda query: self.render_market(self._market(query)),
            "/api/query_symbol_price": self.answer_price,
            "/api/query_depth_book": lambda query: self.render_book(self._market(query)),
            "/api/query_recent_trades": self.answer_trades,
            "/api/query_funding_rates": self.answer_rates,
            "/api/query_market_overview": self.answer_overview,
            "/api/kline/time": lambda _: truth.clock.now_ns() // 10**9,
            "/api/kline/history": self.answer_klines,
        }

    def _market(self, query: Query) -> SimMarket:
        return wire.read_symbol(query, self._truth.markets)

    # ---------------------------------------------------------------- markets

    def answer_info(self, query: Query) -> Json:
        """An array, of one where the query names it."""
        markets = self._truth.markets.values()
        chosen = [self._market(query)] if "symbol" in query else markets
        return [self._info(market) for market in chosen]

    def _info(self, market: SimMarket) -> dict[str, Json]:
        fees, halted = self._truth.fees, self._truth.halted
        return {
            "base_asset": market.coin,
            "base_decimals": 9,
            "created_at": LISTED,
            "def_leverage": str(FIRST_LEVERAGE),
            "depth_ticks": ",".join(format(market.tick * 10**i, "f") for i in range(3)),
            "enabled": not halted,
            "maker_fee": render.number(fees.maker),
            "max_leverage": str(market.max_leverage),
            "max_open_orders": str(MOST_OPEN),
            "max_order_qty": str(market.max_size),
            "max_position_size": str(market.info["max_position"]),
            "min_order_qty": str(market.min_size),
            "price_cap_ratio": str(BAND),
            "price_floor_ratio": str(BAND),
            "price_tick_decimals": -int(market.tick.normalize().as_tuple().exponent),
            "qty_tick_decimals": -int(market.step.normalize().as_tuple().exponent),
            "quote_asset": market.quote,
            "quote_decimals": 9,
            "status": "halted" if halted else "trading",  # UNVERIFIED: any word but `trading`
            "symbol": market.symbol,
            "taker_fee": render.number(fees.taker),
            "updated_at": LISTED,
        }

    # ---------------------------------------------------------------- prices

    def last_price(self, symbol: str) -> Decimal:
        """Of the last trade; the mark before there was one."""
        trades = self.recent.trades[symbol]
        return trades[-1].price if trades else self._truth.mark(symbol)

    def render_prices(self, market: SimMarket, digits: int) -> dict[str, Json]:
        """What REST and the stream tell alike."""
        symbol, spread = market.symbol, self.spread(market)
        bid, ask = self._truth.best(symbol)
        middle = None if bid is None or ask is None else (bid + ask) / 2
        index = self.recent.index.get(symbol, self._truth.mark(symbol))
        return {
            "base": market.coin,
            "index_price": format(index.quantize(RATIO), "f"),
            "last_price": render.on_grid(self.last_price(symbol), market.tick),
            "mark_price": render.number(self._truth.mark(symbol)),
            "mid_price": middle and format(middle.quantize(market.tick / 100), "f"),
            "quote": market.quote,
            "spread": spread,
            "symbol": symbol,
            "time": render.stamp(self._truth.clock.now_ns(), digits),
        }

    def spread(self, market: SimMarket) -> list[Json]:
        """Best bid and ask; null for an empty side."""
        best = self._truth.best(market.symbol)
        return [None if price is None else render.on_grid(price, market.tick) for price in best]

    def answer_price(self, query: Query) -> Json:
        fields = self.render_prices(self._market(query), render.REST)
        bid, ask = fields.pop("spread")
        return {**fields, "spread_ask": ask, "spread_bid": bid}

    def render_market(self, market: SimMarket) -> dict[str, Json]:
        """The day's volume, high and low are JSON numbers, as was seen live."""
        trades = self.recent.trades[market.symbol]
        prices = [trade.price for trade in trades] or [self._truth.mark(market.symbol)]
        return {
            **self.render_prices(market, render.REST),
            "funding_rate": format(self._truth.funding_rate(market.symbol), ".8f"),
            "high_price_24h": render.json_number(max(prices)),
            "low_price_24h": render.json_number(min(prices)),
            "next_funding_time": self._next_funding(market),
            "open_interest": render.number(self._open_interest(market)),
            "volume_24h": render.json_number(sum((t.size for t in trades), ZERO)),
        }

    def _next_funding(self, market: SimMarket) -> str:
        step = market.funding_hours * HOUR_NS
        following = (self._truth.clock.now_ns() // step + 1) * step
        return render.stamp(following, 0).replace(".", "")

    def _open_interest(self, market: SimMarket) -> Decimal:
        """What the accounts here hold: nothing is known of anybody else."""
        accounts = self._truth.accounts.values()
        return sum((abs(account.size(market.symbol)) for account in accounts), ZERO)

    def answer_overview(self, _: Query) -> Json:
        rows = [self._overview(market) for market in self._truth.markets.values()]
        return {
            "summary": {
                "open_interest_notional": _total(rows, "open_interest_notional"),
                "symbol_count": len(rows),
                "volume_quote_24h": _total(rows, "volume_quote_24h"),
            },
            "symbols": rows,
        }

    def _overview(self, market: SimMarket) -> dict[str, Json]:
        symbol, mark = market.symbol, self._truth.mark(market.symbol)
        trades, interest = self.recent.trades[symbol], self._open_interest(market)
        first = trades[0].price if trades else mark
        change = (self.last_price(symbol) / first - 1) * 100 if first else ZERO
        prices = self.render_prices(market, render.REST)
        told = ("base", "last_price", "mark_price", "quote", "symbol", "time")
        return {
            **{name: prices[name] for name in told},
            "funding_rate": format(self._truth.funding_rate(symbol), ".8f"),
            "open_interest": render.number(interest),
            "open_interest_notional": render.number(interest * mark),
            "price_change_pct": render.json_number(change.quantize(RATIO)),
            "volume_24h": render.number(sum((t.size for t in trades), ZERO)),
            "volume_quote_24h": render.number(sum((t.size * t.price for t in trades), ZERO)),
        }

    # ---------------------------------------------------------------- book and trades

    def render_book(self, market: SimMarket) -> dict[str, Json]:
        bids, asks, _ = self._truth.book(market.symbol, DEPTH)
        return {
            "asks": render.render_levels(self._shuffled(asks), market),
            "bids": render.render_levels(self._shuffled(bids), market),
            "symbol": market.symbol,
        }

    def _shuffled(self, levels: list[tuple[Decimal, Decimal]]) -> list[tuple[Decimal, Decimal]]:
        """In no order; never best first where there is a choice."""
        mixed = self._rng.sample(levels, len(levels))
        if len(mixed) > 1 and mixed[0] == levels[0]:
            mixed.append(mixed.pop(0))
        return mixed

    def answer_trades(self, query: Query) -> Json:
        """Newest first."""
        trades = [*reversed(self.recent.trades[self._market(query).symbol])]
        return [render.render_trade(trade) for trade in trades[:SHOWN]]

    def answer_rates(self, query: Query) -> Json:
        """Only the last interval's: the simulator keeps no history of rates."""
        market = self._market(query)
        since, until = (
            wire.read_count(query, f"{end}_time", NEEDED, 10**15) for end in ("start", "end")
        )
        step = market.funding_hours * HOUR_NS
        ended = self._truth.clock.now_ns() // step * step
        if not since <= ended // 10**6 <= until:
            return []
        at, mark = render.stamp(ended), self._truth.mark(market.symbol)
        return [
            {
                "id": ended // step,
                "symbol": market.symbol,
                "funding_rate": render.number(self._truth.funding_rate(market.symbol)),
                "index_price": render.number(self.recent.index.get(market.symbol, mark)),
                "mark_price": render.number(mark),
                "premium": "0",
                "time": at,
                "created_at": at,
                "updated_at": at,
            }
        ]

    def answer_klines(self, query: Query) -> Json:
        """Columns of JSON numbers; intervals without a trade are left out."""
        market, seconds = self._market(query), RESOLUTIONS.get(query.get("resolution", ""))
        if seconds is None:
            raise Refusal(wire.MALFORMED)
        since, until = (wire.read_count(query, name, NEEDED, 10**12) for name in ("from", "to"))
        bars = [
            (at * seconds, list(trades))
            for at, trades in groupby(
                self.recent.trades[market.symbol], lambda trade: trade.time_ns // 10**9 // seconds
            )
            if since <= at * seconds <= until
        ][-wire.read_count(query, "countback", FEW_BARS, KEPT) :]
        return {"s": "ok", "t": [at for at, _ in bars], **_columns([bar for _, bar in bars])}


def _columns(bars: list[list[PublicTrade]]) -> dict[str, Json]:
    columns: dict[str, Callable[[list[PublicTrade]], Decimal]] = {
        "c": lambda bar: bar[-1].price,
        "o": lambda bar: bar[0].price,
        "h": lambda bar: max(trade.price for trade in bar),
        "l": lambda bar: min(trade.price for trade in bar),
        "v": lambda bar: sum((trade.size for trade in bar), ZERO),
    }
    return {name: [render.json_number(of(bar)) for bar in bars] for name, of in columns.items()}


def _total(rows: list[dict[str, Json]], name: str) -> str:
    return render.number(sum((Decimal(row[name]) for row in rows), ZERO))
