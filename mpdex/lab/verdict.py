"""How a scenario went: what the oracle found, and how the run ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from mpdex.errors import UsageError
from mpdex.lab.oracle import Violation
from mpdex.lab.scenario import Scenario
from mpdex.lab.trail import Trail
from mpdex.lab.truth import Leg, LegTruth, PairTruth
from mpdex.sim.records import ZERO, SimFill, SimOrder

_QUIET = 5.0  # seconds not trading that make a run "degraded" in between


@dataclass(kw_only=True)
class Verdict:
    """How a scenario went.

    Attributes:
        exit_codes: of each start of the bot; None: it was killed.
        violations: what the oracle saw broken.
        outcome: "R" done, "D" done after a pause, "HF", "HE", or "refused", "config", "stopped",
            "killed", "endless".
        to_flat: longest exposure above dust, seconds.
        worst: greatest exposure, coins.
        fired: rule -> how often.
        phases: (simulated seconds, phase) by the journal.
        summary: of the last start.
    """

    scenario: Scenario
    exit_codes: list[int | None] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    outcome: str = ""
    to_flat: float = 0.0
    worst: Decimal = ZERO
    seconds: float = 0.0
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    fired: dict[str, int] = field(default_factory=dict)
    phases: list[tuple[float, str]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    tail: list[str] = field(default_factory=list)
    trail: Trail | None = None
    truth: PairTruth | None = None

    @property
    def exit_code(self) -> int | None:
        """Of the last start."""
        return self.exit_codes[-1] if self.exit_codes else None

    @property
    def ok(self) -> bool:
        return not self.violations

    @property
    def idle(self) -> list[str]:
        """Rules that never fired."""
        return [rule for rule, times in self.fired.items() if not times]

    @property
    def visited(self) -> set[str]:
        """Every phase the bot was in."""
        return {phase for _, phase in self.phases}

    def expected(self) -> bool:
        """Whether the outcome is one of those the scenario names."""
        wanted = self.scenario.expect
        if not wanted:
            return True
        allowed: set[str] = set()
        for word in wanted:
            allowed |= _ALLOWED.get(word, {word})
        return self.outcome in allowed or str(self.exit_code) in allowed

    def orders(self, leg: Leg) -> list[SimOrder]:
        """Every order the venue has seen in this market."""
        return self._leg(leg).orders

    def fills(self, leg: Leg) -> list[SimFill]:
        return self._leg(leg).fills

    def position(self, leg: Leg) -> Decimal:
        return self._leg(leg).position

    def _leg(self, leg: Leg) -> LegTruth:
        if self.truth is None:
            raise UsageError("the scenario was not played")
        return self.truth[leg]


# What a class of FAULTS allows: HE means "allowed", and a run that resumed may have paused.
_ALLOWED = {
    "R": {"R", "D"},
    "D": {"R", "D"},
    "HF": {"HF"},
    "HE": {"HE", "HF", "R", "D"},
}


def outcome_of(verdict: Verdict, began: float) -> str:
    match verdict.exit_code:
        case 0:
            return "D" if _idle_seconds(verdict, began) > _QUIET else "R"
        case 4:
            return "HF"
        case 5:
            return "HE"
        case code:
            return {2: "config", 3: "refused", 6: "stopped"}.get(code or -1, "killed")


def _idle_seconds(verdict: Verdict, began: float) -> float:
    """Longest stretch since trading began in which it neither traded nor wound down."""
    longest, phases = 0.0, [*verdict.phases, (verdict.seconds, "")]
    for (since, phase), (until, _) in pairwise(phases):
        if phase in ("paused", "recovering") and since > began:
            longest = max(longest, until - since)
    return longest
