"""What a request shows in its `Cookie` header. Source: RFC 6265, section 4.2; read 2026-11-21."""

from __future__ import annotations

from collections.abc import Mapping


def cookie(headers: Mapping[str, str], name: str) -> str:
    """Its value; "" where it is not there."""
    for part in headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""
