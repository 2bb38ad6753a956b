"""The line a person watches while the hedge runs."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from mpdex.utils.precision import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from strategies.hedge import Status


class Progress:
    """Shows a `Status` on a terminal, and nothing where there is none.

    An instance is what `run_hedge` wants as `progress`.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
            self._live = None

    def __call__(self, status: Status) -> None:
        if self._live is not None:
            self._live.update(line(status), refresh=True)


def line(status: Status) -> str:
    """One line: where it stands, what is held, what it cost."""
    doing = status.quote or status.waiting_for or status.state
    return (
        f"{status.phase} {status.attempts}/{status.iterations} "
        f"({status.successes} filled) | {doing} | "
        f"P {plain(status.primary)} H {plain(status.hedge)} owed {plain(status.debt)} | "
        f"volume {status.volume:,.0f} result {status.result:,.4f}"
    )
