"""Adaptive quoting against its measure: the same market twice, and what each way filled and cost.

The measure is the static policy: join the best price, take the quote back after five seconds
whatever the book says, and try again. Market, seed, size, cost cap and everything else are equal,
so the difference is made by when a quote is held, moved and taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mpdex.stage import HedgeRun, World, run_hedge
from strategies.config import HedgeConfig, Quoting

_SHOWN = (
    "exit_code",
    "reason",
    "attempts",
    "successes",
    "fill_rate",
    "outcomes",
    "requotes",
    "volume",
    "cost_bps",
    "cost_per_million",
    "seconds",
)


@dataclass(frozen=True)
class Replay:
    """What is compared.

    Attributes:
        config: of the adaptive run; the static one differs in policy and timeout only.
        static_timeout: seconds after which the static quote is taken back.
        logs: where both runs leave their files, each in a folder of its own; None: nowhere.
    """

    config: HedgeConfig
    world: World
    static_timeout: float = 5.0
    logs: Path | None = None


def compare(replay: Replay) -> list[dict[str, Any]]:
    """One record for each policy, the static one first.

    Raises: UsageError where the source cannot be read.
    """
    with TemporaryDirectory() as nowhere:
        logs = replay.logs or Path(nowhere)
        return [
            _played(replay, logs, "static", replay.static_timeout),
            _played(replay, logs, "adaptive", replay.config.fill_timeout),
        ]


def _played(replay: Replay, logs: Path, quoting: Quoting, timeout: float) -> dict[str, Any]:
    config = replace(
        replay.config, mode="sim", quoting=quoting, fill_timeout=timeout, logs=logs / quoting
    )
    result = run_hedge(HedgeRun(config, replay.world, quiet=True, alerts="off"))
    return {
        "quoting": quoting,
        "fill_timeout": timeout,
        **{name: result.summary.get(name) for name in _SHOWN},
        "exit_code": result.exit_code,
    }


def worst(records: Sequence[dict[str, Any]]) -> int:
    """Exit code of a comparison: of the run that ended worse."""
    return max(int(record["exit_code"]) for record in records)
