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

from mpdex.types import Fill, Lane, Market, OrderRequest, Side, TimeInForce
from mpdex.utils.orders import News
from strategies.config import HedgeConfig
from strategies.guards import Facts
from strategies.ledger import ZERO, Exposure, Ledger, OrderKey
from strategies.quoting import Rest, lattice
from strategies.tracking import Tracked
from strategies.words import (
    ROLES,
    BookTick,
    Cancel,
    Command,
    Kind,
    Note,
    Place,
    Recover,
    Role,
    Source,
)

# Orders kept after they settled, so that a late fill is still ours: 24 h of fast trading.
_REMEMBERED = 20_000
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
    """What the run as a whole is doing."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What was found out before the first order.

    Attributes:
        bounds: seconds after which a venue refuses a late order request.
        acks: seconds after which a missing answer means "not known".
        baseline: signed positions that were there before and are no part of the run.
        started, started_ms: the same moment, monotonic and since the epoch.
    """

    config: HedgeConfig
    markets: Mapping[Role, Market]
    bounds: Mapping[Role, float]
    acks: Mapping[Role, float]
    baseline: Mapping[Role, Decimal]
    new_id: Mapping[Role, Callable[[], str]]
    started: float
    started_ms: int

    def wall_ms(self, now: float) -> int:
        return self.started_ms + int((now - self.started) * 1000)


@dataclass(slots=True)
class Cycle:
    """One attempt: a quote, its requotes, and the hedges of what filled."""

    number: int
    kind: Kind
    side: Side
    closing: bool
    size: Decimal
    started: float
    aged_from: float
    exposure: Exposure
    restarted: bool = False
    over: bool = False
    requotes: int = 0
    rest: Rest | None = None
    reason: str = ""
    basis_bps: Decimal | None = None
    edge_bps: Decimal | None = None
    keys: list[OrderKey] = field(default_factory=list)
    quotes: list[OrderKey] = field(default_factory=list)
    filled: Decimal = ZERO
    paid: Decimal = ZERO  # traded value of `filled`
    hedged: Decimal = ZERO
    hedge_paid: Decimal = ZERO
    unwound: Decimal = ZERO
    unwind_paid: Decimal = ZERO
    maker_fee: Decimal = ZERO
    taker_fee: Decimal = ZERO
    first_fill: float | None = None
    hedge_latency_ms: int | None = None
    ended: float = 0.0
    outcome: str = ""


@dataclass(slots=True)
class Episode:
    """One stretch of time in which something is owed."""

    since: float | None = None
    attempts: int = 0
    unwinds: int = 0
    band_refusals: int = 0
    down_since: float | None = None
    not_before: float = 0.0
    fresh_after: float | None = None
    must_unwind: str = ""
    fatal: str = ""
    no_reduce_only: bool = False


@dataclass(slots=True)
class Orphan:
    """A fill of an order that is not known yet; its acknowledgement may be on the way."""

    role: Role
    fill: Fill
    source: Source
    at: float


@dataclass(slots=True)
class Desk:
    """Everything known."""

    setup: Setup
    now: float = 0.0
    phase: Phase = Phase.STARTING
    resume: Phase = Phase.RUNNING
    phase_since: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    ticks: dict[Role, BookTick] = field(default_factory=dict)
    last_mid: dict[Role, tuple[Decimal, float]] = field(default_factory=dict)
    up: dict[Role, bool] = field(default_factory=lambda: dict.fromkeys(ROLES, False))
    live: dict[Role, bool] = field(default_factory=lambda: dict.fromkeys(ROLES, False))
    reading: dict[Role, bool] = field(default_factory=lambda: dict.fromkeys(ROLES, False))
    read_at: dict[Role, float | None] = field(default_factory=lambda: dict.fromkeys(ROLES, None))
    verified: dict[Role, bool] = field(default_factory=lambda: dict.fromkeys(ROLES, False))
    active: dict[OrderKey, Tracked] = field(default_factory=dict)
    known: dict[OrderKey, Tracked] = field(default_factory=dict)
    by_id: dict[OrderKey, OrderKey] = field(default_factory=dict)
    orphans: list[Orphan] = field(default_factory=list)
    cycle: Cycle | None = None
    ending: list[Cycle] = field(default_factory=list)
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
    quote_after: float = 0.0
    rejects: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    requotes: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    exposed: bool = False
    stops: int = 0
    stops_before: int = 0  # signals that came before we were exposed
    exit_code: int = 0
    exit_reason: str = "done"
    mismatches: int = 0
    waiting_for: str = ""
    wake_at: float | None = None
    commands: list[Command] = field(default_factory=list)
    records: list[Command] = field(default_factory=list)

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
    def facts(self) -> Facts:
        return Facts(self.config, self.now, self.ticks, self.live, self.worth)

    @property
    def worth(self) -> Decimal:
        mid = self.last_mid.get("hedge") or self.last_mid.get("primary")
        return self.ledger.worth(mid[0] if mid else None)

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
        if phase is self.phase:
            return
        self.note(f"{self.phase} -> {phase}: {why}")
        self.phase, self.phase_since = phase, self.now
        self.wake(self.now)

    def stop(self, code: int, why: str) -> None:
        """End in good order; the first reason stays, a worse one is not hidden by it."""
        if self.phase in (Phase.DRAINING, *HALTED, Phase.STOPPED):
            if code == 4:
                self.exit_code, self.exit_reason = code, why
            return
        self.exit_code, self.exit_reason = code, why
        self.verified = dict.fromkeys(ROLES, False)
        self.enter(Phase.DRAINING, why)

    def read_barrier(self, role: Role) -> None:
        """Asks the venue for orders, fills and position, unless that is under way."""
        if self.reading[role]:
            return
        self.reading[role] = True
        self.read_at[role] = None
        orders = {o.client_id: o.id for o in self.active.values() if o.role == role}
        since = self.newest_ms[role] - int(self.config.fill_overlap * 1000)
        self.say(Recover(role, orders, max(since, self.setup.started_ms)))

    def place(
        self,
        role: Role,
        kind: Kind,
        side: Side,
        size: Decimal,
        price: Decimal,
        *,
        reduce_only: bool = False,
        decision: Decimal | None = None,
    ) -> Tracked:
        """Sends an order, if the state of things allows that kind."""
        state = self.state
        if kind not in MAY_PLACE[state]:
            raise AssertionError(f"a {kind} order in state {state}: the table forbids it")
        post_only = kind is Kind.MAKER
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
            bound=self.now + self.setup.bounds[role],
            decision_price=decision,
            trigger_ms=self.last_fill_ms or None,
        )
        order.hear(News.SENT)
        self._remember(order)
        self.verified = dict.fromkeys(ROLES, False)
        lane = Lane.QUOTE if post_only else Lane.HEDGE
        self.say(Place(role, kind, request, lane, order.cycle))
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
