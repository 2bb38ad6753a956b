"""Cookies of a login, out of `Set-Cookie` headers that were joined with commas.

Nothing of a cookie but its name, its value and its end matters to a client that keeps the session
itself. Source: RFC 6265, sections 4.1 and 5.2; read 2026-11-21.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_START = re.compile(r"(?:^|,)\s*([^=;,\s]+)=([^;,\s]*)")
_MAX_AGE = re.compile(r"\bmax-age=(\d+)", re.IGNORECASE)
_EXPIRES = re.compile(r"\bexpires=([^;]+)", re.IGNORECASE)


class Cookie(NamedTuple):
    """`expires_ms`: None where it ends with the browser's session."""

    value: str
    expires_ms: int | None


def find_cookies(header: str, now_ms: int) -> dict[str, Cookie]:
    """Those that a header sets, by name; one that it empties is left out."""
    starts = list(_START.finditer(header))
    ends = [*(start.start() for start in starts), len(header)][1:]
    found = {
        start[1]: Cookie(start[2].strip('"'), _expiry(header[start.end() : end], now_ms))
        for start, end in zip(starts, ends, strict=False)
    }
    return {name: cookie for name, cookie in found.items() if cookie.value}


def _expiry(attributes: str, now_ms: int) -> int | None:
    """Max-Age counts from now, whatever our clock says; Expires is the venue's wall clock."""
    if age := _MAX_AGE.search(attributes):
        return now_ms + int(age[1]) * 1000
    if until := _EXPIRES.search(attributes):
        from email.utils import parsedate_to_datetime  # here: it loads a mail library

        return int(parsedate_to_datetime(until[1]).timestamp()) * 1000
    return None
