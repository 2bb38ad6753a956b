"""A pair of true venues and a journal, with nobody between them: a bot's misdeeds by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal as D
from pathlib import Path
from typing import Any

from mpdex.lab.oracle import Oracle, Watch
from mpdex.lab.trail import Trail
from mpdex.lab.truth import LEGS, Leg, LegTruth, PairTruth
from mpdex.sim.exchange import Quote, SimExchange, SimMarket, SimOrder
from mpdex.types import TimeInForce
from mpdex.utils.clock import LoopClock
from mpdex.utils.journal import Journal
from mpdex.utils.virtual_loop import run_virtual

U = 10**8
SIZE = D("0.1")
ROLES: dict[Leg, str] = {"P": "primary", "H": "hedge"}
LOTS: dict[Leg, D] = {"P": D("0.01"), "H": D("0.001")}


def market(leg: Leg) -> SimMarket:
    lot = LOTS[leg]
    return SimMarket(symbol="ETH", coin="ETH", quote="USD", tick=D("0.01"), step=lot, min_size=lot)


@dataclass
class Bench:
    """Acts for a bot: `place` writes the intent and sends, `trade` books, as far as it is asked."""

    file: Path
    tags: frozenset[str] = frozenset()
    disk_fails: bool = False
    quiet_at: float = 0.0
    asked: int = 0
    alive: bool = True
    away: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.clock = LoopClock(asyncio.get_running_loop(), 10**18)
        self.journal = Journal(self.file, clock=self.clock, durable=False)
        legs: dict[Leg, LegTruth] = {}
        for leg in LEGS:
            exchange = SimExchange(leg, clock=self.clock, markets=[market(leg)])
            exchange.add_account("a", D(1_000_000))
            book = Quote([(2999 * U, 900 * U)], [(3001 * U, 900 * U)], True)
            exchange.on_quote("ETH", book)
            legs[leg] = LegTruth(exchange, "ETH")
        self.truth = PairTruth(legs)
        self.trail = Trail(self.file)
        watch = Watch(
            lambda: self.quiet_at,
            lambda: self.asked,
            lambda: self.alive,
            lambda leg, _: self.away.get(leg, 0.0),
        )
        self.oracle = Oracle(
            self.truth, self.trail, self.clock, watch, SIZE, self.tags, self.disk_fails
        )
        self.oracle.attach()

    def close(self) -> None:
        self.journal.close()
        self.oracle.close()
        for leg in LEGS:
            self.truth[leg].exchange.close()

    @property
    def found(self) -> list[str]:
        """Ids of what is violated so far."""
        return [violation.id for violation in self.oracle.violations]

    def place(
        self, leg: Leg, purpose: str, side: Any, size: str, *, intent: bool = True, price: str = ""
    ) -> SimOrder:
        """Means an order and sends it; a quote rests, everything else takes."""
        self.count += 1
        client_id = f"c{self.count}"
        if intent:
            self.write(
                "intent",
                role=ROLES[leg],
                purpose=purpose,
                client_id=client_id,
                side=side,
                size=size,
            )
        maker = purpose == "maker"
        best = {"buy": "2999", "sell": "3001"} if maker else {"buy": "3001", "sell": "2999"}
        order = SimOrder(
            account="a",
            symbol="ETH",
            side=side,
            size=D(size),
            price=D(price or best[side]),
            client_id=client_id,
            post_only=maker,
            tif=TimeInForce.GTC if maker else TimeInForce.IOC,
        )
        return self.truth[leg].exchange.place(order)

    def fill(self, order: SimOrder, size: str) -> None:
        self.truth["P"].exchange.fill(order, D(size))

    def cancel(self, order: SimOrder) -> None:
        self.truth["P"].exchange.cancel("a", order_id=order.order_id)

    def book(self, leg: Leg, **changes: Any) -> None:
        """Books every true execution of a venue, with `changes` to each line."""
        for fill in self.truth[leg].fills:
            line = {
                "role": ROLES[leg],
                "client_id": fill.order.client_id,
                "trade_id": str(fill.trade_id),
                "side": fill.order.side,
                "size": fill.size,
                "price": fill.price,
                "fee": fill.fee,
            }
            self.write("trade", **{**line, **changes})

    def hear(self, leg: Leg, order: SimOrder) -> None:
        """Writes an order report down."""
        self.write(
            "order",
            role=ROLES[leg],
            id=order.order_id,
            client_order_id=order.client_id,
            filled=order.filled,
            status=order.status.value,
        )

    def phase(self, before: str, after: str) -> None:
        self.write("note", text=f"{before} -> {after}: because")

    def write(self, kind: str, **fields: Any) -> None:
        self.journal.write(kind, **fields)

    def end(self, code: int = 0, **summary: Any) -> None:
        self.oracle.judge_end(code, summary, 1)


def on_bench(tmp_path: Path, play: Callable[[Bench], Any], **options: Any) -> list[str]:
    """What the oracle objects to after a play, by id, each once."""

    async def main() -> list[str]:
        bench = Bench(tmp_path / "events.jsonl", **options)
        try:
            done = play(bench)
            if asyncio.iscoroutine(done):
                await done
            return sorted(set(bench.found))
        finally:
            bench.close()

    return run_virtual(main())
