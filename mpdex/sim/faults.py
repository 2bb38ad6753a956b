"""The book of faults in force: asked by the server, acting on wires and truth.

The language is in `fault_rules`. Actions on requests and frames are handed to the server, which
performs them; those that need neither (a halt, a dropped socket) act here, at their time.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Protocol

from mpdex.sim.exchange import SimExchange
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
    parse_signed_ms,
    parse_size,
    phase_of,
)
from mpdex.sim.models import Timers
from mpdex.utils.clock import Clock, LoopClock

HANDSHAKE = frozenset({"handshake"})

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


@dataclass(frozen=True, slots=True)
class Situation:
    """What a rule may look at.

    Attributes:
        words: flags that hold ("reduce_only", "fill", "crosses").
        numbers: for `when`: position, open_orders, fills, size, price.
    """

    venue: str
    op: str
    side: str = ""
    transport: str = "rest"
    words: frozenset[str] = frozenset()
    numbers: Mapping[str, Decimal] = field(default_factory=dict)


class Wire(Protocol):
    """The part of a venue's server that faults act on."""

    exchange: SimExchange

    def disconnect(self, op: str, refuse_for: float) -> None:
        """Drop the sockets of a class and refuse new ones for some seconds."""
        ...

    def silence(self, op: str, seconds: float) -> None:
        """Nothing goes out on the sockets of a class; they stay open."""
        ...


