"""How a fault bends one request: what happens before, instead of, and after the venue's handler.

A `Job` is one request on its way, by REST or over a socket. Everything here is callbacks and
timers, so that a request can be late without anybody waiting for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from mpdex.sim.exchange import SimExchange, SimMarket, Twist
from mpdex.sim.fault_rules import Action, phase_of
from mpdex.sim.fault_words import (
    CONNECTION_ACTIONS,
    TRUTH_ACTIONS,
    parse_number,
    parse_seconds,
    parse_size,
)
from mpdex.sim.models import Timers
from mpdex.sim.records import SimOrder
from mpdex.sim.stream_faults import bend_answer
from mpdex.sim.truth_acts import Measures, fill_order
from mpdex.sim.venue import SimReply, SimRequest, SimVenue
from mpdex.types import Json, OrderStatus, TimeInForce

# Names of other vocabularies for the classes that a venue can render.
CLASSES = {"VENUE_MODE": "MARKET_STATE", "LIMIT": "OI_CAP"}
_AROUND = (TRUTH_ACTIONS | CONNECTION_ACTIONS) - {"fill", "drop_order"}
_BEFORE_CANCEL = ("after_cancel_send", "now")
_FIELD = {"qty": "size", "cid": "client_id", "expires": "expires_ns", "px": "price"}
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
    """Performs jobs of one venue under the actions that faults ask for.

    Args:
        act: performs what is done to a connection, to the truth, or on the other venue.
        units: what min_P, min_H, lot_P and lot_H are now.
    """

    def __init__(
        self,
        venue: SimVenue,
        timers: Timers,
        rng: random.Random,
        act: Callable[[Job, Action], None],
        units: Callable[[], Mapping[str, Decimal]],
    ) -> None:
        self._venue = venue
        self._exchange: SimExchange = venue.exchange
        self._timers = timers
        self._rng = rng
        self._act = act
        self._units = units

    def perform(self, job: Job, actions: Sequence[Action]) -> None:
        """Let a job happen; plain when there are no actions."""
        if not actions:
            job.done(job.act())
            return
        named = {action.name: action for action in actions}
        delay = named.get("delay")
        if delay is None:
            self._now(job, actions, named)
        elif delay.get(1, "land", "true").lower() == "false":
            self._timers.after(delay.seconds(), lambda: job.done(Lost.RESET))
        else:
            self._timers.after(delay.seconds(), lambda: self._now(job, actions, named))

    def _now(self, job: Job, actions: Sequence[Action], named: dict[str, Action]) -> None:
        for action in actions:
            if action.venue or action.name in _AROUND:
                self._act(job, action)
        if "drop_request" in named:
            job.done(_lost(named["drop_request"]))
            return
        instead = self._instead(job, named)
        if instead is not None and not self._accepts(named.get("http") or named.get("reject")):
            job.done(instead)
            return
        answer = self._acted(job, actions, named)
        if "drop_response" in named:
            answer = _lost(named["drop_response"])
        self._answer(job, answer if instead is None else instead, named)

    def _answer(self, job: Job, answer: Json | Lost, named: dict[str, Action]) -> None:
        late = named["stale_snapshot"].seconds() if "stale_snapshot" in named else 0.0
        if late:
            self._timers.after(late, lambda: job.done(answer))
        else:
            job.done(answer)

    def _instead(self, job: Job, named: dict[str, Action]) -> SimReply | None:
        """An answer that is not the handler's."""
        if "reject" in named:
            reject = named["reject"]
            kind, code = reject.get(0, "class", "PERMISSION"), reject.get(1, "code")
            return self._venue.render_reject(job.request, CLASSES.get(kind, kind), code)
        if "not_found" in named:
            return self._venue.render_reject(job.request, "NOT_FOUND", "")
        return _http(named["http"]) if "http" in named else None

    def _accepts(self, error: Action | None) -> bool:
        """Whether the venue acts although it answers with an error: true, false or a chance."""
        chance = error.named.get("accept", "false").lower() if error else "false"
        if chance in ("true", "false"):
            return chance == "true"
        return self._rng.random() < float(parse_number(chance))  # chance

    def _acted(self, job: Job, actions: Sequence[Action], named: dict[str, Action]) -> Json:
        """Run the handler with the truth bent as asked."""
        target = self._target(job) if job.op == "cancel" else None
        for action in actions:
            if action.name == "fill" and phase_of(action) in _BEFORE_CANCEL and target is not None:
                self._fill(action, target)
        self._exchange.twist = self._twist(job, named)
        try:
            answer = job.act()
            if "duplicate" in named:
                job.act()
        finally:
            self._exchange.twist = Twist()
        placed = self._exchange.newest if job.op == "place" else target
        for action in actions:
            if action.name == "fill":
                self._fill_after(action, placed)
        if "mutate" in named and job.op != "place":
            answer = bend_answer(answer, named["mutate"], self._venue)
        return answer

    def _fill_after(self, action: Action, order: SimOrder | None) -> None:
        if order is None:
            return
        match phase_of(action):
            case "before_place_ack":
                self._fill(action, order)
            case "now" if order is self._exchange.newest and not order.reason:
                self._fill(action, order)
            case "resting" | "after_cancel_ack":
                pause = action.seconds(2, "after", str(int(RESTING_AFTER * 1000)))
                self._timers.after(pause, lambda: self._fill(action, order))

    def _fill(self, action: Action, order: SimOrder) -> None:
        """Late fills of a canceled order happen; a refused one never was in the book, whatever its
        end is called."""
        if order.status is OrderStatus.REJECTED or order.reason == "post_only":
            return
        fill_order(self._exchange, order, action, Measures(order.size, self._units()))

    def _twist(self, job: Job, named: dict[str, Action]) -> Twist:
        twist = Twist()
        if "mutate" in named and job.op == "place":
            twist.fields = self._mutated(named["mutate"], job)
        twist.lose_order = job.op == "place" and not named.keys().isdisjoint(
            ("drop_order", "ack_ok")
        )
        twist.keep_on_cancel = job.op == "cancel" and not named.keys().isdisjoint(
            ("keep", "ack_ok")
        )
        twist.keep_leverage = not named.keys().isdisjoint(("ignore", "ack_ok", "keep"))
        if "ack_then" in named:
            fate = named["ack_then"]
            event = fate.get(0, "event", "rejected").lower()
            if event == "none":
                twist.lose_order = True
            else:
                twist.fate = (OrderStatus(event), fate.seconds(1, "ms"))
        if "page" in named:
            twist.page = int(named["page"].get(0, "n", "1"))
        if "empty" in named:
            twist.as_of_ns = 0
        if "stale" in named:
            age = named["stale"].seconds()
            twist.as_of_ns = self._exchange.clock.now_ns() - int(age * 1e9)
        return twist

    def _mutated(self, action: Action, job: Job) -> dict[str, Any]:
        """Fields of the order as the venue takes it."""
        said = self._venue.describe(job.request)
        market = self._exchange.markets.get(said.get("symbol", ""))
        now = self._exchange.clock.now_ns()
        return {
            _FIELD.get(name, name): _value(name, text, said, market, now)
            for name, text in action.named.items()
        }

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


def _value(
    name: str, text: str, said: Mapping[str, str], market: SimMarket | None, now_ns: int
) -> Any:
    """A mutated field of an order, in its own type."""
    match _FIELD.get(name, name):
        case "tif":
            return TimeInForce(text.upper())
        case "post_only" | "reduce_only":
            return text.lower() == "true"
        case "expires_ns":
            return now_ns + int(parse_seconds(text) * 1e9)
        case "size" if text == "floor" and market is not None:
            return max(Decimal(said["size"]) // (10 * market.step) * 10 * market.step, market.step)
        case "size":
            return parse_size(text, Decimal(said.get("size") or 0))
        case "price":
            return Decimal(text)
    return text
