"""The driver: performs the core's commands on two exchanges and feeds what happens back.

The only place where the strategy makes a task. Between a fill's frame and the hedge's bytes there
is one synchronous run: callback, journal, `step`, journal, `submit_order`; on a venue with order
entry by socket the bytes are written inside it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Literal

from mpdex.alerts import Alerts
from mpdex.errors import MpdexError, OrderNotFound, Unsupported
from mpdex.types import (
    CancelRequest,
    Fill,
    Order,
    OrderStatus,
    PositionUpdate,
    StreamDown,
    StreamUp,
)
from mpdex.utils.clock import Clock
from mpdex.utils.orderbook import Book
from strategies.desk import NEUTRALIZING, Desk, Phase, Setup
from strategies.hedge_core import step
from strategies.outputs import Outputs
from strategies.preflight import signed_position
from strategies.progress import line
from strategies.venue import Unsubscribe, Venue, failure, refusal_class
from strategies.words import (
    ROLES,
    AccountRead,
    Alarm,
    Answered,
    BookTick,
    Cancel,
    CancelAcked,
    CancelFailed,
    ClockRead,
    CycleDone,
    Event,
    FillSeen,
    Finish,
    FundingRead,
    Halt,
    JournalFailed,
    MarketRead,
    NotAnswered,
    Note,
    OperatorAsked,
    OrderSeen,
    Place,
    PlaceAcked,
    PlaceRefused,
    PositionSeen,
    Query,
    Read,
    Recover,
    Refusal,
    Role,
    SetTimer,
    Snapshot,
    SnapshotFailed,
    StreamBack,
    StreamLost,
    Timer,
    Trade,
)

log = logging.getLogger("mpdex.hedge")

# Levels of a book that a quote's place depends on: the best, and what is left without our own.
_LEVELS = 3
_STATUS_SECONDS = 1.0
# A venue may close a connection that is idle for a minute; a hedge should not have to open one.
_WARM_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Status:
    """What a person watching wants to see now."""

    phase: str
    state: str
    attempts: int
    iterations: int
    successes: int
    primary: Decimal
    hedge: Decimal
    debt: Decimal
    volume: Decimal
    result: Decimal
    quote: str
    waiting_for: str


@dataclass(frozen=True, slots=True)
class HedgeResult:
    """How a run ended.

    exit_code: 0 done, 2 configuration, 3 refused before the first order, 4 halted flat, 5 halted
        exposed, 6 interrupted and clean.
    """

    exit_code: int
    summary: dict[str, Any]


class Driver:
    """One run. `finished` is done when the core said `Finish`."""

    def __init__(
        self,
        setup: Setup,
        venues: Mapping[Role, Venue],
        clock: Clock,
        out: Outputs,
        group: asyncio.TaskGroup,
        progress: Callable[[Status], None] | None = None,
        alerts: Alerts | None = None,
    ) -> None:
        self.desk = Desk(setup, now=setup.started, phase_since=setup.started)
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._setup = setup
        self._venues = venues
        self._clock = clock
        self._out = out
        self._group = group
        self._progress = progress
        self._alerts = alerts
        self._shown = 0.0
        self._inbox: deque[Event] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._unsubscribe: list[Unsubscribe] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._down: Counter[Role] = Counter()
        self._socket_calls: Counter[Role] = Counter()
        self._calls_before: dict[str, int] = self._calls()
        self._failed: BaseException | None = None
        self._unwritten: list[Alarm | Note | Trade | CycleDone] = []
        self._warmer: asyncio.TimerHandle | None = None
        self._sent: dict[Role, int] = {}  # REST requests so far, when last looked at
        self._perform_table: Mapping[type, Callable[[Any], None]] = {
            Place: self._place,
            Cancel: self._cancel,
            Query: lambda c: self._start(self._query(c)),
            Recover: lambda c: self._start(self._recover(c)),
            Read: lambda c: self._start(self._read(c)),
            Alarm: self._alarm,
            SetTimer: self._set_timer,
            Halt: self._halt,
            Finish: self._finish,
            Note: self._note,
            Trade: out.trade,
            CycleDone: self._cycle,
        }

    # ----------------------------------------------------------------- in

    def listen(self) -> None:
        """Hears both exchanges, and the operator, from now on."""
        self._keep_warm()
        if self._alerts is not None:
            self._alerts.attend(self._hear_operator, lambda: line(self.status()))
            for worker in self._alerts.workers():  # they end by themselves, with the last words
                self._group.create_task(worker)
        for role in ROLES:
            venue, symbol = self._venues[role], self._setup.markets[role]["symbol"]
            self._unsubscribe += [
                venue.on_fills(self._hear_fill(role), symbol),
                venue.on_orders(self._hear_order(role), symbol),
                venue.on_positions(self._hear_position(role), symbol),
                venue.on_orderbook(symbol, self._hear_book(role)),
                venue.on_stream(self._hear_stream(role)),
            ]
            self._hear_book(role)(venue.book(symbol))
            self.feed(StreamBack(role))

    def feed(self, event: Event) -> None:
        """Takes one event and performs what follows, to the end, before it returns.

        What is fed from inside that (a venue that answers at once) waits its turn.
        """
        self._inbox.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._inbox and self._failed is None:
                self._take(self._inbox.popleft())
        except Exception as error:  # noqa: BLE001  (the edge: nothing may escape into a stream)
            self._fail(error)
        finally:
            self._busy = False

    def _take(self, event: Event) -> None:
        self._record(event)
        _, commands = step(self.desk, event, self._clock.monotonic())
        for command in commands:
            if isinstance(command, Alarm | Note | Trade | CycleDone):
                self._write_later(command)
            else:
                self._perform_table[type(command)](command)

    def _write_later(self, record: Alarm | Note | Trade | CycleDone) -> None:
        """Rows, notes and alarms wait until the orders of this turn have left."""
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self.write)
        self._unwritten.append(record)

    def write(self) -> None:
        """Writes the rows, notes and alarms that wait."""
        unwritten, self._unwritten = self._unwritten, []
        try:
            for record in unwritten:
                self._perform_table[type(record)](record)
        except OSError as error:
            self.feed(JournalFailed(str(error)))

    def _record(self, event: Event) -> None:
        """A fill is in the journal before the hedge it causes."""
        match event:
            case FillSeen(role, fill, source):
                self._journal("fill", role=role, source=source, **_bare(fill))
            case OrderSeen(role, order, _) | PlaceAcked(role, _, order):
                self._journal("order", role=role, **_bare(order))
            case BookTick() | Timer() | Answered() | NotAnswered() | Snapshot() | PositionSeen():
                pass
            case AccountRead() | ClockRead() | FundingRead() | MarketRead() | JournalFailed():
                pass
            case _:
                self._journal("event", what=type(event).__name__, text=str(event))

    def _journal(self, kind: str, **fields: Any) -> bool:
        """Writes a line. A full disk ends the run, but keeps nobody from hedging."""
        try:
            self._out.journal.write(kind, **fields)
        except OSError as error:
            self.feed(JournalFailed(str(error)))
            return False
        return True

    def _hear_fill(self, role: Role) -> Callable[[Fill], None]:
        return lambda fill: self.feed(FillSeen(role, fill))

    def _hear_order(self, role: Role) -> Callable[[Order], None]:
        return lambda order: self.feed(OrderSeen(role, order, refusal=self._refusal(role, order)))

    def _hear_position(self, role: Role) -> Callable[[PositionUpdate], None]:
        return lambda update: self.feed(PositionSeen(role, update.size))

    def _hear_book(self, role: Role) -> Callable[[Book], None]:
        size = self._setup.config.size

        def hear(book: Book) -> None:
            if book.stale:
                return
            top = book.levels(_LEVELS)
            self.feed(
                BookTick(
                    role,
                    tuple(top["bids"]),
                    tuple(top["asks"]),
                    self._clock.monotonic(),
                    book.vwap("buy", size),
                    book.vwap("sell", size),
                )
            )

        return hear

    def _hear_stream(self, role: Role) -> Callable[[Any], None]:
        """A venue is back when every connection that was lost is."""

        def hear(event: StreamUp | StreamDown) -> None:
            if isinstance(event, StreamDown):
                self._down[role] += 1
                self.feed(StreamLost(role, event.reason))
            elif self._down[role]:
                self._down[role] -= 1
                if not self._down[role]:
                    self.feed(StreamBack(role))

        return hear

    def _hear_operator(
        self, what: Literal["pause", "resume", "drain", "flatten"], who: str
    ) -> None:
        self.feed(OperatorAsked(what, who))

    # ----------------------------------------------------------------- out

    def _place(self, command: Place) -> None:
        order = command.order
        written = self._journal(
            "intent",
            role=command.role,
            purpose=command.kind.value,
            cycle=command.cycle,
            client_id=order.client_id,
            side=order.side,
            size=order.size,
            price=order.price,
            post_only=order.post_only,
            reduce_only=order.reduce_only,
        )
        if not written and command.kind not in NEUTRALIZING:
            why = "the journal could not take it down"
            self.feed(PlaceRefused(command.role, order.client_id, Refusal.NOT_SENT, why))
            return
        self._count(command.role)
        try:
            answer = self._venues[command.role].submit_order(order, lane=command.lane)
        except MpdexError as error:
            self.feed(failure(command, error))
        else:
            self._start(self._placed(command, answer))

    async def _placed(self, command: Place, answer: Coroutine[Any, Any, Order]) -> None:
        try:
            order = await answer
        except MpdexError as error:
            self.feed(failure(command, error))
        else:
            refusal = self._refusal(command.role, order)
            self.feed(PlaceAcked(command.role, command.order.client_id, order, refusal))

    def _cancel(self, command: Cancel) -> None:
        self._journal("cancel", role=command.role, client_id=command.client_id)
        self._count(command.role)
        request = CancelRequest(
            symbol=self._symbol(command.role),
            order_id=command.order_id,
            client_id=command.client_id,
        )
        try:
            answer = self._venues[command.role].submit_cancel(request)
        except MpdexError as error:
            self.feed(CancelFailed(command.role, command.client_id, False, str(error)))
        else:
            self._start(self._canceled(command, answer))

    async def _canceled(self, command: Cancel, answer: Coroutine[Any, Any, Order | None]) -> None:
        role, client_id = command.role, command.client_id
        try:
            order = await answer
        except OrderNotFound as error:
            self.feed(CancelFailed(role, client_id, True, str(error)))
        except MpdexError as error:
            self.feed(CancelFailed(role, client_id, False, str(error)))
        else:
            self.feed(CancelAcked(role, client_id, order))

    async def _query(self, command: Query) -> None:
        role, client_id = command.role, command.client_id
        venue, symbol = self._venues[role], self._symbol(role)
        fills: list[Fill] = []
        position = None
        try:
            order = await self._order(role, client_id, command.order_id)
            if order is None:
                fills = await venue.get_fills(symbol, since=command.since_ms)
                if command.position:
                    position = signed_position(await venue.get_positions(), symbol)
        except MpdexError as error:
            log.warning("no answer about order %s: %s", client_id, error)
            self.feed(NotAnswered(role, client_id))
        else:
            refusal = None if order is None else self._refusal(role, order)
            self.feed(Answered(role, client_id, order, tuple(fills), position, refusal))

    async def _recover(self, command: Recover) -> None:
        role, venue = command.role, self._venues[command.role]
        symbol = self._symbol(role)
        fills: list[Fill] = []
        try:
            orders = {
                client_id: await self._order(role, client_id, order_id)
                for client_id, order_id in command.orders.items()
            }
            resting = await venue.read_open_orders(symbol)
            if command.since_ms is not None:
                fills = await venue.get_fills(symbol, since=command.since_ms)
            position = signed_position(await venue.get_positions(), symbol)
        except MpdexError as error:
            log.warning("%s could not be read: %s", role, error)
            self.feed(SnapshotFailed(role, str(error)))
        else:
            ours = [o for o in resting if venue.owns(o["client_order_id"])]
            strays = tuple(o for o in ours if o["client_order_id"] not in command.orders)
            ids = frozenset(o["client_order_id"] or "" for o in resting)
            self.feed(Snapshot(role, orders, tuple(fills), position, strays, ids))

    async def _read(self, command: Read) -> None:
        """What only gates look at; silence is no news."""
        role = command.role
        try:
            match command.what:
                case "account":
                    self.feed(await self._account(role))
                case "clock":
                    self.feed(ClockRead(role, await self._venues[role].get_clock_skew()))
                case "funding":
                    rate = await self._venues[role].get_funding_rate(self._symbol(role))
                    self.feed(FundingRead(role, rate["rate"], rate["next_funding_ms"]))
                case "market":
                    await self._venues[role].load_markets()
                    market = await self._venues[role].get_market(self._symbol(role))
                    self.feed(MarketRead(role, market))
        except Unsupported as error:
            log.info("%s", error)
        except MpdexError as error:
            log.warning("%s of %s is not known now: %s", command.what, role, error)

    async def _account(self, role: Role) -> AccountRead:
        venue, symbol = self._venues[role], self._symbol(role)
        collateral = await venue.get_collateral()
        position = await venue.get_position(symbol)
        return AccountRead(
            role,
            collateral["available"],
            collateral["total"],
            position["leverage"] if position else None,
            position["liquidation_price"] if position else None,
        )

    def _refusal(self, role: Role, order: Order) -> Refusal | None:
        """Why an order was rejected, where its venue tells that with the order."""
        if order["status"] is not OrderStatus.REJECTED and not order["reason"]:
            return None
        return refusal_class(self._venues[role].decode_reason(order["reason"] or ""))

    async def _order(self, role: Role, client_id: str, order_id: str) -> Order | None:
        """None: the venue knows no such order now."""
        try:
            return await self._venues[role].get_order(
                self._symbol(role), order_id or None, client_order_id=client_id
            )
        except OrderNotFound:
            return None

    def _set_timer(self, command: SetTimer) -> None:
        """One timer; an early one is harmless, so it is only ever moved forward."""
        if self._timer is not None and self._timer_at <= command.at:
            return
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        wait = max(command.at - self._clock.monotonic(), 0.0)
        self._timer = loop.call_later(wait, self._ring)
        self._timer_at = command.at

    def _ring(self) -> None:
        self._timer = None
        self.feed(Timer())
        self._show()

    def _halt(self, command: Halt) -> None:
        self._journal("halt", reason=command.reason, exposed=command.exposed)
        if command.exposed:
            log.critical("EXPOSED: %s; both venues are tried until neutral", command.reason)
        else:
            log.warning("%s", command.reason)

    def _alarm(self, command: Alarm) -> None:
        if self._alerts is not None:  # before the disk, which may be what it is about
            self._alerts.say(command)
        self._journal("alarm", **asdict(command))
        log.log(logging.CRITICAL if command.page else logging.WARNING, "%s", command.text)

    def _note(self, command: Note) -> None:
        self._journal("note", text=command.text)
        log.log(logging.WARNING if command.urgent else logging.INFO, "%s", command.text)

    def _cycle(self, command: CycleDone) -> None:
        calls = self._calls()
        spent = {name: count - self._calls_before[name] for name, count in calls.items()}
        self._calls_before = calls
        self._out.cycle(command, spent)

    def _finish(self, command: Finish) -> None:
        self._journal("finish", code=command.code, reason=command.reason)
        log.info("finished with %d: %s", command.code, command.reason)
        if not self.finished.done():
            self.finished.set_result(None)

    # ----------------------------------------------------------------- tasks, ends

    def _keep_warm(self) -> None:
        """Lets no order connection go idle: an order itself is as good."""
        self._warmer = asyncio.get_running_loop().call_later(_WARM_SECONDS, self._keep_warm)
        for role, venue in self._venues.items():
            sent = venue.rest_counts.total()
            if sent == self._sent.get(role):
                self._start(self._warm(venue))
            self._sent[role] = sent

    async def _warm(self, venue: Venue) -> None:
        try:
            await venue.warm()
        except MpdexError as error:
            log.info("an order connection could not be kept open: %s", error)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fail(self, error: BaseException) -> None:
        """A fault of our own: pull the quote as well as we can, and say that we may be exposed."""
        self._failed = error
        log.critical("internal error, the run ends", exc_info=error)
        if self._alerts is not None:
            text = f"internal error, the run ends and may be exposed: {type(error).__name__}"
            self._alerts.say(Alarm("exposed", text, page=True))
        self._journal("crash", text=f"{type(error).__name__}: {error}")
        slot = self.desk.slot
        if slot is not None:
            self._busy = True  # whatever comes back is only recorded by the venue
            self._cancel(Cancel(slot.role, slot.client_id, slot.id))
        if not self.finished.done():
            self.finished.set_result(None)

    def close(self) -> None:
        """Hears nothing any more; questions still open are dropped."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._warmer is not None:
            self._warmer.cancel()
        if self._failed is None:
            for task in tuple(self._tasks):
                task.cancel()
        self.write()
        if self._alerts is not None:
            self._alerts.finish()

    def result(self) -> HedgeResult:
        """Exit code and summary; the summary files are written."""
        desk, report = self.desk, self._out.report
        code = desk.exit_code
        reason = desk.exit_reason
        if self._failed is not None:
            code, reason = 5, f"internal error: {type(self._failed).__name__}: {self._failed}"
        config = desk.config
        summary = {
            "exit_code": code,
            "reason": reason,
            "primary": config.primary,
            "hedge": config.hedge,
            "ticker": config.ticker,
            "size": str(config.size),
            "mode": config.mode,
            "verified": all(desk.verified.values()),
            "seconds": round(self._clock.monotonic() - self._setup.started, 3),
            **report.summary(desk.attempts, desk.successes),
            "calls": self._calls(),
        }
        self._out.summary(summary)
        return HedgeResult(code, summary)

    # ----------------------------------------------------------------- small things

    def _symbol(self, role: Role) -> str:
        return self._setup.markets[role]["symbol"]

    def _count(self, role: Role) -> None:
        if self._venues[role].SPEC.order_route == "ws":
            self._socket_calls[role] += 1

    def _calls(self) -> dict[str, int]:
        primary, hedge = (sum(self._venues[r].rest_counts.values()) for r in ROLES)
        return {
            "rest_calls_p": primary,
            "rest_calls_h": hedge,
            "ws_calls_p": self._socket_calls["primary"],
            "ws_calls_h": self._socket_calls["hedge"],
        }

    def _show(self) -> None:
        now = self._clock.monotonic()
        if self._progress is not None and now - self._shown >= _STATUS_SECONDS:
            self._shown = now
            self._progress(self.status())

    def status(self) -> Status:
        desk = self.desk
        slot = desk.slot
        quote = f"{slot.side} {slot.remaining} @ {slot.price}" if slot else ""
        return Status(
            phase=desk.phase,
            state=desk.state,
            attempts=desk.attempts,
            iterations=desk.config.iterations,
            successes=desk.successes,
            primary=desk.ledger.position("primary"),
            hedge=desk.ledger.position("hedge"),
            debt=desk.debt,
            volume=desk.ledger.volume,
            result=desk.worth,
            quote=quote,
            waiting_for="" if slot or desk.phase is Phase.STOPPED else desk.waiting_for,
        )


def _bare(item: Mapping[str, Any]) -> dict[str, Any]:
    """Without the venue's own text, which may be long, and under names of our own."""
    return {key: value for key, value in item.items() if key not in ("raw", "type")}
