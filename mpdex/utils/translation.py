"""What a venue says about itself: pure functions between our words and its bytes.

A venue overrides what it offers. What it leaves out raises `Unsupported` with the venue and the
call in it, before anything is sent. No function here opens a socket, sleeps, logs or keeps state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, DecimalException
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, NoReturn, ParamSpec, TypeVar

from mpdex.errors import (
    AuthError,
    MpdexError,
    OrderNotFound,
    ProtocolError,
    RateLimited,
    Unsupported,
    VenueError,
)
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    Challenge,
    Collateral,
    Fees,
    Fill,
    FundingRate,
    Json,
    LeverageInfo,
    Market,
    Order,
    OrderRequest,
    OrderStatus,
    Position,
    Reads,
    Request,
    Session,
    VenueSpec,
    WalletProof,
)

if TYPE_CHECKING:
    from mpdex.utils.markets import MarketList
    from mpdex.utils.nonces import Nonces
    from mpdex.utils.transport import Answer


P = ParamSpec("P")
T = TypeVar("T")

_NONE = Decimal(0)
_BY_STATUS: Mapping[int, type[VenueError]] = {
    401: AuthError,
    403: AuthError,
    404: OrderNotFound,
    429: RateLimited,
}


class FillPage(NamedTuple):
    """One page of own fills. `cursor` is None on the last one.

    `backwards`: the newest come first, so that a page with one of before ends the search, where the
    venue itself does not leave out what is too old.
    """

    fills: list[Fill]
    cursor: str | None
    backwards: bool = False


class Translation:
    """The verbs of a venue.

    `keys` holds the credentials by name, `_markets` what the venue lists. Where an `encode_` may
    give several requests (`Reads`), its `decode_` gets the list of their answers.
    """

    SPEC: ClassVar[VenueSpec]
    _markets: MarketList
    # Where a book starts: with the stream itself, or with a REST answer laid under buffered deltas.
    BOOK_SNAPSHOT: ClassVar[Literal["stream", "rest"]] = "stream"
    # How coarse the venue's own time is: an answer says that it is this much later at most.
    SERVER_TIME_STEP_MS: ClassVar[int] = 1

    @classmethod
    def streams(cls) -> tuple[type[Any], ...]:
        """The clients of the venue's sockets; each says which channels it serves.

        Import them inside: an order is signed without a socket, and sockets bring asyncio.
        """
        return ()

    @classmethod
    def poller(cls) -> type[Any] | None:
        """What asks for books again and again, on a venue that streams none: see
        `wrappers.book_poller`. None: nothing does."""
        return None

    # ----------------------------------------------------------------- identity and errors

    def sign(self, request: Request, now_ms: int) -> Request:
        """The request with its proof added; sees the final `request.body`."""
        return request

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        """The failure that this answer is, or None for a success.

        The default judges by HTTP status alone; a venue whose "no" hides inside a 200, or whose
        codes tell more, overrides it.
        """
        if status < 400:
            return None
        kind = _BY_STATUS.get(status, VenueError)
        return kind(str(answer)[:300], venue=self.SPEC.name, raw=answer, code=str(status))

    def decode_page(self, status: int, text: str, request: Request) -> MpdexError | None:
        """The refusal that an answer of 400 to 499 without JSON is; None: nobody knows.

        Raises nothing: what is not recognized leaves the outcome of a command open.
        """
        return None

    def decode_headers(
        self, status: int, headers: Mapping[str, str], request: Request
    ) -> MpdexError | None:
        """The failure that the headers of an answer of 400 or above tell, whatever its body says:
        of a wall in front of the venue, for one. None: they tell nothing."""
        return None

    def decode_reason(self, reason: str) -> type[Exception] | None:
        """The refusal that `Order["reason"]` is, for a venue that refuses after it has answered.

        None: an ordinary end, or a word that is not known.
        """
        return None

    def encode_login(self) -> Request | None:
        """The login, or None for a venue whose requests are each signed by themselves."""
        return None

    def make_session(self, now_ms: int) -> Session | None:
        """A session that our own key makes without asking anybody; None: the venue gives it."""
        return None

    def continue_login(self, answer: Answer, request: Request, now_ms: int) -> Request | Session:
        """What follows an answer to `request` of the login: one more, or the session.

        Raises: AuthError.
        """
        return self.decode_login(answer, now_ms)

    def decode_login(self, answer: Answer, now_ms: int) -> Session:
        """The session that a login gave. Raises: AuthError."""
        self._refuse("login")

    def encode_account(self) -> Request | None:
        """Asks which account the keys are of, where they do not say; None: they do."""
        return None

    def decode_account(self, answer: Json) -> str:
        """Its name, from now on the credential `SPEC.account`."""
        self._refuse("naming the account")

    def encode_session_check(self, session: Session) -> Request:
        """Asks whether a session that was kept still holds, where SPEC keeps them."""
        self._refuse("a kept session")

    def decode_session_check(self, answer: Answer) -> bool:
        """Raises: TransportError where the answer tells neither."""
        self._refuse("a kept session")

    def encode_challenge(self) -> Request:
        """Asks for what a wallet is to sign, where the venue has such a login."""
        self._refuse("a login by wallet")

    def decode_challenge(self, answer: Answer) -> Challenge:
        self._refuse("a login by wallet")

    def encode_proof(self, challenge: Challenge, proof: WalletProof) -> Request:
        """The login with that signature; `continue_login` takes it from there."""
        self._refuse("a login by wallet")

    def encode_countersign(self, request: Request, now_ms: int) -> Request | None:
        """The question to `SPEC.countersigner`, who signs commands in our place, or quotes what
        they accept; None: this one lacks nothing.

        It is asked once. Nothing has happened at the venue before what `decode_countersign` gives
        is sent, so a failure before that is never a doubt.
        """
        self._refuse("signing elsewhere")

    def decode_countersign(self, answer: Json, request: Request) -> Request:
        """The command as it may be sent, with what was given."""
        self._refuse("signing elsewhere")

    def make_nonces(self) -> Nonces | None:
        """The allocator of numbers that commands are signed with; None: the venue has none."""
        return None

    def encode_next_nonce(self) -> Request | None:
        """Asks which number comes next, where the venue counts them; None: nobody counts."""
        return None

    def decode_next_nonce(self, answer: Json) -> int:
        self._refuse("the next nonce")

    def spares_nonce(self, error: MpdexError) -> bool:
        """Whether the venue refused a command without counting its number."""
        return False

    def encode_fence(self, nonce: int, market: Market) -> Request:
        """A command that does nothing but use up a number; it carries that `nonce`."""
        self._refuse("a nonce fence")

    # ----------------------------------------------------------------- markets

    def wire_name(self, market: Market) -> str:
        """What orders, answers and streams call a market."""
        return market["symbol"]

    def encode_markets(self) -> list[Request]:
        """The requests whose answers list every market."""
        self._refuse("markets")

    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        """Every market, from the answers to `encode_markets` in order."""
        self._refuse("markets")

    def encode_market_details(self, market: Market) -> Request | None:
        """What the list leaves out and a request for one market tells; None: nothing."""
        return None

    def decode_market_details(self, answer: Json, market: Market) -> Market:
        """The market, completed."""
        return market

    def encode_mark(self, market: Market) -> Reads:
        self._refuse("get_mark_price")

    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        self._refuse("get_mark_price")

    def encode_book(self, market: Market, depth: int) -> Request:
        """Asks for at least `depth` levels a side, rounded up to what the venue offers."""
        self._refuse("get_orderbook")

    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        """A snapshot; its `last` continues in the stream where BOOK_SNAPSHOT is "rest"."""
        self._refuse("get_orderbook")

    def encode_server_time(self) -> Request:
        self._refuse("get_clock_skew")

    def decode_server_time(self, answer: Json) -> int:
        """The venue's clock when it answered, in milliseconds since the epoch."""
        self._refuse("get_clock_skew")

    def encode_funding_rate(self, market: Market) -> Reads:
        self._refuse("get_funding_rate")

    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        self._refuse("get_funding_rate")

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """A checked order, on the grid, as one command."""
        self._refuse("create_order")

    def decode_order(self, answer: Json) -> Order:
        """One order, from the answer to a place or to an order query."""
        self._refuse("get_order")

    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """The order as acknowledged, for a venue whose answer does not repeat it."""
        return self.decode_order(answer)

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        self._refuse("cancel_order")

    def decode_cancel(self, answer: Json) -> Order | None:
        """The canceled order, or None where the venue only acknowledges."""
        self._refuse("cancel_order")

    def encode_cancel_all(self, market: Market) -> Request | None:
        """Cancels all orders of one market; None: cancel them one by one."""
        return None

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """Where one order is looked for, first the live place, then the history.

        Each is asked until one answers; `OrderNotFound` from all of them means not found.
        """
        self._refuse("get_order")

    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        """The order asked for, or None if this answer does not have it."""
        return self.decode_order(answer)

    def encode_open_orders(self, market: Market | None) -> Reads:
        self._refuse("get_open_orders")

    def decode_orders(self, answer: Json) -> list[Order]:
        self._refuse("get_open_orders")

    def encode_orders_after(self, answer: Json, market: Market | None) -> Request | None:
        """The page of open orders that follows this one; None: there is none."""
        return None

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        """One page of own fills at or after `since_ms`."""
        self._refuse("get_fills")

    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        """That page; `cursor` is what the page was asked with."""
        self._refuse("get_fills")

    def encode_schedule_cancel(self, at_ms: int | None) -> Request:
        """Has the venue cancel every order at a time, unless told otherwise; None: not at all."""
        self._refuse("schedule_cancel")

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Reads:
        self._refuse("get_position")

    def decode_positions(self, answer: Json) -> list[Position]:
        """Open positions only; a flat market is absent."""
        self._refuse("get_position")

    def encode_collateral(self) -> Reads:
        self._refuse("get_collateral")

    def decode_collateral(self, answer: Json) -> Collateral:
        self._refuse("get_collateral")

    def encode_leverage_info(self, market: Market) -> Reads:
        self._refuse("get_leverage_info")

    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        self._refuse("get_leverage_info")

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        self._refuse("update_leverage")

    def encode_requests_left(self) -> Request | None:
        """Asks for a quota over the account's life; None: requests are limited by time alone."""
        return None

    def decode_requests_left(self, answer: Json) -> int | None:
        """Commands that are left; None: as many as wanted."""
        self._refuse("get_requests_left")

    def encode_fees(self, market: Market) -> Reads:
        self._refuse("get_fees")

    def decode_fees(self, answer: Json, market: Market) -> Fees:
        self._refuse("get_fees")

    def _refuse(self, call: str) -> NoReturn:
        raise Unsupported(f"{call} is not offered here", venue=self.SPEC.name)


def acknowledged(
    order: OrderRequest,
    raw: Json,
    *,
    id: str = "",
    status: OrderStatus = OrderStatus.PENDING,
    filled: Decimal = _NONE,
    average_price: Decimal | None = None,
    timestamp_ms: int | None = None,
) -> Order:
    """The order that was asked for, with what its acknowledgement tells beyond that."""
    return Order(
        id=id,
        client_order_id=order.client_id or None,
        symbol=order.symbol,
        side=order.side,
        type="market" if order.price is None else "limit",
        price=order.price,
        size=order.size,
        filled=filled,
        average_price=average_price,
        status=status,
        time_in_force=order.time_in_force,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        reason="",
        timestamp_ms=timestamp_ms,
        raw=raw,
    )


def checked(venue: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorates a decoder: an answer without what it should have is a ProtocolError."""

    def decorate(decode: Callable[P, T]) -> Callable[P, T]:
        @wraps(decode)
        def decoded(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return decode(*args, **kwargs)
            except (LookupError, TypeError, ValueError, AttributeError, DecimalException) as error:
                where = f"{decode.__name__}: {type(error).__name__} {error}"
                raise ProtocolError(where, venue=venue) from error

        return decoded

    return decorate
