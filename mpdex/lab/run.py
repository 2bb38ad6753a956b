"""Plays a scenario: two simulated venues, the bot on top, faults in between, the oracle beside.

verdict = run_virtual(play(scenario, folder))
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpdex.lab.lab import Lab
from mpdex.lab.process import overheard
from mpdex.lab.scenario import Scenario
from mpdex.lab.source import LabMarket, read_market
from mpdex.lab.truth import LEGS, Leg, find_leg
from mpdex.lab.verdict import Verdict, outcome_of
from mpdex.sim.host import LIMITED
from mpdex.sim.moves import BasisLag
from mpdex.sim.run import EPOCH_NS, Running, start

__all__ = ["Lab", "Verdict", "play"]

GIVE_UP = 60.0  # simulated seconds from the operator's first signal to the end of his patience
_SIGNALS = 3
_WAITING = ("paused", "recovering", "halted exposed", "halted flat")


async def play(
    scenario: Scenario, logs: Path, *, ready: Callable[[Lab], None] | None = None
) -> Verdict:
    """Plays a scenario to its end, on a virtual loop.

    Args:
        logs: an empty folder for the bot's files.
        ready: called once the world stands, before the bot's first start; for what no rule says.

    Raises: UsageError for a scenario that cannot be set up.
    """
    options = _market(scenario)
    world = await start(
        [scenario.primary, scenario.hedge],
        seed=scenario.seed,
        coins=[scenario.ticker],
        **options,
    )
    async with world:
        _arrange(scenario, world)
        lab = Lab(scenario, logs, world)
        lab.oracle.attach()
        if ready is not None:
            ready(lab)
        try:
            with lab.disk.watched(), overheard() as said:
                verdict = await _supervise(lab)
            _judge(lab, verdict, said.getvalue())
        finally:
            lab.timers.close()
            lab.oracle.close()
    return verdict


def _market(scenario: Scenario) -> dict[str, Any]:
    """What drives both venues."""
    told = read_market(scenario.source, seed=scenario.seed, ticker=scenario.ticker)
    source = told.get("source")
    if isinstance(source, LabMarket) and source.brisk:
        hedge = BasisLag(source.untraded(), scenario.basis_bps, scenario.lag_ms)
        return {"source": {scenario.primary: source, scenario.hedge: hedge}}
    return {"basis_bps": scenario.basis_bps, "lag_ms": scenario.lag_ms, **told}


def _arrange(scenario: Scenario, world: Running) -> None:
    """Markets and positions as the scenario wants them, before anybody looks."""
    for leg in LEGS:
        exchange = world.exchanges[scenario.roles[leg]]
        symbol = find_leg(exchange, scenario.ticker).symbol
        if leg in scenario.markets:
            exchange.change_market(symbol, **scenario.markets[leg])
        if scenario.baseline.get(leg):
            account = next(iter(exchange.accounts))
            exchange.manual_trade(account, symbol, scenario.baseline[leg])


async def _supervise(lab: Lab) -> Verdict:
    """Starts the bot, and again after each crash, as a supervisor would."""
    verdict = Verdict(scenario=lab.scenario, truth=lab.truth, trail=lab.trail)
    clock = lab.clock
    _watch(lab, verdict)
    while True:
        code, summary = await lab.run_bot()
        verdict.exit_codes.append(code)
        verdict.summary = summary
        if code is not None or verdict.outcome or lab.starts > lab.scenario.restarts:
            break
        await asyncio.sleep(lab.scenario.restart_after)
        lab.faults.restarted()
    verdict.seconds = clock.monotonic()
    return verdict


def _watch(lab: Lab, verdict: Verdict) -> None:
    """The operator's patience: a run that does not end is asked to, then killed.

    One that waits for a fault to end may have to be asked; one that trades must end by itself.
    """

    def ask() -> None:
        lab.trail.read()
        if lab.trail.phase not in _WAITING:
            limit = lab.scenario.limit
            lab.oracle.violate("END", f"it had not ended after {limit:.0f} s")
        for number in range(_SIGNALS):
            lab.after(number * GIVE_UP / _SIGNALS, lambda: lab.stop.ask())
        lab.after(GIVE_UP, give_up)

    def give_up() -> None:
        verdict.outcome = "endless"
        lab.oracle.violate("END", "it did not end when it was told to")
        lab.kill()

    lab.after(lab.scenario.limit, ask)


def _judge(lab: Lab, verdict: Verdict, printed: str) -> None:
    oracle, world = lab.oracle, lab.world
    oracle.judge_end(verdict.exit_code, verdict.summary, lab.starts)
    limited = sum(n for (_, _, op), n in world.counts.items() if op == LIMITED)
    oracle.judge_requests(limited, any("429" in rule for rule in lab.scenario.rules))
    secrets = [key for leg in LEGS for key in _secrets(lab, leg)]
    texts = [*_texts(lab.logs), ("what it printed", printed)]
    oracle.judge_secrets(texts, [*secrets, *lab.scenario.planted])
    verdict.violations = oracle.violations
    verdict.worst, verdict.to_flat = oracle.seen.worst, oracle.seen.to_flat
    if oracle.seen.exposed_since is not None:
        verdict.to_flat = max(verdict.to_flat, verdict.seconds - oracle.seen.exposed_since)
    verdict.counts = world.counts
    verdict.fired = {rule.text: rule.fired for rule in world.faults.rules}
    epoch = EPOCH_NS
    verdict.phases = [((at - epoch) / 1e9 if at else 0.0, name) for at, name in lab.trail.phases]
    verdict.tail = list(lab.trail.tail)
    verdict.outcome = verdict.outcome or outcome_of(verdict, lab.began or 0.0)


def _secrets(lab: Lab, leg: Leg) -> list[str]:
    keys = [key for name, key in lab.keys(leg).items() if "key" in name and len(key) > 12]
    return [*keys, *lab.world.venues[lab.venue(leg)].issued()]


def _texts(folder: Path) -> list[tuple[str, str]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [(path.name, path.read_text(errors="replace")) for path in files]
