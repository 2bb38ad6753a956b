"""Bytes in, signature out: one module for each scheme, on the fastest maintained library."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mpdex.errors import MissingDependency, UsageError

T = TypeVar("T")
Secret = TypeVar("Secret", str, bytes)


def own_signer(make: Callable[[Secret], T], secret: Secret, name: str, venue: str) -> T:
    """What `make` makes of a user's key, whose `name` the user knows.

    Raises: UsageError, without the key; MissingDependency, which is no fault of the key.
    """
    try:
        return make(secret)
    except MissingDependency as error:
        raise MissingDependency(error.detail, venue=venue) from error
    except UsageError as error:
        raise UsageError(f"{name} is wrong: {error.detail}", venue=venue) from None
