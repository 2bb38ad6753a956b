"""mpdex.utils.backoff"""

from __future__ import annotations

import random
from itertools import islice

import pytest

from mpdex.utils.backoff import delays


def test_doubles_up_to_the_ceiling_without_jitter() -> None:
    waits = islice(delays(1.0, 8.0, jitter=0.0, rng=random.Random(1)), 6)
    assert list(waits) == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_jitter_is_added_on_top_and_does_not_grow_the_base() -> None:
    bases = [1.0, 2.0, 4.0, 8.0] + [8.0] * 96
    waits = list(islice(delays(1.0, 8.0, rng=random.Random(7)), 100))
    extras = [wait - base for wait, base in zip(waits, bases, strict=True)]
    assert all(0.0 <= extra <= 0.5 for extra in extras)
    assert max(extras) - min(extras) > 0.4


def test_the_same_seed_gives_the_same_waits() -> None:
    first = list(islice(delays(1.0, 8.0, rng=random.Random(3)), 5))
    assert first == list(islice(delays(1.0, 8.0, rng=random.Random(3)), 5))
    assert first != list(islice(delays(1.0, 8.0, rng=random.Random(4)), 5))


@pytest.mark.parametrize(("minimum", "expected"), [(20.0, [8.0, 8.0]), (0.5, [0.5, 1.5])])
def test_ceiling_and_factor_hold_from_the_first_wait(minimum: float, expected: list[float]) -> None:
    waits = islice(delays(minimum, 8.0, factor=3.0, jitter=0.0, rng=random.Random(1)), 2)
    assert list(waits) == expected
