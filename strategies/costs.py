"""What a quote would earn or cost, and the worst price that is still allowed.

All in bps of the primary's mid `M`; an edge is a gain, a cost its opposite:

    edge_buy(x)  = (Hb - x + m) / M * 1e4 - mP - tH - s     buy x on P, sell on H
    edge_sell(x) = (x - Ha - m) / M * 1e4 - mP - tH - s     sell x on P, buy on H

`Hb`, `Ha`: what selling and buying the clip on H brings and costs; `m`: the usual basis, which
cancels over the opening and the closing of a pair; `mP`: maker fee on P (a rebate is negative);
`tH`: taker fee on H; `s`: what hedges usually lose between decision and fill.

Fees are those the venue tells, else those the operator says, else those the wrapper assumes, else
an entry tier; each fill then corrects them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.types import Fees, Liquidity, Market, Side
from mpdex.utils.precision import snap_price
from strategies.config import FeeRates, HedgeConfig
from strategies.limits import Limits
from strategies.words import ROLES, Role

BPS = Decimal(10_000)
ZERO = Decimal(0)
# Of a venue about which nobody says anything: no rebate is taken for granted.
ENTRY_MAKER, ENTRY_TAKER = Decimal(2), Decimal(5)
# Hedges lose a little even where they seem not to.
SLIPPAGE_FLOOR = Decimal("0.2")
# A hedge that loses less than this is never called bad, however well the others did.
_BAD_SLIPPAGE = Decimal(1)
# Weight of the newest value: about the last ten count.
_WEIGHT = Decimal("0.2")
# Closing may cost twice as much at the end of the patience.
_CLOSING = Decimal(2)


@dataclass(frozen=True, slots=True)
class Rates:
    """Fees of one venue, in bps."""

    maker: Decimal
    taker: Decimal


def rates_of(told: Fees | None, said: FeeRates | None) -> Rates:
    """What to count with before the first fill."""
    said = said or FeeRates()
    if told is not None and not told["assumed"]:
        return Rates(told["maker"] * BPS, told["taker"] * BPS)
    maker = told["maker"] * BPS if told is not None else ENTRY_MAKER
    taker = told["taker"] * BPS if told is not None else ENTRY_TAKER
    return Rates(
        maker if said.maker is None else said.maker, taker if said.taker is None else said.taker
    )


@dataclass(slots=True)
class Costs:
    """Fees and slippage as they are known now.

    Attributes:
        rates: fees by role. charged: of these a fill has told what they are.
        slipped: moving average of what hedges lost, in bps; positive is a loss.
        bad_cycles: cycles in a row whose hedges lost far more than usual.
        paused_until: monotonic; no quotes before.
    """

    rates: dict[Role, Rates]
    charged: set[tuple[Role, Liquidity]] = field(default_factory=set)
    slipped: Decimal = ZERO
    bad_cycles: int = 0
    paused_until: float = 0.0
    hedged: dict[int, tuple[Decimal, Decimal]] = field(default_factory=dict)

    @classmethod
    def of(cls, config: HedgeConfig, fees: Mapping[Role, Fees | None]) -> Costs:
        return cls(
            {role: rates_of(fees.get(role), config.assumed_fees.get(role)) for role in ROLES}
        )

    @property
    def slippage(self) -> Decimal:
        return max(self.slipped, SLIPPAGE_FLOOR)

    @property
    def fixed(self) -> Decimal:
        """What a quote costs whatever its price: both fees and the usual slippage."""
        return self.rates["primary"].maker + self.rates["hedge"].taker + self.slippage

    @property
    def taking(self) -> Decimal:
        """What closing the pair by taking on both venues costs in fees and slippage."""
        return sum((rate.taker for rate in self.rates.values()), 2 * self.slippage)

    def learn_fee(self, role: Role, liquidity: Liquidity, fee: Decimal, value: Decimal) -> None:
        """Corrects a rate by what a fill of this value was charged; the first fill decides."""
        if not value:
            return
        rates, now = self.rates[role], fee / value * BPS
        old = rates.maker if liquidity == "maker" else rates.taker
        new = _nearer(old, now) if (role, liquidity) in self.charged else now
        self.charged.add((role, liquidity))
        if liquidity == "maker":
            self.rates[role] = Rates(new, rates.taker)
        else:
            self.rates[role] = Rates(rates.maker, new)

    def learn_hedge(
        self, cycle: int, side: Side, size: Decimal, price: Decimal, decided: Decimal
    ) -> None:
        """Notes what a fill of a hedge lost against the price decided on."""
        lost, value = self.hedged.get(cycle, (ZERO, ZERO))
        worse = price - decided if side == "buy" else decided - price
        self.hedged[cycle] = (lost + worse * size, value + decided * size)

    def end_cycle(self, cycle: int, limits: Limits, now: float) -> None:
        """Learns from what the hedges of a cycle lost together."""
        lost, value = self.hedged.pop(cycle, (ZERO, ZERO))
        if not value:
            return
        slipped = lost / value * BPS
        bad = slipped > max(limits.slippage_times * self.slippage, _BAD_SLIPPAGE)
        self.bad_cycles = self.bad_cycles + 1 if bad else 0
        self.slipped = _nearer(self.slipped, slipped)
        if self.bad_cycles >= limits.slippage_cycles:
            self.bad_cycles = 0
            self.paused_until = now + limits.slippage_pause


def _nearer(old: Decimal, new: Decimal) -> Decimal:
    return old + (new - old) * _WEIGHT


# --------------------------------------------------------------------------- edge and gate


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything the edge of a quote depends on but its price.

    Attributes:
        mid: of the primary.
        sell, buy: average price to sell and to buy the clip on the hedge venue.
        basis: `m`, in quote currency.
        fixed: fees, slippage and margin, in bps.
    """

    mid: Decimal
    sell: Decimal
    buy: Decimal
    basis: Decimal
    fixed: Decimal


def edge(side: Side, price: Decimal, terms: Terms) -> Decimal:
    """What a fill at this price would gain, in bps; negative is a cost."""
    if side == "buy":
        gain = terms.sell - price + terms.basis
    else:
        gain = price - terms.buy - terms.basis
    return gain / terms.mid * BPS - terms.fixed


def gate_price(side: Side, terms: Terms, limit_bps: Decimal, market: Market) -> Decimal:
    """The most eager price on the grid that costs no more than the limit."""
    room = (limit_bps - terms.fixed) * terms.mid / BPS
    if side == "buy":
        return snap_price(terms.sell + terms.basis + room, market, side)
    return snap_price(terms.buy + terms.basis - room, market, side)


def allowed_cost(
    config: HedgeConfig, closing_for: float | None, funding_bps: Decimal = ZERO
) -> Decimal | None:
    """Most that a quote may cost now, in bps; None: anything.

    Args:
        closing_for: seconds for which the pair has been waiting to be closed; None: an opening.
        funding_bps: what the next payment of funding costs the pair.
    """
    limit = config.cost_limit_bps
    if limit is None or closing_for is None:
        return limit
    if funding_bps > limit:
        return limit * _CLOSING
    waited = Decimal(str(round(min(closing_for / config.close_patience, 1.0), 6)))
    return limit * (1 + (_CLOSING - 1) * waited)


def session_cap(config: HedgeConfig, price: Decimal) -> Decimal | None:
    """What a whole run may lose, in quote currency; None: no bound but the operator's.

    One cycle more than was asked for: a pair that is open at the end is closed by one.
    """
    if config.cost_limit_bps is None:
        return None
    traded = (config.iterations + 1) * config.size * price
    return config.limits.cost_cap * traded * config.max_cost_bps / BPS
