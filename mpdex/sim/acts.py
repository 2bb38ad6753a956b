"""How a fault bends one request: what happens before, instead of, and after the venue's handler.

A `Job` is one request on its way, by REST or over a socket. Everything here is callbacks and
timers, so that a request can be late without anybody waiting for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from mpdex.sim.exchange import SimExchange, Twist
from mpdex.sim.fault_rules import TRUTH_ACTIONS, Action, parse_number, parse_size, phase_of
from mpdex.sim.faults import apply_truth
from mpdex.sim.models import Timers
from mpdex.sim.records import SimOrder
from mpdex.sim.venue import SimReply, SimRequest, SimVenue
from mpdex.types import Json, OrderStatus, TimeInForce

RESTING_AFTER = 0.05  # seconds: "resting" means the client has had its answer


class Lost(Enum):
    """Ways of getting no answer."""

    SILENCE = "silence"
    RESET = "reset"


@dataclass(slots=True)
class Job:
    """One request.

    Attributes:
        act: the venue's handler, bound; its value is the answer.
        done: takes the answer; called once.
    """

    request: SimRequest
    op: str
    act: Callable[[], Json]
    done: Callable[[Json | Lost], None]


class Performer:
    """Performs jobs of one venue under the actions that faults ask for."""

    def __init__(self, venue: SimVenue, timers: Timers, rng: random.Random) -> None:
        self._venue = venue
        self._exchange: SimExchange = venue.exchange
        self._timers = timers
        self._rng = rng

    def perform(self, job: Job, actions: Sequence[Action]) -> None:
        """Let a job happen; plain when there are no actions."""
        if not actions:
            job.done(job.act())
            return
        named = {action.name: action for action in actions}
        delay = named.get("delay")
        if delay is None:
            self._now(job, actions, named)
        elif delay.get(1, "land", "true") == "false":
            self._timers.after(delay.seconds(), lambda: job.done(Lost.RESET))
        else:
            self._timers.after(delay.seconds(), lambda: self._now(job, actions, named))

    def _now(self, job: Job, actions: Sequence[Action], named: dict[str, Action]) -> None:
        if "drop_request" in named:
            job.done(_lost(named["drop_request"]))
            return
        instead = self._instead(job, named)
        if instead is not None and not self._accepts(named.get("http")):
            job.done(instead)
            return
        answer = self._acted(job, actions, named)
        if "drop_response" in named:
            answer = _lost(named["drop_response"])
        job.done(answer if instead is None else instead)

    def _instead(self, job: Job, named: dict[str, Action]) -> SimReply | None:
        """An answer that is not the handler's."""
        if "reject" in named:
            reject = named["reject"]
            kind, code = reject.get(0, "class", "PERMISSION"), reject.get(1, "code")
            return self._venue.render_reject(job.request, kind, code)
        if "not_found" in named:
            return self._venue.render_reject(job.request, "NOT_FOUND", "")
        return _http(named["http"]) if "http" in named else None

    def _accepts(self, http: Action | None) -> bool:
        """Whether the venue acts although it answers with an error: true, false or a chance."""
        chance = http.named.get("accept", "false") if http else "false"
        if chance in ("true", "false"):
            return chance == "true"
        return self._rng.random() < float(parse_number(chance))  # chance

    def _acted(self, job: Job, actions: Sequence[Action], named: dict[str, Action]) -> Json:
        """Run the handler with the truth bent as asked."""
        target = self._target(job) if job.op == "cancel" else None
        for action in actions:
            self._before(action, target)
        self._exchange.twist = self._twist(job, named)
        try:
            answer = job.act()
        finally:
            self._exchange.twist = Twist()
        placed = self._exchange.newest if job.op == "place" else target
        for action in actions:
            if action.name == "fill":
                self._fill_after(action, placed)
        return answer

    def _before(self, action: Action, target: SimOrder | None) -> None:
        if action.name == "fill":
            if phase_of(action) == "after_cancel_send" and target is not None:
                self._fill(action, target)
        elif action.name in TRUTH_ACTIONS and action.name != "drop_order":
            apply_truth(self._exchange, action)

    def _fill_after(self, action: Action, order: SimOrder | None) -> None:
        if order is None:
            return
        match phase_of(action):
            case "before_place_ack" | "now":
                self._fill(action, order)
            case "resting":
                pause = action.seconds(2, "after", str(int(RESTING_AFTER * 1000)))
                self._timers.after(pause, lambda: self._fill(action, order))
            case "after_cancel_ack":
                pause = action.seconds(2, "after", str(int(RESTING_AFTER * 1000)))
                self._timers.after(pause, lambda: self._fill(action, order))

    def _fill(self, action: Action, order: SimOrder) -> None:
        size = parse_size(action.get(0, "qty", "q"), order.size)
        late = action.seconds(9, "report_delay")
        self._exchange.report_delay = late
        self._exchange.fill(order, size)
        self._exchange.report_delay = 0.0

    def _twist(self, job: Job, named: dict[str, Action]) -> Twist:
        twist = Twist()
        if "mutate" in named and job.op == "place":
            twist.fields = {k: _value(k, v) for k, v in named["mutate"].named.items()}
        twist.lose_order = job.op == "place" and not named.keys().isdisjoint(
            ("drop_order", "ack_ok")
        )
        twist.keep_on_cancel = job.op == "cancel" and not named.keys().isdisjoint(
            ("keep", "ack_ok")
        )
        if "ack_then" in named:
            fate = named["ack_then"]
            status = OrderStatus(fate.get(0, "event", "rejected").lower())
            twist.fate = (status, fate.seconds(1, "ms"))
        if "page" in named:
            twist.page = int(named["page"].get(0, "n", "1"))
        if "stale" in named:
            age = named["stale"].seconds()
            twist.as_of_ns = self._exchange.clock.now_ns() - int(age * 1e9)
        return twist

    def _target(self, job: Job) -> SimOrder | None:
        """The order that a cancel is about; where the venue does not say, the newest live one."""
        said = self._venue.describe(job.request)
        for account in self._exchange.accounts:
            if said.get("order_id") or said.get("client_id"):
                order = self._exchange.order(
                    account, order_id=said.get("order_id"), client_id=said.get("client_id")
                )
                if order is not None:
                    return order
            for order in reversed(self._exchange.open_orders(account)):
                return order
        return None


def _lost(action: Action) -> Lost:
    return Lost.RESET if action.get(0, "how") == "reset" else Lost.SILENCE


def _http(action: Action) -> SimReply:
    retry = action.get(2, "retry_after")
    body = action.get(1, "body")
    kind = "text/html" if body.startswith("<") else "application/json"
    return SimReply(
        body,
        int(action.get(0, "status", "500")),
        {"Retry-After": retry} if retry else {},
        kind,
    )


def _value(name: str, text: str) -> Any:
    """A mutated field of an order, in its own type."""
    if name == "tif":
        return TimeInForce(text.upper())
    if name in ("post_only", "reduce_only"):
        return text.lower() == "true"
    return Decimal(text) if name in ("size", "price") else text
