"""The lives of positions: from the fill that opens one to the fill that closes it.

The venue numbers positions and keeps a history of them; the ledger only knows how much is held.

Source: api.docs.extended.exchange, "Get positions history"; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

from mpdex.sim.records import ZERO, SimFill
from mpdex.sim.venues.extended_truth import FIRST_ID

Key = tuple[str, str]  # account, symbol


@dataclass(slots=True, kw_only=True)
class Life:
    """One position, told by its fills.

    Attributes:
        size: signed, 0 once it is over.
        most: greatest size it had, without a sign.
        bought: everything that entered, without a sign.
        traded: what its exits realised, before fees and funding.
    """

    id: int
    opened_ns: int
    size: Decimal = ZERO
    most: Decimal = ZERO
    side: str = "LONG"
    bought: Decimal = ZERO
    spent: Decimal = ZERO
    sold: Decimal = ZERO
    received: Decimal = ZERO
    open_fees: Decimal = ZERO
    close_fees: Decimal = ZERO
    funding: Decimal = ZERO
    closed_ns: int = 0
    exit_reason: str = ""

    @property
    def entry(self) -> Decimal:
        return self.spent / self.bought if self.bought else ZERO

    @property
    def exit_price(self) -> Decimal | None:
        return self.received / self.sold if self.sold else None

    @property
    def traded(self) -> Decimal:
        profit = self.received - self.entry * self.sold
        return profit if self.side == "LONG" else -profit

    @property
    def realized(self) -> Decimal:
        """Of its exits, its funding and its fees."""
        return self.traded + self.funding - self.open_fees - self.close_fees

    def enter(self, signed: Decimal, price: Decimal, fee: Decimal) -> None:
        self.size += signed
        self.side = "LONG" if self.size > 0 else "SHORT"
        self.most = max(self.most, abs(self.size))
        self.bought += abs(signed)
        self.spent += abs(signed) * price
        self.open_fees += fee

    def leave(self, signed: Decimal, fill: SimFill, fee: Decimal) -> None:
        self.size += signed
        self.sold += abs(signed)
        self.received += abs(signed) * fill.price
        self.close_fees += fee
        if not self.size:
            self.closed_ns, self.exit_reason = fill.time_ns, fill.order.reason


class Positions:
    """All positions of one venue, those that are over included."""

    def __init__(self) -> None:
        self._ids = count(FIRST_ID + 7)
        self._lives: dict[Key, list[Life]] = defaultdict(list)

    def newest(self, account: str, symbol: str) -> Life:
        """The last one; a blank one where there was none."""
        lives = self._lives[account, symbol]
        return lives[-1] if lives else Life(id=FIRST_ID, opened_ns=0)

    def past(self, account: str) -> list[tuple[str, Life]]:
        """(symbol, position) of an account, oldest first."""
        found = [
            (symbol, life)
            for (who, symbol), lives in self._lives.items()
            for life in lives
            if who == account
        ]
        return sorted(found, key=lambda pair: pair[1].id)

    def pay(self, account: str, symbol: str, received: Decimal) -> None:
        """Funding that the position in force received; negative: paid."""
        self.newest(account, symbol).funding += received

    def note(self, fill: SimFill) -> None:
        """An execution: it closes what faces it, and opens or adds with the rest."""
        key = (fill.order.account, fill.order.symbol)
        signed = fill.size if fill.order.side == "buy" else -fill.size
        life = self.newest(*key)
        closing = ZERO
        if life.size * signed < 0:
            closing = max(-abs(life.size), -fill.size) * (1 if life.size > 0 else -1)
            life.leave(closing, fill, fill.fee * abs(closing) / fill.size)
        if signed != closing:
            if not life.size:
                life = Life(id=next(self._ids), opened_ns=fill.time_ns)
                self._lives[key].append(life)
            life.enter(signed - closing, fill.price, fill.fee * (1 - abs(closing) / fill.size))