class FaultBook:
    """The rules in force.

    Args:
        rules: text, one rule a line.
        roles: {"P": venue name, "H": venue name}.
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
        self.acting_until = 0.0  # loop time until which what has fired so far acts
        self.perform_process: Callable[[Rule, Action, bool], None] | None = None
        self.hold_untimed = False  # rules that say no time wait for `release`
        self.timers = Timers()
        self._held: list[Callable[[], None]] = []
        self._wires: dict[str, Wire] = {}
        self._waiting = parse_rules(rules)

    def attach(self, name: str, wire: Wire) -> None:
        """Make a venue reachable for the actions that are not tied to a request or frame."""
        self._wires[name] = wire

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

    @property
    def idle(self) -> bool:
        """No rule at all: the server need not ask."""
        return not self.rules

    def _due(
        self, now: Situation, kind: frozenset[str] = frozenset(), wanted: bool = False
    ) -> list[Action]:
        """Actions of the rules that fire; only of rules that have (or have not) such actions."""
        due: list[Action] = []
        for rule in self.rules:
            if wanted is kind.isdisjoint(action.name for action in rule.actions):
                continue
            if not rule.timed and self._concerns(rule, now) and self._fires(rule, now):
                due += self._fire(rule)
        return due

    def _fire(self, rule: Rule) -> list[Action]:
        rule.fired += 1
        due = [action for action in rule.actions if self._spend(rule, action)]
        lasting = max((action.lasts for action in due), default=0.0)
        self.acting_until = max(self.acting_until, self.clock.monotonic() + lasting)
        return due

    def _concerns(self, rule: Rule, now: Situation) -> bool:
        return (
            not rule.process
            and fnmatchcase(now.op, rule.op)
            and now.venue in self._venues(rule.venue)
            and now.words.issuperset(rule.flags)
        )

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
            case "between":
                age = self.clock.monotonic() - rule.added
                return test.seconds(0, "t0") <= age < test.seconds(1, "t1")
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

    def restarted(self) -> None:
        """The process has come back: fills that waited for that."""
        for rule in self.rules:
            for action in rule.actions:
                if action.name == "fill" and phase_of(action) == "after_restart":
                    self._act(rule)

    @staticmethod
    def _spend(rule: Rule, action: Action) -> bool:
        """Counted actions last for so many frames; the others for ever."""
        if action.name not in COUNTED:
            return True
        limit = action.get(1 if action.name == "handshake" else 0, "n", "1")
        rule.spent += 1
        return rule.spent <= int(limit) or limit == "0"

    # ---------------------------------------------------------------- acting without a request

    def _enter(self, rule: Rule) -> None:
        rule.added = self.clock.monotonic()
        self.rules.append(rule)
        if rule.process:
            self._enter_process(rule)
            return
        alone = rule.op == "truth" or any(a.name in CONNECTION_ACTIONS for a in rule.actions)
        later = any(phase_of(a) == "after_restart" for a in rule.actions if a.name == "fill")
        rule.timed = alone and not later and not _counts(rule)
        if rule.timed:
            self._schedule(rule, lambda: self._act(rule), lambda: self._undo(rule))

    def _schedule(self, rule: Rule, begin: Callable[[], None], end: Callable[[], None]) -> None:
        """At the times of its window; without one now, or when `release` is called."""
        window = next((f for f in rule.filters if f.name == "between"), None)
        if window:
            self._at(window.seconds(0, "t0"), begin)
            self._at(window.seconds(1, "t1"), end)
        elif self.hold_untimed and rule.actions[0].name != "skew":
            self._held.append(begin)
        else:
            begin()

    def release(self) -> None:
        """The moment has come for rules that say no time."""
        self.hold_untimed = False
        held, self._held = self._held, []
        for begin in held:
            begin()

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
        actions = self._fire(rule) if begins else rule.actions
        for action in actions:
            if self.perform_process is not None:
                self.perform_process(rule, action, begins)

    def reached(self, point: str, words: frozenset[str] = frozenset()) -> list[Action]:
        """The process has come to a point of its course: what is to happen to it there."""
        now = Situation("proc", point, words=words)
        due: list[Action] = []
        for rule in self.rules:
            concerned = rule.process and rule.op == point and words.issuperset(rule.flags)
            spent = rule.times is not None and rule.fired >= rule.times
            if concerned and not spent and self._fires(rule, now):
                due += self._fire(rule)
        return due

    def _at(self, seconds: float, call: Callable[[], None]) -> None:
        if seconds:
            self.timers.after(seconds, call)
        else:
            call()

    def _act(self, rule: Rule) -> None:
        actions = self._fire(rule)
        for name in self._venues(rule.venue):
            for action in actions:
                self.act_on(self._wires[name], rule.op, action)

    def _undo(self, rule: Rule) -> None:
        for name in self._venues(rule.venue):
            exchange = self._wires[name].exchange
            for action in rule.actions:
                if action.name == "halt":
                    exchange.halt("")
                elif action.name == "thin":
                    exchange.thin(None)

    def act_on(self, wire: Wire, op: str, action: Action) -> None:
        """Perform an action that needs no request: of a connection, or of the truth."""
        if action.name == "disconnect":
            wire.disconnect(op, action.seconds(0, "reconnect_after"))
        elif action.name == "silence":
            wire.silence(op, action.seconds())
        elif action.name in TRUTH_ACTIONS:
            apply_truth(wire.exchange, action)


def shift_clock(clock: Clock, action: Action) -> None:
    """`skew` sets how far a clock is ahead, `step` adds to it; wall time only."""
    if isinstance(clock, LoopClock):
        shift = int(parse_signed_ms(action.get(0, "ms", "0")) * 1_000_000)
        clock.skew_ns = shift + (clock.skew_ns if action.name == "step" else 0)


def apply_truth(exchange: SimExchange, action: Action) -> None:
    """Change what is true on a venue.

    Unless named (`symbol=`, `account=`), the account is the first one and the market the first in
    which it holds or has traded anything, else the first.
    """
    account = action.named.get("account") or next(iter(exchange.accounts))
    symbol = action.named.get("symbol") or _busy_symbol(exchange, account)
    held = abs(exchange.accounts[account].size(symbol))
    match action.name:
        case "fill":
            _fill_newest(exchange, account, action)
        case "move":
            exchange.move(action.number(0, "bps", "0"), action.named.get("symbol"))
        case "thin":
            side = action.get(1, "side")
            depth = parse_size(action.get(0, "depth", "0"), _newest_size(exchange, account))
            exchange.thin(depth, "buy" if side == "buy" else "sell" if side == "sell" else None)
        case "halt":
            _halt(exchange, action.get(0, "mode", "down"))
        case "liquidate":
            exchange.liquidate(account, symbol, parse_size(action.get(0, "qty", "all"), held))
        case "adl":
            exchange.adl(account, symbol, parse_size(action.get(0, "qty", "all"), held))
        case "manual_trade":
            whole = held or _newest_size(exchange, account)
            exchange.manual_trade(account, symbol, parse_size(action.get(0, "qty"), whole))
        case "fund":
            exchange.fund(action.number(0, "rate", "0"), action.named.get("symbol"))
        case "drop_order":
            for order in exchange.open_orders(account)[-1:]:
                exchange.drop_order(order)
        case _:
            exchange.set_leverage(account, symbol, action.number(0, "x", "1"))


def _halt(exchange: SimExchange, mode: str) -> None:
    match mode:
        case "post_only" | "cancel_only" | "down" | "":
            exchange.halt(mode)
        case _:
            raise BadRule(f"no such halt: {mode!r}")


def _fill_newest(exchange: SimExchange, account: str, action: Action) -> None:
    orders = exchange.open_orders(account) or exchange.order_history(account)
    for order in orders[-1:]:
        exchange.fill(order, parse_size(action.get(0, "qty", "q"), order.size))


def _newest_size(exchange: SimExchange, account: str) -> Decimal:
    orders = exchange.order_history(account)
    return orders[-1].size if orders else Decimal(0)


def _busy_symbol(exchange: SimExchange, account: str) -> str:
    holdings = exchange.accounts[account].holdings
    held = [symbol for symbol, holding in holdings.items() if holding.size]
    return next(iter(held or list(holdings) or list(exchange.markets)))


def _counts(rule: Rule) -> bool:
    return any(f.name not in ("between",) for f in rule.filters) or bool(rule.flags)


def _counting_last(filters: Iterable[Action]) -> list[Action]:
    """`nth` and `every` count only what the other filters let through."""
    return sorted(filters, key=lambda f: f.name in ("nth", "every"))


def _holds(predicate: str, now: Situation) -> bool:
    found = _CONDITION.fullmatch(predicate.strip())
    if not found:
        return predicate.strip() in now.words
    value = now.numbers.get(found[1])
    return value is not None and _COMPARE[found[2]](value, parse_number(found[3]))
