"""What the checks before a run found, as sentences that name the fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: its name. where: "primary", "hedge", or "" for the pair.
        level: a problem keeps the run from starting; a warning is for the operator to weigh.
        opening: it speaks against opening a pair, not against closing what is open.
    """

    check: str
    where: str
    level: Level
    text: str
    opening: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text


@dataclass(slots=True)
class Findings:
    """All of them, in the order of the checks."""

    found: list[Finding] = field(default_factory=list)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.found)

    def ok(self, check: str, text: str, where: str = "") -> None:
        self.found.append(Finding(check, where, "ok", text))

    def warn(self, check: str, text: str, where: str = "") -> None:
        self.found.append(Finding(check, where, "warning", text))

    def refuse(self, check: str, text: str, where: str = "", *, opening: bool = False) -> None:
        self.found.append(Finding(check, where, "problem", text, opening))

    def judge(self, check: str, problems: Iterable[str], good: str, where: str = "") -> None:
        """The problems, or the good news."""
        found = list(problems)
        for problem in found:
            self.refuse(check, problem, where)
        if not found:
            self.ok(check, good, where)

    @property
    def problems(self) -> list[str]:
        """Each sentence once: one cause may spoil several checks."""
        return list(dict.fromkeys(str(f) for f in self.found if f.level == "problem"))

    @property
    def lasting(self) -> list[str]:
        """Problems that closing what is open would meet, too."""
        told = (str(f) for f in self.found if f.level == "problem" and not f.opening)
        return list(dict.fromkeys(told))

    @property
    def warnings(self) -> list[str]:
        return [str(f) for f in self.found if f.level == "warning"]
