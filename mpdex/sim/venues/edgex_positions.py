"""What EdgeX counts of positions: by contract and direction, of the term in force and in all.

A term lasts from the fill that opens a position to the one that closes it. What left an account has
a minus sign: bought value, closed size, fees.

Source: edgex-1.gitbook.io, "Account API", Position; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.sim.records import ZERO, SimFill

Key = tuple[str, str]  # account, symbol


@dataclass(slots=True)
class Stat:
    """Sums of one direction; sizes and values are signed as the documentation's samples are."""

    open_size: Decimal = ZERO
    open_value: Decimal = ZERO
    open_fee: Decimal = ZERO
    close_size: Decimal = ZERO
    close_value: Decimal = ZERO
    close_fee: Decimal = ZERO
    funding: Decimal = ZERO

    def enter(self, signed: Decimal, price: Decimal, fee: Decimal) -> None:
        self.open_size += signed
        self.open_value += signed * price
        self.open_fee -= fee

    def leave(self, signed: Decimal, price: Decimal, fee: Decimal) -> None:
        self.close_size += signed
        self.close_value += signed * price
        self.close_fee -= fee


@dataclass(slots=True)
class Side:
    """Long or short, in one contract of one account."""

    total: Stat = field(default_factory=Stat)
    term: Stat = field(default_factory=Stat)
    terms: int = 0
    began_ns: int = 0
    changed_ns: int = 0


@dataclass(slots=True)
class Record:
    """One contract of one account.

    Attributes:
        fee: of what is open; negative.
        funding: of the term in force.
        realized: by exits of the term in force, before fees and funding.
    """

    long: Side = field(default_factory=Side)
    short: Side = field(default_factory=Side)
    size: Decimal = ZERO
    fee: Decimal = ZERO
    funding: Decimal = ZERO
    realized: Decimal = ZERO
    began_ns: int = 0
    changed_ns: int = 0

    def side(self) -> Side:
        """The one that is open; long where none is."""
        return self.short if self.size < 0 else self.long

    def note(self, fill: SimFill) -> None:
        """An execution: it closes what faces it, and opens or adds with the rest."""
        signed = fill.size if fill.order.side == "buy" else -fill.size
        faces = self.size * signed < 0
        closing = min(abs(signed), abs(self.size)) * (1 if signed > 0 else -1) if faces else ZERO
        fee_of_exit = fill.fee * abs(closing) / fill.size
        self.began_ns, self.changed_ns = self.began_ns or fill.time_ns, fill.time_ns
        if closing:
            self._leave(closing, fill, fee_of_exit)
        if signed != closing:
            self._enter(signed - closing, fill, fill.fee - fee_of_exit)

    def _leave(self, signed: Decimal, fill: SimFill, fee: Decimal) -> None:
        side = self.side()
        for stat in (side.total, side.term):
            stat.leave(signed, fill.price, fee)
        side.changed_ns = fill.time_ns
        self.fee += self.fee * signed / self.size  # signs differ: a part of it goes
        self.size += signed
        self.realized += fill.closed_pnl
        if not self.size:
            side.term = Stat()
            self.fee = self.funding = self.realized = ZERO

    def _enter(self, signed: Decimal, fill: SimFill, fee: Decimal) -> None:
        fresh = not self.size
        self.size += signed
        self.fee -= fee
        side = self.side()
        if fresh:
            side.terms, side.began_ns = side.terms + 1, fill.time_ns
        for stat in (side.total, side.term):
            stat.enter(signed, fill.price, fee)
        side.changed_ns = fill.time_ns

    def pay(self, received: Decimal, time_ns: int) -> None:
        """Funding; negative: paid."""
        side = self.side()
        side.total.funding += received
        side.term.funding += received
        self.funding += received
        self.changed_ns = time_ns


@dataclass(slots=True)
class Flows:
    """What has moved the collateral of one account; what left it is negative."""

    bought: Decimal = ZERO
    sold: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    changed_ns: int = 0

    def note(self, fill: SimFill) -> None:
        value = fill.price * fill.size
        if fill.order.side == "buy":
            self.bought -= value
        else:
            self.sold += value
        self.fees -= fill.fee
        self.changed_ns = fill.time_ns


class Positions:
    """Every record of one venue."""

    def __init__(self) -> None:
        self._records: dict[Key, Record] = defaultdict(Record)
        self._flows: dict[str, Flows] = defaultdict(Flows)

    def record(self, account: str, symbol: str) -> Record:
        return self._records[account, symbol]

    def flows(self, account: str) -> Flows:
        return self._flows[account]

    def note(self, fill: SimFill) -> None:
        account = fill.order.account
        self._records[account, fill.order.symbol].note(fill)
        self._flows[account].note(fill)

    def pay(self, account: str, symbol: str, received: Decimal, time_ns: int) -> None:
        self._records[account, symbol].pay(received, time_ns)
        self._flows[account].funding += received
        self._flows[account].changed_ns = time_ns
