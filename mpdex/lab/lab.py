"""One scenario under way: the world, the truth of the pair, the bot's life, and the judge.

The bot is `strategies.hedge.run_hedge` on exchange objects of the factory, as a user runs it; a
crash abandons both, and the next start makes new ones on the same folder.
"""

from __future__ import annotations

import asyncio
import os
import random
import warnings
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

from exchange_factory import create_exchange
from mpdex.errors import MpdexError, UsageError
from mpdex.lab.names import Names
from mpdex.lab.oracle import ROLES, Oracle, Watch
from mpdex.lab.process import BOT, Disk, Files, shut_sockets, suspend
from mpdex.lab.scenario import Scenario
from mpdex.lab.trail import Trail
from mpdex.lab.truth import LEGS, Leg, LegTruth, PairTruth, find_leg
from mpdex.sim.fault_rules import Action, Rule
from mpdex.sim.faults import FaultBook, shift_clock
from mpdex.sim.models import Timers
from mpdex.sim.records import ZERO, SimOrder
from mpdex.sim.run import EPOCH_NS, Running
from mpdex.sim.venue import SimRequest
from mpdex.utils.clock import LoopClock
from multi_perp_dex import Exchange
from strategies.hedge import Stop, run_hedge

_DOWN_SECONDS = 2.0  # of simulated time that the remains of a killed bot may take to fall down
_UNTIMED_QUOTE, _UNTIMED_PAUSE = 2, 0.05  # which quote, and seconds after it came
_LATEST_BEGIN, _LATEST_RELEASE = 20.0, 60.0  # seconds after the start, quotes or none


