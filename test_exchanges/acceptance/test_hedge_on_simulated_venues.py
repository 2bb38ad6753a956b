"""The hedge of the plan over the venues' own protocols: the normal course and what disturbs it."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from acceptance.pair import HEDGE, PRIMARY, Pair, opened

from mpdex.errors import AuthError, MpdexError
from mpdex.utils.virtual_loop import run_virtual
from strategies.outputs import CYCLE_COLUMNS, TRADE_COLUMNS

STEM = "2dex_grvt_backpack_ETH"
SIZES = [Decimal("0.01"), Decimal("0.16"), Decimal("0.32"), Decimal("0.5")]
Play = Callable[[Pair], Coroutine[Any, Any, None]]


def on_stage(play: Play, **options: Any) -> Pair:
    """Plays on a fresh pair in virtual time, then checks what must hold after any run."""

    async def main() -> Pair:
        async with opened(**options) as pair:
            await play(pair)
            assert pair.exposure == 0
            assert pair.live_orders() == []
            return pair

    return run_virtual(main())


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_ten_cycles_end_flat_with_every_file_written(tmp_path: Path, size: Decimal) -> None:
    async def play(pair: Pair) -> None:
        result = await pair.run(tmp_path, size=size)
        assert result.exit_code == 0, result.summary
        assert result.summary["verified"] is True
        assert result.summary["imbalance"] == "0"
        assert result.summary["cycles"] >= 10
        for dex in (pair.primary, pair.hedge):
            assert await dex.get_positions() == []

    pair = on_stage(play)
    assert 0 < pair.worst <= size
    trades = rows(tmp_path / f"{STEM}_trades.csv")
    assert tuple(trades[0]) == tuple(TRADE_COLUMNS)
    booked = sum(Decimal(row["qty"]) for row in trades)
    truth = [fill.size for venue in (PRIMARY, HEDGE) for fill in pair.fills(venue)]
    assert booked == sum(truth)
    assert len(trades) == len(truth)
    assert tuple(rows(tmp_path / f"{STEM}_cycles.csv")[0]) == tuple(CYCLE_COLUMNS)
    summary = json.loads((tmp_path / f"{STEM}_summary.json").read_text())
    assert summary["exit_code"] == 0
    assert "volume" in (tmp_path / f"{STEM}_summary.md").read_text()
    for name in ("events.jsonl", "log.txt"):
        assert (tmp_path / f"{STEM}_{name}").stat().st_size


def test_one_rest_call_for_a_filled_cycle_and_none_to_ask(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        result = await pair.run(tmp_path, iterations=30, canary=False)
        assert result.exit_code == 0

    pair = on_stage(play)
    counts = pair.world.counts
    hedges = len(pair.orders(HEDGE))
    assert counts[HEDGE, "rest", "place"] == hedges
    assert counts[PRIMARY, "rest", "place"] == 0
    assert counts[PRIMARY, "ws", "place"] == len(pair.orders(PRIMARY))
    assert [key for key in counts if key[2] in ("query_order", "rate limited")] == []


FAULTS = {
    "partial-maker-fills": "P.place.every(2) -> fill(0.005, at=resting)",
    "hedge-partly-filled": "H.place.nth(1) -> thin(0.004)",
    "post-only-refused": "P.place.nth(2) -> reject(POST_ONLY)",
    "hedge-refused-once": "H.place.nth(2) -> reject(PRICE_BAND)",
    "fill-while-the-cancel-is-under-way": "P.cancel.every(2) -> fill(0.01, at=after_cancel_send)",
    "fill-after-the-cancel-answer": "P.cancel.nth(1) -> fill(0.01, at=after_cancel_ack)",
    "fill-before-the-place-answer": "P.place.nth(3) -> fill(0.01, at=before_place_ack)",
    "primary-private-stream-lost": "P.ws_private.between(3000, 60000) -> disconnect(2000)",
    "hedge-private-stream-lost": "H.ws_private.between(3000, 60000) -> disconnect(2000)",
    "hedge-answer-lost": "H.place.nth(2) -> drop_response",
    "hedge-never-arrives": "H.place.nth(2) -> drop_request",
    "quote-answer-lost": "P.place.nth(2) -> drop_response",
    "fills-told-twice": "P.ws_private.every(1) -> duplicate(1)",
    "hedge-book-has-gaps": "H.ws_public.every(20) -> gap(1)",
}


@pytest.mark.parametrize("rule", FAULTS.values(), ids=FAULTS)
def test_a_disturbed_run_ends_flat(tmp_path: Path, rule: str) -> None:
    async def play(pair: Pair) -> None:
        faults = pair.world.faults
        (rule,) = faults.rules
        asyncio.get_running_loop().call_later(30.0, faults.clear)
        result = await pair.run(tmp_path, iterations=20)
        assert result.exit_code == 0, result.summary
        assert result.summary["verified"] is True
        assert rule.fired

    pair = on_stage(play, faults=rule)
    assert pair.worst <= Decimal("0.02")
    assert sum(f.size for f in pair.fills(PRIMARY)) == sum(f.size for f in pair.fills(HEDGE)) or (
        "unwound" in (tmp_path / f"{STEM}_cycles.csv").read_text()
    )


def test_an_interrupt_drains_and_ends_with_its_own_code(tmp_path: Path) -> None:
    async def play(pair: Pair) -> None:
        asyncio.get_running_loop().call_later(15.0, pair.stop.ask)  # preflight is over
        result = await pair.run(tmp_path, iterations=1000)
        assert result.exit_code == 6, result.summary
        assert result.summary["verified"] is True

    on_stage(play)


REFUSED = {
    "wrong hedge symbol": ({"hedge_symbol": "ETH-PERP"}, {}, "ETH_USDC_PERP"),
    "unknown coin": ({"primary_symbol": "DOGE_USDT_Perp"}, {}, "no market 'DOGE_USDT_Perp'"),
    "size below the minimum": ({"size": Decimal("0.004")}, {}, "0.01"),
    "key of a stranger": ({}, {HEDGE: {"api_key": "A" * 43 + "="}}, "api_key"),
    "key that the venue refuses": ({}, {PRIMARY: {"api_key": "not-a-key"}}, "grvt"),
}


@pytest.mark.parametrize(("changes", "keys", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_one_sentence_before_any_order(
    tmp_path: Path, changes: dict[str, Any], keys: dict[str, dict[str, str]], words: str
) -> None:
    async def main() -> tuple[str, int]:
        try:
            async with opened(keys=keys) as pair:
                result = await pair.run(tmp_path, **changes)
                assert pair.orders(PRIMARY) == pair.orders(HEDGE) == []
                return result.summary["reason"], result.exit_code
        except MpdexError as error:
            return str(error), 2

    sentence, code = run_virtual(main())
    assert words in sentence
    assert code in (2, 3)
    assert "\n" not in sentence


def test_a_bad_key_is_an_auth_error(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(keys={PRIMARY: {"api_key": "not-a-key"}}) as pair:
            with pytest.raises(AuthError):
                await pair.primary.get_collateral()

    run_virtual(main())


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))
