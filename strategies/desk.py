"""What the hedge knows at one moment, and the few things every part of it does with that.

The desk is owned by `hedge_core.step`, which advances it in place: the same events at the same
times give the same commands. Nothing here reads a clock, awaits or logs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import islice

from mpdex.types import Fill, Lane, Order, OrderRequest, Side, TimeInForce
from mpdex.utils.orders import News
from strategies.canary import Canary
from strategies.config import HedgeConfig
from strategies.cycles import Cycle
from strategies.guards import Facts
from strategies.ledger import ZERO, Ledger, OrderKey
from strategies.lessons import Lessons
from strategies.pending import Episode, Orphan, Suspicion
from strategies.quoting import lattice
from strategies.setup import Setup
from strategies.tracking import Tracked
from strategies.words import (
    ROLES,
    AccountRead,
    Alarm,
    BookTick,
    Cancel,
    Command,
    FundingRead,
    Kind,
    Note,
    Place,
    Reading,
    Recover,
    Role,
)

# Orders kept after they settled, so that a late fill is still ours: 24 h of fast trading.
_REMEMBERED = 20_000
# Of those, so many are asked about again when a position is not what fills say.
_RECALLED = 8
# A hedge must be worth a little more than the venue's minimum, which is checked at its own price.
_NOTIONAL_MARGIN = Decimal("1.02")


class State(StrEnum):
    """What is at risk now."""

    IDLE = "idle"
    QUOTING = "quoting"
    HEDGING = "hedging"
    UNSURE = "unsure"
    UNWINDING = "unwinding"
    HALTED = "halted"


class Phase(StrEnum):
    """What the run as a whole is doing; what leads from one to the next: `hedge_core.TABLE`."""

    STARTING = "starting"
    RECONCILING = "reconciling"
    PREFLIGHT = "preflight"
    RUNNING = "running"
    PAUSED = "paused"
    RECOVERING = "recovering"
    REDUCING = "reducing"
    DRAINING = "draining"
    HALTED_FLAT = "halted flat"
    HALTED_EXPOSED = "halted exposed"
    STOPPED = "stopped"


HALTED = (Phase.HALTED_FLAT, Phase.HALTED_EXPOSED)


@dataclass(slots=True)
class Desk:
    """Everything known."""

    setup: Setup
    now: float = 0.0
    phase: Phase = Phase.STARTING
    phase_since: float = 0.0
    why: str = ""  # we are in this phase
    reducing: str = ""  # why the pair is to be closed; "": it need not be
    ending: str = ""  # why the run is to end; "": it goes on
    operator_pause: str = ""
    flatten_asked: bool = False
    gates_shut_at: float | None = None  # when a gate objected last
    over_since: float | None = None  # the session has cost too much
    pause_told: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    lessons: Lessons = field(init=False)
    ticks: dict[Role, BookTick] = field(default_factory=dict)
    last_mid: dict[Role, tuple[Decimal, float]] = field(default_factory=dict)
    up: dict[Role, bool] = field(default_factory=lambda: dict.fromkeys(ROLES, False))
    live: dict[Role, bool] = field(default_factory=lambda: dict.fromkeys(ROLES, False))
    reading: dict[Role, bool] = field(default_factory=lambda: dict.fromkeys(ROLES, False))
    read_at: dict[Role, float | None] = field(default_factory=lambda: dict.fromkeys(ROLES, None))
    read_once: set[Role] = field(default_factory=set)
    verified: dict[Role, bool] = field(default_factory=lambda: dict.fromkeys(ROLES, False))
    active: dict[OrderKey, Tracked] = field(default_factory=dict)
    known: dict[OrderKey, Tracked] = field(default_factory=dict)
    by_id: dict[OrderKey, OrderKey] = field(default_factory=dict)
    orphans: list[Orphan] = field(default_factory=list)
    unheard: dict[OrderKey, float] = field(default_factory=dict)  # answered, not told by a stream
    stream_ends: dict[Role, float] = field(default_factory=dict)
    up_since: dict[Role, float] = field(default_factory=dict)
    login_ends: dict[Role, float] = field(default_factory=dict)
    cycle: Cycle | None = None
    ended: list[Cycle] = field(default_factory=list)  # cycles not reported yet
    untold: dict[OrderKey, float] = field(default_factory=dict)  # inferred after that, and when
    episode: Episode = field(default_factory=Episode)
    cycles: int = 0
    attempts: int = 0
    successes: int = 0
    failures: int = 0
    flatten_misses: int = 0
    absorbing: int = 0  # cycles begun to take a residue along
    last_opening: Side | None = None
    last_fill_ms: int = 0
    newest_ms: dict[Role, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    booked: dict[Role, deque[tuple[int, Decimal]]] = field(  # venue time and signed size of fills
        default_factory=lambda: {role: deque(maxlen=64) for role in ROLES}
    )
    quote_after: float = 0.0
    rejects: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    requotes: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    exposed: bool = False
    stops: int = 0
    stops_before: int = 0  # signals that came before we were exposed
    exit_code: int = 0
    exit_reason: str = "done"
    baseline: dict[Role, Decimal] = field(default_factory=dict)  # positions that are not ours
    seen_position: dict[Role, tuple[Decimal, float]] = field(default_factory=dict)
    suspicions: dict[Role, Suspicion] = field(default_factory=dict)
    agreed_at: dict[Role, float] = field(default_factory=dict)  # a position was what fills say
    foreign: set[str] = field(default_factory=set)  # fills of others, by id
    unpaid: dict[tuple[Role, str, str], int] = field(default_factory=dict)  # fills without fee, ms
    reconciled: dict[Role, float] = field(default_factory=dict)  # when everything was asked for
    glanced: dict[Role, float] = field(default_factory=dict)  # when the position was
    accounts: dict[Role, AccountRead] = field(default_factory=dict)
    accounts_at: dict[Role, float] = field(default_factory=dict)  # when they were told
    skew_ms: dict[Role, float] = field(default_factory=dict)
    funding: dict[Role, FundingRead] = field(default_factory=dict)
    read_due: dict[tuple[Role, Reading], float] = field(default_factory=dict)
    canary: Canary = field(default_factory=Canary)
    barred: str = ""  # why the hedge venue must prove itself before the next quote
    barred_since: float | None = None
    closed_since: float | None = None  # every quote since then was refused; None: the last was not
    grid_asked: float = -1e9  # when market facts were asked for on behalf of a quote
    probe: Tracked | None = None
    probe_after: float = 0.0
    taken: int = 0  # post-only orders that took
    armed_at: float | None = None  # when the dead man's switch was last moved on
    dead_man_refused: bool = False
    alarmed: dict[str, float] = field(default_factory=dict)
    filled_at: float = 0.0
    journal_failed: bool = False
    waiting_for: str = ""
    wake_at: float | None = None
    turn: int = 0  # events taken so far
    _facts: tuple[tuple[object, ...], Facts] | None = None
    commands: list[Command] = field(default_factory=list)
    records: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lessons = Lessons.of(self.setup.config, self.setup.fees)
        self.baseline = self.baseline or dict(self.setup.baseline)

    # ----------------------------------------------------------------- reading

    @property
    def config(self) -> HedgeConfig:
        return self.setup.config

    @property
    def slot(self) -> Tracked | None:
        """The one order that may make exposure: a quote, or a taker that closes the pair."""
        for order in self.active.values():
            if order.kind in (Kind.MAKER, Kind.FLATTEN):
                return order
        return None

    @property
    def debt(self) -> Decimal:
        return self.ledger.debt(sum((o.reserved for o in self.active.values()), ZERO))

    @property
    def owing(self) -> bool:
        return abs(self.debt) >= self.dust

    @property
    def dust(self) -> Decimal:
        """The smallest hedge that can be sent now."""
        return self.least("hedge")

    @property
    def smallest(self) -> Decimal:
        """The smallest pair that can be closed by trading on the primary."""
        markets = self.setup.markets
        return max(lattice(markets["primary"], markets["hedge"]), self.least("primary"))

    def least(self, role: Role) -> Decimal:
        """The smallest order that a venue takes at its price of now."""
        market = self.setup.markets[role]
        least = max(market["min_size"], market["step"])
        mid = self.last_mid.get(role) or next(iter(self.last_mid.values()), None)
        if market["min_notional"] and mid:
            least = max(least, market["min_notional"] * _NOTIONAL_MARGIN / mid[0])
        return least

    @property
    def pair_open(self) -> bool:
        return abs(self.ledger.position("primary")) >= self.smallest

    @property
    def residue(self) -> bool:
        """A neutral pair too small to be closed by itself: what a partial fill may leave."""
        return not self.pair_open and self.ledger.position("primary") != 0

    @property
    def doubtful(self) -> bool:
        """Whether the fate of any order is not known."""
        return any(order.doubtful for order in self.active.values())

    @property
    def state(self) -> State:
        return next(state for state, holds in STATES if holds(self))

    @property
    def basis_median(self) -> Decimal | None:
        """How much dearer the primary usually is, as a price; None: not known yet."""
        return self.lessons.books.usual_difference

    @property
    def closing(self) -> bool:
        """Whether the pair is on its way back to nothing: no more is opened before it is there."""
        if not self.pair_open:
            return False
        reach = abs(self.ledger.position("primary")) + self.config.size
        return bool(self.reducing) or self.lessons.full or reach > self.config.position_limit

    @property
    def facts(self) -> Facts:
        """What the guards judge: made anew when something they look at may have changed."""
        state = (
            self.turn,
            id(self.cycle),
            self.ledger.position("primary"),
            self.lessons.moves,
            self.lessons.full_since,
            self.reducing,
            *self.live.values(),
        )
        if self._facts is None or self._facts[0] != state:
            self._facts = (state, self._gathered())
        return self._facts[1]

    def _gathered(self) -> Facts:
        cycle, lessons = self.cycle, self.lessons
        return Facts(
            config=self.config,
            markets=self.setup.markets,
            now=self.now,
            now_ms=self.setup.wall_ms(self.now),
            ticks=self.ticks,
            live=self.live,
            mids=self.last_mid,
            ledger=self.ledger,
            books=lessons.books,
            costs=lessons.costs,
            markouts=lessons.markouts,
            latencies=lessons.latencies,
            accounts=self.accounts,
            account_age={role: self.now - at for role, at in self.accounts_at.items()},
            skew_ms=self.skew_ms,
            funding=self.funding,
            logins=self.login_ends,
            side=None if cycle is None else cycle.side,
            opening=not (self.closing if cycle is None else cycle.closing),
            closing_for=None if lessons.full_since is None else self.now - lessons.full_since,
            cycles=self.cycles,
            cycles_left=max(self.config.iterations - self.attempts, 0),
            requotes=lessons.moves,
        )

    @property
    def worth(self) -> Decimal:
        """Profit of the run, in quote currency."""
        return self.ledger.worth({role: mid for role, (mid, _) in self.last_mid.items()})

    def orders(self, kind: Kind) -> Iterator[Tracked]:
        return (order for order in self.active.values() if order.kind is kind)

    def has(self, *kinds: Kind) -> bool:
        return any(order.kind in kinds for order in self.active.values())

    def find(self, role: Role, client_id: str | None, order_id: str) -> Tracked | None:
        """An order of ours by either id."""
        if client_id and (order := self.known.get((role, client_id))) is not None:
            return order
        key = self.by_id.get((role, order_id)) if order_id else None
        return self.known.get(key) if key is not None else None

    # ----------------------------------------------------------------- doing

    def say(self, command: Command) -> None:
        self.commands.append(command)

    def note(self, text: str, *, urgent: bool = False) -> None:
        self.records.append(Note(text, urgent))

    def wake(self, at: float) -> None:
        """Have a look again at this time, or earlier."""
        if self.wake_at is None or at < self.wake_at:
            self.wake_at = at

    def enter(self, phase: Phase, why: str) -> None:
        """Only `hedge_core.step` does this, by its table."""
        self.note(f"{self.phase} -> {phase}: {why}")
        self.phase, self.phase_since, self.why = phase, self.now, why
        self.wake(self.now)

    def alarm(self, topic: str, text: str, *, page: bool = False) -> None:
        self.say(Alarm(topic, text, page))

    def stop(self, code: int, why: str) -> None:
        """End in good order; the first reason stays, a worse one is not hidden by it."""
        if self.ending and code != 4:
            return
        self.exit_code, self.exit_reason, self.ending = code, why, why

    def distrust(self, role: Role, why: str) -> None:
        """What is known of a venue may not be the truth: ask it for everything."""
        if self.live[role]:
            self.note(f"{role} is read again: {why}", urgent=True)
        self.live[role] = self.verified[role] = False
        if self.up[role]:
            self.read_barrier(role)

    def expected(self, role: Role) -> Decimal:
        """The position the venue should show."""
        return self.baseline.get(role, ZERO) + self.ledger.position(role)

    def read_barrier(self, role: Role) -> None:
        """Asks the venue for orders, fills and position, unless that is under way."""
        if self.reading[role]:
            return
        self.reading[role] = True
        self.read_at[role] = None
        orders = {o.client_id: o.id for o in self.active.values() if o.role == role}
        since = self._unread_since(role)
        if role in self.suspicions:
            since = self.setup.began_ms
            orders |= {o.client_id: o.id for o in self.ended_lately(role)}
        self.reconciled[role] = self.now
        self.say(Recover(role, orders, since))

    def _unread_since(self, role: Role) -> int:
        """From when fills are read: before the newest, as histories lag, and the oldest unpaid."""
        newest = self.newest_ms[role] - int(self.config.fill_overlap * 1000)
        unpaid = (ms for key, ms in self.unpaid.items() if key[0] == role)
        return max(min((newest, *unpaid)), self.setup.began_ms)

    def ended_lately(self, role: Role) -> list[Tracked]:
        """Orders that ended since the position agreed last, newest first: one of them may have
        filled more than its end told."""
        since = self.agreed_at.get(role, self.setup.started)
        known = (o for o in reversed(self.known.values()) if o.role == role and o.settled)
        return [o for o in islice(known, _RECALLED) if o.settled_at >= since]

    def reconcile(self, role: Role, *, resting: bool, fills: bool = False) -> None:
        """Asks for the position, and for open orders and fills if so wanted, while everything goes
        on."""
        if self.reading[role]:
            return
        self.reading[role] = True
        self.glanced[role] = self.now
        if resting:
            self.reconciled[role] = self.now
        self.say(Recover(role, {}, self._unread_since(role) if fills else None, resting))

    def place(
        self,
        role: Role,
        kind: Kind,
        side: Side,
        size: Decimal,
        price: Decimal | None,
        *,
        reduce_only: bool = False,
        post_only: bool = False,
        decision: Decimal | None = None,
    ) -> Tracked:
        """Sends an order, if the state of things allows that kind. Only post-only ones may rest.

        `price` None: at market, on a venue that has no immediate limit orders.
        """
        state = self.state
        if kind not in MAY_PLACE[state]:
            raise AssertionError(f"a {kind} order in state {state}: the table forbids it")
        post_only = post_only or kind is Kind.MAKER
        request = OrderRequest(
            symbol=self.setup.markets[role]["symbol"],
            side=side,
            size=size,
            price=price,
            client_id=self.setup.new_id[role](),
            post_only=post_only,
            reduce_only=reduce_only,
            time_in_force=TimeInForce.GTC if post_only else TimeInForce.IOC,
        )
        order = Tracked(
            role=role,
            kind=kind,
            client_id=request.client_id,
            symbol=request.symbol,
            side=side,
            size=size,
            price=price,
            immediate=not post_only,
            cycle=self.cycle.number if self.cycle else self.cycles,
            sent=self.now,
            sent_ms=self.setup.wall_ms(self.now),
            bound=self.now + self.setup.bound(role, immediate=not post_only),
            decision_price=decision,
            trigger_ms=self.last_fill_ms or None,
        )
        order.hear(News.SENT)
        self._remember(order)
        self.verified = dict.fromkeys(ROLES, False)
        lane = Lane.HEDGE if kind in NEUTRALIZING else Lane.QUOTE
        self.say(Place(role, kind, request, lane, order.cycle))
        return order

    def adopt(self, role: Role, report: Order) -> Tracked:
        """An order of ours that this run did not send."""
        order = Tracked(
            role=role,
            kind=Kind.MAKER,
            client_id=report["client_order_id"] or report["id"],
            symbol=report["symbol"],
            side=report["side"],
            size=report["size"],
            price=report["price"],
            immediate=False,
            cycle=0,
            sent=self.now,
            sent_ms=self.setup.wall_ms(self.now),
            bound=self.now,
        )
        order.hear(News.SENT)
        self._remember(order)
        return order

    def adopt_fill(self, role: Role, fill: Fill) -> Tracked:
        """The order of a fill that is ours, and of which nothing else is left.

        It made neutral: what makes exposure is on the disk before it leaves.
        """
        order = Tracked(
            role=role,
            kind=Kind.HEDGE if role == "hedge" else Kind.UNWIND,
            client_id=fill["client_order_id"] or fill["order_id"],
            symbol=fill["symbol"],
            side=fill["side"],
            size=fill["size"],
            price=fill["price"],
            immediate=True,
            cycle=self.cycles,
            sent=self.now,
            sent_ms=fill["timestamp_ms"],
            bound=self.now,
        )
        order.hear(News.SENT)
        self._remember(order)
        self.note(f"a fill of {role} order {order.client_id}, whose intent is lost", urgent=True)
        return order

    def cancel(self, order: Tracked, why: str) -> None:
        """Asks for a cancel now, and again until the order is settled."""
        if order.cancel_first is None:
            order.cancel_first = self.now
            order.hear(News.CANCEL_SENT)
            self.note(f"pull {order.kind}: {why}")
        elif order.cancel_at is None or self.now < order.cancel_at:
            return
        # A lost cancel is repeated after 1, 2, 4, 4 ... seconds; repeating is harmless.
        order.cancel_at = self.now + min(2**order.cancels, 4)
        order.cancels += 1
        self.say(Cancel(order.role, order.client_id, order.id))

    def _remember(self, order: Tracked) -> None:
        self.active[order.key] = self.known[order.key] = order
        if self.cycle is not None:
            self.cycle.keys.append(order.key)
        if len(self.known) > _REMEMBERED:
            oldest = next(iter(self.known))
            if oldest not in self.active:
                gone = self.known.pop(oldest)
                self.by_id.pop((gone.role, gone.id), None)


# Orders that make neutral: what they may still do is reserved. The others may make exposure.
NEUTRALIZING = frozenset({Kind.HEDGE, Kind.UNWIND})

# The first row whose condition holds names the state.
STATES: tuple[tuple[State, Callable[[Desk], bool]], ...] = (
    (State.HALTED, lambda d: d.exposed or d.phase in (*HALTED, Phase.STOPPED)),
    (State.UNSURE, lambda d: d.doubtful or not all(d.live.values())),
    (State.UNWINDING, lambda d: d.has(Kind.UNWIND) or bool(d.episode.must_unwind)),
    (State.HEDGING, lambda d: d.has(Kind.HEDGE) or d.owing),
    (State.QUOTING, lambda d: d.slot is not None),
    (State.IDLE, lambda d: True),
)

# What may be sent in each state. A quote is only ever sent from IDLE; what makes neutral may be
# sent wherever something can be owed: UNKNOWN is reserved, so the debt is only the new part.
MAY_PLACE: Mapping[State, frozenset[Kind]] = {
    State.IDLE: frozenset({Kind.MAKER, Kind.FLATTEN, Kind.CANARY}),
    State.QUOTING: frozenset(),
    State.HEDGING: frozenset({Kind.HEDGE}),
    State.UNSURE: frozenset({Kind.HEDGE, Kind.UNWIND}),
    State.UNWINDING: frozenset({Kind.HEDGE, Kind.UNWIND}),
    State.HALTED: frozenset({Kind.HEDGE, Kind.UNWIND}),
}
