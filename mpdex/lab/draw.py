"""Random mixtures of faults: some rules of the matrix's first tier, at random times.

A scenario is a function of its seed alone, so a failing seed is a regression by itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from mpdex.lab.scenario import Scenario, make

MOST_RULES = 4
_PATIENCE = 300  # simulated seconds for what the faults may hold up
_SPAN = 0.8  # seconds of trading in which a cycle of the quick market is over, about


class Draw(NamedTuple):
    """A rule of the matrix with its numbers left open.

    Attributes:
        row: of the fault matrix.
        text: `{n}` which request, `{w}` a window, `{s}` some seconds, `{leg}` P or H, `{q}` a part.
        tag: what the oracle must allow, "" for nothing.
    """

    row: str
    text: str
    tag: str = ""


TABLE: tuple[Draw, ...] = (
    Draw("OE-01", "{leg}.place.nth({n}) -> drop_response"),
    Draw("OE-01", "{leg}.place.nth({n}) -> drop_response(reset)"),
    Draw("OE-01", "{leg}.place.nth({n}) -> http(502, '<html>bad gateway</html>', accept=true)"),
    Draw("OE-02", "{leg}.place.nth({n}) -> drop_request"),
    Draw("OE-03", "P.place.nth({n}) -> delay({ms}, land=true)"),
    Draw("OE-05", "P.place.nth({n}) -> ack_then(REJECTED, 300)"),
    Draw("OE-05", "P.place.nth({n}) -> ack_then(none)"),
    Draw("OE-06", "{leg}.place.nth({n}) -> http(200, '<html>maintenance</html>')"),
    Draw("OE-06", "{leg}.place.nth({n}) -> http(200, '{{\"code\": 1}}', accept=true)"),
    Draw("OE-07", "P.place.nth({n}) -> reject(POST_ONLY)"),
    Draw("OE-08", "P.place.{w} -> reject(POST_ONLY)"),
    Draw("OE-10", "P.place.nth({n}) -> reject(DUPLICATE_CID)"),
    Draw("OE-11", "H.place.nth({n}) -> reject(NONCE)"),
    Draw("OE-12", "P.cancel.nth({c}) -> ack_ok + truth keep"),
    Draw("OE-12", "P.cancel.nth({c}) -> ack_ok + truth keep, fill({q}, at=after_cancel_ack)"),
    Draw("OE-13", "P.cancel.nth({c}) -> reject(NOT_FOUND), fill({q}, at=after_cancel_send)"),
    Draw("OE-14", "P.place.nth({n}) -> delay(800)"),
    Draw("OE-15", "P.cancel.nth({c}) -> drop_response"),
    Draw("OE-15", "P.cancel.nth({c}) -> drop_request"),
    Draw("OE-22", "P.cancel_all.{w}"),
    Draw("FL-01", "P.place.nth({n}) -> fill({q}, at=resting)"),
    Draw("FL-03", "P.place.every(3) -> fill({q}, at=resting)"),
    Draw("FL-04", "P.ws_private.fill.nth({n}) -> lose(1)"),
    Draw("FL-05", "P.cancel.nth({c}) -> fill(q, at=after_cancel_send)"),
    Draw("FL-06", "P.cancel.nth({c}) -> fill({q}, at=after_cancel_ack)", "contradiction"),
    Draw("FL-07", "P.place.nth({n}) -> fill({q}, at=before_place_ack), delay(500)"),
    Draw("FL-09", "{leg}.ws_private.fill.nth({n}) -> duplicate(1)"),
    Draw("FL-10", "{leg}.ws_private.{w} -> duplicate(FILLED)"),
    Draw("FL-12", "{leg}.ws_private.{w} -> reorder(5)"),
    Draw("FL-14", "P.manual_trade(+size).{w}", "external"),
    Draw("FL-15", "{leg}.ws_private.fill.nth({n}) -> lose(1)"),
    Draw("FL-17", "P.place.nth({n}) -> fill(q/10, at=resting) x 10 at 5ms"),
    Draw("FL-19", "{leg}.query_fills -> page(2)"),
    Draw("HG-02", "H.place.nth({n}) -> reject(MARGIN)"),
    Draw("HG-03", "H.place.nth({n}) -> move({bps})"),
    Draw("HG-04", "H.place.nth({n}) -> thin(0.3q, 2s)"),
    Draw("HG-05", "H.place.nth({n}) -> mutate(tif=GTC)"),
    Draw("HG-08", "H.ws_private.{w} -> silence({s}s)"),
    Draw("HG-09", "H.place.nth({n}) -> reject(PRICE_BAND)"),
    Draw("HG-10", "H.halt(post_only).{w}"),
    Draw("HG-11", "P.trade.nth({n}) -> H.thin(0, {s}s)"),
    Draw("HG-12", "P.trade.nth({n}) -> H.halt(down, {s}s)"),
    Draw("HG-13", "H.place.{w} -> http(500, accept=0.5)"),
    Draw("HG-14", "X.halt(down).{w}"),
    Draw("HG-15", "H.place.nth({n}) -> delay(9000, land=true)"),
    Draw("HG-16", "H.place.nth({n}) -> reject(PERMISSION)"),
    Draw("HG-19", "H.place.{w} -> delay(3000)"),
    Draw("HG-22", "{leg}.query_positions.{w} -> stale(10s)"),
    Draw("WS-01", "P.ws_private.{w} -> disconnect({s}s)"),
    Draw("WS-02", "H.place.nth({n}) -> ws_private.disconnect(4s)"),
    Draw("WS-03", "{leg}.ws_private.{w} -> silence(60s)"),
    Draw("WS-06", "{leg}.ws_private.{w} -> disconnect(500ms)"),
    Draw("WS-07", "{leg}.ws_private.{w} -> disconnect(0) x 2 at 10ms"),
    Draw("WS-08", "X.ws_*.{w} -> disconnect({s}s)"),
    Draw("WS-11", "{leg}.ws_private.nth({n}) -> corrupt(1)"),
    Draw("RL-02", "H.place.nth({n}) -> http(429, retry_after=1)"),
    Draw("RL-03", "P.cancel.{w} -> http(429)"),
    Draw("RL-07", "{leg}.query_positions.{w} -> stale(5s)"),
    Draw("RL-08", "{leg}.query_positions.{w} -> http(500)"),
    Draw("RL-08", "{leg}.query_positions.{w} -> http(200, 'null')"),
    Draw("RL-09", "{leg}.query_*.{w} -> delay(8000)"),
    Draw("RL-12", "{leg}.query_order.{w} -> stale(3s)"),
    Draw("AU-01", "P.trade.nth({n}) -> {leg}.expire"),
    Draw("MD-01", "{leg}.ws_public.book.nth({n}) -> gap(1)"),
    Draw("MD-03", "{leg}.ws_public.book.{w} -> mutate(bid>=ask)"),
    Draw("MD-04", "{leg}.ws_public.{w} -> silence({s}s)"),
    Draw("MD-05", "{leg}.thin(0, buy).{w}"),
    Draw("MD-06", "{leg}.ws_public.{w} -> disconnect(1s)"),
    Draw("MD-07", "H.move({bps}).{w}"),
    Draw("PR-02", "proc.crash(after_fill_recv).nth({n})"),
    Draw("PR-03", "proc.crash(after_send).nth({n})"),
    Draw("PR-03", "proc.crash(after_journal).nth({n})"),
    Draw("PR-04", "proc.crash(after_hedge_send).nth({n})"),
    Draw("PR-07", "proc.suspend({s}s).{w}"),
    Draw("PR-08", "clock.step({ms}).{w}"),
    Draw("PR-09", "disk.full.{w}"),
    Draw("AC-01", "{leg}.liquidate(all).{w}", "external"),
    Draw("AC-02", "{leg}.adl(0.4q).{w}", "external"),
    Draw("AC-06", "X.move(+300).{w}"),
)
_MOST_CRASHES = 2  # the third within ten minutes is refused, and rightly


def draw(seed: int, *, cycles: int = 50) -> Scenario:
    """The scenario of a seed: none to four rules of the table, at random times."""
    rng, chosen = rows_of(seed)
    span = cycles * _SPAN
    return make(
        name=f"seed-{seed}",
        rules=[_filled(d.text, rng, span, cycles) for d in chosen],
        tags=sorted({d.tag for d in chosen} - {""}),
        cycles=cycles,
        seed=seed,
        source="brisk",
        config={"fill_timeout": 2, "resume": True},
        timeout=_PATIENCE + 6 * cycles,
    )


def rows_of(seed: int) -> tuple[random.Random, list[Draw]]:
    """The rows of a seed, and the dice as they lie after choosing them."""
    rng = random.Random(f"mixture {seed}")
    return rng, _bearable(rng.sample(TABLE, rng.randint(0, MOST_RULES)))


def _bearable(chosen: list[Draw]) -> list[Draw]:
    crashes = [d for d in chosen if d.text.startswith("proc.crash")]
    return [d for d in chosen if d not in crashes[_MOST_CRASHES:]]


def _filled(text: str, rng: random.Random, span: float, cycles: int) -> str:
    begins, lasts = rng.uniform(0, span), rng.choice((0.5, 2, 5, 15, 40))
    values = {
        "n": rng.randint(1, cycles),
        "c": rng.randint(1, max(cycles // 10, 1)),
        "w": f"between({int(begins * 1000)}, {int((begins + lasts) * 1000)})",
        "s": rng.choice((1, 4, 10, 30, 60)),
        "ms": rng.choice((700, 2500, 4000, 9000)),
        "bps": rng.choice((-60, -25, 25, 60)),
        "q": rng.choice(("0.1q", "0.4q", "0.5q", "q")),
        "leg": rng.choice("PH"),
    }
    return text.format(**values)


Runner = Callable[[Scenario], bool]


def shrink(scenario: Scenario, fails: Runner) -> Scenario:
    """Leaves out rules, one by one, for as long as it still fails.

    Args:
        fails: plays a scenario; whether the oracle still complains.
    """
    from dataclasses import replace

    smaller = True
    while smaller:
        smaller = False
        for rule in scenario.rules:
            fewer = replace(scenario, rules=tuple(r for r in scenario.rules if r != rule))
            if fails(fewer):
                scenario, smaller = fewer, True
                break
    return scenario
