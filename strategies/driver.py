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
from math import inf
from typing import Any, Literal

from mpdex.alerts import Alerts
from mpdex.errors import MpdexError
from mpdex.types import CancelRequest, Fill, Order, PositionUpdate, StreamDown, StreamUp
from mpdex.utils.clock import Clock
from mpdex.utils.orderbook import Book
from strategies.desk import NEUTRALIZING, Desk, Phase
from strategies.flatten import Hands, neutralize
from strategies.hedge_core import decide, react
from strategies.outputs import Outputs
from strategies.progress import line
from strategies.questions import Questions
from strategies.scribe import Scribe
from strategies.setup import Setup
from strategies.venue import Unsubscribe, Venue, failure
from strategies.words import (
    ROLES,
    Alarm,
    Answered,
    Arm,
    BookTick,
    Cancel,
    CancelAll,
    CancelFailed,
    Carry,
    Command,
    CycleDone,
    Event,
    FeeTold,
    Fence,
    Fenced,
    FillSeen,
    Finish,
    Halt,
    JournalFailed,
    LoginEnds,
    NotAnswered,
    Note,
    OperatorAsked,
    OrderSeen,
    OutcomeNotKnown,
    Place,
    PlaceRefused,
    PositionSeen,
    Query,
    Read,
    Recover,
    Refusal,
    Renew,
    Role,
    SetTimer,
    Settled,
    Snapshot,
    SnapshotFailed,
    StopAsked,
    StreamBack,
    StreamEnds,
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
_DAY = 86_400.0
# A timer that rings so late says that the loop is blocked.
_LAG, _MINUTE = 0.2, 60.0
# The machine's wall clock has moved so much more, or less, than time has passed.
_JUMP_MS = 250.0
# What a power cut may take of a hedge's lines.
_SYNC_SECONDS = 0.02
_BASIS_SECONDS = 60.0
# So many turns of the core may break before the guard takes over, each looked at again after a bit.
_FAULTS, _AFTER_FAULT = 5, 0.25
# Signals after which even the guard gives up.
_SIGNALS = 2


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
        desk: Desk | None = None,
    ) -> None:
        self.desk = desk or Desk(setup, now=setup.started, phase_since=setup.started)
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._setup = setup
        self._venues = venues
        self._clock = clock
        self._out = out
        self._scribe = Scribe(out.journal, self._disk_failed)
        self._questions = Questions(venues, setup.markets)
        self._group = group
        self._progress = progress
        self._alerts = alerts
        self._shown = 0.0
        self._worst_lag = 0.0
        self._midnight = clock.now_ms() - clock.monotonic() * 1000  # in the machine's time
        self._lag_told = setup.started - _MINUTE
        self._inbox: deque[Event] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._unsubscribe: list[Unsubscribe] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._down: Counter[Role] = Counter()
        self._socket_calls: Counter[Role] = Counter()
        self._calls_before: dict[str, int] = self._calls()
        self._disk_told = False
        self._syncing = False
        self._basis_at = setup.started
        self._faults = 0
        self._guarded = False
        self._signals = 0
        self._closed = False
        self._unwritten: list[Alarm | Note | Trade | FeeTold | Carry | CycleDone] = []
        self._warmer: asyncio.TimerHandle | None = None
        self._syncer: asyncio.TimerHandle | None = None
        self._sent: dict[Role, int] = {}  # REST requests so far, when last looked at
        self._perform_table: Mapping[type, Callable[[Any], None]] = {
            Place: self._place,
            Cancel: self._cancel,
            CancelAll: self._cancel_all,
            Query: self._query,
            Fence: self._fence,
            Arm: lambda c: self._ask(self._questions.armed(c), None),
            Recover: self._recover,
            Renew: self._renew,
            Read: lambda c: self._ask(self._questions.reading(c), None),
            Alarm: self._alarm,
            SetTimer: self._set_timer,
            Halt: self._halt,
            Finish: self._finish,
            Note: self._note,
            Settled: self._settled,
            Trade: out.trade,
            FeeTold: out.fee,
            Carry: out.carry,
            CycleDone: self._cycle,
        }

    # ----------------------------------------------------------------- in

    def listen(self) -> None:
        """Hears both exchanges, and the operator, from now on."""
        self._keep_warm()
        if self._alerts is not None:
            self._alerts.attend(self._hear_operator, lambda: line(self.status()))
            for worker in self._alerts.workers():  # they end by themselves, with the last words
                self._group.create_task(self._apart(worker))
        for role in ROLES:
            venue, symbol = self._venues[role], self._setup.markets[role]["symbol"]
            self._unsubscribe += [
                venue.on_fills(self._hear_fill(role), symbol),
                venue.on_orders(self._hear_order(role), symbol),
                venue.on_positions(self._hear_position(role), symbol),
                venue.on_orderbook(symbol, self._hear_book(role)),
                venue.on_gap(symbol, self._hear_gap(role)),
                venue.on_stream(self._hear_stream(role)),
            ]
            self._hear_book(role)(venue.book(symbol))
            self.feed(StreamBack(role))
        for text in self._setup.notes:
            self._note(Note(text))
        for reading in self._setup.readings:
            self.feed(reading)

    def feed(self, event: Event) -> None:
        """Takes one event and performs what follows, to the end, before it returns.

        What is fed from inside that (a venue that answers at once) waits its turn.
        """
        self._inbox.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._inbox:
                self._turn(self._inbox.popleft())
        finally:
            self._busy = False

    def _turn(self, event: Event) -> None:
        try:
            self._take(event)
        except Exception as error:  # noqa: BLE001  (the edge: nothing may escape into a stream)
            self._fault(error)
            match event:  # an answer that was not understood is none: the core asks again
                case Answered(role, client_id):
                    self._inbox.append(NotAnswered(role, client_id))
                case Snapshot(role):
                    self._inbox.append(SnapshotFailed(role, "an internal error"))

    def _take(self, event: Event) -> None:
        self._scribe.hear(event, self.desk)
        if self._guarded:
            self._signals += isinstance(event, StopAsked)
            return
        self._perform(react(self.desk, event, self._clock.monotonic()))
        commands = decide(self.desk)
        self._scribe.external(self.desk)
        self._perform(commands)

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Alarm | Note | Trade | FeeTold | Carry | CycleDone):
                self._write_later(command)
            else:
                self._perform_table[type(command)](command)

    def _write_later(self, record: Alarm | Note | Trade | FeeTold | Carry | CycleDone) -> None:
        """Rows, notes and alarms wait until the orders of this turn have left."""
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self.write)
        self._unwritten.append(record)

    def write(self) -> None:
        """Writes the rows, notes and alarms that wait."""
        unwritten, self._unwritten = self._unwritten, []
        for record in unwritten:
            try:
                self._perform_table[type(record)](record)
            except OSError as error:
                self._disk_failed(error)
            except Exception as error:  # noqa: BLE001  (a row that cannot be said stops nobody)
                self._fault(error)

    def _disk_failed(self, error: OSError) -> None:
        """A full disk ends the run, but keeps nobody from hedging."""
        if not self._disk_told:
            self._disk_told = True
            self.feed(JournalFailed(str(error)))

    def _hear_fill(self, role: Role) -> Callable[[Fill], None]:
        return lambda fill: self.feed(FillSeen(role, fill))

    def _hear_order(self, role: Role) -> Callable[[Order], None]:
        refusal = self._questions.refusal
        return lambda order: self.feed(OrderSeen(role, order, refusal=refusal(role, order)))

    def _hear_position(self, role: Role) -> Callable[[PositionUpdate], None]:
        return lambda update: self.feed(PositionSeen(role, update.size))

    def _hear_book(self, role: Role) -> Callable[[Book], None]:
        config = self._setup.config
        size, reach = config.size, config.limits.depth_bps
        enough = size / config.limits.depth_share

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
                    book.depth_within("buy", reach, enough),
                    book.depth_within("sell", reach, enough),
                    self._lag(role, book.updated_ms),
                )
            )

        return hear

    def _hear_gap(self, role: Role) -> Callable[[Book], None]:
        """Nobody knows what is in a book with a gap: to us that is nothing."""
        return lambda _: self.feed(BookTick(role, (), (), self._clock.monotonic()))

    def _lag(self, role: Role, updated_ms: int | None) -> float:
        """How old news is when it is read: a late frame, or one that waited here.

        A time far in the future is in other units, or nobody's: such news has no age at all.
        """
        if updated_ms is None:
            return 0.0
        lag = (self._clock.now_ms() + self.desk.skew_ms.get(role, 0.0) - updated_ms) / 1000
        return inf if lag < -_DAY else max(lag, 0.0)

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
        order, role = command.order, command.role
        if not self._scribe.intent(command, self.desk):
            why = "the journal could not take it down"
            self.feed(PlaceRefused(role, order.client_id, Refusal.NOT_SENT, why))
            return
        self._count(role)
        unknown = OutcomeNotKnown(role, order.client_id, "an internal error")
        try:
            answer = self._venues[role].submit_order(order, lane=command.lane)
        except MpdexError as error:
            self.feed(failure(command, error))
        except Exception as error:  # noqa: BLE001  (it may have left: the core asks)
            self.feed(unknown)
            self._fault(error)
        else:
            self._ask(self._questions.placed(command, answer), unknown)
        self._sync_soon()

    def _cancel(self, command: Cancel) -> None:
        self._scribe.write("cancel", role=command.role, client_id=command.client_id)
        self._count(command.role)
        failed = CancelFailed(command.role, command.client_id, False, "an internal error")
        request = CancelRequest(
            symbol=self._symbol(command.role),
            order_id=command.order_id,
            client_id=command.client_id,
        )
        try:
            answer = self._venues[command.role].submit_cancel(request)
        except MpdexError as error:
            self.feed(CancelFailed(command.role, command.client_id, False, str(error)))
        except Exception as error:  # noqa: BLE001  (the core asks, and cancels again)
            self.feed(failed)
            self._fault(error)
        else:
            self._ask(self._questions.canceled(command, answer), failed)

    def _cancel_all(self, command: CancelAll) -> None:
        self._scribe.write("cancel_all", role=command.role)
        self._ask(self._questions.swept(command), None)

    def _query(self, command: Query) -> None:
        silence = NotAnswered(command.role, command.client_id)
        self._ask(self._questions.about(command), silence)

    def _fence(self, command: Fence) -> None:
        silence = Fenced(command.role, command.client_id, None)
        self._ask(self._questions.fenced(command), silence)

    def _recover(self, command: Recover) -> None:
        silence = SnapshotFailed(command.role, "an internal error")
        self._ask(self._questions.everything(command), silence)

    def _renew(self, command: Renew) -> None:
        """Lost and back; where there is nothing to lose, the venue is only read."""
        if not self._venues[command.role].renew_streams(command.reason):
            self.feed(StreamBack(command.role))

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
        self._notice_lag(self._clock.monotonic() - self._timer_at)
        self._notice_jump()
        self.feed(Timer())
        self._keep_basis()
        self._show()

    def _notice_lag(self, late: float) -> None:
        """Something in this process holds everything up: the operator should know."""
        self._worst_lag = max(self._worst_lag, late)
        if late > _LAG and self._clock.monotonic() >= self._lag_told + _MINUTE:
            self._lag_told = self._clock.monotonic()
            self._write_later(Note(f"the loop stood still for {late * 1000:.0f} ms", urgent=True))

    def _notice_jump(self) -> None:
        """Somebody has set the machine's clock: what the venues say is asked at once."""
        midnight = self._clock.now_ms() - self._clock.monotonic() * 1000
        if abs(midnight - self._midnight) > _JUMP_MS:
            self._write_later(Note("the machine's clock was set", urgent=True))
            for role in ROLES:
                self._ask(self._questions.reading(Read(role, "clock")), None)
        self._midnight = midnight

    def _halt(self, command: Halt) -> None:
        self._scribe.write("halt", reason=command.reason, exposed=command.exposed)
        if command.exposed:
            log.critical("EXPOSED: %s; both venues are tried until neutral", command.reason)
        else:
            log.warning("%s", command.reason)

    def _alarm(self, command: Alarm) -> None:
        if self._alerts is not None:  # before the disk, which may be what it is about
            self._alerts.say(command)
        self._scribe.write("alarm", **asdict(command))
        log.log(logging.CRITICAL if command.page else logging.WARNING, "%s", command.text)

    def _settled(self, command: Settled) -> None:
        self._scribe.write("settled", **asdict(command))

    def _note(self, command: Note) -> None:
        self._scribe.write("note", text=command.text)
        log.log(logging.WARNING if command.urgent else logging.INFO, "%s", command.text)

    def _cycle(self, command: CycleDone) -> None:
        calls = self._calls()
        spent = {name: count - self._calls_before[name] for name, count in calls.items()}
        self._calls_before = calls
        self._out.cycle(command, spent)

    def _finish(self, command: Finish) -> None:
        self.write()  # after this line nobody looks for rows that are missing
        self._scribe.write(
            "finish",
            code=command.code,
            reason=command.reason,
            verified=all(self.desk.verified.values()),
        )
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
            self._start(self._freshen(venue))
            expires_ms = venue.session_expires_ms
            if venue.SPEC.fragile and expires_ms is not None:
                left = (expires_ms - self._clock.now_ms()) / 1000
                self.feed(LoginEnds(role, self._clock.monotonic() + left))
            if venue.streams_end_at is not None:
                self.feed(StreamEnds(role, venue.streams_end_at))

    async def _warm(self, venue: Venue) -> None:
        try:
            await venue.warm()
        except MpdexError as error:
            log.info("an order connection could not be kept open: %s", error)

    async def _freshen(self, venue: Venue) -> None:
        try:
            await venue.freshen()
        except MpdexError as error:
            log.warning("the login could not be renewed ahead of time: %s", error)

    def _ask(self, question: Coroutine[Any, Any, Event | None], silence: Event | None) -> None:
        """Feeds the answer; `silence`, if the question itself breaks down."""
        self._start(self._answered(question, silence))

    async def _answered(
        self, question: Coroutine[Any, Any, Event | None], silence: Event | None
    ) -> None:
        answer = silence
        try:
            answer = await question
        except asyncio.CancelledError:
            if self._closed:
                raise
            log.error("a question was cut off; the core asks again")
        except Exception as error:  # noqa: BLE001  (a task's edge)
            self._fault(error)
        if answer is not None:
            self.feed(answer)

    async def _apart(self, work: Coroutine[Any, Any, None]) -> None:
        """Work that the run does not depend on."""
        try:
            await work
        except Exception:
            log.exception("work beside the run broke down; the run goes on")

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ----------------------------------------------------------------- the disk

    def _sync_soon(self) -> None:
        """What is written before a hedge reaches the disk after it, and not on this thread."""
        if self._scribe.behind and not self._syncing:
            self._syncing = True
            self._sync_later()

    def _sync_later(self) -> None:
        self._syncer = asyncio.get_running_loop().call_later(_SYNC_SECONDS, self._sync_now)

    def _sync_now(self) -> None:
        """Never beside a hedge that may still be on its way out."""
        if self.desk.has(*NEUTRALIZING):
            self._sync_later()
        else:
            self._start(self._sync())

    async def _sync(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, self._scribe.take_synced())
        except OSError as error:
            self._disk_failed(error)
        finally:
            self._syncing = False

    def _keep_basis(self) -> None:
        """A restart need not learn again what the basis is."""
        now = self._clock.monotonic()
        basis = self.desk.lessons.books.basis
        if now - self._basis_at >= _BASIS_SECONDS and basis.known:
            self._basis_at = now
            self._scribe.write("basis", **basis.dump(now))

    # ----------------------------------------------------------------- faults of our own

    def _fault(self, error: BaseException) -> None:
        """The core looks at the whole state each time, so it can drain after a turn that broke.

        When it cannot even do that, the guard makes neutral without it.
        """
        self._faults += 1
        log.critical("internal error, the run ends", exc_info=error)
        text = f"internal error: {type(error).__name__}: {error}"
        if self._faults == 1 and self._alerts is not None:
            self._alerts.say(Alarm("exposed", f"{text}; the run ends", page=True))
        self._scribe.write("crash", text=text)
        self.desk.stop(4, text)
        if self._faults > _FAULTS:
            self._guard()
        else:
            self._set_timer(SetTimer(self._clock.monotonic() + _AFTER_FAULT))

    def _guard(self) -> None:
        """From now on events are only written down, and positions decide."""
        if not self._guarded:
            self._guarded = True
            log.critical("the hedge's own logic fails again and again: neutralizing by query")
            self._start(self._neutralize())

    async def _neutralize(self) -> None:
        hands = {
            role: Hands(self._venues[role], self._setup.markets[role], self._clock)
            for role in ROLES
        }
        neutral = False
        while not neutral and self._signals < _SIGNALS:
            try:
                neutral = await neutralize(hands, self.desk.baseline)
            except Exception:
                log.exception("neutralizing failed")
                await asyncio.sleep(_AFTER_FAULT)
        self.desk.exit_code = 4 if neutral else 5
        self._finish(Finish(self.desk.exit_code, self.desk.exit_reason))

    def close(self) -> None:
        """Hears nothing any more; questions still open are dropped."""
        self._closed = True
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for timer in (self._warmer, self._syncer):
            if timer is not None:
                timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        self.write()
        if self._alerts is not None:
            self._alerts.finish()

    def result(self) -> HedgeResult:
        """Exit code and summary; the summary files are written."""
        desk, report = self.desk, self._out.report
        config = desk.config
        summary = {
            "exit_code": desk.exit_code,
            "reason": desk.exit_reason,
            "primary": config.primary,
            "hedge": config.hedge,
            "ticker": config.ticker,
            "size": str(config.size),
            "mode": config.mode,
            "verified": all(desk.verified.values()),
            "seconds": round(self._clock.monotonic() - self._setup.started, 3),
            **report.summary(desk.attempts, desk.successes),
            **desk.lessons.markouts.summary(),
            "calls": self._calls(),
            "worst_loop_lag_ms": round(self._worst_lag * 1000),
        }
        try:
            self._out.summary(summary)
        except OSError as error:
            log.error("the summary could not be written: %s", error)
        return HedgeResult(desk.exit_code, summary)

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
        if self._progress is None or now - self._shown < _STATUS_SECONDS:
            return
        self._shown = now
        try:
            self._progress(self.status())
        except Exception:
            log.exception("the status cannot be shown any more; the run goes on")
            self._progress = None

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
