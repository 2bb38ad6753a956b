"""The words everything is said in.

Three groups: what a user gets (`TypedDict`s, the same keys for every venue, plus `raw`), what
travels inside (frozen slotted dataclasses), and what a stream says (events). Prices and sizes are
`Decimal` in the quote currency and in coins; times end in `_ms` (milliseconds since the epoch).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict

Json: TypeAlias = Any  # the wire, and nowhere else
Number: TypeAlias = Decimal | int | str | float  # accepted from a caller; float only through str()

Side: TypeAlias = Literal["buy", "sell"]
PositionSide: TypeAlias = Literal["long", "short"]
MarketKind: TypeAlias = Literal["perp", "spot"]
Liquidity: TypeAlias = Literal["maker", "taker"]
OrderType: TypeAlias = Literal["market", "limit"]


class TimeInForce(StrEnum):
    """How long an order may live."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderStatus(StrEnum):
    """Where an order is. A partial fill that still rests is OPEN."""

    PENDING = "pending"  # accepted, not yet matched
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        return self not in (OrderStatus.PENDING, OrderStatus.OPEN)


class Lane(IntEnum):
    """Who goes first when a limit is tight; lower is more urgent."""

    CANCEL = 0
    HEDGE = 1
    QUERY = 2
    QUOTE = 3


# --------------------------------------------------------------------------- what a user gets


class Market(TypedDict):
    """One market, as the venue describes it. None: the venue sets no such bound."""

    symbol: str
    coin: str
    quote: str
    kind: MarketKind
    tick: Decimal  # price step
    step: Decimal  # size step
    min_size: Decimal
    min_notional: Decimal | None
    max_size: Decimal | None
    multiplier: Decimal  # coins in one contract unit: 1000 for kPEPE
    max_leverage: Decimal | None
    significant_figures: int | None  # of a price, where the venue limits them
    price_band: Decimal | None  # widest distance of a limit price from the mark, as a fraction
    active: bool
    raw: Json


class Order(TypedDict):
    """One order, as last reported."""

    id: str  # the venue's; "" until the venue has told it
    client_order_id: str | None
    symbol: str
    side: Side
    type: OrderType
    price: Decimal | None  # None for a market order
    size: Decimal
    filled: Decimal
    average_price: Decimal | None
    status: OrderStatus
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool
    reason: str  # the venue's own word for why it ended, "" otherwise
    timestamp_ms: int | None
    raw: Json


class Fill(TypedDict):
    """One execution of one order of ours."""

    id: str  # the venue's trade id; with order_id it is unique
    order_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    price: Decimal
    size: Decimal
    fee: Decimal | None  # positive paid, negative received; None: not told yet
    fee_asset: str
    liquidity: Liquidity
    timestamp_ms: int
    raw: Json


class Position(TypedDict):
    """One open position. A flat market has none."""

    symbol: str
    side: PositionSide
    size: Decimal  # always positive
    entry_price: Decimal
    mark_price: Decimal | None
    unrealized_pnl: Decimal | None
    liquidation_price: Decimal | None
    leverage: Decimal | None
    raw: Json


class Collateral(TypedDict):
    """Account equity, in `currency`."""

    total: Decimal
    available: Decimal
    unrealized_pnl: Decimal | None
    currency: str
    raw: Json


class OrderBook(TypedDict):
    """Best first on both sides; (price, size).

    `indicative`: no orders rest there; it is what the venue quotes for one size, a level a side.
    """

    symbol: str
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]
    timestamp_ms: int | None
    indicative: bool


class BBO(TypedDict):
    """Best bid and offer; a missing side is None, never 0."""

    symbol: str
    bid: Decimal | None
    bid_size: Decimal | None
    ask: Decimal | None
    ask_size: Decimal | None
    timestamp_ms: int | None


class LeverageInfo(TypedDict):
    """None: the venue does not tell."""

    symbol: str
    leverage: Decimal | None
    max_leverage: Decimal | None
    margin_mode: Literal["cross", "isolated"] | None
    position_mode: Literal["one-way", "hedge"] | None
    raw: Json


class FundingRate(TypedDict):
    """`rate` is a fraction of notional for one interval; positive: longs pay."""

    symbol: str
    rate: Decimal
    interval_hours: Decimal | None
    next_funding_ms: int | None
    raw: Json


class Fees(TypedDict):
    """Fractions of notional; negative: received. `assumed`: not told by the venue."""

    symbol: str
    maker: Decimal
    taker: Decimal
    assumed: bool
    raw: Json


class Symbols(TypedDict):
    """What `get_available_symbols` gives."""

    perp: list[str]
    spot: list[str]


