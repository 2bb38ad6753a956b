"""The oracle: what must hold whatever happens, judged by what is true at the venues.

Ten assertions, checked after every event of the truth and at the end. The bot never sees any of
this; of the bot's own words only the journal file is read, and only for what no venue can know.

    O1   exposure within the clip and one lot, the resting quote included
    O2   neutral within 30 s after the last fault, or loudly exposed and still trying
    O3   one live quote at a time
    O4   never more hedged than was filled, but for a lot
    O5   the booked trades are the true ones
    O6   every order was meant before it was sent
    O7   no quote while something is owed, unknown, or not in order
    O8   nothing of ours alive after a clean end, and a report that is true
    O9   no request over a venue's limits
    O10  no secret in any output
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mpdex.lab.trail import Intent, Trail, signed_size
from mpdex.lab.truth import LEGS, Leg, PairTruth
from mpdex.sim.models import Timers
from mpdex.sim.records import (
    ZERO,
    OrderChanged,
    PositionChanged,
    SimEvent,
    SimFill,
    SimOrder,
    Traded,
)
from mpdex.utils.clock import Clock

T_FLAT = 30.0  # seconds within which exposure must end once no fault acts any more
PAGE_WITHIN = 5.0  # seconds from being exposed for good to the page
STILL_TRYING = 15.0  # seconds within which an exposed bot must have asked a venue something
KNOWN_AFTER = 0.25  # seconds; what happened so recently a bot need not know yet
ROLES: dict[Leg, str] = {"P": "primary", "H": "hedge"}
_TRADING = frozenset({"running", "reducing"})
_ROUNDED = Decimal("0.000001")  # quote currency or coins: what venues round their figures to
_AVERAGED = Decimal("0.0001")
_FORCED = frozenset({"liquidation", "adl"})


@dataclass(frozen=True, slots=True)
class Violation:
    """What was broken, when (simulated seconds), and the figures."""

    id: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.id} at {self.at:.3f}s: {self.text}"


@dataclass(slots=True)
class Seen:
    """What the run was like, for the report.

    Attributes:
        worst: greatest exposure, coins.
        to_flat: longest stretch of exposure above dust, seconds.
    """

    worst: Decimal = ZERO
    to_flat: float = 0.0
    exposed_since: float | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """What the oracle may look at beside the truth and the journal.

    Attributes:
        quiet_at: loop time from which no fault acts any more, as far as is known now.
        asked: how many requests have reached either venue, cut ones included.
        alive: whether a bot is running.
        cut_off: (leg, time in ns) -> for how long no private stream of the bot's had been open.
    """

    quiet_at: Callable[[], float]
    asked: Callable[[], int]
    alive: Callable[[], bool]
    cut_off: Callable[[Leg, int], float]


@dataclass(slots=True, eq=False)
class Oracle:
    """Judges one run. `attach` it to the truth; read `violations`.

    Attributes:
        tags: "contradiction" or "external", as the scenario says.
        disk_fails: the scenario takes the disk away: what makes neutral may then go unwritten.
        foreign: ids of somebody else's orders on these accounts.
    """

    truth: PairTruth
    trail: Trail
    clock: Clock
    watch: Watch
    size: Decimal
    tags: frozenset[str] = frozenset()
    disk_fails: bool = False
    violations: list[Violation] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    foreign: set[str] = field(default_factory=set)
    _timers: Timers = field(default_factory=Timers)
    _before: Decimal = ZERO
    _asked: int = 0
    _exposed_state_at: float | None = None

    def attach(self) -> None:
        self._before = self.truth.exposure
        for leg in LEGS:
            exchange = self.truth[leg].exchange
            exchange.witness(self._hearer(leg), Traded, OrderChanged, PositionChanged)

    def close(self) -> None:
        self._timers.close()

    def violate(self, which: str, text: str) -> None:
        """Record; the same sentence once."""
        if not any(v.id == which and v.text == text for v in self.violations):
            self.violations.append(Violation(which, self.clock.monotonic(), text))

    def _hearer(self, leg: Leg) -> Callable[[SimEvent], None]:
        symbol = self.truth[leg].symbol

        def hear(event: SimEvent) -> None:
            match event:
                case Traded(fill) if fill.order.symbol == symbol:
                    self._traded(leg, fill.order)
                case OrderChanged(order, cause, _) if order.symbol == symbol:
                    if cause in ("accepted", "rejected"):
                        self._entered(leg, order)
                case _:
                    pass
            self._bounded()

        return hear

    # ----------------------------------------------------------------- O1, O3

    @property
    def bound(self) -> Decimal:
        times = 2 if self.tags & {"contradiction", "external"} else 1
        return times * self.size + self.truth["P"].market.step

    def _bounded(self) -> None:
        exposure = self.truth.exposure
        self.seen.worst = max(self.seen.worst, abs(exposure))
        if abs(exposure) > self.bound:
            self.violate("O1", f"exposure {exposure} is over {self.bound}")
        makers = [o for o in self.truth["P"].live if self._is_maker(o)]
        for maker in makers:
            rest = maker.remaining if maker.side == "buy" else -maker.remaining
            if abs(exposure + rest) > self.bound:
                self.violate("O1", f"exposure {exposure} and a quote of {rest} are over the bound")
        if len(makers) > 1:
            ids = ", ".join(o.client_id for o in makers)
            self.violate("O3", f"{len(makers)} live quotes: {ids}")
        self._follow(exposure)

    def _is_maker(self, order: SimOrder) -> bool:
        if order.order_id in self.foreign:
            return False
        intent = self.trail.intent_of(order)
        return order.post_only if intent is None else intent.purpose == "maker"

    # ----------------------------------------------------------------- O2

    def _follow(self, exposure: Decimal) -> None:
        now = self.clock.monotonic()
        if "external" in self.tags:
            exposure = self.truth.own_exposure
        exposed = abs(exposure) > self.truth.dust
        if exposed and self.seen.exposed_since is None:
            self.seen.exposed_since = now
            self._timers.after(T_FLAT, self._judge_exposure)
        elif not exposed and self.seen.exposed_since is not None:
            self.seen.to_flat = max(self.seen.to_flat, now - self.seen.exposed_since)
            self.seen.exposed_since = None

    def _judge_exposure(self) -> None:
        """Due 30 s after exposure began; put off for as long as faults act."""
        since = self.seen.exposed_since
        if since is None:
            return
        if not self.watch.alive():
            self._timers.after(T_FLAT, self._judge_exposure)
            return
        now = self.clock.monotonic()
        due = max(since, self.watch.quiet_at()) + T_FLAT
        if now < due - 1e-6:
            self._timers.after(due - now, self._judge_exposure)
            return
        self.trail.read()
        if self.trail.phase == "halted exposed" or any(h.get("exposed") for h in self.trail.halts):
            self._judge_alarm()
        else:
            text = f"exposure {self.truth.exposure} {T_FLAT:.0f} s after the last fault"
            self.violate("O2", f"{text}, and the phase is {self.trail.phase!r}")
            return
        self._asked = self.watch.asked()
        self._timers.after(STILL_TRYING, self._judge_effort)

    def _judge_alarm(self) -> None:
        began = [at for at, phase in self.trail.phases if phase == "halted exposed"]
        began += [h["ts_ns"] for h in self.trail.halts if h.get("exposed")]
        pages = [a["ts_ns"] for a in self.trail.alarms if a.get("page")]
        first = min(began)
        if not any(0 <= at - first <= PAGE_WITHIN * 1e9 for at in pages):
            self.violate("O2", "exposed for good, and nobody was paged within 5 s")

    def _judge_effort(self) -> None:
        if self.seen.exposed_since is None or not self.watch.alive():
            return
        if self.watch.asked() == self._asked:
            self.violate("O2", f"exposed, and nothing was tried for {STILL_TRYING:.0f} s")
        self._judge_exposure()

    # ----------------------------------------------------------------- O4

    def _traded(self, leg: Leg, order: SimOrder) -> None:
        after, before = self.truth.exposure, self._before
        self._before = after
        mine = order.client_id and order.order_id not in self.foreign
        if leg == "P" or not mine or order.reason in _FORCED or self.tags:
            return
        lot = self.truth["H"].market.step
        if before * after <= 0 and abs(after) > lot and not self._is_canary(order):
            self.violate("O4", f"hedge {order.client_id} turned exposure {before} into {after}")

    def _is_canary(self, order: SimOrder) -> bool:
        intent = self.trail.intent_of(order)
        return intent is not None and intent.purpose == "canary"

    # ----------------------------------------------------------------- O6, O7

    def _entered(self, leg: Leg, order: SimOrder) -> None:
        if order.order_id in self.foreign or not order.client_id:
            return
        if self.trail.intent_of(order) is None:
            self.trail.read()
        intent = self.trail.intent_of(order)
        if intent is None and self.disk_fails and not order.post_only:
            return
        if intent is None or intent.role != ROLES[leg]:
            self.violate("O6", f"order {order.client_id} on {leg} is not in the journal")
        elif intent.purpose == "maker":
            self._judge_quote(intent)

    def _judge_quote(self, quote: Intent) -> None:
        """By what the bot had written down when it sent the quote, and by what sockets it had."""
        phases = self.trail.phases_at(quote.at_ns)
        if phases and not phases & _TRADING:
            self._wrong_quote(quote, ", ".join(phases))
        if quote.owed > self.truth.dust and not quote.in_flight:
            self._wrong_quote(quote, f"{quote.owed} was not hedged")
        for leg in LEGS:
            away = self.watch.cut_off(leg, quote.at_ns)
            if away > KNOWN_AFTER:
                self._wrong_quote(quote, f"{leg}'s private stream was away for {away:.3f} s")

    def _wrong_quote(self, quote: Intent, why: str) -> None:
        self.violate("O7", f"quote {quote.client_id} was sent while {why}")

    # ----------------------------------------------------------------- at the end

    def judge_end(self, code: int | None, summary: Mapping[str, Any], starts: int) -> None:
        """O5, O8 and what is left of O2, once the run is over.

        Args:
            code: None if it was killed.
            summary: the bot's own report.
            starts: how often it was started; its report is of the last time.
        """
        self.trail.read()
        if code not in (0, 4, 6):
            return
        exposure = self.truth.own_exposure if "external" in self.tags else self.truth.exposure
        if abs(exposure) > self.truth.dust:
            self.violate("O2", f"it ended with code {code} and exposure {exposure}")
        for leg in LEGS:
            self._judge_left_over(leg)
            if not self.disk_fails:
                self._judge_ledger(leg)
            if starts == 1 and code != 4:
                self._judge_report(leg, summary)

    def _judge_left_over(self, leg: Leg) -> None:
        for order in self.truth[leg].live:
            if order.order_id not in self.foreign:
                self.violate("O8", f"order {order.client_id} on {leg} is still alive")

    def _ours(self, leg: Leg) -> list[SimFill]:
        fills = self.truth[leg].fills
        return [f for f in fills if f.order.client_id and f.order.order_id not in self.foreign]

    def _judge_ledger(self, leg: Leg) -> None:
        """The booked trades, in sum: coins, volume, and fees where every fee was told."""
        ours, booked = self._ours(leg), self.trail.booked(ROLES[leg])
        sums = {
            "net": (
                sum((signed_size(t) for t in booked), ZERO),
                sum((_signed(f.order, f.size) for f in ours), ZERO),
            ),
            "volume": (
                sum((Decimal(t["size"]) for t in booked), ZERO),
                sum((f.size for f in ours), ZERO),
            ),
        }
        if all(t["fee"] is not None for t in booked) and sums["volume"][0] == sums["volume"][1]:
            told = sum((Decimal(t["fee"]) for t in booked), ZERO)
            sums["fees"] = (told, sum((f.fee for f in ours), ZERO))
        for what, (told, true) in sums.items():
            if abs(told - true) > _ROUNDED * max(len(ours), 1):  # each of them is rounded
                self.violate("O5", f"{leg}: {what} of {told} is booked, {true} is true")

    def _judge_report(self, leg: Leg, summary: Mapping[str, Any]) -> None:
        told = summary.get(f"volume_{ROLES[leg]}")
        if told is None:
            return
        true = sum((f.price * f.size for f in self._ours(leg)), ZERO)
        # What only an order's report told of is booked at its average price, on the venue's grid.
        if abs(Decimal(told) - true) > max(true * _AVERAGED, _ROUNDED):
            self.violate("O8", f"{leg}: the report says a volume of {told}, {true} is true")

    def judge_requests(self, limited: int, injected: bool) -> None:
        """O9."""
        if limited and not injected:
            self.violate("O9", f"{limited} requests were over a venue's limit")

    def judge_secrets(self, texts: Iterable[tuple[str, str]], secrets: Iterable[str]) -> None:
        """O10. `texts`: (where, what was written there)."""
        wanted = [secret for secret in secrets if secret]
        for where, text in texts:
            for number, secret in enumerate(wanted):
                if secret in text:
                    self.violate("O10", f"secret number {number + 1} stands in {where}")


def _signed(order: SimOrder, size: Decimal) -> Decimal:
    return size if order.side == "buy" else -size
