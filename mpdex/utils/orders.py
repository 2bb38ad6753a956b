"""The life of an order as a table, and one order that lives by it.

What is known of an order only grows: its cumulative fill never falls, an ended order never opens
again, and an order whose fate is doubtful is UNKNOWN until a query or a report ends the doubt.
`step` is the table; `TrackedOrder` adds what a table cannot say: amounts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from mpdex.types import OrderStatus, Side

ZERO = Decimal(0)


class State(StrEnum):
    """Where an order is, as far as we know."""

    JOURNALED = "journaled"  # intent written, nothing sent
    SENT = "sent"  # bytes handed to the transport
    OPEN = "open"
    PARTIAL = "partial"
    CANCEL_SENT = "cancel_sent"
    UNKNOWN = "unknown"  # only queries and reports lead out
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SETTLED = "settled"  # ended, and its cumulative fill confirmed

    __hash__ = str.__hash__  # the enumeration's own is slow, and a fill looks up several

    @property
    def ended(self) -> bool:
        return self in ENDED

    @property
    def resting(self) -> bool:
        """Believed to live, and nobody asked for its end."""
        return self is State.OPEN or self is State.PARTIAL


class News(StrEnum):
    """What can be heard of an order, or done to it."""

    SENT = "sent"
    ACK = "ack"  # of a venue whose answer means that the order rests
    SOFT_ACK = "soft_ack"  # of a venue whose answer means that it was received
    REJECT = "reject"  # definite
    DOUBT = "doubt"  # time-out or ambiguous error, of the order or of its cancel
    CANCEL_SENT = "cancel_sent"
    CANCEL_ACK = "cancel_ack"  # a hint; the end is a report
    CANCEL_GONE = "cancel_gone"  # "not found" or "already closed": a fill, probably
    REPORT_OPEN = "report_open"
    FILL = "fill"
    FILL_ALL = "fill_all"
    END_FILLED = "end_filled"
    END_CANCELED = "end_canceled"
    END_REJECTED = "end_rejected"
    END_EXPIRED = "end_expired"
    LOST = "lost"  # the connection that would tell
    NOT_FOUND = "not_found"  # a query does not show it: proof only late, and if it stays so
    SETTLE = "settle"  # cumulative fill confirmed

    __hash__ = str.__hash__


class Advice(StrEnum):
    """What the owner of the order should do about it."""

    NOTHING = "nothing"
    QUERY = "query"  # ask the venue now
    UNVERIFIED = "unverified"  # still believed, to be confirmed once the connection is back
    FOUND_OPEN = "found_open"  # rests after all: cancel it
    LATE = "late"  # a fill of a settled order: hedge it, and say so
    ODD = "odd"  # should not happen: log it, ask the venue


class Row(NamedTuple):
    state: State
    advice: Advice = Advice.NOTHING


_ENDS = {
    News.END_FILLED: State.FILLED,
    News.END_CANCELED: State.CANCELED,
    News.END_REJECTED: State.REJECTED,
    News.END_EXPIRED: State.EXPIRED,
}
ENDED = frozenset(_ENDS.values()) | {State.SETTLED}
LIVE = frozenset(State) - ENDED

# Any live order ends on a report of its end, and is filled when its fills say so.
_ALL_LIVE = {news: Row(state) for news, state in _ENDS.items()} | {
    News.FILL: Row(State.PARTIAL),
    News.FILL_ALL: Row(State.FILLED),
    News.NOT_FOUND: Row(State.UNKNOWN),
}

# What is not written here leaves the state as it is and asks for nothing. A cancel, too, says
# nothing of an order that nobody has heard of: SENT and UNKNOWN stay until there is evidence.
_SPECIAL: dict[State, dict[News, Row]] = {
    State.JOURNALED: _ALL_LIVE
    | {
        News.SENT: Row(State.SENT),
        # Read back after a crash, or the transport failed in the middle: it may have been sent.
        News.DOUBT: Row(State.UNKNOWN, Advice.QUERY),
        News.LOST: Row(State.UNKNOWN, Advice.QUERY),
        News.REJECT: Row(State.REJECTED),
        News.REPORT_OPEN: Row(State.OPEN),
        News.CANCEL_SENT: Row(State.JOURNALED, Advice.ODD),
    },
    State.SENT: _ALL_LIVE
    | {
        News.ACK: Row(State.OPEN),
        News.REJECT: Row(State.REJECTED),
        News.DOUBT: Row(State.UNKNOWN, Advice.QUERY),
        News.REPORT_OPEN: Row(State.OPEN),
        News.CANCEL_GONE: Row(State.SENT, Advice.QUERY),
        News.LOST: Row(State.UNKNOWN, Advice.QUERY),
    },
    State.OPEN: _ALL_LIVE
    | {
        News.REJECT: Row(State.OPEN, Advice.ODD),
        News.DOUBT: Row(State.OPEN, Advice.QUERY),
        News.CANCEL_SENT: Row(State.CANCEL_SENT),
        News.CANCEL_GONE: Row(State.OPEN, Advice.QUERY),
        News.LOST: Row(State.OPEN, Advice.UNVERIFIED),
    },
    State.PARTIAL: _ALL_LIVE
    | {
        News.REJECT: Row(State.PARTIAL, Advice.ODD),
        News.DOUBT: Row(State.PARTIAL, Advice.QUERY),
        News.CANCEL_SENT: Row(State.CANCEL_SENT),
        News.CANCEL_GONE: Row(State.PARTIAL, Advice.QUERY),
        News.LOST: Row(State.PARTIAL, Advice.UNVERIFIED),
    },
    State.CANCEL_SENT: _ALL_LIVE
    | {
        News.FILL: Row(State.CANCEL_SENT),
        # It was told of before: which word holds, only the venue can tell.
        News.REJECT: Row(State.CANCEL_SENT, Advice.QUERY),
        News.DOUBT: Row(State.UNKNOWN, Advice.QUERY),
        News.CANCEL_GONE: Row(State.CANCEL_SENT, Advice.QUERY),
        News.LOST: Row(State.UNKNOWN, Advice.QUERY),
    },
    State.UNKNOWN: _ALL_LIVE
    | {
        News.ACK: Row(State.OPEN),
        News.REJECT: Row(State.REJECTED),
        News.REPORT_OPEN: Row(State.OPEN, Advice.FOUND_OPEN),
        News.CANCEL_GONE: Row(State.UNKNOWN, Advice.QUERY),
    },
    State.FILLED: {News.SETTLE: Row(State.SETTLED)},
    State.CANCELED: {News.SETTLE: Row(State.SETTLED)},
    State.REJECTED: {News.SETTLE: Row(State.SETTLED)},
    State.EXPIRED: {News.SETTLE: Row(State.SETTLED)},
    State.SETTLED: {
        News.FILL: Row(State.SETTLED, Advice.LATE),
        News.FILL_ALL: Row(State.SETTLED, Advice.LATE),
    },
}

TABLE: dict[tuple[State, News], Row] = {
    (state, news): _SPECIAL[state].get(news, Row(state)) for state in State for news in News
}


def step(state: State, news: News) -> State:
    """The state after hearing `news`."""
    return TABLE[state, news].state


def advise(state: State, news: News) -> Advice:
    """What to do on hearing `news` in `state`."""
    return TABLE[state, news].advice


class Outcome(NamedTuple):
    """What a report changed.

    Attributes:
        added: coins filled that were not known before: what goes to the ledger.
        advice: what to do.
    """

    added: Decimal = ZERO
    advice: Advice = Advice.NOTHING


_REPORTS = {
    OrderStatus.PENDING: News.SOFT_ACK,
    OrderStatus.OPEN: News.REPORT_OPEN,
    OrderStatus.FILLED: News.END_FILLED,
    OrderStatus.CANCELED: News.END_CANCELED,
    OrderStatus.REJECTED: News.END_REJECTED,
    OrderStatus.EXPIRED: News.END_EXPIRED,
}


@dataclass(slots=True, kw_only=True)
class TrackedOrder:
    """One order of ours.

    Fills are told twice: one by one (trade ids) and as the order's cumulative fill. Whichever comes
    first counts; a cumulative fill ahead of the known fills is booked as a synthetic fill, which
    the true ones replace when they arrive.

    Attributes:
        id: the venue's; "" until told.
        cum: coins filled, by the best knowledge; never falls.
        synthetic: the part of `cum` whose true fills have not arrived.
        canceling: a cancel was sent; from then on it is never OPEN or PARTIAL.
        contradicted: a report said less than the known fills, or the fills exceed the size.
        unconfirmed: ended, but nobody told yet how much was filled.
    """

    client_id: str
    symbol: str
    side: Side
    size: Decimal
    price: Decimal | None = None
    id: str = ""
    state: State = State.JOURNALED
    cum: Decimal = ZERO
    synthetic: Decimal = ZERO
    canceling: bool = False
    contradicted: bool = False
    fills: set[str] = field(default_factory=set)

    @property
    def remaining(self) -> Decimal:
        """Coins that may still turn out to be filled: only a settled order has none."""
        return ZERO if self.state is State.SETTLED else max(self.size - self.cum, ZERO)

    @property
    def settled(self) -> bool:
        return self.state is State.SETTLED

    @property
    def unconfirmed(self) -> bool:
        return self.state.ended and self.state is not State.SETTLED

    def hear(self, news: News) -> Advice:
        """Everything that brings no amount."""
        if news is News.CANCEL_SENT:
            self.canceling = True
        advice = self._step(news)
        if self.state is State.REJECTED and news is News.REJECT:
            return self._settle(advice, confirmed=not self.cum)
        return advice

    def fill(self, trade_id: str, size: Decimal) -> Outcome:
        """One execution. A trade id heard before changes nothing."""
        if trade_id in self.fills:
            return Outcome()
        self.fills.add(trade_id)
        if self.synthetic:
            replaced = min(size, self.synthetic)
            self.synthetic -= replaced
            size -= replaced
        return Outcome(size, self._book(size))

    def report(self, status: OrderStatus, cum: Decimal | None) -> Outcome:
        """The order as the venue shows it. `cum` None: it does not tell the cumulative fill."""
        before, known = self.state, self.cum
        added = max((cum or ZERO) - known, ZERO)
        advice = self._book(added)
        self.synthetic += added
        if self.state is State.SETTLED:
            return Outcome(added, advice)
        news = _REPORTS[status]
        advice = _first(advice, advise(before, news))
        self._step(news)
        if status.terminal:
            advice = self._settle(
                advice, confirmed=cum is not None and self._whole(status, cum, known)
            )
        return Outcome(added, advice)

    def resize(self, size: Decimal) -> bool:
        """The venue has it at this size, not at the one it was sent with; whether that is news."""
        if size == self.size or size <= 0 or size < self.cum:
            return False
        self.size = size
        return True

    def settle(self) -> None:
        """The owner vouches for `cum` (a query said so, or its grace is over)."""
        self._step(News.SETTLE)

    def revive(self) -> None:
        """The venue shows a settled order open after all: what it said before was wrong."""
        self.state, self.contradicted = State.UNKNOWN, True

    @property
    def synthetic_id(self) -> str:
        """Trade id of a fill made from a cumulative amount: the same whenever it is made again."""
        return f"{self.id or self.client_id}:{self.cum}"

    def _book(self, added: Decimal) -> Advice:
        if not added:
            return Advice.NOTHING
        self.cum += added
        if self.cum > self.size:
            self.contradicted = True
        news = News.FILL_ALL if self.cum >= self.size else News.FILL
        advice = self._step(news)
        if self.state.ended and self.cum >= self.size:
            # Nothing is left that could still be filled.
            self.settle()
        return advice

    def _whole(self, status: OrderStatus, cum: Decimal, known: Decimal) -> bool:
        """Whether an end is the whole truth; one that tells less than is known is doubted once."""
        if status is OrderStatus.FILLED and self.cum < self.size:
            return False
        if cum >= known or self.contradicted:
            return True
        self.contradicted = True
        return False

    def _settle(self, advice: Advice, *, confirmed: bool) -> Advice:
        if not confirmed:
            return _first(advice, Advice.QUERY)
        self.settle()
        return advice

    def _step(self, news: News) -> Advice:
        """A table knows neither amounts nor the past: here OPEN becomes what it is."""
        state, advice = TABLE[self.state, news]
        if state is State.OPEN or state is State.PARTIAL:
            state = State.PARTIAL if self.cum else State.OPEN
            state = State.CANCEL_SENT if self.canceling else state
        self.state = state
        return advice


def _first(one: Advice, other: Advice) -> Advice:
    return other if one is Advice.NOTHING else one
