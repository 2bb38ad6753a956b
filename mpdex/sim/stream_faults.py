"""How faults bend one frame on its way out: lost, doubled, held, reordered, changed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import msgspec

from mpdex.sim.fault_rules import Action
from mpdex.sim.wire import Connection
from mpdex.types import Json

PRIVATE_KINDS = frozenset({"order", "fill", "position", "balance"})
PUBLIC_KINDS = frozenset({"book", "bbo", "trade", "mark"})


def stream_op(private: bool, kind: str) -> str:
    """Fault op of a frame: by what it says, where one socket carries both; else by the socket."""
    if kind in PRIVATE_KINDS:
        return "ws_private"
    if kind in PUBLIC_KINDS:
        return "ws_public"
    return "ws_private" if private else "ws_public"


def bend(
    conn: Connection,
    payload: bytes,
    actions: Sequence[Action],
    *,
    fields: Mapping[str, str],
    rng: random.Random,
) -> list[bytes]:
    """The frames to send instead of one."""
    frames = [payload]
    for action in actions:
        match action.name:
            case "lose" | "gap":
                frames = []
            case "duplicate":
                frames = frames * 2
            case "mutate":
                frames = [_mutated(frame, action, fields) for frame in frames]
            case "reorder":
                frames = _reordered(conn, frames, int(action.get(0, "window", "2")), rng)
            case "stale_snapshot":
                for frame in frames:
                    conn.push_late(frame, action.seconds())
                frames = []
            case _:
                pass  # of the connection: performed by the server
    return frames


def _reordered(
    conn: Connection, frames: list[bytes], window: int, rng: random.Random
) -> list[bytes]:
    """Hold frames until a window is full, then let them go in another order."""
    conn.held += frames
    if len(conn.held) < window:
        return []
    held, conn.held = conn.held, []
    out = rng.sample(held, len(held))
    return out if out != held else held[::-1]


def _mutated(frame: bytes, action: Action, fields: Mapping[str, str]) -> bytes:
    change = {fields.get(name, name): _json(text) for name, text in action.named.items()}
    return msgspec.json.encode(_replaced(msgspec.json.decode(frame), change))


def _json(text: str) -> Json:
    """`None` is null, everything else the text it is."""
    return None if text in ("None", "null") else text


def _replaced(value: Json, change: Mapping[str, Json]) -> Json:
    if isinstance(value, dict):
        return {k: change[k] if k in change else _replaced(v, change) for k, v in value.items()}
    if isinstance(value, list):
        return [_replaced(item, change) for item in value]
    return value
