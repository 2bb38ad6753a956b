"""What anybody may ask the simulated GRVT: instruments, book, tickers, trades, funding.

Source: api-docs.grvt.io, market_data_api; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal

from mpdex.sim.exchange import SimExchange
from mpdex.sim.records import MarkChanged, PublicTrade, SimEvent, SimMarket
from mpdex.sim.venues import grvt_render as render
from mpdex.sim.venues.grvt_wire import Refusal, parse_integer
from mpdex.types import Json

DEPTHS = (10, 50, 100, 500)
MOST = 1000  # greatest `limit`
HOUR_NS = 3_600 * 10**9
CURRENCIES = (("USD", 1), ("USDC", 2), ("USDT", 3), ("ETH", 4), ("BTC", 5))


class MarketData:
    """One venue's public side: remembers trades, index and last price; answers requests.

    Every `answer_` takes the request body and gives the body of the answer.

    Raises: Refusal from all of them.
    """

    def __init__(self, exchange: SimExchange) -> None:
        self._exchange = exchange
        self._started_ns = exchange.clock.now_ns()
        self._trades: dict[str, deque[PublicTrade]] = defaultdict(lambda: deque(maxlen=MOST))
        self._index: dict[str, Decimal] = {}
        self.answers: dict[str, Callable[[dict[str, Json]], Json]] = {
            "all_instruments": self.answer_instruments,
            "instruments": self.answer_instruments,
            "instrument": self.answer_instrument,
            "currency": self.answer_currency,
            "margin_rules": self.answer_margin_rules,
            "book": self.answer_book,
            "mini": self.answer_mini,
            "ticker": self.answer_ticker,
            "trade": self.answer_trades,
            "trade_history": self.answer_trade_history,
            "funding": self.answer_funding,
        }

    def note(self, event: SimEvent) -> None:
        """Remember what later answers need."""
        if isinstance(event, PublicTrade):
            self._trades[event.symbol].append(event)
        elif isinstance(event, MarkChanged):
            self._index[event.symbol] = event.index_price

    # ---------------------------------------------------------------- facts

    def market(self, symbol: Json, code: int = 3000) -> SimMarket:
        market = self._exchange.markets.get(symbol) if isinstance(symbol, str) else None
        if market is None:
            raise Refusal(code)
        return market

    def mark(self, symbol: str) -> Decimal:
        return self._exchange.mark(symbol)

    def index(self, symbol: str) -> Decimal:
        return self._index.get(symbol) or self._exchange.mark(symbol)

    def mini(self, symbol: str) -> dict[str, str]:
        """The fields of a mini ticker that can change."""
        bids, asks, _ = self._exchange.book(symbol, 1)
        trades = self._trades[symbol]
        return render.render_mini(
            mark=self.mark(symbol),
            index=self.index(symbol),
            last=(trades[-1].price, trades[-1].size) if trades else None,
            bid=bids[0] if bids else None,
            ask=asks[0] if asks else None,
        )

    def ticker(self, symbol: str) -> dict[str, Json]:
        """The fields of a ticker that can change."""
        market = self.market(symbol)
        rate = self._exchange.funding_rate(symbol)
        return render.render_ticker(self.mini(symbol), rate, market, self._last_funding(market, 1))

    def book(self, symbol: str, depth: int | None) -> dict[str, Json]:
        """Best first; all levels where depth is None."""
        bids, asks, _ = self._exchange.book(symbol, depth or MOST)
        return render.render_book(symbol, bids, asks, self._exchange.clock.now_ns())

    def trades(self, symbol: str, limit: int) -> list[dict[str, Json]]:
        """Newest first."""
        mark, index = self.mark(symbol), self.index(symbol)
        newest = list(self._trades[symbol])[: -limit - 1 : -1]
        return [render.render_trade(trade, mark, index) for trade in newest]

    def stamped(self, symbol: str, fields: dict[str, Json]) -> dict[str, Json]:
        """Ticker fields with the two that open every ticker."""
        now = self._exchange.clock.now_ns()
        return {"event_time": str(now), "instrument": symbol, **fields}

    def _last_funding(self, market: SimMarket, ahead: int = 0) -> int:
        """Time of the last payment of funding, or of the one `ahead` intervals later."""
        interval = market.funding_hours * HOUR_NS
        return (self._exchange.clock.now_ns() // interval + ahead) * interval

    # ---------------------------------------------------------------- answers

    def answer_instruments(self, body: dict[str, Json]) -> Json:
        markets = chosen(body, self._exchange.markets.values())
        return {"result": [render.render_instrument(m, self._started_ns) for m in markets]}

    def answer_instrument(self, body: dict[str, Json]) -> Json:
        market = self.market(body.get("instrument"))
        return {"result": render.render_instrument(market, self._started_ns)}

    def answer_currency(self, _: dict[str, Json]) -> Json:
        return {"result": [render.render_currency(symbol, id) for symbol, id in CURRENCIES]}

    def answer_margin_rules(self, body: dict[str, Json]) -> Json:
        return render.render_margin_rules(self.market(body.get("instrument")))

    def answer_book(self, body: dict[str, Json]) -> Json:
        market = self.market(body.get("instrument"))
        if body.get("depth") not in DEPTHS:
            raise Refusal(3031)
        return {"result": self.book(market.symbol, body["depth"])}

    def answer_mini(self, body: dict[str, Json]) -> Json:
        symbol = self.market(body.get("instrument")).symbol
        return {"result": self.stamped(symbol, dict(self.mini(symbol)))}

    def answer_ticker(self, body: dict[str, Json]) -> Json:
        symbol = self.market(body.get("instrument")).symbol
        return {"result": self.stamped(symbol, self.ticker(symbol))}

    def answer_trades(self, body: dict[str, Json]) -> Json:
        symbol = self.market(body.get("instrument")).symbol
        return {"result": self.trades(symbol, limit_of(body))}

    def answer_trade_history(self, body: dict[str, Json]) -> Json:
        return {**self.answer_trades(body), "next": ""}

    def answer_funding(self, body: dict[str, Json]) -> Json:
        """Only the last payment: the simulator keeps no history of rates."""
        market = self.market(body.get("instrument"))
        rate = render.number(self._exchange.funding_rate(market.symbol) * 100)
        last = {
            "instrument": market.symbol,
            "funding_rate": rate,
            "funding_time": str(self._last_funding(market)),
            "mark_price": render.fine(self.mark(market.symbol)),
            "funding_rate_8_h_avg": rate,
            "funding_interval_hours": market.funding_hours,
        }
        return {"result": [last], "next": ""}


def chosen(body: dict[str, Json], markets: Iterable[SimMarket]) -> list[SimMarket]:
    """Markets that the filters `instrument`, `kind`, `base` and `quote` leave; absent: all."""
    kinds, bases, quotes = (body.get(key) for key in ("kind", "base", "quote"))
    instrument = body.get("instrument")
    return [
        market
        for market in markets
        if (not kinds or "PERPETUAL" in kinds)
        and (not bases or market.coin in bases)
        and (not quotes or market.quote in quotes)
        and (not instrument or market.symbol == instrument)
    ]


def limit_of(body: dict[str, Json]) -> int:
    """`limit` of a request; 500 where absent.

    Raises: Refusal 1003 above 1000 or for anything but a number.
    """
    limit = parse_integer(body.get("limit"), 31, 500)
    if not 1 <= limit <= MOST:
        raise Refusal(1003)
    return limit
