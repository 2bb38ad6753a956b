"""Order entry over the simulated Pacifica's socket: one signed body under a name, with an id.

A call stands for a REST request, so limits and faults are the same for both. Its `id` has to be a
full UUID; an answer repeats it, with the code of the socket's own table.

Source: docs.pacifica.fi, "Trading operations"; replies quoted by a connector of 2026; read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mpdex.sim.venue import Budget, SimConnection, SimReply, SimRequest
from mpdex.sim.venues import pacifica_crypto as crypto
from mpdex.sim.venues import pacifica_wire as wire
from mpdex.sim.venues.pacifica_commands import Commands, stream_result
from mpdex.sim.venues.pacifica_credits import on_socket
from mpdex.sim.venues.pacifica_wire import Refusal
from mpdex.types import Json
from mpdex.utils.clock import Clock

# Name of a call, and the request that it stands for.
CALLS = {
    "create_order": "/orders/create",
    "create_market_order": "/orders/create_market",
    "edit_order": "/orders/edit",
    "cancel_order": "/orders/cancel",
    "cancel_all_orders": "/orders/cancel_all",
    "batch_orders": "/orders/batch",
}


class Calls:
    """Answers calls.

    Args:
        root: in front of every REST path.
    """

    def __init__(self, clock: Clock, commands: Commands, root: str) -> None:
        self._clock = clock
        self._commands = commands
        self._root = root

    def request_of(self, conn: SimConnection, text: str) -> SimRequest | None:
        """The REST request that a call stands for; None for anything but a call."""
        call = _call(read_message(text))
        if call is None:
            return None
        path, body = self._root + CALLS[call[0]], crypto.write_body(call[1])
        return SimRequest("POST", path, headers=conn.headers, body=body)

    def answer(self, message: Mapping[str, Json], budget: Budget | None) -> Json:
        """Do what a call asks.

        Args:
            budget: to be told in the answer; None: the client is not told.
        """
        try:
            return self._reply(message, budget, {"code": 200, "data": self._act(message)})
        except Refusal as refusal:
            fault = refusal.fault
            return self._reply(message, budget, {"code": fault.stream, "err": fault.message})

    def _act(self, message: Mapping[str, Json]) -> Json:
        call = _call(message)
        if call is None or not wire.is_uuid(message.get("id")):
            raise Refusal(wire.BAD_REQUEST)
        name, body = call
        if name == "batch_orders":
            return {"results": self._commands.batch(body, stream_result)}
        return self._commands.order(name, body).stream

    def wrap(self, text: str, reply: SimReply, budget: Budget | None) -> Json:
        """A refusal made for REST, as the answer to a call."""
        body = reply.body if isinstance(reply.body, dict) else {}
        known = next((f for f in wire.REJECTS.values() if f.message == body.get("error")), None)
        code = known.stream if known else reply.status
        words = str(body.get("error") or "Internal server error")
        return self._reply(read_message(text), budget, {"code": code, "err": words})

    def _reply(
        self, message: Mapping[str, Json], budget: Budget | None, said: Mapping[str, Json]
    ) -> Json:
        call = _call(message)
        return {
            **said,
            "id": message.get("id"),
            "type": call[0] if call else "",
            "t": self._clock.now_ms(),
            **({"rl": on_socket(budget)} if budget else {}),
        }


def is_call(message: Mapping[str, Json]) -> bool:
    """Whether a frame means to be a call, a good one or not."""
    return "id" in message or ("params" in message and "method" not in message)


def read_message(text: str) -> dict[str, Json]:
    """A text frame; {} where it is no object."""
    try:
        message = crypto.read_body(text.encode())
    except msgspec.DecodeError:
        return {}
    return message if isinstance(message, dict) else {}


def _call(message: Mapping[str, Json]) -> tuple[str, Json] | None:
    """Name and body of a call; None where there is none that is known."""
    params = message.get("params")
    if not isinstance(params, dict) or len(params) != 1 or "method" in message:
        return None
    [(name, body)] = params.items()
    return (name, body) if name in CALLS else None
