"""The words the hedge is said in: what may happen, and what may be asked for.

Events tell the core what has become known; commands tell the driver what to do. Both are plain
data, so a run is a list of events and times, and can be played again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal, TypeAlias

from mpdex.types import Fill, Lane, Market, Order, OrderRequest

Role: TypeAlias = Literal["primary", "hedge"]
ROLES: tuple[Role, Role] = ("primary", "hedge")
Source: TypeAlias = Literal["stream", "cum", "query", "barrier"]
Level: TypeAlias = tuple[Decimal, Decimal]
Reading: TypeAlias = Literal["account", "clock", "funding", "market"]


class Kind(StrEnum):
    """Why an order of ours exists."""

    MAKER = "maker"
    HEDGE = "hedge"
    UNWIND = "unwind"
    FLATTEN = "flatten"
    CANARY = "canary"


class Refusal(StrEnum):
    """Why a venue said no for certain; what follows is decided by class, never by venue."""

    POST_ONLY = "post_only"
    SYMBOL = "symbol"
    MARGIN = "margin"
    LIMIT = "limit"  # open interest, position or order count cap
    PRICE_BAND = "price_band"
    REDUCE_ONLY = "reduce_only"
    VENUE_MODE = "venue_mode"
    PERMISSION = "permission"
    SESSION = "session"  # over; a new login may mend it
    NONCE = "nonce"
    PRECISION = "precision"
    RATE = "rate"
    NO_MATCH = "no_match"  # an immediate order found nothing: definite, zero filled
    DUPLICATE_ID = "duplicate_id"  # an earlier copy may be live
    NOT_SENT = "not_sent"  # no connection: nothing left this machine
    OTHER = "other"


# --------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class FillSeen:
    """An execution, from whatever channel. Seen twice, it counts once."""

    role: Role
    fill: Fill
    source: Source = "stream"


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """A report on an order; `filled` in it is cumulative. `refusal`: why it was rejected, if so."""

    role: Role
    order: Order
    source: Source = "cum"
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class PlaceAcked:
    """The venue answered a placement."""

    role: Role
    client_id: str
    order: Order
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class PlaceRefused:
    """The order does not exist and never will."""

    role: Role
    client_id: str
    refusal: Refusal
    detail: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class OutcomeNotKnown:
    """A placement met silence: it may live, it may have filled, it may still arrive."""

    role: Role
    client_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CancelAcked:
    """The venue took the cancel. A hint, not an end."""

    role: Role
    client_id: str
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class CancelFailed:
    """`not_found`: the venue does not know such an open order: a probable fill."""

    role: Role
    client_id: str
    not_found: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the venue said about one order, and about fills since it was sent. None: not found.

    Attributes:
        position: signed, where it was asked for.
    """

    role: Role
    client_id: str
    order: Order | None
    fills: tuple[Fill, ...] = ()
    position: Decimal | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """The question about one order got no answer: nothing is learned."""

    role: Role
    client_id: str


@dataclass(frozen=True, slots=True)
class Fenced:
    """What using up an order's nonce has shown.

    Attributes:
        never: True: it never arrived and never will; False: the nonce was used before, so nothing
            more can arrive; None: no answer, nothing is learned.
    """

    role: Role
    client_id: str
    never: bool | None


@dataclass(frozen=True, slots=True)
class BookTick:
    """The best levels now, best first, and what the clip would cost on each side.

    Attributes:
        at: when it was received, in the clock's monotonic seconds.
        buy, sell: average price to buy or sell the clip; None: not enough there.
        buy_depth, sell_depth: coins that can be bought or sold within reach of the best price, or
            as many as anybody asks for; None: not looked at.
        lag: seconds by which it was old already when it was received, by the venue's clock.
    """

    role: Role
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at: float
    buy: Decimal | None = None
    sell: Decimal | None = None
    buy_depth: Decimal | None = None
    sell_depth: Decimal | None = None
    lag: float = 0.0

    @property
    def mid(self) -> Decimal | None:
        if not self.bids or not self.asks:
            return None
        return (self.bids[0][0] + self.asks[0][0]) / 2


