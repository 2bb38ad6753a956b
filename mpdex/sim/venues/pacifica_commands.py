"""Signed commands to the simulated Pacifica: who gives them, and what is done.

Whoever signs is the account itself, or an agent that is bound to it. There is no nonce: the same
bytes are good again until they expire.

Source: docs.pacifica.fi, "Signing", "Agent keys", "Batch order"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from mpdex.sim.venues import pacifica_crypto as crypto
from mpdex.sim.venues import pacifica_wire as wire
from mpdex.sim.venues.pacifica_account import AccountData
from mpdex.sim.venues.pacifica_orders import Done, OrderDesk
from mpdex.sim.venues.pacifica_wire import Fault, Refusal
from mpdex.types import Json
from mpdex.utils.clock import Clock

USUAL_WINDOW_MS = 30_000
MOST_ACTIONS = 10
ACTIONS = {
    "Create": "create_order",
    "CreateMarket": "create_market_order",
    "Cancel": "cancel_order",
}


class Commands:
    """Checks who signed, then does it.

    Attributes:
        operations: what changes orders, by its name in the signed message.

    Raises: Refusal from everything.
    """

    def __init__(self, clock: Clock, accounts: AccountData, desk: OrderDesk) -> None:
        self._clock = clock
        self._accounts = accounts
        self.operations: dict[str, Callable[[str, Mapping[str, Json]], Done]] = {
            "create_order": desk.create,
            "create_market_order": desk.create_market,
            "edit_order": desk.edit,
            "cancel_order": desk.cancel,
            "cancel_all_orders": desk.cancel_all,
        }

    def order(self, operation: str, body: Json) -> Done:
        """One signed operation on orders."""
        account, fields = self.verify(operation, body)
        return self.operations[operation](account, fields)

    def batch(
        self, body: Json, render: Callable[[Done | Fault], dict[str, Json]]
    ) -> list[dict[str, Json]]:
        """All signatures first; then each by itself, whatever becomes of the others."""
        actions = body.get("actions") if isinstance(body, dict) else None
        if not isinstance(actions, list) or not 0 < len(actions) <= MOST_ACTIONS:
            raise Refusal(wire.BAD_REQUEST)
        todo = [action_of(action) for action in actions]
        proven = [(name, *self.verify(name, fields)) for name, fields in todo]
        return [render(self._tried(*one)) for one in proven]

    def _tried(self, operation: str, account: str, fields: Mapping[str, Json]) -> Done | Fault:
        try:
            return self.operations[operation](account, fields)
        except Refusal as refusal:
            return refusal.fault

    def verify(self, operation: str, body: Json) -> tuple[str, dict[str, Json]]:
        """The account that an operation is for, and the operation's own fields.

        Raises: Refusal.
        """
        if not isinstance(body, dict):
            raise Refusal(wire.BAD_REQUEST)
        account, payload = body.get("account"), crypto.payload_of(body, operation)
        own_agent = None if operation in crypto.ABOUT_AGENTS else body.get("agent_wallet")
        signer = account if own_agent is None else own_agent
        public, signature = crypto.parse_address(signer), body.get("signature")
        if public is None or crypto.parse_address(account) is None:
            raise Refusal(wire.NO_KEY)
        proof = crypto.decode_base58(signature, 64) if isinstance(signature, str) else None
        if proof is None:
            raise Refusal(wire.NO_SIGNATURE)
        message = crypto.signed_message(operation, payload, *self._timed(body))
        if not crypto.verify(public, proof, message):
            raise Refusal(wire.BAD_SIGNATURE)
        self._check_right(str(account), own_agent, operation)
        return str(account), payload

    def _timed(self, body: Mapping[str, Json]) -> tuple[int, int]:
        """Both times; a signature is good until their sum, however far ahead (UNVERIFIED)."""
        try:
            stamp = wire.parse_number(body, "timestamp")
            window = wire.parse_number({"w": body.get("expiry_window", USUAL_WINDOW_MS)}, "w")
        except Refusal as refusal:
            raise Refusal(wire.INVALID_MESSAGE) from refusal
        if stamp + window <= self._clock.now_ms():
            raise Refusal(wire.INVALID_MESSAGE)
        return stamp, window

    def _check_right(self, account: str, agent: Json, operation: str) -> None:
        if agent is not None and agent not in self._accounts.agents.get(account, ()):
            raise Refusal(wire.NO_AGENT)
        if agent is not None and operation in crypto.OWNERS:
            raise Refusal(wire.NOT_OWNER)
        if not self._accounts.knows(account):
            raise Refusal(wire.NO_ACCOUNT)


def read(body: bytes) -> Json:
    """A body as JSON."""
    try:
        return crypto.read_body(body)
    except msgspec.DecodeError as error:
        raise Refusal(wire.BAD_REQUEST) from error


def action_of(action: Json) -> tuple[str, Json]:
    """Operation and signed body of one action of a batch."""
    kind = action.get("type") if isinstance(action, dict) else None
    if kind not in ACTIONS:
        raise Refusal(wire.BAD_REQUEST)
    return ACTIONS[kind], action.get("data")


def rest_result(done: Done | Fault) -> dict[str, Json]:
    """One result of a batch; a cancel has no number."""
    if isinstance(done, Fault):
        return {"success": False, "order_id": None, "error": done.message}
    if done.order is None:
        return {"success": True}
    return {"success": True, "order_id": done.order_id, "error": None}


def stream_result(done: Done | Fault) -> dict[str, Json]:
    if isinstance(done, Fault):
        return {"success": False, "order_id": None, "error": done.message}
    named = {"order_id": done.order_id, "client_order_id": done.client_id, "symbol": done.symbol}
    return {"success": True, **{name: value for name, value in named.items() if value is not None}}