# --------------------------------------------------------------------------- what travels inside


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order on the venue's grid, ready to be encoded. `price` None: a market order.

    `mark`: the mark price, in a market order on a venue that signs one (`market_signs_mark`).
    """

    symbol: str
    side: Side
    size: Decimal
    price: Decimal | None = None
    client_id: str = ""
    post_only: bool = False
    reduce_only: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC
    slippage_bps: Decimal | None = None
    mark: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """A cancel of one order by either id."""

    symbol: str
    order_id: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One call to a venue. The same value goes by REST or, where `call` is set, by socket. What is
    sent with it, keys and signatures included, is never printed.

    Attributes:
        host: key into the venue's endpoints.
        query: text values, already in the spelling that is sent and signed.
        json: the body before encoding; `body` is made from it once, and `body` is what is signed
            and sent.
        call: RPC name on the venue's socket; "" where the request exists by REST only.
        scope, weight: which limit it counts against, and how much.
        lane: urgency inside that limit.
        command: True for anything that may change an order: never sent twice, and without a
            trustworthy answer its outcome is unknown.
        nonce: given to every command of a venue that has `make_nonces`, just before it is signed.
        client_id: of the order that it places, on such a venue.
    """

    method: str
    path: str
    json: Json = field(default=None, repr=False)
    query: Mapping[str, str] | None = None
    host: str = "rest"
    signed: bool = False
    scope: str = "default"
    weight: int = 1
    lane: Lane = Lane.QUERY
    command: bool = False
    call: str = ""
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    nonce: int | None = None
    client_id: str = ""

    def proved(self, body: bytes, headers: Mapping[str, str] | None = None) -> Request:
        """With its final body, and other headers where they are given.

        `dataclasses.replace` takes more than twice as long, and this is on every order's path.
        """
        return Request(
            self.method,
            self.path,
            self.json,
            self.query,
            self.host,
            self.signed,
            self.scope,
            self.weight,
            self.lane,
            self.command,
            self.call,
            body,
            self.headers if headers is None else headers,
            self.nonce,
            self.client_id,
        )

    def with_headers(self, **headers: str) -> Request:
        return replace(self, headers={**self.headers, **headers})

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


