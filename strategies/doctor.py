"""Every check of a run without a run: what is well, what is not, and what a cycle would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mpdex.utils.clock import Clock
from strategies.config import HedgeConfig
from strategies.findings import Finding
from strategies.outlook import Outlook
from strategies.preflight import Venues, inspect


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found; `outlook` None: one of the books was missing."""

    findings: tuple[Finding, ...]
    outlook: Outlook | None

    @property
    def ready(self) -> bool:
        return all(finding.level != "problem" for finding in self.findings)

    def table(self) -> dict[str, str]:
        """For a reader: one line a check, the worst of those with one name."""
        lines = {"verdict": "ready" if self.ready else "not ready"}
        for finding in self.findings:
            name = " ".join(filter(None, (finding.where, finding.check)))
            said = finding.text if finding.level == "ok" else f"{finding.level}: {finding.text}"
            lines[name] = f"{lines[name]}; {said}" if name in lines else said
        return lines

    def record(self) -> dict[str, Any]:
        """For a program."""
        checks = [
            {"check": f.check, "where": f.where, "level": f.level, "text": f.text}
            for f in self.findings
        ]
        return {"ready": self.ready, "checks": checks, "cost": _cost(self.outlook)}


async def diagnose(
    config: HedgeConfig,
    venues: Venues,
    clock: Clock,
    alerts: Mapping[str, str] | None = None,
) -> Diagnosis:
    """Asks, and changes nothing at the venues.

    Args:
        alerts: what a test on each channel came to, "" where it arrived; None: none was made.
    """
    seen = await inspect(config, venues, clock, change=False)
    for channel, problem in (alerts or {}).items():
        if problem:
            seen.found.warn("alerts", f"{channel} is not reached: {problem}")
        else:
            seen.found.ok("alerts", f"{channel} is reached")
    return Diagnosis(tuple(seen.found), seen.outlook)


def _cost(ahead: Outlook | None) -> dict[str, Any] | None:
    if ahead is None:
        return None
    parts = ("maker_fee", "taker_fee", "slippage", "crossed", "earned", "cost", "break_even")
    bps = {f"{part}_bps": round(getattr(ahead, part), 4) for part in parts}
    return {**bps, "assumed": list(ahead.assumed)}
