"""The book of faults in force: asked by the server, acting on wires and truth.

The language is in `fault_rules`. Actions on requests and frames are handed to the server, which
performs them; those that need neither (a halt, a dropped socket) act here, at their time.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from fnmatch import fnmatchcase

from mpdex.sim.fault_rules import (
    CONNECTION_ACTIONS,
    COUNTED,
    TRUTH_ACTIONS,
    Action,
    BadRule,
    Rule,
    parse_number,
    parse_rule,
    parse_rules,
    parse_seconds,
    parse_signed_ms,
    phase_of,
)
from mpdex.sim.fault_scene import Situation, Wire
from mpdex.sim.fault_words import FOREVER, STATES
from mpdex.sim.models import Timers
from mpdex.sim.records import Traded
from mpdex.sim.truth_acts import Measures, apply_truth, busy_symbol, end_truth
from mpdex.utils.clock import Clock, LoopClock

HANDSHAKE = frozenset({"handshake"})
OPENING = frozenset({"ack", "snapshot"})  # frames without which a stream is not there at all
PRELUDE = "canary"  # orders that come before the trading; rules that count do not count them

__all__ = ["Action", "BadRule", "FaultBook", "Rule", "Situation", "apply_truth", "parse_rule"]

_CONDITION = re.compile(r"(\w+)\s*(==|!=|>=|<=|>|<)\s*(\S+)")
_COMPARE: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}


class FaultBook:
    """The rules in force.

    Args:
        rules: text, one rule a line.
        roles: {"P": venue name, "H": venue name}.

    Attributes:
        acting_until: loop time until which what has fired so far acts.
        clip: size of `q` where no order is at hand.
        perform_process: performs the rules about process, disk and clock; without it only clock
            rules are performed, on the clock of this book.
        purpose_of: (venue, client id) -> why the client made an order; "" where nobody knows.
    """

    def __init__(
        self,
        rules: str = "",
        *,
        clock: Clock,
        rng: random.Random,
        roles: Mapping[str, str] | None = None,
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.roles = dict(roles or {})
        self.rules: list[Rule] = []
        self.acting_until = 0.0
        self.clip = Decimal(0)
        self.perform_process: Callable[[Rule, Action, bool], None] | None = None
        self.purpose_of: Callable[[str, str], str] = lambda _venue, _client_id: ""
        self.timers = Timers()
        self._begun = self._released = True
        self._windows: list[Callable[[], None]] = []
        self._held: list[Callable[[], None]] = []
        self._wires: dict[str, Wire] = {}
        self._waiting = parse_rules(rules)

    def attach(self, name: str, wire: Wire) -> None:
        """Make a venue reachable for the actions that are not tied to a request or frame."""
        self._wires[name] = wire
        wire.exchange.witness(lambda event: self._traded(name, event), Traded)

    def wait(self) -> None:
        """From now on times count from `begin`, and what says no time waits for `release`."""
        self._begun = self._released = False

    def begin(self) -> None:
        """The moment from which times count has come."""
        if not self._begun:
            self._begun = True
            now = self.clock.monotonic()
            for rule in self.rules:
                rule.added = now
            windows, self._windows = self._windows, []
            for enter in windows:
                enter()

    def release(self) -> None:
        """The moment has come for rules that say no time."""
        self.begin()
        if not self._released:
            self._released = True
            held, self._held = self._held, []
            for act in held:
                act()

    def start(self) -> None:
        """Put the rules given at the start into force, once every venue is attached."""
        waiting, self._waiting = self._waiting, []
        for rule in waiting:
            self._enter(rule)

    def add(self, text: str) -> list[Rule]:
        """Put more rules into force now.

        Raises: BadRule.
        """
        rules = parse_rules(text)
        for rule in rules:
            self._enter(rule)
        return rules

    def clear(self) -> None:
        """Forget all rules; halts and thin books end, moved prices stay."""
        self.rules.clear()
        self._waiting.clear()
        self.timers.close()
        self.timers = Timers()
        for wire in self._wires.values():
            wire.exchange.halt("")
            wire.exchange.thin(None)

    def close(self) -> None:
        self.timers.close()

    @property
    def process_rules(self) -> list[Rule]:
        """Rules about the process, its disk and its clock: for whoever runs the process."""
        return [rule for rule in self.rules + self._waiting if rule.process]

    @property
    def measures(self) -> Measures:
        return Measures(self.clip, self._units())

    def _units(self) -> dict[str, Decimal]:
        units = {}
        for role, name in self.roles.items():
            if name in self._wires:
                exchange = self._wires[name].exchange
                account = next(iter(exchange.accounts))
                market = exchange.markets[busy_symbol(exchange, account)]
                units[f"min_{role}"], units[f"lot_{role}"] = market.min_size, market.step
        return units

    # ---------------------------------------------------------------- asked by the server

    def on_request(self, situation: Situation) -> list[Action]:
        """Actions on one request, in the order of the rules."""
        return self._due(situation)

    def on_stream(self, situation: Situation) -> list[Action]:
        """Actions on one frame."""
        return self._due(situation, HANDSHAKE, False)

    def on_handshake(self, situation: Situation) -> list[Action]:
        """Actions on one handshake of a socket."""
        return self._due(situation, HANDSHAKE, True)

    def reached(self, point: str, words: frozenset[str] = frozenset()) -> list[Action]:
        """The process has come to a point of its course: what is to happen to it there."""
        now = Situation("proc", point, words=words)
        due: list[Action] = []
        for rule in self.rules:
            concerned = rule.process and rule.op == point and now.is_a(rule.flags)
            early = PRELUDE in words and PRELUDE not in rule.flags
            if concerned and not early and not _spent(rule) and self._fires(rule, now):
                due += self._fire(rule)
        return due

    def restarted(self) -> None:
        """The process has come back: fills that waited for that."""
        for rule in self.rules:
            if _after_restart(rule):
                self._act(rule)

    @property
    def idle(self) -> bool:
        """No rule at all: the server need not ask."""
        return not self.rules

    def _traded(self, venue: str, event: object) -> None:
        """Rules about a true execution act right after it, not in the middle of it."""
        if not any(rule.op == "trade" for rule in self.rules) or not isinstance(event, Traded):
            return
        order = event.fill.order
        purpose = self.purpose_of(venue, order.client_id)
        words = frozenset({event.fill.liquidity, *((purpose,) if purpose else ())})
        due = self._due(Situation(venue, "trade", order.side, words=words))
        if due:
            self.timers.after(0.0, lambda: self._act_all(venue, due))

    def _act_all(self, venue: str, actions: Iterable[Action]) -> None:
        for action in actions:
            self.act(venue, "", action)

    def _due(
        self, now: Situation, kind: frozenset[str] = frozenset(), wanted: bool = False
    ) -> list[Action]:
        """Actions of the rules that fire; only of rules that have (or have not) such actions."""
        due: list[Action] = []
        for rule in self.rules:
            if rule.timed or rule.process:
                continue
            if wanted is kind.isdisjoint(action.name for action in rule.actions):
                continue
            if self._concerns(rule, now) and not _spent(rule) and self._fires(rule, now):
                due += self._fire(rule)
        return due

    def _fire(self, rule: Rule) -> list[Action]:
        rule.fired += 1
        due = [action for action in rule.actions if self._spend(rule, action)]
        lasting = max((action.lasts for action in due), default=0.0)
        self._acts_for(lasting)
        return due

    def _acts_for(self, seconds: float) -> None:
        self.acting_until = max(self.acting_until, self.clock.monotonic() + seconds)

    def _concerns(self, rule: Rule, now: Situation) -> bool:
        return (
            fnmatchcase(now.op, rule.op)
            and now.venue in self._venues(rule.venue)
            and now.is_a(rule.flags)
            and not (rule.counted and PRELUDE in now.words and PRELUDE not in rule.flags)
            and not (now.op.startswith("ws") and self._is_opening(rule, now))
        )

    def _is_opening(self, rule: Rule, now: Situation) -> bool:
        """Whether a frame belongs to the opening of a stream, which a rule must name to bend it.

        One of a number of frames, of whatever kind, is one in the middle of the run.
        """
        if rule.flags or HANDSHAKE & now.words:
            return False
        return bool(OPENING & now.words) or (rule.early and not self._released)

    def _venues(self, venue: str) -> list[str]:
        if venue in ("X", "*"):
            return list(self._wires)
        return [self.roles.get(venue, venue)]

    def _fires(self, rule: Rule, now: Situation) -> bool:
        return all(self._passes(rule, test, now) for test in _counting_last(rule.filters))

    def _passes(self, rule: Rule, test: Action, now: Situation) -> bool:
        match test.name:
            case "nth":
                rule.seen += 1
                return rule.seen == int(test.get(0, "n", "1"))
            case "every":
                rule.seen += 1
                return rule.seen % int(test.get(0, "n", "1")) == 0
            case "prob":
                return self._roll(rule, test) < float(test.get(0, "p", "0"))  # chance
            case "between" | "at" if not self._begun:
                return False
            case "between" | "at":
                age = self.clock.monotonic() - rule.added
                begins, ends = rule.window or (0.0, FOREVER)
                return begins <= age < ends
            case "side":
                return now.side == test.get(0, "side")
            case "transport":
                return now.transport == test.get(0, "transport")
            case _:
                return _holds(test.get(0, "predicate"), now)

    def _roll(self, rule: Rule, test: Action) -> float:
        seed = test.get(1, "seed")
        dice = rule.dice.setdefault(seed, random.Random(seed)) if seed else self.rng
        return dice.random()

    @staticmethod
    def _spend(rule: Rule, action: Action) -> bool:
        """Counted actions last for so many frames; by default for one, or for the window."""
        if action.name not in COUNTED:
            return True
        usual = "0" if rule.window or rule.times is not None else "1"
        limit = action.get(1 if action.name == "handshake" else 0, "n", usual)
        rule.spent += 1
        return rule.spent <= int(limit) or limit == "0"

    # ---------------------------------------------------------------- acting without a request

    def _enter(self, rule: Rule) -> None:
        rule.added = self.clock.monotonic()
        few = any(action.name in COUNTED for action in rule.actions)
        rule.early = few and not self._begun and not rule.filters
        self.rules.append(rule)
        if any(action.name == "stale" for action in rule.actions):
            for wire in self._wires.values():
                wire.exchange.remembers = True
        if rule.process:
            self._enter_process(rule)
            return
        alone = rule.op == "truth" or any(a.name in CONNECTION_ACTIONS for a in rule.actions)
        asks = rule.op not in ("truth", "*") and not rule.op.startswith("ws")
        rule.timed = alone and not asks and not _after_restart(rule) and not _counts(rule)
        if rule.timed:
            self._schedule(rule, lambda: self._act(rule), lambda: self._undo(rule))

    def _schedule(self, rule: Rule, begin: Callable[[], None], end: Callable[[], None]) -> None:
        """At the times of its window; without one now, or when `release` is called."""
        window = rule.window
        if window is None and rule.op == "truth" and rule.actions[0].name == "expire":
            after = rule.actions[0].seconds(0, "after", "-1") if rule.actions[0].args else -1.0
            window = (after, FOREVER) if after >= 0 else None
        if window is not None and not self._begun:
            self._windows.append(lambda: self._schedule(rule, begin, end))
        elif window is not None:
            self._at(window[0], lambda: self._open(rule, window, begin))
            if window[1] < FOREVER:
                self._at(window[1], end)
        elif not self._begun and rule.actions[0].name != "skew":
            self._held.append(begin)
        else:
            begin()

    def _open(self, rule: Rule, window: tuple[float, float], begin: Callable[[], None]) -> None:
        if window[1] < FOREVER and any(a.name in STATES for a in rule.actions):
            self._acts_for(window[1] - window[0])
        begin()

    def _at(self, seconds: float, call: Callable[[], None]) -> None:
        if seconds:
            self.timers.after(seconds, call)
        else:
            call()

    def _enter_process(self, rule: Rule) -> None:
        if self.perform_process is None:
            if rule.venue == "clock":
                for action in rule.actions:
                    shift_clock(self.clock, action)
        elif rule.op == "truth":
            self._schedule(
                rule,
                lambda: self._act_on_process(rule, True),
                lambda: self._act_on_process(rule, False),
            )

    def _act_on_process(self, rule: Rule, begins: bool) -> None:
        for action in self._fire(rule) if begins else rule.actions:
            if self.perform_process is not None:
                self.perform_process(rule, action, begins)

    def _act(self, rule: Rule) -> None:
        actions = self._fire(rule)
        for name in self._venues(rule.venue):
            for action in actions:
                self.act(name, rule.op, action)

    def _undo(self, rule: Rule) -> None:
        for name in self._venues(rule.venue):
            for action in rule.actions:
                for where in self._venues(action.venue) if action.venue else [name]:
                    self._end(where, action)

    def _end(self, venue: str, action: Action) -> None:
        wire = self._wires[venue]
        end_truth(wire.exchange, action)
        if action.name == "limit":
            wire.limit(0, 0.0)

    def act(self, venue: str, op: str, action: Action, order: Decimal | None = None) -> None:
        """Perform an action of a connection or of the truth, there or where the action says.

        Args:
            order: size of the order at hand.
        """
        for name in self._venues(action.venue) if action.venue else [venue]:
            self._act_there(name, action.op or op, action, order)

    def _act_there(self, venue: str, op: str, action: Action, order: Decimal | None) -> None:
        wire = self._wires[venue]
        socket = op if op.startswith("ws") else "ws_private"
        match action.name:
            case "disconnect":
                refuse = action.seconds(0, "reconnect_after")
                for number in range(action.times or 1):
                    self._at(action.every * number, lambda: wire.disconnect(socket, refuse))
            case "silence":
                wire.silence(socket, action.seconds())
            case "replay":
                wire.replay(socket, int(action.get(0, "n", "50")))
            case "limit":
                wire.limit(int(action.get(0, "n", "1")), parse_seconds(action.get(1, "per", "1s")))
            case "expire":
                wire.expire_sessions()
            case name if name in TRUTH_ACTIONS:
                measures = replace(self.measures, order=order)
                apply_truth(wire.exchange, action, measures)
                self._end_later(venue, action)

    def _end_later(self, venue: str, action: Action) -> None:
        """`halt(down, 60s)`, `thin(0, buy, 5s)`: for so long."""
        seconds = action.span if action.name in ("halt", "thin", "move") else 0.0
        if seconds:
            self._acts_for(seconds)
            self.timers.after(seconds, lambda: self._end(venue, action))


def shift_clock(clock: Clock, action: Action) -> None:
    """`skew` sets how far a clock is ahead, `step` adds to it; wall time only."""
    if isinstance(clock, LoopClock):
        shift = int(parse_signed_ms(action.get(0, "ms", "0")) * 1_000_000)
        clock.skew_ns = shift + (clock.skew_ns if action.name == "step" else 0)


def _spent(rule: Rule) -> bool:
    return rule.times is not None and rule.fired >= rule.times


def _after_restart(rule: Rule) -> bool:
    return any(a.name == "fill" and phase_of(a) == "after_restart" for a in rule.actions)


def _counts(rule: Rule) -> bool:
    return any(f.name not in ("between", "at") for f in rule.filters) or bool(rule.flags)


def _counting_last(filters: Iterable[Action]) -> list[Action]:
    """`nth` and `every` count only what the other filters let through."""
    return sorted(filters, key=lambda f: f.name in ("nth", "every"))


def _holds(predicate: str, now: Situation) -> bool:
    found = _CONDITION.fullmatch(predicate.strip())
    if not found:
        return predicate.strip() in now.words
    value = now.number(found[1])
    return value is not None and _COMPARE[found[2]](value, parse_number(found[3]))