Reads: TypeAlias = Request | tuple[Request, ...]  # several: the decoder gets the list of answers


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` units every `seconds`, as the venue documents them."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ClientIdForm:
    """What the venue accepts as a client order id.

    Attributes:
        low, high: inclusive bounds of an integer id.
        text: how the integer is written: "42", "0x" and 32 hex digits, or a UUID.
    """

    low: int
    high: int
    text: Literal["decimal", "hex", "uuid"] = "decimal"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSpec:
    """Everything about a venue that is data.

    Attributes:
        name: as the factory spells it.
        endpoints: host key -> mainnet URL; each can be overridden, and nothing else is needed to
            reach a simulated venue.
        credentials, optional_credentials: names of the keys a user supplies.
        key_choices: sets of optional credentials, one of which is needed; where a login in the
            browser is kept (`keeps_session`), none is after `mpdex login`. (): all are optional.
        account: the credential that names the account; the first one if left out.
        supports: of "post_only", "reduce_only", "market", "ioc", "fok", "slippage_bps", "spot",
            "client_order_id"; anything else asked for raises `Unsupported` before sending.
        limits: scope -> Limit. A scope not named here is not limited.
        errors: HTTP status or the venue's code -> class of ours.
        order_route: the one route of order commands.
        countersigner: key of the endpoint that gives what commands lack before they can be sent: a
            signature with a key that it holds, or a quote; "": nothing is lacking.
        countersign_bound_ms: after which what it gave is too old; None: as old as a request may be.
        client_id: form of a client order id.
        market_bound_bps: the venue has no market orders: one is sent as an immediate limit order at
            most so far beyond the mark price, or `slippage_bps` where the caller gives that.
            None: the venue has them.
        market_signs_mark: a market order is signed with a bound that is made of the mark price.
        no_spot: why spot symbols are refused, on a venue whose spot markets are out of reach.
        request_bound_ms: after which the venue refuses a late order request; None: no such bound.
        immediate_bound_ms: the same for an order that must trade at once, where it is shorter.
        impersonates: the browser whose handshake and headers requests show, where a wall in front
            of the venue lets nothing else through; "": requests are what they are.
        indicative_books: what it calls a book is a quote for a size; see `OrderBook`.
        fragile: the venue imitates a browser and may break without notice; never a primary.
        order_book: name of the book it trades on, where several venues share one; "": its own.
        reports_unfilled_ioc: the private stream tells of an immediate order that found nothing.
        reports_dropped: an order that is refused after its acknowledgement shows with its reason;
            False: it may vanish without a record.
        reads_lag_ms: for how long after its acknowledgement what a command did may not show yet.
        lists_ended: the list of open orders goes on for a while with what has ended, so each of it
            is asked for by itself.
        canary: "full": an order that cannot fill proves that orders work; "weak": there is no such
            order (request for quote), and only the account is read back.
        session_hosts: of `endpoints`, those that the session is shown to, where others are
            somebody else's; empty: all.
        keeps_session: the session is kept in a file and tried again by the next run.
        silent_methods: HTTP methods of commands that an empty 200 acknowledges.
    """

    name: str
    endpoints: Mapping[str, str]
    credentials: tuple[str, ...]
    optional_credentials: tuple[str, ...] = ()
    key_choices: tuple[tuple[str, ...], ...] = ()
    account: str = ""
    supports: frozenset[str] = frozenset()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    errors: Mapping[int | str, type[Exception]] = field(default_factory=dict)
    order_route: Literal["rest", "ws"] = "rest"
    countersigner: str = ""
    countersign_bound_ms: int | None = None
    client_id: ClientIdForm = ClientIdForm(1, 2**48 - 1)
    market_bound_bps: Decimal | None = None
    market_signs_mark: bool = False
    no_spot: str = ""
    request_bound_ms: int | None = None
    immediate_bound_ms: int | None = None
    impersonates: str = ""
    indicative_books: bool = False
    fragile: bool = False
    order_book: str = ""
    reports_unfilled_ioc: bool = True
    reports_dropped: bool = True
    reads_lag_ms: int = 0
    lists_ended: bool = False
    canary: Literal["full", "weak"] = "full"
    session_hosts: frozenset[str] = frozenset()
    keeps_session: bool = False
    silent_methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Session:
    """What a login gave: headers for every private request and handshake. Never printed.

    `key`: what signs in its name, where a session has a key of its own; it stays in memory.
    """

    headers: Mapping[str, str] = field(repr=False)
    expires_ms: int | None = None
    key: Any = field(default=None, repr=False, compare=False)


class Challenge(NamedTuple):
    """What a wallet is asked to sign at a login: `text`, with the key of `address` ("": any).

    `nonce`: what the venue knows it by.
    """

    text: str
    nonce: str
    address: str = ""


class WalletProof(NamedTuple):
    """The wallet's answer to a challenge; as good as a password until it is used."""

    address: str
    signature: str


class Topic(NamedTuple):
    """Something to subscribe to, in our words.

    channel: "book", "bbo", "mark" (public), "orders", "fills", "positions" (private).
    symbol: the venue's spelling; "" for all symbols of an account channel.
    """

    channel: str
    symbol: str = ""


# --------------------------------------------------------------------------- what a stream says


class Subscribed(NamedTuple):
    """The venue confirmed; `topic` is the venue's own text for it."""

    wire_topic: str


class Reply(NamedTuple):
    """The answer to a call over the socket: exactly one of body and error is set."""

    id: int
    body: Json = None
    error: Exception | None = None


class BookUpdate(NamedTuple):
    """A snapshot or a change of a book; sizes are absolute, a size of zero removes the level.

    `first` and `last` are the venue's sequence numbers that this update covers; a delta is good
    when `first` follows the last one applied. Levels are (price, size) in the venue's own text.
    """

    symbol: str
    bids: Iterable[tuple[str, str]]
    asks: Iterable[tuple[str, str]]
    first: int
    last: int
    snapshot: bool
    timestamp_ms: int | None


class BboUpdate(NamedTuple):
    """Best bid and offer in the venue's own text; "" for an empty side, None for unchanged."""

    symbol: str
    bid: str | None
    bid_size: str | None
    ask: str | None
    ask_size: str | None
    timestamp_ms: int | None


class MarkUpdate(NamedTuple):
    """Mark price; index where the venue says it in the same breath."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal | None
    timestamp_ms: int | None


class OrderUpdate(NamedTuple):
    """An order changed. `order["filled"]` is cumulative where the venue tells it."""

    order: Order


class FillUpdate(NamedTuple):
    """An execution of ours."""

    fill: Fill


class PositionUpdate(NamedTuple):
    """A position now: signed size in coins, zero when closed."""

    symbol: str
    size: Decimal
    position: Position | None  # None when closed
    timestamp_ms: int | None


class StreamUp(NamedTuple):
    """The connection is open and what was subscribed is subscribed again."""

    generation: int


class StreamDown(NamedTuple):
    """The connection is gone: whatever came from it is no longer known to be true."""

    reason: str


Event: TypeAlias = (
    Subscribed
    | Reply
    | BookUpdate
    | BboUpdate
    | MarkUpdate
    | OrderUpdate
    | FillUpdate
    | PositionUpdate
    | StreamUp
    | StreamDown
)