class Lab:
    """A scenario while it is played; handed to hooks.

    Attributes:
        world: the simulated venues.
        truth: both legs as they truly are.
        oracle, trail: the judge, and the journal as read from the disk.
        bot_clock: the bot's own; `clock` rules shift it.
        stop: the operator's signal to the bot that runs now.
        starts: how often the bot has been started.
        began: simulated seconds at which the first quote arrived; None: none has.
    """

    def __init__(self, scenario: Scenario, logs: Path, world: Running) -> None:
        self.scenario = scenario
        self.logs = logs
        self.world = world
        logs.mkdir(parents=True, exist_ok=True)
        self.config = scenario.options(logs)
        self.clock = world.clock
        self.bot_clock = LoopClock(asyncio.get_running_loop(), EPOCH_NS)
        self.stop = Stop()
        self.starts = 0
        self.began: float | None = None
        self.timers = Timers()
        self.disk = Disk(self._at_journal)
        self.trail = Trail(logs / f"{self.config.stem}_events.jsonl")
        self.truth = PairTruth({leg: self._leg(leg) for leg in LEGS})
        self.oracle = Oracle(
            self.truth,
            self.trail,
            world.clock,
            Watch(
                lambda: self.faults.acting_until,
                self._asked,
                lambda: self.alive,
                self._cut_off,
            ),
            scenario.size,
            scenario.tags,
            disk_fails=any(rule.venue == "disk" for rule in scenario.parsed()),
        )
        self._life: asyncio.Timeout | None = None
        self._files: Files | None = None
        self._served: set[int] = set()
        self._hushed = ExitStack()
        self._torn = 0  # bytes that the next crash takes off the journal
        self._meant: dict[str, str] = {}  # client id -> purpose, of intents that were written
        self._acked: set[str] = set()
        self._named: dict[tuple[str, str], str] = {}  # (role, id of the venue) -> our id
        self._quotes = 0
        self.faults.perform_process = self._perform
        self.faults.wait()
        self.after(_LATEST_BEGIN, self.faults.begin)
        self.after(_LATEST_RELEASE, self.faults.release)
        self.faults.clip = scenario.size
        self.faults.purpose_of = self._purpose_of
        self.faults.add("\n".join(scenario.rules))
        for leg, role in ROLES.items():
            host = world.server.hosts[self.venue(leg)]
            Names(self.trail, role, host)
            host.arrivals.append(self._arrived)

    # ----------------------------------------------------------------- for hooks

    @property
    def faults(self) -> FaultBook:
        return self.world.faults

    @property
    def alive(self) -> bool:
        """Whether a bot is running."""
        return self._life is not None and self._files is None

    def venue(self, leg: Leg) -> str:
        return self.scenario.roles[leg]

    def after(self, seconds: float, call: Callable[[], object]) -> None:
        """Call once, so many simulated seconds from now."""
        self.timers.after(seconds, call)

    def own(self, order: SimOrder) -> SimOrder:
        """Place an order of somebody else on the account; the oracle does not count it as ours."""
        leg: Leg = "P" if order.symbol == self.truth["P"].symbol else "H"
        exchange = self.truth[leg].exchange
        order.order_id = order.order_id or f"99{len(self.oracle.foreign):06d}"
        self.oracle.foreign.add(order.order_id)
        return exchange.place(order)

    def _leg(self, leg: Leg) -> LegTruth:
        config, scenario = self.config, self.scenario
        symbol = config.primary_symbol if leg == "P" else config.hedge_symbol
        exchange = self.world.exchanges[scenario.roles[leg]]
        return find_leg(exchange, scenario.ticker, symbol, scenario.baseline.get(leg, ZERO))

    def _asked(self) -> int:
        return sum(host.asked for host in self.world.server.hosts.values())

    def _cut_off(self, leg: Leg, at_ns: int) -> float:
        """Seconds for which no private stream of a venue had been open at a time."""
        for began, ended in self.world.server.hosts[self.venue(leg)].cut_off:
            if began <= at_ns < ended:
                return (at_ns - began) / 1e9
        return 0.0

    # ----------------------------------------------------------------- the life of a bot

    async def run_bot(self) -> tuple[int | None, dict[str, Any]]:
        """Starts the bot and waits for its end; (None, {}) if it was killed."""
        self.starts += 1
        self.stop = Stop()
        self.trail.closed = False
        token = BOT.set(True)
        try:
            async with asyncio.timeout(None) as self._life:
                return await self._run_hedge()
        except MpdexError as error:
            return (2 if isinstance(error, UsageError) else 3), {"reason": str(error)}
        except BaseException:
            if self._files is None:
                raise
            return None, {}
        finally:
            BOT.reset(token)
            self._life = None
            self._bury()

    async def _run_hedge(self) -> tuple[int, dict[str, Any]]:
        async with AsyncExitStack() as stack:
            dexes: list[Exchange] = []
            for leg in LEGS:
                params = {**self.keys(leg), "endpoints": self.world.endpoints[self.venue(leg)]}
                rng = random.Random(f"{leg} {self.scenario.seed} {self.starts}")
                dex = await create_exchange(
                    self.venue(leg),
                    params,
                    clock=self.bot_clock,
                    rng=rng,
                    exclusive=self.config.exclusive,
                )
                stack.push_async_callback(self._close, dex)
                dexes.append(dex)
            result = await run_hedge(
                self.config,
                *dexes,
                clock=self.bot_clock,
                rng=random.Random(self.scenario.seed + self.starts),
                stop=self.stop,
                secrets=[key for dex in dexes for key in dex.keys.values()],
            )
        return result.exit_code, result.summary

    async def _close(self, dex: Exchange) -> None:
        try:
            async with asyncio.timeout(_DOWN_SECONDS):
                await dex.close()
        except TimeoutError:
            if self._files is None:
                raise

    def keys(self, leg: Leg) -> dict[str, str]:
        venue = self.venue(leg)
        return {**self.world.credentials[venue], **self.scenario.credentials.get(leg, {})}

    def kill(self) -> None:
        """The process is gone at this instant."""
        if self._life is None or self._files is not None:
            return
        self.trail.read()
        self.trail.closed = True
        self._files = Files(self.logs)
        self._hush()
        hosts = self.world.server.hosts.values()
        self._served = shut_sockets(host.port for host in hosts)
        for host in hosts:
            host.serves = lambda port: port in self._served
        self._life.reschedule(asyncio.get_running_loop().time())

    def _hush(self) -> None:
        """Python warns of coroutines that will never run; a killed process has no such worries."""
        caught = self._hushed.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", RuntimeWarning)
        del caught

    def _bury(self) -> None:
        if self._files is None:
            return
        self._files.put_back()
        if self._torn and self.trail.file.exists():
            os.truncate(self.trail.file, max(self.trail.file.stat().st_size - self._torn, 0))
        self._torn = 0
        self._files = None
        for host in self.world.server.hosts.values():
            host.serves = lambda _: True

    # ----------------------------------------------------------------- points and process rules

    def _at_journal(self, when: str, kind: str, fields: dict[str, Any]) -> None:
        match when, kind:
            case "before", "intent":
                self._reach("before_journal", fields["purpose"])
            case "after", "intent":
                self._meant[fields["client_id"]] = fields["purpose"]
                self._reach("after_journal", fields["purpose"])
            case "after", "order":
                client_id = fields.get("client_order_id") or ""
                self._named[fields["role"], fields["id"]] = client_id
                if client_id in self._meant and client_id not in self._acked:
                    self._acked.add(client_id)
                    self._reach("after_ack", self._meant[client_id])
            case "after", "fill":
                named = self._named.get((fields["role"], fields["order_id"]), "")
                purpose = self._meant.get(fields.get("client_order_id") or named, "")
                self._reach("after_fill_recv", purpose)

    def _purpose_of(self, _venue: str, client_id: str) -> str:
        return self._meant.get(self.trail.aliases.get(client_id, client_id), "")

    def _arrived(self, venue: str, op: str, request: SimRequest) -> None:
        if op == "place":
            client_id = self.world.server.hosts[venue].client_id_of(request)
            purpose = self._purpose_of(venue, client_id)
            self._reach("after_send", purpose)
            self._count_quotes(purpose)
            if venue == self.scenario.hedge:
                self._reach("after_hedge_send", purpose)
        elif op == "query_fills":
            others = [r for r in self.faults.rules if r.process and r.op not in ("in_recovery",)]
            if not any(_kills(rule) and not rule.fired for rule in others):
                self._reach("in_recovery", "")

    def _count_quotes(self, purpose: str) -> None:
        """Times count from the first quote; what says no time waits until the second rests."""
        if purpose != "maker":
            return
        self._quotes += 1
        if self._quotes == 1:
            self.began = self.clock.monotonic()
            self.faults.begin()
        elif self._quotes == _UNTIMED_QUOTE:
            self.after(_UNTIMED_PAUSE, self.faults.release)

    def _reach(self, point: str, purpose: str) -> None:
        if not self.alive or self.faults.idle:
            return
        words = frozenset({purpose} if purpose else ())
        for action in self.faults.reached(point, words):
            self._strike(action)

    def _perform(self, rule: Rule, action: Action, begins: bool) -> None:
        """A process rule that acts at its time."""
        match rule.venue, action.name:
            case "clock", _:
                if begins:
                    shift_clock(self.bot_clock, action)
                else:
                    self.bot_clock.skew_ns = 0
            case _, "full" | "readonly":
                text = "No space left on device" if action.name == "full" else "Read-only file"
                self.disk.full = text if begins else None
            case _, "tear":
                self._torn = int(action.get(0, "n", "40"))
            case _ if begins:
                self._strike(action)

    def _strike(self, action: Action) -> None:
        if action.name == "suspend":
            hosts = self.world.server.hosts.values()
            suspend(action.seconds(), [host.port for host in hosts])
        elif action.name == "crash" or action.get(0, "name") == "KILL":
            self.kill()
        else:
            self.stop.ask()


def _kills(rule: Rule) -> bool:
    return any(a.name == "crash" or a.get(0, "name") == "KILL" for a in rule.actions)
