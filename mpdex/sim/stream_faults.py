"""How faults bend one frame on its way out: lost, doubled, held, reordered, changed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import msgspec

from mpdex.sim.fault_rules import Action
from mpdex.sim.venue import SimReply, SimVenue
from mpdex.sim.wire import Connection
from mpdex.types import Json

REORDER_WITHIN = 0.3  # seconds for which a frame is held at most
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
            case "corrupt":
                frames = [frame[: len(frame) // 2] for frame in frames]
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
    """Hold frames until a window is full or has lasted, then let them go in another order."""
    if not conn.held and frames:
        conn.timers.after(REORDER_WITHIN, lambda: _let_go(conn, rng))
    conn.held += frames
    return _shuffled(conn, rng) if len(conn.held) >= window else []


def _shuffled(conn: Connection, rng: random.Random) -> list[bytes]:
    held, conn.held = conn.held, []
    out = rng.sample(held, len(held))
    return out if out != held else held[::-1]


def _let_go(conn: Connection, rng: random.Random) -> None:
    for frame in _shuffled(conn, rng):
        conn.push(frame, 0.0)


def _mutated(frame: bytes, action: Action, fields: Mapping[str, str]) -> bytes:
    value = msgspec.json.decode(frame)
    return msgspec.json.encode(_changed(value, action, fields))


def bend_answer(answer: Json, action: Action, venue: SimVenue) -> Json:
    """An answer with fields changed; refusals stay as they are."""
    fields = {**venue.fields, **venue.answer_fields}
    if isinstance(answer, SimReply):
        return replace(answer, body=_changed(answer.body, action, fields))
    return _changed(answer, action, fields)


def _changed(value: Json, action: Action, fields: Mapping[str, str]) -> Json:
    change = {fields.get(name, name): text for name, text in action.named.items()}
    value = _replaced(value, change)
    if any(">=" in text or "<=" in text for text in action.args):  # crossed: `bid>=ask`
        value = _crossed(value, fields)
    return value


def _crossed(value: Json, fields: Mapping[str, str]) -> Json:
    """Bids where asks should be, and the other way round; also where one list holds both."""
    swap = {fields.get(a, a): fields.get(b, b) for a, b in _SIDES.items()}
    if isinstance(value, dict):
        return {
            k: v[::-1]
            if swap.get(k) == k and isinstance(v, list)
            else _crossed(value.get(swap.get(k, k), v), fields)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [_crossed(item, fields) for item in value]
    return value


_SIDES = {"bid": "ask", "ask": "bid", "bids": "asks", "asks": "bids"}


def _replaced(value: Json, change: Mapping[str, str]) -> Json:
    if isinstance(value, dict):
        return {
            k: _json(change[k], v) if k in change else _replaced(v, change)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [_replaced(item, change) for item in value]
    return value


def _json(text: str, before: Json) -> Json:
    """`None` is null, `*1000` so many times the number that was there; its type stays."""
    if text in ("None", "null"):
        return None
    if text.startswith("*") and isinstance(before, int | float | str):
        text = str(Decimal(str(before)) * Decimal(text[1:]))
    if isinstance(before, bool):
        return text.lower() == "true"
    return int(Decimal(text)) if isinstance(before, int) else text