@dataclass(frozen=True, slots=True)
class Timer:
    """Time has passed; whatever is due is looked at."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    """A venue's streams are down: what they told is no longer known to be true."""

    role: Role
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StreamBack:
    """They are up again; what happened in between is still to be asked."""

    role: Role


@dataclass(frozen=True, slots=True)
class StreamEnds:
    """The venue will end a stream of the account at this monotonic time: its session, or its age,
    is over then."""

    role: Role
    at: float


@dataclass(frozen=True, slots=True)
class LoginEnds:
    """A login that nothing here can renew ends at this monotonic time."""

    role: Role
    at: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answers of a barrier on one venue.

    Attributes:
        orders: client id -> the order, None: not found.
        position: signed, in coins.
        strays: open orders made by this program that were not asked about: of an earlier run, or
            one that was thought gone.
        open_ids: client ids of all open orders of the market; None: not read.
    """

    role: Role
    orders: Mapping[str, Order | None]
    fills: tuple[Fill, ...]
    position: Decimal
    strays: tuple[Order, ...] = ()
    open_ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class SnapshotFailed:
    """The barrier could not be read."""

    role: Role
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PositionSeen:
    """A position as the stream tells it, signed. It checks the ledger and never feeds it."""

    role: Role
    position: Decimal


@dataclass(frozen=True, slots=True)
class AccountRead:
    """Margin of one account now; None where the venue does not tell.

    Attributes:
        free, equity: in quote currency.
        leverage: in force on the market.
        liquidation: price at which the position is taken away.
        requests_left: where the venue counts them over the life of an account.
    """

    role: Role
    free: Decimal | None
    equity: Decimal | None
    leverage: Decimal | None = None
    liquidation: Decimal | None = None
    requests_left: int | None = None


@dataclass(frozen=True, slots=True)
class ClockRead:
    """How far the venue's clock is ahead of ours, in milliseconds."""

    role: Role
    skew_ms: float


@dataclass(frozen=True, slots=True)
class FundingRead:
    """Funding of one market: the rate of one interval as a fraction (longs pay a positive one), and
    when it is due, in milliseconds since the epoch; None: not told."""

    role: Role
    rate: Decimal
    due_ms: int | None = None


@dataclass(frozen=True, slots=True)
class MarketRead:
    """The venue's facts about the market, asked for again."""

    role: Role
    market: Market


@dataclass(frozen=True, slots=True)
class ArmFailed:
    """The venue does not grant its dead man's switch."""

    role: Role
    detail: str


@dataclass(frozen=True, slots=True)
class JournalFailed:
    """The disk takes no more lines: nothing new may be begun."""

    detail: str


@dataclass(frozen=True, slots=True)
class OperatorAsked:
    """A word from the operator beside the stop signal. `who`: for the journal."""

    what: Literal["pause", "resume", "drain", "flatten"]
    who: str = ""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The operator wants an end; each repetition is more urgent."""

    times: int = 1


Event: TypeAlias = (
    FillSeen
    | OrderSeen
    | PlaceAcked
    | PlaceRefused
    | OutcomeNotKnown
    | CancelAcked
    | CancelFailed
    | Answered
    | NotAnswered
    | Fenced
    | BookTick
    | Timer
    | StreamLost
    | StreamBack
    | StreamEnds
    | LoginEnds
    | Snapshot
    | SnapshotFailed
    | PositionSeen
    | AccountRead
    | ClockRead
    | FundingRead
    | MarketRead
    | ArmFailed
    | JournalFailed
    | OperatorAsked
    | StopAsked
)

# --------------------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class Place:
    """Send this order, once, on the venue's one route."""

    role: Role
    kind: Kind
    order: OrderRequest
    lane: Lane
    cycle: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask for a cancel; harmless if repeated."""

    role: Role
    client_id: str
    order_id: str


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Ask for a cancel of every order in the market, whoever made it."""

    role: Role


