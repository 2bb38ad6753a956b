"""The files of a run: trades, cycles, journal, summary, log.

Trades and cycles are appended, so that a day of runs is one file; the journal is the source of
both. Nothing here waits for the disk: lines are handed to the operating system and no more.
"""

from __future__ import annotations

import csv
import json
import logging
import os
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

import msgspec

from mpdex.utils.clock import Clock
from mpdex.utils.journal import Journal
from mpdex.utils.keys import SecretFilter
from mpdex.utils.precision import plain
from strategies.config import HedgeConfig
from strategies.report import Report, markdown
from strategies.words import Carry, CycleDone, FeeTold, Trade

_BPS = Decimal(10_000)
_LOG_BYTES, _LOG_FILES = 5_000_000, 3

TRADE_COLUMNS = (
    "ts_utc", "session", "cycle", "venue", "role", "side", "qty", "price", "notional", "fee",
    "fee_asset", "fee_bps", "liquidity", "order_id", "client_id", "trade_id", "source", "late",
    "decision_px", "slippage_bps", "latency_ms", "net_exposure_after", "mode",
)  # fmt: skip

CYCLE_COLUMNS = (
    "cycle", "start", "end", "direction", "size", "filled", "hedged", "unwound", "primary_vwap",
    "hedge_vwap", "raw_spread_bps", "basis_bps", "edge_at_quote_bps", "realised_cost_bps",
    "maker_fee", "taker_fee", "funding", "requotes", "time_to_fill_ms", "hedge_latency_ms",
    "max_exposure", "exposure_seconds", "rest_calls_p", "rest_calls_h", "ws_calls_p",
    "ws_calls_h", "outcome", "reason",
)  # fmt: skip

log = logging.getLogger("mpdex")


class Outputs:
    """Writes what happened.

    Args:
        session: name of this run in the trades file.
        secrets: what the log must never show, whoever may write it.
        report: of earlier lines that this run goes on from.
        durable: the journal is to survive a power cut.

    Raises: JournalBusy; OSError where the folder cannot be written.
    """

    def __init__(
        self,
        config: HedgeConfig,
        clock: Clock,
        session: str,
        secrets: Iterable[str] = (),
        *,
        report: Report | None = None,
        durable: bool = True,
    ) -> None:
        config.logs.mkdir(parents=True, exist_ok=True)
        self._config = config
        self._session = session
        self._stem = config.logs / config.stem
        self.report = report or Report()
        self.journal = Journal(journal_path(config), clock=clock, durable=durable)
        self._trades_file, self._trades = self._table("trades.csv", TRADE_COLUMNS)
        self._cycles_file, self._cycles = self._table("cycles.csv", CYCLE_COLUMNS)
        self._handler = _log_to(self._path("log.txt"), secrets)

    def begin(self, header: Mapping[str, Any]) -> None:
        """The first line of this run; on the disk when it returns."""
        self.journal.write("session", **header)
        self.journal.sync()
        self.report = self.report if header["resumed"] else Report()
        self.report.hold(header)

    def catch_up(self, trade: Mapping[str, Any] | None, cycle: Mapping[str, Any] | None) -> None:
        """Writes the last rows of an interrupted run, where they are missing.

        Args:
            trade, cycle: its last lines of these kinds.
        """
        if trade is not None:
            row = _texts(self._trade_row(_trade_of(trade)))
            if not self._ends_with("trades.csv", row, ("venue", "client_id", "trade_id", "qty")):
                self._trades.writerow(row)
                self._trades_file.flush()
        if cycle is not None:
            row = _texts(_cycle_row(_cycle_of(cycle), {}))
            if not self._ends_with("cycles.csv", row, ("cycle", "start")):
                self._cycles.writerow(row)
                self._cycles_file.flush()

    def trade(self, trade: Trade) -> None:
        """One booked fill."""
        record = asdict(trade)
        self.journal.write("trade", **record)
        self.report.add({"kind": "trade", **record})
        self._trades.writerow(_texts(self._trade_row(trade)))
        self._trades_file.flush()

    def fee(self, told: FeeTold) -> None:
        """The fee of a trade that was written without: one more row of it, with no size."""
        record = asdict(told)
        self.journal.write("fee", **record)
        self.report.add({"kind": "fee", **record})
        row = Trade(
            **record,
            size=Decimal(0),
            source="query",
            late=True,
            decision_price=None,
            latency_ms=None,
            exposure=Decimal(0),
        )
        cells = {**self._trade_row(row), "net_exposure_after": None, "slippage_bps": None}
        self._trades.writerow(_texts(cells))
        self._trades_file.flush()

    def carry(self, carry: Carry) -> None:
        """One payment of funding."""
        record = asdict(carry)
        self.journal.write("funding", **record)
        self.report.add({"kind": "funding", **record})

    def cycle(self, cycle: CycleDone, calls: Mapping[str, int]) -> None:
        """One finished cycle. `calls`: what it cost in requests, by column name."""
        record = asdict(cycle)
        self.journal.write("cycle", **record)
        self.report.add({"kind": "cycle", **record})
        self._cycles.writerow(_texts(_cycle_row(cycle, calls)))
        self._cycles_file.flush()

    def summary(self, summary: Mapping[str, Any]) -> None:
        """The end of the run."""
        text = json.dumps(summary, indent=2, default=str)
        self._path("summary.json").write_text(text + "\n", encoding="utf-8")
        self._path("summary.md").write_text(markdown(summary), encoding="utf-8")

    def close(self) -> None:
        """Closes every file; one that the disk refuses to finish keeps none of the others open."""
        for file in (self._trades_file, self._cycles_file, self.journal):
            try:
                file.close()
            except OSError as error:
                log.error("a file of the run is not complete: %s", error)
        log.removeHandler(self._handler)
        self._handler.close()

    def _ends_with(self, name: str, row: Mapping[str, str], columns: Iterable[str]) -> bool:
        """Whether the last row of a table is this one."""
        with self._path(name).open(newline="", encoding="utf-8") as file:
            for last in deque(csv.DictReader(file), maxlen=1):
                return all(last[column] == row[column] for column in columns)
        return False

    def _path(self, name: str) -> Path:
        return self._stem.with_name(f"{self._stem.name}_{name}")

    def _table(self, name: str, columns: tuple[str, ...]) -> tuple[TextIO, Any]:
        path = self._path(name)
        _cut_torn_row(path)
        fresh = not path.exists() or not path.stat().st_size
        file = path.open("a", newline="", encoding="utf-8")
        writer = csv.DictWriter(file, columns)
        if fresh:
            writer.writeheader()
            file.flush()
        return file, writer

    def _trade_row(self, trade: Trade) -> dict[str, object]:
        notional = trade.size * trade.price
        return {
            "ts_utc": _utc(trade.timestamp_ms),
            "session": self._session,
            "cycle": trade.cycle,
            "venue": self._config.primary if trade.role == "primary" else self._config.hedge,
            "role": trade.purpose.value,
            "side": trade.side,
            "qty": trade.size,
            "price": trade.price,
            "notional": notional,
            "fee": trade.fee,
            "fee_asset": trade.fee_asset,
            "fee_bps": _bps(trade.fee, notional),
            "liquidity": trade.liquidity,
            "order_id": trade.order_id,
            "client_id": trade.client_id,
            "trade_id": trade.trade_id,
            "source": trade.source,
            "late": int(trade.late),
            "decision_px": trade.decision_price,
            "slippage_bps": _slippage(trade),
            "latency_ms": trade.latency_ms,
            "net_exposure_after": trade.exposure,
            "mode": self._config.mode,
        }


