"""The report: derived from fills, the same live and from the journal."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from mpdex.utils.journal import replay
from strategies.report import DEFINITIONS, Report, from_journal, markdown
from test_exchanges.strategies.test_hedge import play


def test_the_journal_gives_the_same_report(tmp_path: Path) -> None:
    result, _ = play(tmp_path, iterations=6)
    report = from_journal(replay(tmp_path / "2dex_p_h_ETH_events.jsonl"))
    again = report.summary(result.summary["attempts"], result.summary["successes"])
    assert {key: result.summary[key] for key in again} == again
    assert report.cycles == 6


def test_an_intent_is_in_the_journal_before_its_order_and_a_fill_before_its_hedge(
    tmp_path: Path,
) -> None:
    play(tmp_path, iterations=2)
    lines = list(replay(tmp_path / "2dex_p_h_ETH_events.jsonl"))
    told: set[str] = set()
    for line in lines:
        if line["kind"] == "intent":
            told.add(line["client_id"])
        elif line["kind"] in ("fill", "order"):
            assert line["client_order_id"] in told
    told_of = [
        line["purpose"] if line["kind"] == "intent" else f"fill on {line['role']}"
        for line in lines
        if line["kind"] in ("intent", "fill")
    ]
    assert told_of.index("maker") < told_of.index("fill on primary") < told_of.index("hedge")


def test_nothing_traded_is_not_known_rather_than_zero() -> None:
    summary = Report().summary(3, 0)
    assert summary["cost_bps"] is None
    assert summary["hedge_latency_ms"]["p50"] is None
    assert Decimal(summary["fill_rate"]) == 0
    text = markdown(summary)
    assert "| cost_bps | not known |" in text
    assert all(word in text for word in DEFINITIONS)
    assert json.dumps(summary)
