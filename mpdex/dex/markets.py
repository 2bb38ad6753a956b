"""What the venue trades, and at what price now."""

from __future__ import annotations

from decimal import Decimal

from mpdex.dex.commands import Commands
from mpdex.types import Fees, FundingRate, Market, OrderBook, Symbols

# A mark price older than this is asked for again by REST.
_FRESH_SECONDS = 5.0


class MarketMethods(Commands):
    """Markets, marks, books, funding, fees."""

    async def get_available_symbols(self) -> Symbols:
        """Every symbol the venue trades, asked of the venue."""
        await self.load_markets()
        return Symbols(perp=self._markets.symbols("perp"), spot=self._markets.symbols("spot"))

    async def get_market(self, symbol: str) -> Market:
        """Tick, step, minimums, multiplier, leverage bound, asked of the venue.

        Raises: UnknownSymbol; TransportError where the venue tells a part of it by market.
        """
        market = self._markets[symbol]
        details = self.encode_market_details(market)
        if details is not None and symbol not in self._detailed:
            market = self.decode_market_details(await self._rest.send(details), market)
            self._markets.complete(market)
            self._detailed.add(symbol)
        return market

    get_contract_attributes = get_market  # the predecessor's name for it

    async def find_symbol(self, coin: str, kind: str = "perp") -> str:
        """The venue's own symbol of a coin, from its list. Raises: UnknownSymbol."""
        return self._markets.find(coin, kind)["symbol"]

    async def get_mark_price(self, symbol: str) -> Decimal:
        """Mark price of one market, in quote currency for one coin.

        Raises: UnknownSymbol; TransportError if there is neither a fresh stream value nor an
        answer.
        """
        market = self._markets[symbol]
        mark, at = self.feeds.marks.get(symbol, (None, 0.0))
        if mark is not None and self.clock.monotonic() - at <= _FRESH_SECONDS:
            return mark
        return self.decode_mark(await self._ask(self.encode_mark(market)), market)

    async def get_orderbook(self, symbol: str, depth: int = 10) -> OrderBook:
        """The best levels, best first. Raises: UnknownSymbol, TransportError."""
        from mpdex.utils.orderbook import Book

        market = self._markets[symbol]
        book = self.feeds.books.get(symbol)
        if book is not None and not book.stale:
            return book.levels(depth)
        answer = await self._rest.send(self.encode_book(market, depth))
        book = Book(symbol, indicative=self.SPEC.indicative_books)
        book.apply(self.decode_book(answer, market))
        return book.levels(depth)

    async def get_funding_rate(self, symbol: str) -> FundingRate:
        """The rate of the running interval."""
        market = self._markets[symbol]
        answer = await self._ask(self.encode_funding_rate(market))
        return self.decode_funding_rate(answer, market)

    async def get_clock_skew(self) -> float:
        """How far the venue's clock is ahead of ours at least, in milliseconds.

        An answer says only that it was this late there at some moment between question and answer;
        so a slow one is no false alarm. Where the clocks are far apart, whatever is sent from now
        on carries the venue's time.

        Raises: Unsupported where the venue does not tell its time.
        """
        sent = self.clock.now_ns() / 1_000_000
        theirs = self.decode_server_time(await self._rest.send(self.encode_server_time()))
        received = self.clock.now_ns() / 1_000_000
        latest = theirs + self.SERVER_TIME_STEP_MS - 1
        skew_ms = max(theirs - received, 0.0) or min(latest - sent, 0.0)
        self.venue_clock.correct(skew_ms)
        return skew_ms

    async def get_fees(self, symbol: str) -> Fees:
        """The account's own rates for one market."""
        market = self._markets[symbol]
        return self.decode_fees(await self._private(self.encode_fees(market)), market)
