"""JSON objects that clients of simulated venues send, read once for all questions about them."""

from __future__ import annotations

import msgspec

from mpdex.sim.venue import SimConnection
from mpdex.types import Json

_decode = msgspec.json.Decoder(float_hook=str).decode


def decode_object(data: bytes | str) -> dict[str, Json]:
    """A JSON object; {} for anything else. Floats stay text."""
    try:
        body = _decode(data)
    except msgspec.DecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def message_of(conn: SimConnection, text: str) -> dict[str, Json]:
    """A text frame decoded, once for the several questions asked about it."""
    last = conn.state.get("message")
    if last is None or last[0] != text:
        last = conn.state["message"] = (text, decode_object(text))
    decoded: dict[str, Json] = last[1]
    return decoded
