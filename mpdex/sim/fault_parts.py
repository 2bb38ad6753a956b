"""What a fault rule consists of: words with arguments, and the rule itself."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.sim.fault_words import (
    FOREVER,
    LASTING,
    PROCESS,
    TIME,
    BadRule,
    parse_number,
    parse_seconds,
)

_SPAN = re.compile(TIME)


@dataclass(frozen=True, slots=True)
class Action:
    """A word with arguments; filters have the same form.

    Attributes:
        venue, op: where it acts, if not where the rule looks.
        times, every: how often it is done at once, and seconds between two.
    """

    name: str
    args: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    venue: str = ""
    op: str = ""
    times: int | None = None
    every: float = 0.05

    def get(self, at: int, name: str, default: str = "") -> str:
        """An argument by name, else by place."""
        if name in self.named:
            return self.named[name]
        return self.args[at] if at < len(self.args) else default

    def seconds(self, at: int = 0, name: str = "ms", default: str = "0") -> float:
        return parse_seconds(self.get(at, name, default))

    def number(self, at: int, name: str, default: str) -> Decimal:
        return parse_number(self.get(at, name, default))

    @property
    def lasts(self) -> float:
        """Seconds for which it acts once it has begun, as far as it says so."""
        if self.name not in LASTING:
            return 0.0
        texts = [*self.args, *self.named.values()]
        return max((_seconds_or_none(text) or 0.0 for text in texts), default=0.0)

    @property
    def span(self) -> float:
        """Seconds for which a state shall hold: the argument that is a time with its unit."""
        texts = [text for text in self.args if _SPAN.fullmatch(text.strip())]
        return parse_seconds(self.named.get("for", texts[-1] if texts else "0"))


@dataclass(slots=True, eq=False)
class Rule:
    """One line. `flags` are further words that the situation must have (`fill`, `reduce_only`)."""

    text: str
    venue: str
    op: str
    filters: tuple[Action, ...]
    flags: tuple[str, ...]
    actions: tuple[Action, ...]
    added: float = 0.0
    seen: int = 0
    spent: int = 0
    fired: int = 0
    dice: dict[str, random.Random] = field(default_factory=dict)
    timed: bool = False  # acted at its time, not on requests or frames
    early: bool = False  # about a few frames, of whatever kind, and entered before the run
    times: int | None = None  # fires so often at most; None: for ever

    @property
    def process(self) -> bool:
        return self.venue in PROCESS

    @property
    def counted(self) -> bool:
        """Whether it counts what it sees: then what precedes the trading does not count."""
        return any(f.name in ("nth", "every") for f in self.filters)

    @property
    def window(self) -> tuple[float, float] | None:
        """Seconds from which and until which it holds."""
        for test in self.filters:
            if test.name == "between":
                return test.seconds(0, "t0"), test.seconds(1, "t1", f"{FOREVER:.0f}s")
            if test.name == "at":
                return test.seconds(), FOREVER
        return None


def phase_of(action: Action) -> str:
    """When a `fill` happens."""
    return action.get(1, "at", "now")


def is_span(text: str) -> bool:
    """Whether an argument is a time with its unit."""
    return bool(_SPAN.fullmatch(text))


def _seconds_or_none(text: str) -> float | None:
    try:
        return parse_seconds(text)
    except BadRule:
        return None
