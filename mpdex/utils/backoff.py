"""How long to wait before the next attempt.

Every step doubles up to a ceiling, and a random half second on top keeps clients that were cut off
together from coming back together.
"""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(
    minimum: float,
    maximum: float,
    factor: float = 2.0,
    jitter: float = 0.5,
    *,
    rng: random.Random,
) -> Iterator[float]:
    """Endless waiting times in seconds: from `minimum` to `maximum`, each up to `jitter` longer."""
    delay = min(minimum, maximum)
    while True:
        yield delay + rng.uniform(0.0, jitter)
        delay = min(maximum, delay * factor)
