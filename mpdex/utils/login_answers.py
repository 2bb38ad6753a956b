"""What the answer to a login is, before anybody reads what it gives.

Source: RFC 7519 (JSON Web Token, `exp` in seconds since the epoch); read 2026-11-21.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import msgspec

from mpdex.errors import AuthError, RateLimited, TransportError
from mpdex.types import Json

if TYPE_CHECKING:
    from mpdex.utils.rest import Answer


def granted(answer: Answer, venue: str) -> Json:
    """The body of a login that the venue accepted.

    Raises: RateLimited; AuthError: it refused, with its own words; TransportError: not the venue
        but its front door refused, or nobody knows.
    """
    status = answer.status
    if status == 429:
        raise RateLimited("login", venue=venue, code="429")
    body = _json_or_none(answer.body)
    if status >= 500 or body is None:
        raise TransportError(f"login: HTTP {status} without a reason", venue=venue)
    if status >= 400:
        raise AuthError(f"login refused: {str(body)[:200]}", venue=venue, code=str(status))
    return body


def token_expires_ms(token: str) -> int | None:
    """When a JSON Web Token says that it ends; None: it does not say, or is none."""
    ends = (token_claims(token) or {}).get("exp")
    return int(ends * 1000) if isinstance(ends, int | float) else None


def token_claims(token: str) -> dict[str, Json] | None:
    """What a JSON Web Token says, unproved; None: it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        text = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(text, type=dict[str, Any])
    except ValueError:
        return None


def _json_or_none(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
