"""From what is known to the price of a quote: the cost that is allowed, and where that lies."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mpdex.types import Side
from strategies import costs
from strategies.costs import Terms
from strategies.desk import Desk
from strategies.directions import Situation
from strategies.funding import receiving_side
from strategies.guards import holding_bps
from strategies.words import BookTick

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bound:
    """How eager a quote may be.

    Attributes:
        price: the worst that is allowed; None: any.
        limit_bps: what it may cost there; None: anything.
        terms: what its edge is made of; None where that is not known and nobody asks.
    """

    price: Decimal | None
    limit_bps: Decimal | None
    terms: Terms | None

    def edge(self, side: Side, price: Decimal) -> Decimal | None:
        return None if self.terms is None else costs.edge(side, price, self.terms)


def bound(desk: Desk, side: Side, *, closing: bool) -> Bound | None:
    """None: a cost gate is set, and the cost cannot be known now."""
    limit = costs.allowed_cost(desk.config, *_patience(desk, closing=closing))
    hedge = desk.ticks.get("hedge")
    terms = desk.lessons.terms(hedge) if hedge is not None else None
    if limit is None:
        return Bound(None, None, terms)
    if terms is None or not desk.lessons.books.basis.guessed:
        return None
    market = desk.setup.markets["primary"]
    return Bound(costs.gate_price(side, terms, limit, market), limit, terms)


def _patience(desk: Desk, *, closing: bool) -> tuple[float | None, Decimal]:
    """(seconds for which the pair has been waiting to be closed, what its funding will cost)."""
    if not closing:
        return None, _ZERO
    since = desk.lessons.full_since
    waited = desk.now - since if since is not None else 0.0
    return waited, holding_bps(desk.facts) if desk.funding else _ZERO


def situation(desk: Desk) -> Situation:
    """What the choice of a side depends on, as far as the policy asks for it."""
    policy, books = desk.config.direction, desk.lessons.books
    edges = None
    if policy == "basis" and "primary" in books.best and "hedge" in desk.ticks:
        edges = _edges(desk, desk.ticks["hedge"])
    paid = None
    if policy == "funding":
        paid = receiving_side(desk.funding, desk.setup.wall_ms(desk.now))
    return Situation(
        position=desk.ledger.position("primary"),
        smallest=desk.smallest,
        full=desk.closing,
        last_opening=desk.last_opening,
        edges=edges,
        receiving=paid,
    )


def _edges(desk: Desk, hedge: BookTick) -> tuple[Decimal, Decimal] | None:
    terms = desk.lessons.terms(hedge)
    if terms is None:
        return None
    best = desk.lessons.books.best["primary"]
    return costs.edge("buy", best.bid, terms), costs.edge("sell", best.ask, terms)
