"""Positions from fills, and what is still owed.

Rules:

1. Fills are the only thing that moves a position. A snapshot, a balance or an answer's position
   only checks it; a lasting difference is an external change, which is adopted by policy (`adopt`).
2. Where an order report says more was executed than the fills so far add up to, the difference is
   *inferred* and counts at once. The true fill, when it comes, replaces it and moves nothing. What
   is new and what is replaced, the order says (`mpdex.utils.orders`).

Sizes are signed where they are called position, exposure or debt: positive is long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from mpdex.types import Fill, Side
from strategies.words import ROLES, Role

ZERO = Decimal(0)

OrderKey: TypeAlias = tuple[Role, str]


def signed(side: Side | str, size: Decimal) -> Decimal:
    """Positive for a buy."""
    return size if side == "buy" else -size


def counted(fill: Fill, quote: str) -> Fill:
    """A fill as sums in quote currency take it: a fee in any other asset is no part of them.

    Args:
        quote: of the market; "": not known.
    """
    foreign = quote and fill["fee_asset"] not in ("", quote)
    return {**fill, "fee": None} if foreign else fill


def opposite(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"


@dataclass(slots=True)
class Account:
    """What this run did on one venue. `cash` is what sales brought minus what purchases cost."""

    position: Decimal = ZERO
    volume: Decimal = ZERO
    cash: Decimal = ZERO
    fees: Decimal = ZERO
    carried: Decimal = ZERO  # funding, received less paid
    adopted: Decimal = ZERO  # coins, and cash, of changes that no order of ours made
    adopted_cash: Decimal = ZERO


@dataclass(slots=True)
class Exposure:
    """How far from neutral, how long: maximum, and coins times seconds."""

    now: Decimal = ZERO
    maximum: Decimal = ZERO
    seconds: Decimal = ZERO
    since: float = 0.0

    def update(self, exposure: Decimal, now: float) -> None:
        elapsed = Decimal(str(round(max(now - self.since, 0.0), 6)))
        self.seconds += abs(self.now) * elapsed
        self.now, self.since = exposure, now
        self.maximum = max(self.maximum, abs(exposure))


@dataclass(slots=True)
class Ledger:
    """The two accounts of a run."""

    accounts: dict[Role, Account] = field(default_factory=lambda: {r: Account() for r in ROLES})
    exposure_record: Exposure = field(default_factory=Exposure)

    @property
    def moved_at(self) -> float:
        """When a fill was booked last."""
        return self.exposure_record.since

    @property
    def exposure(self) -> Decimal:
        """E = P + H."""
        return self.accounts["primary"].position + self.accounts["hedge"].position

    @property
    def volume(self) -> Decimal:
        return sum((a.volume for a in self.accounts.values()), ZERO)

    def position(self, role: Role) -> Decimal:
        return self.accounts[role].position

    def debt(self, reserved: Decimal) -> Decimal:
        """D = -(E + R): what must still be sent. `reserved`: signed rest of orders under way.

        Never more than what makes E zero, and never the other way: what an order may still do in
        excess is repaired when it has done it, not on the suspicion.
        """
        exposure = self.exposure
        owed = -(exposure + reserved)
        return min(max(owed, min(-exposure, ZERO)), max(-exposure, ZERO))

    def worth(self, mids: Mapping[Role, Decimal]) -> Decimal:
        """Profit of the run in quote currency, after fees and funding.

        Each leg counts at its own venue's mid, so that a lasting basis is no loss; at the other
        one's where its own is not known.
        """
        other = next(iter(mids.values()), ZERO)
        return sum(
            (
                account.cash
                + account.carried
                - account.fees
                + account.position * mids.get(role, other)
                for role, account in self.accounts.items()
            ),
            ZERO,
        )

    def take(
        self,
        role: Role,
        fill: Fill,
        now: float,
        *,
        side: Side,
        replaced: Decimal,
        inferred_price: Decimal,
    ) -> None:
        """Books a true fill, in place of the part of it that was inferred before.

        Args:
            side: of the order, which is what was inferred; a fill may turn out to be another.
        """
        if replaced:
            self._move(role, side, -replaced, inferred_price)
        self._move(role, fill["side"], fill["size"], fill["price"])
        self.accounts[role].fees += fill["fee"] or ZERO
        self.exposure_record.update(self.exposure, now)

    def infer(self, role: Role, side: Side, size: Decimal, price: Decimal, now: float) -> None:
        """Books what an order report says and no fill has told yet."""
        self._move(role, side, size, price)
        self.exposure_record.update(self.exposure, now)

    def carry(self, role: Role, amount: Decimal) -> None:
        """Books a payment of funding; positive was received."""
        self.accounts[role].carried += amount

    def adopt(self, role: Role, size: Decimal, price: Decimal, now: float) -> None:
        """Takes over what happened to a position without an order of ours: no volume, no fee.

        A liquidated or hand-closed leg is missing from now on, and the debt rule makes up for it.
        """
        account = self.accounts[role]
        account.position += size
        account.cash -= size * price
        account.adopted += size
        account.adopted_cash -= size * price
        self.exposure_record.update(self.exposure, now)

    def _move(self, role: Role, side: Side, size: Decimal, price: Decimal) -> None:
        account = self.accounts[role]
        account.position += signed(side, size)
        account.cash -= signed(side, size * price)
        account.volume += size * price