def journal_path(config: HedgeConfig) -> Path:
    """Where the runs of this pair are written down."""
    return config.logs / f"{config.stem}_events.jsonl"


def _cut_torn_row(path: Path) -> None:
    """A row without its end was being written when the machine stopped."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def _trade_of(line: Mapping[str, Any]) -> Trade:
    return msgspec.convert(dict(line), Trade)


def _cycle_of(line: Mapping[str, Any]) -> CycleDone:
    return msgspec.convert(dict(line), CycleDone)


def _cycle_row(cycle: CycleDone, calls: Mapping[str, int]) -> dict[str, object]:
    return {
        "cycle": cycle.cycle,
        "start": _utc(cycle.started_ms),
        "end": _utc(cycle.ended_ms),
        "direction": cycle.direction,
        "size": cycle.size,
        "filled": cycle.filled,
        "hedged": cycle.hedged,
        "unwound": cycle.unwound,
        "primary_vwap": _short(cycle.primary_price),
        "hedge_vwap": _short(cycle.hedge_price),
        "raw_spread_bps": _short(cycle.raw_spread_bps),
        "basis_bps": _short(cycle.basis_bps),
        "edge_at_quote_bps": _short(cycle.edge_bps),
        "realised_cost_bps": _short(cycle.cost_bps),
        "maker_fee": cycle.maker_fee,
        "taker_fee": cycle.taker_fee,
        "funding": None,  # no venue event tells it per cycle
        "requotes": cycle.requotes,
        "time_to_fill_ms": cycle.time_to_fill_ms,
        "hedge_latency_ms": cycle.hedge_latency_ms,
        "max_exposure": cycle.max_exposure,
        "exposure_seconds": cycle.exposure_seconds,
        **calls,
        "outcome": cycle.outcome,
        "reason": cycle.reason,
    }


def _slippage(trade: Trade) -> Decimal | None:
    """What the fill cost over the price decided on; positive is worse."""
    if not trade.decision_price:
        return None
    worse = trade.price - trade.decision_price
    return _short((worse if trade.side == "buy" else -worse) / trade.decision_price * _BPS)


def _bps(part: Decimal | None, whole: Decimal) -> Decimal | None:
    return None if part is None or not whole else _short(part / whole * _BPS)


def _short(number: Decimal | None) -> Decimal | None:
    return None if number is None else number.quantize(Decimal("0.0001"))


def _texts(row: Mapping[str, object]) -> dict[str, str]:
    return {key: _text(value) for key, value in row.items()}


def _text(value: object) -> str:
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else str(value)


def _utc(timestamp_ms: int) -> str:
    moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _log_to(path: Any, secrets: Iterable[str]) -> RotatingFileHandler:
    """Everything that mpdex logs, connections included."""
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(SecretFilter(secrets))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    return handler
