"""What the hedge needs of an exchange, and how its errors read here.

`multi_perp_dex.MultiPerpDex` classes of every venue offer these verbs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from mpdex.errors import (
    AuthError,
    DuplicateClientId,
    InsufficientMargin,
    LimitReached,
    MarketUnavailable,
    MpdexError,
    NoImmediateMatch,
    NonceRefused,
    OrderRejected,
    PostOnlyWouldCross,
    PrecisionRefused,
    PriceOutOfBand,
    RateLimited,
    ReduceOnlyRefused,
    SessionEnded,
    SymbolRefused,
    TransportError,
    UsageError,
)
from mpdex.types import (
    CancelRequest,
    Collateral,
    Fees,
    Fill,
    FundingRate,
    Lane,
    LeverageInfo,
    Market,
    Number,
    Order,
    OrderBook,
    OrderRequest,
    Position,
    PositionUpdate,
    Topic,
    VenueSpec,
)
from mpdex.utils.orderbook import Book
from strategies.words import Event, OutcomeNotKnown, Place, PlaceRefused, Refusal

Unsubscribe = Callable[[], None]


class Venue(Protocol):
    """One exchange object, as the hedge sees it."""

    @property
    def SPEC(self) -> VenueSpec: ...

    @property
    def rest_counts(self) -> Counter[tuple[str, str]]: ...

    @property
    def can_fence(self) -> bool: ...

    @property
    def stream_channels(self) -> frozenset[str]: ...

    @property
    def ws_supported(self) -> Mapping[str, bool]: ...

    @property
    def account_id(self) -> str: ...

    @property
    def session_expires_ms(self) -> int | None: ...

    @property
    def streams_end_at(self) -> float | None: ...

    async def warm(self) -> None: ...
    async def freshen(self) -> None: ...
    def renew_streams(self, reason: str) -> bool: ...
    async def find_symbol(self, coin: str) -> str: ...
    async def get_market(self, symbol: str) -> Market: ...
    async def get_orderbook(self, symbol: str, depth: int = 10) -> OrderBook: ...
    async def load_markets(self) -> None: ...
    async def get_position(self, symbol: str) -> Position | None: ...
    async def get_positions(self) -> list[Position]: ...
    async def get_fills(self, symbol: str | None = None, since: int = 0) -> list[Fill]: ...
    async def get_open_orders(self, symbol: str | None = None) -> list[Order]: ...
    async def cancel_orders(
        self, symbol: str, open_orders: Sequence[Order] | None = None
    ) -> list[Order]: ...
    async def read_open_orders(self, symbol: str | None = None) -> list[Order]: ...
    async def get_collateral(self) -> Collateral: ...
    async def get_leverage_info(self, symbol: str) -> LeverageInfo: ...
    async def update_leverage(self, symbol: str, leverage: Number) -> LeverageInfo: ...
    async def get_funding_rate(self, symbol: str) -> FundingRate: ...
    async def get_clock_skew(self) -> float: ...
    async def get_fees(self, symbol: str) -> Fees: ...
    async def get_order(
        self, symbol: str, order_id: str | None = None, *, client_order_id: str | None = None
    ) -> Order: ...

    def submit_order(
        self, order: OrderRequest, *, lane: Lane = Lane.QUOTE
    ) -> Coroutine[Any, Any, Order]: ...
    async def fence_order(self, symbol: str, client_order_id: str) -> bool: ...
    async def schedule_cancel(self, seconds: Number | None) -> None: ...
    async def get_requests_left(self) -> int | None: ...

    def submit_cancel(self, cancel: CancelRequest) -> Coroutine[Any, Any, Order | None]: ...
    def prove_signing(self, symbol: str, price: Decimal) -> None: ...
    def new_client_id(self) -> str: ...
    def owns(self, client_id: str | None) -> bool: ...
    def decode_reason(self, reason: str) -> type[Exception] | None: ...

    def size_book(self, symbol: str, size: Number) -> None: ...
    async def start_streams(self, topics: Sequence[Topic]) -> None: ...
    def book(self, symbol: str) -> Book: ...
    def on_orderbook(self, symbol: str, callback: Callable[[Book], None]) -> Unsubscribe: ...
    def on_gap(self, symbol: str, callback: Callable[[Book], None]) -> Unsubscribe: ...
    def on_fills(self, callback: Callable[[Fill], None], symbol: str = "") -> Unsubscribe: ...
    def on_orders(self, callback: Callable[[Order], None], symbol: str = "") -> Unsubscribe: ...
    def on_positions(
        self, callback: Callable[[PositionUpdate], None], symbol: str = ""
    ) -> Unsubscribe: ...
    def on_stream(self, callback: Callable[[Any], None]) -> Unsubscribe: ...


# First match wins. What is not here may have arrived: its outcome is not known. So is a refusal
# with a code that nobody has classified yet: a plain VenueError.
_REFUSALS: tuple[tuple[type[Exception], Refusal], ...] = (
    (PostOnlyWouldCross, Refusal.POST_ONLY),
    (SymbolRefused, Refusal.SYMBOL),
    (InsufficientMargin, Refusal.MARGIN),
    (LimitReached, Refusal.LIMIT),
    (PriceOutOfBand, Refusal.PRICE_BAND),
    (ReduceOnlyRefused, Refusal.REDUCE_ONLY),
    (MarketUnavailable, Refusal.VENUE_MODE),
    (SessionEnded, Refusal.SESSION),
    (AuthError, Refusal.PERMISSION),
    (NonceRefused, Refusal.NONCE),
    (PrecisionRefused, Refusal.PRECISION),
    (RateLimited, Refusal.RATE),
    (NoImmediateMatch, Refusal.NO_MATCH),
    (DuplicateClientId, Refusal.DUPLICATE_ID),
    (UsageError, Refusal.PRECISION),
    (OrderRejected, Refusal.OTHER),
    (TransportError, Refusal.NOT_SENT),
)


def refusal_class(kind: type[Exception] | None) -> Refusal | None:
    """The class of refusal that a class of error stands for; None: none, or not known."""
    if kind is None:
        return None
    return next((refusal for error, refusal in _REFUSALS if issubclass(kind, error)), None)


def failure(place: Place, error: MpdexError) -> Event:
    """What an error on a placement means: a definite refusal, or an outcome nobody knows."""
    client_id, detail = place.order.client_id, str(error)
    refusal = refusal_class(type(error))
    if refusal is None:
        return OutcomeNotKnown(place.role, client_id, detail)
    after = error.retry_after if isinstance(error, RateLimited) else None
    return PlaceRefused(place.role, client_id, refusal, detail, after)
