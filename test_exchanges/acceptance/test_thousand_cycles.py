"""A thousand cycles on the recorded pair, at the venues' documented limits."""

from __future__ import annotations

import gc
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest
from acceptance.pair import HEDGE, PRIMARY, opened

from mpdex.sim.run import read_tapes
from mpdex.utils.virtual_loop import run_virtual

CYCLES = 1000
SIZE = Decimal("0.01")
TAPES = ("binance-usdm_ETH_20240808.jsonl.gz", "binance-cm_ETH_20240808.jsonl.gz")
# What a cycle may leave behind: the ids of its orders and fills (see mpdex.utils.account, where
# they are bounded). The simulator's truth keeps every order and its times and is not counted.
KEPT_PER_CYCLE = 1_500


@pytest.mark.slow
def test_a_thousand_cycles_on_the_recorded_pair(shared: Path, tmp_path: Path) -> None:
    source = read_tapes([shared / "tapes" / name for name in TAPES])

    async def main() -> None:
        async with opened(source=source) as pair:
            result = await pair.run(tmp_path, iterations=CYCLES, size=SIZE, canary=False)
            assert result.exit_code == 0, result.summary
            assert result.summary["attempts"] >= CYCLES
            assert Decimal(result.summary["fill_rate"]) >= Decimal("0.5")
            assert pair.exposure == 0
            assert pair.worst <= SIZE
            counts = pair.world.counts
            assert [key for key in counts if key[2] in ("rate limited", "query_order")] == []
            assert counts[HEDGE, "rest", "place"] == len(pair.orders(HEDGE))
            assert counts[PRIMARY, "rest", "place"] == 0
            successes = result.summary["successes"]
            assert counts[HEDGE, "rest", "place"] <= successes + successes // 50
            assert len(pair.flat_after) >= successes
            assert max(pair.flat_after) < 1.0

    run_virtual(main())


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    """What the product itself holds after 300 cycles is no more than after 100, but for ids."""

    async def main() -> list[int]:
        held = []
        async with opened() as pair:
            for run in range(3):
                await pair.run(tmp_path / str(run), iterations=100, size=SIZE)
                gc.collect()
                held.append(product_memory())
        return held

    tracemalloc.start()
    try:
        first, _, third = run_virtual(main())
    finally:
        tracemalloc.stop()
    assert third - first < 200 * KEPT_PER_CYCLE


def product_memory() -> int:
    """Bytes allocated by lines of the product, the simulator left out."""
    wanted = ("*/strategies/*", "*/wrappers/*", "*/mpdex/dex/*", "*/mpdex/utils/*")
    snapshot = tracemalloc.take_snapshot()
    filters = [
        tracemalloc.Filter(False, "*/mpdex/utils/clock.py"),
        *(tracemalloc.Filter(True, pattern) for pattern in wanted),
    ]
    return sum(stat.size for stat in snapshot.filter_traces(filters).statistics("filename"))
