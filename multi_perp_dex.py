"""One interface to every perpetual-futures DEX.

`MultiPerpDex` is what a user calls. `MultiPerpDexMixin` is how every venue does it: the venue
declares its `SPEC` and translates (see `mpdex.utils.translation`), everything else is here or in
`mpdex.utils`.

    async with await create_exchange("grvt", keys) as dex:
        order = await dex.create_order(symbol, "buy", "0.01", price="3000", post_only=True)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Self

from mpdex.dex.orders import OrderMethods
from mpdex.dex.streams import StreamMethods
from mpdex.types import Number


class MultiPerpDex(ABC):
    """The interface every venue has.

    Attributes:
        has_spot: whether the venue trades spot too.
        available_symbols: coin -> symbol of the perpetuals, filled by `init`.
    """

    def __init__(self) -> None:
        self.has_spot = False
        self.available_symbols: dict[str, Any] = {}

    @cached_property
    def ws_supported(self) -> dict[str, bool]:
        """method -> True where it uses the venue's socket: reads are answered from the stream
        while it is subscribed, commands are sent over it.
        """
        return {
            "get_mark_price": False,
            "get_position": False,
            "get_open_orders": False,
            "get_collateral": False,
            "get_orderbook": False,
            "create_order": False,
            "cancel_orders": False,
            "update_leverage": False,
        }

    @abstractmethod
    async def create_order(
        self,
        symbol: str,
        side: str,
        amount: Number,
        price: Number | None = None,
        order_type: str = "market",
    ) -> Any: ...

    @abstractmethod
    async def get_position(self, symbol: str) -> Any: ...

    @abstractmethod
    async def close_position(self, symbol: str, position: Any) -> Any: ...

    @abstractmethod
    async def get_collateral(self) -> Any: ...

    @abstractmethod
    async def get_open_orders(self, symbol: str) -> Any: ...

    @abstractmethod
    async def cancel_orders(self, symbol: str, open_orders: Any = None) -> Any: ...

    @abstractmethod
    async def get_mark_price(self, symbol: str) -> Any: ...

    @abstractmethod
    async def update_leverage(self, symbol: str, leverage: Any) -> Any: ...

    @abstractmethod
    async def get_available_symbols(self) -> Any: ...

    @abstractmethod
    async def close(self) -> None: ...

    async def init(self) -> Self:
        """Asynchronous set-up; `create_exchange` awaits it."""
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


class MultiPerpDexMixin(OrderMethods, StreamMethods):
    """Every method of the interface, over a venue's translations.

    A class that brings its own methods, as the developer guide shows, needs no SPEC: it overrides
    what it offers and inherits `close_position`.

    Args:
        endpoints: host key -> URL, over the venue's own; a simulated venue needs nothing else.
        proxy: URL of an HTTP or SOCKS proxy, for REST and sockets alike.
        clock, rng: time and randomness; the machine's by default.
        engine: WebSocket engine, "picows" or "websockets".
        exclusive: nobody else trades on the account: what a venue offers for the whole of it only
            (canceling everything) may be used.
        read_only: True: no credentials are needed and private calls raise MissingCredentials.
        keys: the credentials that SPEC names.
    """


class Exchange(MultiPerpDexMixin, MultiPerpDex):
    """Both together, for annotations: what `create_exchange` gives has all of these methods."""
