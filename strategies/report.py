"""Cycles, volume, cost and imbalance of a run, folded from the records in its journal.

The same fold runs while the bot does and over a journal afterwards, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mpdex.utils.precision import plain
from strategies.ledger import ZERO, signed

_MILLION = Decimal(1_000_000)
_BPS = Decimal(10_000)
# Latencies kept for the percentiles; older ones leave.
_LATENCIES = 10_000

DEFINITIONS: Mapping[str, str] = {
    "attempts": "cycles that were tried; the ones that only closed the pair at the end not counted",
    "fill_rate": "successful cycles / attempts; successful: the maker traded and all of it was "
    "hedged on the hedge venue",
    "volume": "size x price of every fill, in quote currency",
    "result": "what sales brought minus what purchases cost minus fees plus funding, both venues "
    "together; exact when both are flat at the end",
    "funding": "received less paid, by the rate that was told before each payment",
    "spread_cost": "the same before fees, as a cost",
    "cost_per_million": "-result / volume x 1,000,000",
    "other_fees": "fees in another asset than the quote currency, in that asset; part of no sum, "
    "for nobody here knows what it is worth",
    "pairs": "openings together with what closed them: cost in bps of what was opened, on average "
    "and at worst; the lasting difference of two prices is in neither",
    "imbalance": "primary position + hedge position, in coins, from fills",
    "hedge_latency_ms": "venue time of the maker fill to venue time of the hedge fill",
    "exposure_seconds": "sum of |imbalance| x seconds",
}


@dataclass(slots=True)
class Leg:
    """One venue."""

    fills: int = 0
    volume: Decimal = ZERO
    position: Decimal = ZERO
    cash: Decimal = ZERO
    maker_fees: Decimal = ZERO
    taker_fees: Decimal = ZERO
    fees_unknown: int = 0
    quote: str = ""  # in what fees are counted; "": whatever they are in


@dataclass(slots=True)
class Report:
    """Totals; every number is derived from fills."""

    legs: dict[str, Leg] = field(default_factory=lambda: {"primary": Leg(), "hedge": Leg()})
    cycles: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    requotes: int = 0
    max_imbalance: Decimal = ZERO
    exposure_seconds: Decimal = ZERO
    latencies: list[int] = field(default_factory=list)
    late_fills: int = 0
    funding: Decimal = ZERO  # received less paid
    other_fees: dict[str, Decimal] = field(default_factory=dict)  # by asset, in coins of it
    pairs: int = 0
    pair_costs: list[Decimal] = field(default_factory=list)  # of each pair that was closed, in bps
    _flat: tuple[Decimal, Decimal] = (ZERO, ZERO)  # result and volume when both were flat last

    def add(self, record: Mapping[str, Any]) -> None:
        """Takes one journal record; those that are none of these kinds are not for the sum."""
        match record["kind"]:
            case "trade":
                self._add_trade(record)
            case "fee":
                self._add_fee(record)
            case "funding":
                self.funding += Decimal(record["amount"])
            case "cycle":
                self._add_cycle(record)

    def hold(self, header: Mapping[str, Any]) -> None:
        """At the start of a session: what is found there counts as if it were traded now."""
        for role, leg in self.legs.items():
            difference = Decimal(header["held"][role]) - leg.position
            leg.position += difference
            leg.cash -= difference * Decimal(header["mids"][role])
            leg.quote = header.get("quotes", {}).get(role, "")

    def _add_trade(self, trade: Mapping[str, Any]) -> None:
        leg = self.legs[trade["role"]]
        size, price = Decimal(trade["size"]), Decimal(trade["price"])
        leg.fills += 1
        leg.volume += size * price
        leg.position += signed(trade["side"], size)
        leg.cash -= signed(trade["side"], size * price)
        leg.fees_unknown += 1
        if trade["fee"] is not None:
            self._add_fee(trade)
        self.late_fills += bool(trade["late"])
        if trade["latency_ms"] is not None:
            self.latencies.append(int(trade["latency_ms"]))
            del self.latencies[:-_LATENCIES]

    def _add_fee(self, record: Mapping[str, Any]) -> None:
        """Of a trade, with it or later."""
        leg, fee = self.legs[record["role"]], Decimal(record["fee"])
        leg.fees_unknown -= 1
        if leg.quote and record["fee_asset"] not in ("", leg.quote):
            asset = record["fee_asset"]
            self.other_fees[asset] = self.other_fees.get(asset, ZERO) + fee
        elif record["liquidity"] == "maker":
            leg.maker_fees += fee
        else:
            leg.taker_fees += fee

    def _add_cycle(self, cycle: Mapping[str, Any]) -> None:
        self.cycles += 1
        outcome = cycle["outcome"]
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.requotes += cycle["requotes"]
        self.max_imbalance = max(self.max_imbalance, Decimal(cycle["max_exposure"]))
        self.exposure_seconds += Decimal(cycle["exposure_seconds"])
        self._close_pair()

    def _close_pair(self) -> None:
        """What an opening and its closing cost together: only there does the basis cancel."""
        if any(leg.position for leg in self.legs.values()):
            return
        result, volume = self._flat
        self._flat = (self.result, self.legs["primary"].volume)
        opened = (self.legs["primary"].volume - volume) / 2
        if opened:
            self.pairs += 1
            self.pair_costs.append((result - self.result) / opened * _BPS)
            del self.pair_costs[:-_LATENCIES]

    @property
    def volume(self) -> Decimal:
        return sum((leg.volume for leg in self.legs.values()), ZERO)

    @property
    def fees(self) -> Decimal:
        return sum((leg.maker_fees + leg.taker_fees for leg in self.legs.values()), ZERO)

    @property
    def gross(self) -> Decimal:
        return sum((leg.cash for leg in self.legs.values()), ZERO)

    @property
    def imbalance(self) -> Decimal:
        return sum((leg.position for leg in self.legs.values()), ZERO)

    @property
    def result(self) -> Decimal:
        return self.gross - self.fees + self.funding

    def summary(self, attempts: int, successes: int) -> dict[str, Any]:
        """Totals as JSON values: exact numbers as text."""
        result, volume = self.result, self.volume
        return {
            "attempts": attempts,
            "successes": successes,
            "fill_rate": _ratio(Decimal(successes), Decimal(attempts), 4),
            "cycles": self.cycles,
            "outcomes": dict(sorted(self.outcomes.items())),
            "requotes": self.requotes,
            "volume": _money(volume),
            **{f"volume_{role}": _money(leg.volume) for role, leg in self.legs.items()},
            "spread_cost": _money(-self.gross),
            "maker_fees": _money(sum((leg.maker_fees for leg in self.legs.values()), ZERO)),
            "taker_fees": _money(sum((leg.taker_fees for leg in self.legs.values()), ZERO)),
            "other_fees": {asset: plain(fee) for asset, fee in sorted(self.other_fees.items())},
            "fees_unknown": sum(leg.fees_unknown for leg in self.legs.values()),
            "funding": _money(self.funding),
            "result": _money(result),
            "cost_bps": _ratio(-result * _BPS, volume, 4),
            "cost_per_million": _ratio(-result * _MILLION, volume, 2),
            "pairs": self._pairs(),
            "imbalance": plain(self.imbalance.normalize()),
            **{
                f"position_{role}": plain(leg.position.normalize())
                for role, leg in self.legs.items()
            },
            "max_imbalance": plain(self.max_imbalance.normalize()),
            "exposure_seconds": _money(self.exposure_seconds),
            "hedge_latency_ms": self._latency(),
            "late_fills": self.late_fills,
        }

    def _pairs(self) -> dict[str, Any]:
        costs = self.pair_costs
        return {
            "closed": self.pairs,
            "cost_bps": _ratio(sum(costs, ZERO), Decimal(len(costs)), 4),
            "worst_bps": plain(max(costs).quantize(Decimal("0.0001"))) if costs else None,
        }

    def _latency(self) -> dict[str, int | None]:
        ordered = sorted(self.latencies)
        return {
            name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None
            for name, share in (("p50", 0.5), ("p90", 0.9), ("max", 1.0))
        }


def from_journal(records: Iterable[Mapping[str, Any]]) -> Report:
    """The report of a journal: of its last session, with those that it went on from."""
    report = Report()
    for record in records:
        if record["kind"] == "session":
            report = report if record["resumed"] else Report()
            report.hold(record)
        report.add(record)
    return report


def markdown(summary: Mapping[str, Any]) -> str:
    """The summary for a reader, with the definitions it uses."""
    lines = ["# Hedge run", "", "| what | value |", "|---|---|"]
    lines += [f"| {key} | {_cell(value)} |" for key, value in summary.items()]
    lines += ["", "## Definitions", ""]
    lines += [f"- **{word}**: {meaning}." for word, meaning in DEFINITIONS.items()]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items()) or "none"
    return "not known" if value is None else str(value)


def _money(number: Decimal) -> str:
    return plain(number.quantize(Decimal("0.000001")))


def _ratio(part: Decimal, whole: Decimal, places: int) -> str | None:
    if not whole:
        return None
    return plain((part / whole).quantize(Decimal(1).scaleb(-places)))