@dataclass(frozen=True, slots=True)
class Query:
    """Ask what became of one order; where it is not found, for the fills since `since_ms`, too.

    Attributes:
        position: of an order that is not found, or ended, ask for the position as well: "not found"
            is only proof beside one that agrees, and so is an amount that makes no sense.
    """

    role: Role
    client_id: str
    order_id: str
    since_ms: int
    lane: Lane
    position: bool = False


@dataclass(frozen=True, slots=True)
class Fence:
    """Use up the nonce of an order, so that it cannot arrive any more."""

    role: Role
    client_id: str


@dataclass(frozen=True, slots=True)
class Arm:
    """Have the venue cancel every order after so many seconds, unless told otherwise; None: not."""

    role: Role
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Recover:
    """Read the barrier: these orders (client id -> id), open orders, fills since, position.

    Attributes:
        since_ms: None: leave the fills out, which a reconciliation needs only if positions differ.
        resting: whether open orders are asked for as well.
    """

    role: Role
    orders: Mapping[str, str]
    since_ms: int | None
    resting: bool = True


@dataclass(frozen=True, slots=True)
class Renew:
    """Make the account's streams anew: lost and back."""

    role: Role
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """Ask for something that only gates look at; silence is no news."""

    role: Role
    what: Reading


@dataclass(frozen=True, slots=True)
class Alarm:
    """For the operator, on every channel he has. `page`: repeated until somebody could wake up.

    Attributes:
        topic: start, stop, pause, unwind, halt, exposed, resolved, silence, external.
    """

    topic: str
    text: str
    page: bool = False


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Send a `Timer` at this monotonic time at the latest."""

    at: float


@dataclass(frozen=True, slots=True)
class Halt:
    """Trading stopped by a rule. `exposed`: and not neutral; somebody must look."""

    reason: str
    exposed: bool


@dataclass(frozen=True, slots=True)
class Finish:
    """The end, with the exit code."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Worth a line in the log: what was decided and why."""

    text: str
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """An order is over although no report of the venue says so: what it filled is known by other
    evidence. A restart must not doubt it again."""

    role: Role
    client_id: str
    filled: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One booked fill, as the trades file has it."""

    cycle: int
    role: Role
    purpose: Kind
    side: str
    size: Decimal
    price: Decimal
    fee: Decimal | None
    fee_asset: str
    liquidity: str
    order_id: str
    client_id: str
    trade_id: str
    source: Source
    late: bool
    decision_price: Decimal | None
    latency_ms: int | None
    exposure: Decimal
    timestamp_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTold:
    """The fee of a fill whose trade was booked without it."""

    cycle: int
    role: Role
    purpose: Kind
    side: str
    price: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: str
    order_id: str
    client_id: str
    trade_id: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Carry:
    """Funding of a leg that fell due.

    Attributes:
        amount: in quote currency; positive was received.
        rate, due_ms: as the venue told them before.
        position, price: signed coins, and what each was worth.
    """

    role: Role
    amount: Decimal
    rate: Decimal
    position: Decimal
    price: Decimal
    due_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleDone:
    """One finished cycle, as the cycles file has it. Sizes in coins, money in quote currency."""

    cycle: int
    started_ms: int
    ended_ms: int
    direction: str
    closing: bool
    counts: bool
    size: Decimal
    filled: Decimal
    hedged: Decimal
    unwound: Decimal
    primary_price: Decimal | None
    hedge_price: Decimal | None
    raw_spread_bps: Decimal | None
    basis_bps: Decimal | None
    edge_bps: Decimal | None
    cost_bps: Decimal | None
    maker_fee: Decimal
    taker_fee: Decimal
    requotes: int
    time_to_fill_ms: int | None
    hedge_latency_ms: int | None
    max_exposure: Decimal
    exposure_seconds: Decimal
    outcome: str
    reason: str


Command: TypeAlias = (
    Place
    | Cancel
    | CancelAll
    | Query
    | Fence
    | Arm
    | Recover
    | Renew
    | Read
    | Alarm
    | SetTimer
    | Halt
    | Finish
    | Note
    | Settled
    | Trade
    | FeeTold
    | Carry
    | CycleDone
)
