"""Bytes in, signature out: one module for each scheme, on the fastest maintained library."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from mpdex.errors import MissingDependency, UsageError

T = TypeVar("T")
Secret = TypeVar("Secret", str, bytes)
_NOT_IN_COOKIES = frozenset(' ",;\\')  # RFC 6265, section 4.1.1


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


def own_header(
    text: str, name: str, venue: str, *, barred: Collection[str] = _NOT_IN_COOKIES
) -> str:
    """A user's key that goes into a header as it is, without white space around it.

    A line that was broken in copying would end the header there, and begin another.

    Args:
        barred: letters that it cannot have; what people choose themselves may have any.

    Raises: UsageError, without the key.
    """
    key = text.strip()
    if not (key.isascii() and key.isprintable()) or any(c in barred for c in key):
        raise UsageError(f"{name} has letters that no key has; copy it again", venue=venue)
    return key
