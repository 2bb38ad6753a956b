"""Options: what is refused, and what follows from what is said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mpdex.errors import UsageError
from strategies.config import FeeRates, HedgeConfig, read_fees
from strategies.words import Role

D = Decimal


def config(**options: Any) -> HedgeConfig:
    return HedgeConfig(**{"primary": "p", "hedge": "h", "ticker": "X", "size": D(1), **options})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"size": D(0)}, "size 0 is not positive"),
    ({"iterations": 0}, "0 iterations: give 1 or more"),
    ({"fill_timeout": 0.0}, "give seconds above 0"),
    ({"close_patience": 0.0}, "give seconds above 0"),
    ({"hedge": "p"}, "p cannot hedge itself"),
    ({"max_cost_bps": D(-1)}, "--gate no-loss is 0"),
    ({"max_position": D("0.9")}, "maximum position 0.9 is below the size of one clip, 1"),
    ({"target_volume": D(0)}, "target volume 0: give an amount above 0"),
    ({"max_loss": D(-3)}, "max loss -3: give an amount above 0"),
    ({"gate": "soft"}, "gate 'soft': choose roundtrip, strict, no-loss, off"),
    ({"direction": "up"}, "choose alternate, basis, funding, long-first, short-first"),
    ({"count": "all"}, "count 'all': choose attempts, fills"),
    ({"on_complete": "x"}, "on-complete 'x': choose flatten, neutral"),
    ({"on_exit": "x"}, "on-exit 'x': choose flatten, neutral"),
    ({"on_external": "x"}, "on-external 'x': choose halt, adopt, neutralise"),
    ({"adopt_baseline": "x"}, "adopt-baseline 'x': choose refuse, keep, close"),
    ({"mode": "x"}, "mode 'x': choose sim, dry, live"),
    ({"quoting": "x"}, "quoting 'x': choose adaptive, static"),
]


@pytest.mark.parametrize(("options", "sentence"), REFUSED)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        config(**options)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("gate", "limit"), [("roundtrip", D(8)), ("strict", D(8)), ("no-loss", D(0)), ("off", None)]
)
def test_what_an_opening_may_cost(gate: str, limit: Decimal | None) -> None:
    assert config(gate=gate).cost_limit_bps == limit


def test_one_clip_is_held_unless_more_is_said() -> None:
    assert config().position_limit == 1
    assert config(max_position=D(3)).position_limit == 3


FEES: list[tuple[str, str, dict[Role, FeeRates]]] = [
    ("", "", {}),
    ("1", "", {"primary": FeeRates(D(1)), "hedge": FeeRates(D(1))}),
    ("-0.1,2", "5", {"primary": FeeRates(D("-0.1"), D(5)), "hedge": FeeRates(D(2), D(5))}),
    ("", "4,5.5", {"primary": FeeRates(None, D(4)), "hedge": FeeRates(None, D("5.5"))}),
]


@pytest.mark.parametrize(("maker", "taker", "fees"), FEES)
def test_fees_are_said_for_both_venues_or_for_each(
    maker: str, taker: str, fees: dict[Role, FeeRates]
) -> None:
    assert read_fees(maker, taker) == fees


@pytest.mark.parametrize("text", ["1,2,3", "one", "1,"])
def test_fees_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="maker fee"):
        read_fees(text, "")
