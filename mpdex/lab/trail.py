"""The journal on disk, as somebody else reads it while the bot writes: what was intended, and when.

The oracle needs it for four questions: was the order meant (O6), what does the bot believe it
traded (O5), in what phase was it (O7, O2), and whom did it call (O2). Nothing of the bot's memory
is read.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from mpdex.sim.records import SimOrder
from mpdex.types import OrderStatus

_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_MOVED = re.compile(
    r"^([a-z ]+) -> (reconciling|preflight|running|paused|recovering|reducing|draining|stopped"
    r"|halted flat|halted exposed): "
)


_NEUTRAL = ("hedge", "unwind")
_ENDED = frozenset(status.value for status in OrderStatus if status.terminal)


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that was meant to be sent.

    Attributes:
        role: "primary" or "hedge".
        owed: net coins of the executions that the bot had written down by then.
        in_flight: whether an order that makes neutral had been sent and not been heard to end.
    """

    client_id: str
    role: str
    purpose: str
    side: str
    size: Decimal
    at_ns: int
    owed: Decimal
    in_flight: bool


@dataclass(slots=True)
class Trail:
    """What the lines say so far.

    Attributes:
        phases: (time, phase), oldest first.
        trades: booked executions by (role, client id, trade id), whichever session wrote them; the
            trade id is "" for what only an order's report told of.
        tail: the last lines as they stand in the file.
        aliases: the bot's client id by the one that an order bears at a venue that takes none.
    """

    file: Path
    intents: dict[str, Intent] = field(default_factory=dict)
    phases: list[tuple[int, str]] = field(default_factory=list)
    trades: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    halts: list[dict[str, Any]] = field(default_factory=list)
    finishes: list[dict[str, Any]] = field(default_factory=list)
    sessions: int = 0
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    aliases: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    _told: dict[str, Decimal] = field(default_factory=dict)  # client id -> signed coins
    _fills: dict[tuple[str, str], str] = field(default_factory=dict)
    _by_fills: dict[str, Decimal] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)  # venue's id -> client id
    _sent: set[str] = field(default_factory=set)  # what makes neutral and has not ended
    _offset: int = 0

    def read(self) -> None:
        """Takes in what was added since the last time; nothing while `closed`."""
        if self.closed:
            return
        try:
            with self.file.open("rb") as file:
                file.seek(self._offset)
                added = file.read()
        except FileNotFoundError:
            return
        whole = added.rfind(b"\n") + 1
        self._offset += whole
        for raw in added[:whole].splitlines():
            self._take(raw)

    def _take(self, raw: bytes) -> None:
        try:
            line = _decode(raw)
        except msgspec.MsgspecError:
            return  # a torn line of a crash
        self.tail.append(raw.decode(errors="replace"))
        match line.get("kind"):
            case "intent":
                self._intent(line)
            case "order":
                self._order(line)
            case "fill":
                self._fill(line)
            case "external":  # taken over from somebody else's trade, in all
                taken = (Decimal(size) for size, _ in line["adopted"].values())
                self._told["external"] = sum(taken, Decimal(0))
            case "refused":
                self._sent.discard(line["client_id"])
            case "note":
                self._note(line)
            case "trade":
                self.trades[line["role"], line["client_id"], str(line["trade_id"])] = line
            case "alarm":
                self.alarms.append(line)
            case "halt":
                self.halts.append(line)
            case "finish":
                self.finishes.append(line)
            case "session":
                self.sessions += 1

    def _intent(self, line: dict[str, Any]) -> None:
        self.intents[line["client_id"]] = Intent(
            line["client_id"],
            line["role"],
            line["purpose"],
            line["side"],
            Decimal(line["size"]),
            line["ts_ns"],
            abs(sum(self._told.values(), Decimal(0))),
            bool(self._sent),
        )
        if line["purpose"] in _NEUTRAL:
            self._sent.add(line["client_id"])

    def _order(self, line: dict[str, Any]) -> None:
        client_id = line.get("client_order_id") or self._ids.get(line["id"], "")
        if client_id not in self.intents:
            return
        if line["id"]:
            self._ids[line["id"]] = client_id
        self._learn(client_id, Decimal(line["filled"]))
        if line["status"] in _ENDED:
            self._sent.discard(client_id)

    def _fill(self, line: dict[str, Any]) -> None:
        client_id = line.get("client_order_id") or self._ids.get(line["order_id"], "")
        known = (line["role"], str(line["id"]))
        if client_id in self.intents and known not in self._fills:
            self._fills[known] = client_id
            told = self._by_fills.get(client_id, Decimal(0)) + Decimal(line["size"])
            self._by_fills[client_id] = told
            self._learn(client_id, told)

    def _learn(self, client_id: str, filled: Decimal) -> None:
        """The larger of what fills and reports say."""
        size = max(filled, abs(self._told.get(client_id, Decimal(0))))
        self._told[client_id] = size if self.intents[client_id].side == "buy" else -size

    def _note(self, line: dict[str, Any]) -> None:
        found = _MOVED.match(line.get("text", ""))
        if found:
            if not self.phases:
                self.phases.append((0, found[1]))
            self.phases.append((line["ts_ns"], found[2]))

    def name_of(self, order: SimOrder) -> str:
        """The client id by which the bot knows an order; "" or somebody else's if it does not."""
        return self.aliases.get(order.client_id, order.client_id)

    def intent_of(self, order: SimOrder) -> Intent | None:
        """None: it is not the bot's, or was never written down."""
        return self.intents.get(self.name_of(order))

    def phases_at(self, at_ns: int) -> set[str]:
        """The phase at a time; every one of that very instant, for notes are written a turn late.

        Empty where nothing was noted yet.
        """
        found: set[str] = set()
        for when, phase in self.phases:
            if when < at_ns:
                found = {phase}
            elif when == at_ns:
                found.add(phase)
        return found

    @property
    def phase(self) -> str:
        return self.phases[-1][1] if self.phases else ""

    def booked(self, role: str) -> list[dict[str, Any]]:
        """The executions on one venue as the bot has them."""
        return [trade for trade in self.trades.values() if trade["role"] == role]


def signed_size(trade: dict[str, Any]) -> Decimal:
    size = Decimal(trade["size"])
    return size if trade["side"] == "buy" else -size


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Every line that can be read."""
    for raw in file.read_bytes().splitlines():
        try:
            yield _decode(raw)
        except msgspec.MsgspecError:
            continue
