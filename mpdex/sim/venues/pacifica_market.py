"""What anybody may ask the simulated Pacifica: markets, prices, book, trades, rates, fees.

Not simulated: candles, loan pools, the leaderboards.

Source: docs.pacifica.fi, "Markets", "Fees"; live answers recorded in 2026; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from mpdex.sim.numerals import number
from mpdex.sim.recent import Recent
from mpdex.sim.records import ZERO, SimMarket
from mpdex.sim.venues import pacifica_render as render
from mpdex.sim.venues.pacifica_truth import PacificaTruth
from mpdex.sim.venues.pacifica_wire import (
    BAD_REQUEST,
    BAD_TICK_LEVEL,
    BOOK_NOT_FOUND,
    Refusal,
)
from mpdex.types import Json

Query = Mapping[str, str]
LEVELS = (1, 10, 100, 1000, 10_000)
HOUR_NS = 3_600 * 10**9
RECENT = 100
# Maker and taker rates, by fee level.
TIERS = (
    ("0.00015", "0.0004"),
    ("0.00012", "0.00038"),
    ("0.00009", "0.00036"),
    ("0.00006", "0.00034"),
    ("0.00003", "0.00032"),
    ("0", "0.0003"),
    ("0", "0.00029"),
    ("0", "0.00028"),
)


class MarketData:
    """One venue's public side: remembers trades and index prices; answers queries.

    Raises: Refusal from all answers.
    """

    def __init__(self, exchange: PacificaTruth) -> None:
        self._exchange = exchange
        self.recent = Recent(RECENT)
        self.answers: dict[str, Callable[[Query], Json]] = {
            "/info": self.answer_info,
            "/info/prices": lambda _: render.envelope(self.render_prices()),
            "/info/fees": self.answer_fees,
            "/book": self.answer_book,
            "/trades": self.answer_trades,
            "/funding_rate/history": self.answer_rates,
        }

    def market(self, symbol: Json) -> SimMarket:
        """A market; its name is case sensitive."""
        found = self._exchange.markets.get(symbol) if isinstance(symbol, str) else None
        if found is None:
            raise Refusal(BOOK_NOT_FOUND)
        return found

    # ---------------------------------------------------------------- answers

    def answer_info(self, _: Query) -> Json:
        markets = self._exchange.markets.values()
        rate = self._exchange.funding_rate
        return render.envelope([render.render_market(m, rate(m.symbol)) for m in markets])

    def answer_fees(self, _: Query) -> Json:
        """Levels count from 0, as an account's does."""
        return render.envelope(
            [
                {"level": level, "maker_fee_rate": maker, "taker_fee_rate": taker}
                for level, (maker, taker) in enumerate(TIERS)
            ]
        )

    def render_prices(self) -> list[dict[str, Json]]:
        """Of all markets."""
        return [self._render_price(market) for market in self._exchange.markets.values()]

    def _render_price(self, market: SimMarket) -> dict[str, Json]:
        """Volume is that of the trades remembered, where the venue takes a day's."""
        symbol, exchange = market.symbol, self._exchange
        mark, rate = exchange.mark(symbol), number(exchange.funding_rate(symbol))
        held = (abs(account.size(symbol)) for account in exchange.accounts.values())
        volume = sum((t.price * t.size for t in self.recent.trades[symbol]), ZERO)
        return {
            "funding": rate,
            "mark": number(mark),
            "mid": number(self._mid(symbol)),
            "next_funding": rate,
            "open_interest": number(sum(held, ZERO)),
            "oracle": number(self.recent.index.get(symbol, mark)),
            "symbol": symbol,
            "timestamp": exchange.clock.now_ms(),
            "volume_24h": number(volume),
            "yesterday_price": number(mark),
        }

    def _mid(self, symbol: str) -> Decimal:
        bid, ask = self._exchange.best(symbol)
        return ZERO if bid is None or ask is None else (bid + ask) / 2

    def answer_book(self, query: Query) -> Json:
        level = parse_level(query.get("agg_level", "1"))
        return render.envelope(self.render_book(self.market(query.get("symbol")), level))

    def render_book(self, market: SimMarket, level: int) -> dict[str, Json]:
        """Ten levels a side at a coarseness."""
        step = market.tick * level
        bids, asks, _ = self._exchange.book(market.symbol, render.DEPTH if level == 1 else None)
        sides = [render.aggregated(bids, step, "buy"), render.aggregated(asks, step, "sell")]
        return {"s": market.symbol, "l": sides, "t": self._exchange.clock.now_ms()}

    def render_best(self, symbol: str) -> dict[str, Json]:
        """The best level a side; 0 where there is none."""
        bids, asks, _ = self._exchange.book(symbol, 1)
        (bid, bid_size), (ask, ask_size) = ((*side, (ZERO, ZERO))[0] for side in (bids, asks))
        return {
            "b": number(bid),
            "B": number(bid_size),
            "a": number(ask),
            "A": number(ask_size),
        }

    def answer_trades(self, query: Query) -> Json:
        """Newest first; all markets if none is named (UNVERIFIED)."""
        wanted = [self.market(query["symbol"]).symbol] if "symbol" in query else self.recent.trades
        trades = sorted(
            (trade for symbol in list(wanted) for trade in self.recent.trades[symbol]),
            key=lambda trade: -trade.trade_id,
        )
        data = [render.render_public_trade(trade) for trade in trades[:RECENT]]
        return render.envelope(data, last_order_id=self._exchange.next_number())

    def answer_rates(self, query: Query) -> Json:
        """Only the last interval's: the simulator keeps no history of rates."""
        market = self.market(query.get("symbol"))
        mark, rate = self._exchange.mark(market.symbol), self._exchange.funding_rate(market.symbol)
        ended = self._exchange.clock.now_ns() // HOUR_NS * HOUR_NS
        bid, ask = self._exchange.best(market.symbol)
        row = {
            "oracle_price": number(self.recent.index.get(market.symbol, mark)),
            "bid_impact_price": number(bid or ZERO),
            "ask_impact_price": number(ask or ZERO),
            "funding_rate": number(rate),
            "next_funding_rate": number(rate),
            "created_at": ended // 1_000_000,
        }
        return {"success": True, "data": [row], "next_cursor": None, "has_more": False}


def parse_level(value: Json) -> int:
    """Coarseness of a book: text in a query, a number on the socket."""
    if isinstance(value, bool) or str(value) not in map(str, LEVELS):
        raise Refusal(BAD_TICK_LEVEL if str(value).isdigit() else BAD_REQUEST)
    return int(value)
