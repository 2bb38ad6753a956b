"""The venue's own list of markets: what exists, how it is spelled, on which grid.

Nothing here is known beforehand. A wrong symbol is an error with the nearest ones in it, before
anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from mpdex.errors import UnknownSymbol, Unsupported
from mpdex.types import Market

_THOUSANDS: Final = "1000"


def coin_of(name: str) -> tuple[str, Decimal]:
    """The coin of a contract's asset, and how many of it there are in one: small coins are traded
    by the thousand, as 1000PEPE."""
    if name.startswith(_THOUSANDS) and name != _THOUSANDS:
        return name[len(_THOUSANDS) :], Decimal(_THOUSANDS)
    return name, Decimal(1)


class MarketList:
    """Markets of one venue, by symbol.

    Args:
        wire_name: what the venue calls a market in orders, answers and streams.
        no_spot: why spot markets ("BTC/USDC") are out of reach here.
    """

    def __init__(
        self,
        venue: str,
        wire_name: Callable[[Market], str] | None = None,
        no_spot: str = "",
    ) -> None:
        self._venue = venue
        self._no_spot = no_spot
        self._wire_name = wire_name
        self._markets: dict[str, Market] = {}
        self._symbols: dict[str, str] = {}  # by wire name, where that is not the symbol

    def replace(self, markets: Sequence[Market]) -> None:
        """Takes a new answer of the venue in place of the old."""
        self._markets = {market["symbol"]: market for market in markets}
        if self._wire_name is not None:
            self._symbols = {self._wire_name(market): market["symbol"] for market in markets}

    def symbol_of(self, wire: str) -> str:
        """The symbol of what a message names; a market that is not listed keeps that name."""
        return self._symbols.get(wire, wire)

    def wire_of(self, symbol: str) -> str:
        """What the venue calls it. Raises: UnknownSymbol."""
        return symbol if self._wire_name is None else self._wire_name(self[symbol])

    def complete(self, market: Market) -> None:
        """Takes one market anew, with what the list left out."""
        self._markets[market["symbol"]] = market

    def __getitem__(self, symbol: str) -> Market:
        try:
            return self._markets[symbol]
        except KeyError:
            if "/" in symbol:
                self._refuse_spot(symbol)
            raise UnknownSymbol(self._sentence(symbol), venue=self._venue) from None

    def symbols(self, kind: str) -> list[str]:
        """Active symbols of one kind, sorted."""
        return sorted(s for s, m in self._markets.items() if m["kind"] == kind and m["active"])

    def by_coin(self, kind: str) -> dict[str, str]:
        """coin -> symbol of the active markets of one kind; the first in order wins."""
        found: dict[str, str] = {}
        for symbol in self.symbols(kind):
            found.setdefault(self._markets[symbol]["coin"], symbol)
        return found

    def find(self, coin: str, kind: str) -> Market:
        """The one active market of a coin.

        Raises: UnknownSymbol if none, or more than one; Unsupported.
        """
        if kind == "spot":
            self._refuse_spot(coin)
        matches = [
            market
            for market in self._markets.values()
            if market["kind"] == kind
            and market["active"]
            and market["coin"].upper() == coin.upper()
        ]
        if len(matches) == 1:
            return matches[0]
        if matches:
            names = ", ".join(sorted(market["symbol"] for market in matches))
            raise UnknownSymbol(f"{coin} is ambiguous: {names}; name one", venue=self._venue)
        raise UnknownSymbol(self._sentence(coin), venue=self._venue)

    def _refuse_spot(self, wanted: str) -> None:
        if self._no_spot:
            raise Unsupported(f"no spot market {wanted!r}: {self._no_spot}", venue=self._venue)

    def _sentence(self, wanted: str) -> str:
        if not self._markets:
            return f"{wanted!r} cannot be checked: the markets are not loaded, await init() first"
        from difflib import get_close_matches

        near = get_close_matches(wanted.upper(), self._markets, n=3, cutoff=0.3)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        return f"no market {wanted!r} here{hint}"
