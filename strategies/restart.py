"""What earlier runs of a pair left behind, read from their journal. Pure: lines in, a desk out.

Rules:

1. The lines go through the same arithmetic as the events did when they were written
   (`mpdex.utils.orders`, `strategies.ledger`), so a position comes out as it was.
2. An order that is not settled is UNKNOWN, whatever its last line said: it may rest, it may have
   filled. The core finds out before anything else, with the time bound counted from the intent.
3. Positions and orders are carried from session to session; counters are only with `resume`.

A session is written for one mode, two accounts and two markets; the lines of other sessions in the
same file are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeAlias

from mpdex.errors import MpdexError
from mpdex.types import Fill, OrderStatus, Side
from mpdex.utils.orders import Advice, News, State
from mpdex.utils.precision import plain
from strategies.booking import trade_of
from strategies.config import HedgeConfig
from strategies.cycles import Cycle, tally
from strategies.desk import Desk
from strategies.ledger import ZERO, Exposure, Ledger, OrderKey, counted
from strategies.report import Report
from strategies.setup import Setup
from strategies.tracking import Tracked
from strategies.words import ROLES, Kind, Refusal, Role, Trade

VERSION = 1
Line: TypeAlias = Mapping[str, Any]
# Ends after which nothing of ours was under way, by the venues' word.
_CLEAN = frozenset({0, 4, 6})
# A late fill of a settled order is still ours for so long.
_MEMORY_MS = 86_400_000
_OVERLAP_MS = 60_000
_CRASH_WINDOW_MS, _CRASHES = 600_000, 3


class CannotResume(MpdexError):
    """The journal is there, and what it says cannot be relied on."""


@dataclass(slots=True)
class Past:
    """What is known of earlier runs. Times are milliseconds since the epoch.

    Attributes:
        session: the last one; "": there was none.
        code: how it finished; None: it did not.
        started_ms, last_ms: its first and its last line.
        crashes: when sessions ended without saying so.
        baseline: positions that were none of ours.
        quotes: in what each market's fees are counted.
        orders: every order of the last day, by key; `by_id` by the venue's id.
        newest_ms: of our fills, by the venue's time.
        cycles: highest number so far. open_cycles: begun, and not reported.
        untold: fills whose trade was not written any more.
        unpaid: fills that came without their fee.
        basis: the last saved state of the basis model, with its time.
        trade, cycle: the last lines of these kinds.
        lost: the journal is of no use; only the venues know.
        emptied: what the ledger holds is not there any more.
        report: of the last session.
    """

    session: str = ""
    code: int | None = None
    started_ms: int = 0
    last_ms: int = 0
    crashes: list[int] = field(default_factory=list)
    baseline: dict[Role, Decimal] = field(default_factory=lambda: dict.fromkeys(ROLES, ZERO))
    quotes: dict[Role, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    orders: dict[OrderKey, Tracked] = field(default_factory=dict)
    by_id: dict[OrderKey, OrderKey] = field(default_factory=dict)
    newest_ms: dict[Role, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    attempts: int = 0
    successes: int = 0
    cycles: int = 0
    last_opening: Side | None = None
    open_cycles: dict[int, Cycle] = field(default_factory=dict)
    untold: dict[tuple[str, str, str], Trade] = field(default_factory=dict)
    unpaid: dict[tuple[Role, str, str], int] = field(default_factory=dict)
    basis: Line | None = None
    trade: Line | None = None
    cycle: Line | None = None
    report: Report = field(default_factory=Report)
    lost: bool = False
    emptied: bool = False

    @property
    def unsettled(self) -> list[Tracked]:
        return [order for order in self.orders.values() if not order.settled]

    @property
    def finished(self) -> bool:
        """Nothing was left to be found out."""
        if self.lost:
            return False
        return not self.session or (self.code in _CLEAN and not self.unsettled)

    @property
    def pair_open(self) -> bool:
        return any(self.held.values())

    @property
    def held(self) -> dict[Role, Decimal]:
        """Signed, by our fills."""
        return {role: ZERO if self.emptied else self.ledger.position(role) for role in ROLES}

    @property
    def began_ms(self) -> int:
        """Fills before this need not be asked for again."""
        first = min((o.sent_ms for o in self.unsettled), default=self.last_ms)
        return min(first, self.last_ms if self.finished else self.started_ms) - _OVERLAP_MS

    def crash_loop(self, now_ms: int) -> bool:
        return sum(1 for at in self.crashes if now_ms - at < _CRASH_WINDOW_MS) >= _CRASHES

    def remembers(self, now_ms: int) -> bool:
        """Whether a late fill could still be of an order that is known."""
        return bool(self.session) and now_ms - self.last_ms < _MEMORY_MS

    def expected(self, role: Role) -> Decimal:
        """What the venue should show."""
        return self.baseline[role] + self.held[role]

    def without_positions(self) -> Past:
        """The same memory of orders and sums, with nothing held."""
        return replace(self, emptied=True, baseline=dict.fromkeys(ROLES, ZERO))

    def closed(self, now_ms: int) -> Past:
        """After both venues were made flat, whatever was there: nothing of before is to come."""
        return replace(
            self.without_positions(),
            code=0,
            last_ms=now_ms + _OVERLAP_MS,
            orders={},
            by_id={},
            newest_ms=dict.fromkeys(ROLES, 0),
            open_cycles={},
        )


# --------------------------------------------------------------------------- reading


def fold(lines: Iterable[Line], where: Mapping[str, Any], now_ms: int) -> Past:
    """What the sessions that were written for `where` left.

    Raises: CannotResume if the file was written by another version and left unfinished.
    """
    reader = _Reader(where)
    for line in lines:
        reader.read(line)
    return reader.end(now_ms)


class _Reader:
    """One pass over the lines."""

    def __init__(self, where: Mapping[str, Any]) -> None:
        self._where = dict(where)
        self._past = Past()
        self._ours = True  # lines before the first header are of the version that had none
        self._headless: Line | None = None
        self._adopted: dict[str, tuple[Decimal, Decimal]] = {}
        self._table: Mapping[str, Callable[[Line], None]] = {
            "intent": self._intent,
            "fill": self._fill,
            "order": self._order,
            "refused": self._refused,
            "settled": self._settled,
            "trade": self._trade,
            "cycle": self._cycle,
            "external": self._external,
            "fee": self._fee,
            "funding": self._funding,
            "basis": self._basis,
            "finish": self._finish,
        }

    def read(self, line: Line) -> None:
        if line["kind"] == "session":
            self._session(line)
        elif not self._past.session and self._ours:
            self._headless = line
        elif self._ours:
            self._past.last_ms = _ms(line)
            self._past.report.add(line)
            handle = self._table.get(line["kind"])
            if handle is not None:
                handle(line)

    def end(self, now_ms: int) -> Past:
        past = self._past
        if self._headless is not None and self._headless["kind"] != "finish":
            raise CannotResume(
                "the journal was left unfinished by an older version: make both venues flat "
                "(mpdex flatten) and move the file away, or say --force"
            )
        if past.session and past.code is None:
            past.crashes.append(past.last_ms)
        for key, order in tuple(past.orders.items()):
            if order.settled and now_ms - order.sent_ms > _MEMORY_MS:
                del past.orders[key]
                past.by_id.pop((order.role, order.id), None)
        return past

    # ----------------------------------------------------------------- sessions

    def _session(self, line: Line) -> None:
        self._headless = None
        if line["v"] != VERSION:
            raise CannotResume(
                f"the journal was written by another version (format {line['v']}, this one reads "
                f"{VERSION}): finish with that version, or move the file away"
            )
        self._ours = line["where"] == self._where
        if not self._ours:
            return
        past = self._past
        if past.session and past.code is None:
            past.crashes.append(past.last_ms)
        if not line["carries"]:
            self._past = past = Past(crashes=past.crashes)
        if not line["resumed"]:
            past.attempts = past.successes = 0
            past.ledger, past.report = Ledger(), Report()
        move(past.ledger, _numbers(line["held"]), _numbers(line["mids"]))
        past.report.hold(line)
        self._adopted.clear()
        past.session, past.code = line["session"], None
        past.started_ms = past.last_ms = _ms(line)
        past.baseline = {role: Decimal(line["baseline"][role]) for role in ROLES}
        past.quotes = dict(line.get("quotes", {}))

    def _fee(self, line: Line) -> None:
        past, role = self._past, line["role"]
        past.unpaid.pop((role, line["client_id"], line["trade_id"]), None)
        if line["fee_asset"] in ("", past.quotes.get(role, "")):
            past.ledger.accounts[role].fees += Decimal(line["fee"])

    def _funding(self, line: Line) -> None:
        self._past.ledger.carry(line["role"], Decimal(line["amount"]))

    def _finish(self, line: Line) -> None:
        past = self._past
        past.code = line["code"]
        if past.code in _CLEAN and line.get("verified", True):
            for order in past.unsettled:
                order.report(OrderStatus.EXPIRED, order.cum)
                order.settle()
            past.open_cycles.clear()

    # ----------------------------------------------------------------- orders

    def _intent(self, line: Line) -> None:
        past, role = self._past, line["role"]
        order = Tracked(
            role=role,
            kind=Kind(line["purpose"]),
            client_id=line["client_id"],
            symbol=line["symbol"],
            side=line["side"],
            size=Decimal(line["size"]),
            price=_maybe(line["price"]),
            immediate=not line["post_only"],
            cycle=line["cycle"],
            sent=0.0,
            sent_ms=_ms(line),
            bound=0.0,
            decision_price=_maybe(line.get("decision")),
        )
        past.orders[order.key] = order
        past.cycles = max(past.cycles, order.cycle)
        if line.get("attempt"):
            self._begin(order, line["attempt"])
        cycle = past.open_cycles.get(order.cycle)
        if cycle is not None:
            cycle.keys.append(order.key)
            if order.kind is Kind.MAKER:
                cycle.quotes.append(order.key)

    def _begin(self, order: Tracked, told: Line) -> None:
        self._past.open_cycles.setdefault(
            order.cycle,
            Cycle(
                number=order.cycle,
                kind=order.kind,
                side=order.side,
                closing=told["closing"],
                size=Decimal(told["size"]),
                started=0.0,
                aged_from=0.0,
                exposure=Exposure(),
                counts=told["counts"],
                over=True,
                reason="the run was interrupted",
            ),
        )

    def _fill(self, line: Line) -> None:
        past = self._past
        fill = _fill_of(line)
        order = self._find(line["role"], fill["client_order_id"], fill["order_id"])
        if order is None or fill["id"] in order.fills:
            return
        added, advice = order.fill(fill["id"], fill["size"])
        if fill["fee"] is None:
            past.unpaid[order.role, order.client_id, fill["id"]] = fill["timestamp_ms"]
        in_sums = counted(fill, past.quotes.get(order.role, ""))
        past.ledger.take(
            order.role,
            in_sums,
            0.0,
            side=order.side,
            replaced=fill["size"] - added,
            inferred_price=order.synthetic_price,
        )
        past.newest_ms[order.role] = max(past.newest_ms[order.role], fill["timestamp_ms"])
        self._name(order, fill["order_id"])
        cycle = past.open_cycles.get(order.cycle)
        if cycle is not None:
            tally(cycle, order.kind, in_sums)
            if cycle.first_fill is None and order.kind in (Kind.MAKER, Kind.FLATTEN):
                cycle.first_fill = _ms(line)  # until `restore` knows what o'clock that was
        if not order.told:
            trade = trade_of(
                order,
                fill,
                line["source"],
                late=advice is Advice.LATE,
                latency=None,
                exposure=past.ledger.exposure,
            )
            past.untold[order.role, fill["order_id"], fill["id"]] = trade
        order.told = order.told and bool(order.synthetic)

    def _order(self, line: Line) -> None:
        order = self._find(line["role"], line["client_order_id"], line["id"])
        if order is None:
            return
        self._name(order, line["id"])
        status, size = OrderStatus(line["status"]), Decimal(line["size"])
        if status.terminal or size > order.size:
            order.resize(size)
        added, _ = order.report(status, Decimal(line["filled"]))
        if added:
            price = _maybe(line["average_price"]) or order.price or ZERO
            self._past.ledger.infer(order.role, order.side, added, price, 0.0)
            before = order.synthetic - added
            paid = order.synthetic_price * before + price * added
            order.synthetic_price = paid / order.synthetic

    def _refused(self, line: Line) -> None:
        order = self._find(line["role"], line["client_id"], "")
        if order is not None and line["refusal"] != Refusal.DUPLICATE_ID:
            order.hear(News.REJECT)

    def _settled(self, line: Line) -> None:
        order = self._find(line["role"], line["client_id"], "")
        if order is not None:
            order.report(OrderStatus.EXPIRED, order.cum)
            order.settle()

    def _find(self, role: Role, client_id: str | None, order_id: str) -> Tracked | None:
        past = self._past
        if client_id and (order := past.orders.get((role, client_id))) is not None:
            return order
        key = past.by_id.get((role, order_id)) if order_id else None
        return past.orders.get(key) if key is not None else None

    def _name(self, order: Tracked, order_id: str) -> None:
        if order_id and not order.id:
            order.id = order_id
            self._past.by_id[order.role, order_id] = order.key

    # ----------------------------------------------------------------- the rest

    def _trade(self, line: Line) -> None:
        self._past.trade = line
        self._past.untold.pop((line["role"], line["order_id"], line["trade_id"]), None)
        if not line["trade_id"]:
            order = self._find(line["role"], line["client_id"], line["order_id"])
            if order is not None:
                order.told = True

    def _cycle(self, line: Line) -> None:
        past = self._past
        past.cycle = line
        past.open_cycles.pop(line["cycle"], None)
        traded = bool(Decimal(line["filled"]))
        if line["counts"]:
            past.attempts += 1
            past.successes += traded and line["outcome"] in ("filled", "partial")
        if traded and not line["closing"]:
            past.last_opening = line["direction"]

    def _external(self, line: Line) -> None:
        """A change that no fill of ours made; totals of the session."""
        for role in ROLES:
            size, cash = (Decimal(text) for text in line["adopted"][role])
            before = self._adopted.get(role, (ZERO, ZERO))
            account = self._past.ledger.accounts[role]
            account.position += size - before[0]
            account.cash += cash - before[1]
            self._adopted[role] = (size, cash)
            self._past.baseline[role] = Decimal(line["baseline"][role])

    def _basis(self, line: Line) -> None:
        self._past.basis = line


def move(ledger: Ledger, held: Mapping[Role, Decimal], mids: Mapping[Role, Decimal]) -> Ledger:
    """Positions as they are found, as if the difference had been traded now."""
    for role in ROLES:
        account = ledger.accounts[role]
        difference = held[role] - account.position
        account.position += difference
        account.cash -= difference * mids.get(role, ZERO)
    return ledger


# --------------------------------------------------------------------------- what is found


def goes_on(config: HedgeConfig, past: Past, held: Mapping[Role, Decimal]) -> bool:
    """Whether the positions of earlier runs are those of this one.

    Args:
        held: signed, as the venues tell.
    """
    neutral = not past.ledger.exposure and not past.unsettled
    if neutral and not any(held[role] - past.baseline[role] for role in ROLES):
        return False  # there was a pair, and somebody closed it
    return not past.finished or (past.pair_open and config.resume)


def objections(
    config: HedgeConfig, past: Past, held: Mapping[Role, Decimal], now_ms: int
) -> list[str]:
    """Why positions that are there keep a run from starting, each with the ways out."""
    if config.adopt_baseline == "keep" or not any(held.values()):
        return []
    if goes_on(config, past, held):
        return []  # the core makes out whose they are
    if past.pair_open and all(held[role] == past.expected(role) for role in ROLES):
        pair = " and ".join(f"{_told(held[role])} on {role}" for role in ROLES)
        return [
            f"the last run left a pair open, {pair}: --resume goes on with it, --adopt-baseline "
            "keep leaves it alone, --adopt-baseline close closes it"
        ]
    if past.remembers(now_ms) and not past.pair_open:
        return []  # a late fill, perhaps
    return [
        f"{role} already holds {_told(size)}; close it first (mpdex close), or say "
        "--adopt-baseline keep to leave it alone"
        for role, size in held.items()
        if size
    ]


def baseline_of(
    config: HedgeConfig, past: Past, held: Mapping[Role, Decimal]
) -> Mapping[Role, Decimal]:
    """Which part of what is held is no part of the run."""
    keep = config.adopt_baseline == "keep"
    if goes_on(config, past, held) and not (past.lost and keep):
        return past.baseline
    return held if keep else dict.fromkeys(ROLES, ZERO)


def taken_over(config: HedgeConfig, past: Past, held: Mapping[Role, Decimal]) -> Past:
    """What a run that starts now has from earlier ones: all, or only the memory of orders."""
    if past.lost:
        ours = dict.fromkeys(ROLES, ZERO) if config.adopt_baseline == "keep" else held
        return replace(past, ledger=move(Ledger(), ours, {}))
    return past if goes_on(config, past, held) else past.without_positions()


def _told(size: Decimal) -> str:
    return plain(size.normalize())


# --------------------------------------------------------------------------- going on


def restore(
    setup: Setup, past: Past, now: float, *, resume: bool, mids: Mapping[Role, Decimal]
) -> Desk:
    """The desk of a run that goes on where earlier ones ended.

    Args:
        resume: with their counters, too.
        mids: what a position that was found is worth now.
    """
    desk = Desk(setup, now=now, phase_since=now)
    desk.ledger = move(past.ledger if resume else Ledger(), past.held, mids)
    desk.ledger.exposure_record = Exposure(now=desk.ledger.exposure, since=now)
    desk.known = past.orders
    desk.by_id = past.by_id
    desk.newest_ms = past.newest_ms
    desk.unpaid = past.unpaid
    desk.cycles, desk.last_opening = past.cycles, past.last_opening
    if resume:
        desk.attempts, desk.successes = past.attempts, past.successes
    for order in past.unsettled:
        _doubt(desk, order)
    _go_on_with_cycles(desk, past, resume)
    return desk


def _doubt(desk: Desk, order: Tracked) -> None:
    """It may rest, it may have filled, it may even be on its way."""
    order.sent = _monotonic(desk.setup, order.sent_ms)
    order.bound = order.sent + desk.setup.bound(order.role, immediate=order.immediate)
    if not order.state.ended:
        order.state = State.UNKNOWN
    order.ask_at = order.doubted_at = desk.now
    desk.active[order.key] = order
    if not order.immediate:
        desk.cancel(order, "an earlier run left it")


def _go_on_with_cycles(desk: Desk, past: Past, resume: bool) -> None:
    """Cycles that were begun end as soon as nothing of them is under way any more."""
    numbers = sorted(past.open_cycles)
    for number in numbers:
        cycle = past.open_cycles[number]
        cycle.started = cycle.aged_from = _monotonic(desk.setup, _started_ms(past, cycle))
        if cycle.first_fill is not None:
            cycle.first_fill = _monotonic(desk.setup, int(cycle.first_fill))
        cycle.exposure = Exposure(now=desk.ledger.exposure, since=desk.now)
        cycle.counts = cycle.counts and resume
        if number == numbers[-1]:
            desk.cycle = cycle
        else:
            _count_ended(desk, cycle)


def _count_ended(desk: Desk, cycle: Cycle) -> None:
    """It had ended and waited for its fills' reports; only its line was missing."""
    desk.attempts += cycle.counts
    desk.successes += cycle.counts and bool(cycle.filled)
    cycle.ended = desk.now
    desk.ended.append(cycle)


def _started_ms(past: Past, cycle: Cycle) -> int:
    return past.orders[cycle.keys[0]].sent_ms


def _monotonic(setup: Setup, wall_ms: int) -> float:
    return setup.started + (wall_ms - setup.started_ms) / 1000


# --------------------------------------------------------------------------- lines as words


def _ms(line: Line) -> int:
    return int(line["ts_ns"]) // 1_000_000


def _maybe(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _numbers(told: Mapping[str, str]) -> dict[Role, Decimal]:
    return {role: Decimal(told[role]) for role in ROLES if role in told}


def _fill_of(line: Line) -> Fill:
    return Fill(
        id=line["id"],
        order_id=line["order_id"],
        client_order_id=line["client_order_id"],
        symbol=line["symbol"],
        side=line["side"],
        price=Decimal(line["price"]),
        size=Decimal(line["size"]),
        fee=_maybe(line["fee"]),
        fee_asset=line["fee_asset"],
        liquidity=line["liquidity"],
        timestamp_ms=line["timestamp_ms"],
        raw=None,
    )
