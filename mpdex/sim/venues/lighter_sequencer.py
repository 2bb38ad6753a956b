"""How a transaction gets into the simulated Lighter: past the front, then through the sequencer.

The front checks and answers with the hash. Everything is true at once, but nobody is told before
the sequencer's delay is over: neither orders nor nonces nor the transaction's outcome.

Source: apidocs.lighter.xyz, "Signing transactions", "Nonce management"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from mpdex.sim.models import Timers
from mpdex.sim.venues import lighter_render as render
from mpdex.sim.venues.lighter_keys import KeyRing
from mpdex.sim.venues.lighter_orders import OrderDesk
from mpdex.sim.venues.lighter_wire import Accepted, Refusal, Sent, Transaction
from mpdex.types import Json
from mpdex.utils.clock import Clock

FAILED, PENDING, EXECUTED = 0, 1, 2  # UNVERIFIED: numbers of the documentation's examples


@dataclass(slots=True)
class Record:
    """One accepted transaction."""

    sent: Transaction
    hash: str
    queued_ms: int
    error: str
    status: int = PENDING

    def rendered(self, owner: str, delay_ms: int) -> dict[str, Json]:
        """As `tx` and `account_tx` show it."""
        done = self.status != PENDING
        executed = self.queued_ms + delay_ms if done else 0
        return {
            "hash": self.hash,
            "type": self.sent.kind,
            "info": self.sent.text,
            "event_info": msgspec.json.encode({"ae": self.error if done else ""}).decode(),
            "status": self.status,
            "transaction_index": 0,
            "l1_address": owner,
            "account_index": self.sent.account,
            "nonce": self.sent.nonce,
            "expire_at": self.sent.expires_ms,
            "block_height": render.block_at(executed * 1_000_000),
            "queued_at": self.queued_ms,
            "executed_at": executed,
            "sequence_index": 0,
            "parent_hash": "",
            "api_key_index": self.sent.key,
            "transaction_time": executed * 1000,
        }


class Sequencer:
    """Takes transactions for one venue.

    Args:
        told: called with a transaction once it has been executed.
    """

    def __init__(
        self,
        keys: KeyRing,
        desk: OrderDesk,
        clock: Clock,
        timers: Timers,
        *,
        delay: float,
        told: Callable[[Record], None],
    ) -> None:
        self._keys = keys
        self._desk = desk
        self._clock = clock
        self._timers = timers
        self._delay = delay
        self._told = told
        self._records: dict[str, Record] = {}

    def submit(self, sent: Sent) -> list[Record]:
        """Accept transactions; in a batch, what the front cannot execute fails later.

        Raises: Refusal; nothing has happened then.
        """
        accepted = self._check(sent)
        return [self._execute(one, alone=len(accepted) == 1) for one in accepted]

    def _check(self, sent: Sent) -> list[Accepted]:
        """Signatures and nonces, each beginning where the last one ended."""
        first = sent.transactions[0]
        nonce = self._keys.find(str(first.account), first.key).nonce
        accepted: list[Accepted] = []
        for one in sent.transactions:
            if (one.account, one.key) != (first.account, first.key):
                raise Refusal(21121)
            if accepted and one.nonce < nonce:
                raise Refusal(21105)
            accepted.append(Accepted(one, self._keys.check(one, nonce).hex(), sent.protected))
            nonce = one.nonce + 1
        return accepted

    def _execute(self, accepted: Accepted, *, alone: bool) -> Record:
        sent, name, _ = accepted
        try:
            error = self._desk.handlers[sent.kind](accepted)
        except Refusal as refusal:
            if alone:
                raise
            error = refusal.message
        self._keys.find(str(sent.account), sent.key).nonce = sent.nonce + 1
        record = self._records[name] = Record(sent, name, self._clock.now_ms(), error)
        self._timers.after(self._delay, lambda: self._tell(record))
        return record

    def _tell(self, record: Record) -> None:
        record.status = FAILED if record.error else EXECUTED
        key = self._keys.find(str(record.sent.account), record.sent.key)
        key.told, key.used_us = record.sent.nonce + 1, self._clock.now_ns() // 1000
        self._told(record)

    def find(self, name: str) -> Record:
        """Raises: Refusal 21500."""
        record = self._records.get(name.lower().removeprefix("0x"))
        if record is None:
            raise Refusal(21500)
        return record
