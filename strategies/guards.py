"""What must hold before a quote is placed, and while it rests. Guards may only stop.

Each guard looks at the same facts and gives a reason, or "" when it has none. Hedging and
unwinding are never asked of them: reducing exposure is not blocked by anything here. Closing a pair
is not blocked by what only makes opening one unwise. A further gate is one more function in
`GATES`; what a price must fulfil is in `costs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeAlias

from mpdex.types import Market, Side
from strategies.books import Books
from strategies.config import HedgeConfig
from strategies.costs import Costs, allowed_cost, session_cap
from strategies.funding import Payment, next_payment
from strategies.latency import Latencies
from strategies.ledger import Ledger
from strategies.markout import Markouts
from strategies.quota import Budget, forecast
from strategies.words import ROLES, AccountRead, BookTick, FundingRead, Role

_BPS = Decimal(10_000)
# Equity that a venue keeps back where it does not tell: half of what its highest leverage asks
# for, or a rate that few exceed.
_MAINTENANCE = Decimal("0.05")
_HALF = Decimal("0.5")


@dataclass(slots=True, kw_only=True)
class Facts:
    """What the guards judge.

    Attributes:
        mids: of each venue, and when it was so.
        side: of the quote that rests or comes next; None: not chosen.
        opening: whether it opens or enlarges a pair.
        closing_for: seconds for which the pair has been waiting to be closed; None: it has not.
        cycles, cycles_left, requotes: done and still to do.
        account_age: seconds since each account was read.
        skew_ms: how far the venues' clocks are from ours.
        logins: when those end that cannot be renewed.
    """

    config: HedgeConfig
    markets: Mapping[Role, Market]
    now: float
    now_ms: int
    ticks: Mapping[Role, BookTick]
    live: Mapping[Role, bool]
    mids: Mapping[Role, tuple[Decimal, float]]
    ledger: Ledger
    books: Books
    costs: Costs
    markouts: Markouts
    latencies: Latencies
    accounts: Mapping[Role, AccountRead]
    account_age: Mapping[Role, float]
    skew_ms: Mapping[Role, float]
    funding: Mapping[Role, FundingRead]
    side: Side | None
    opening: bool
    closing_for: float | None
    cycles: int
    cycles_left: int
    requotes: int
    logins: Mapping[Role, float] = field(default_factory=dict)
    verdicts: dict[object, str] = field(default_factory=dict)  # reached before on these facts

    @property
    def worth(self) -> Decimal:
        """Profit of the run, in quote currency."""
        return self.ledger.worth({role: mid for role, (mid, _) in self.mids.items()})

    def of(self, side: Side, *, opening: bool) -> Facts:
        """The same for a quote that is being considered."""
        return replace(self, side=side, opening=opening, verdicts={})


Guard: TypeAlias = Callable[[Facts], str]

# --------------------------------------------------------------------------- streams and books


def streams_live(facts: Facts) -> str:
    dark = [role for role in ROLES if not facts.live[role]]
    return f"streams of {' and '.join(dark)} are down" if dark else ""


def books_valid(facts: Facts) -> str:
    for role in ROLES:
        tick = facts.ticks.get(role)
        trouble = book_trouble(tick, facts.now, facts.config.book_age)
        if trouble == CROSSED and _passing(facts, role):
            continue
        if trouble:
            return f"{role} book {trouble}"
        if role in facts.books.hollow:
            return f"{role} book has an empty side beside our quote"
    return ""


CROSSED = "is crossed"


def _passing(facts: Facts, role: Role) -> bool:
    """Books cross for a moment while their two sides are told one after the other."""
    since = facts.books.crossed_since.get(role, facts.now)
    return facts.now - since < facts.config.limits.crossed_for


def book_trouble(tick: BookTick | None, now: float, oldest: float) -> str:
    """Why a book cannot be relied on; "" if it can."""
    if tick is None or not tick.bids or not tick.asks:
        return "has an empty side"
    if tick.bids[0][0] >= tick.asks[0][0]:
        return CROSSED
    if now - tick.at + tick.lag > oldest:
        return f"is older than {oldest:g} s"
    return ""


def prices_believed(facts: Facts) -> str:
    for role in facts.books.suspects:
        return f"{role} price leapt; waiting for a second update"
    return ""


def books_not_frozen(facts: Facts) -> str:
    told = (facts.books.frozen(role, facts.now - facts.ticks[role].at) for role in ROLES)
    return next(filter(None, told), "")


def clip_hedgeable(facts: Facts) -> str:
    tick = facts.ticks["hedge"]
    return "hedge book is too thin for the clip" if tick.buy is None or tick.sell is None else ""


def hedge_deep_enough(facts: Facts) -> str:
    """The clip is a small part of what is within reach."""
    tick, limits = facts.ticks["hedge"], facts.config.limits
    for deep in (tick.buy_depth, tick.sell_depth):
        if deep is not None and facts.config.size > deep * limits.depth_share:
            return f"the clip is more than {limits.depth_share:.0%} of the hedge's depth"
    return ""


def spread_sane(facts: Facts) -> str:
    best = facts.books.best.get("primary")
    wide = best.spread_bps if best is not None else Decimal(0)
    return f"primary spread is {wide:.1f} bps" if wide > facts.config.max_spread_bps else ""


def same_asset(facts: Facts) -> str:
    here, there = facts.ticks["primary"].mid, facts.ticks["hedge"].mid
    if here is None or there is None or abs(here - there) > here * facts.config.max_distance:
        return f"mids are too far apart: {here} and {there}"
    return ""


# --------------------------------------------------------------------------- price and behavior


def basis_guessed(facts: Facts) -> str:
    """Only who looks at cost needs to know it."""
    if facts.config.gate == "off" or facts.books.basis.guessed:
        return ""
    return "the basis is not known yet"


def basis_usual(facts: Facts) -> str:
    gap = facts.books.gap
    return "" if gap is None else facts.books.basis.unusual(gap)


def hedges_quick(facts: Facts) -> str:
    return "hedges are slow" if facts.now < facts.latencies.paused_until else ""


def hedges_cheap(facts: Facts) -> str:
    slips = facts.now < facts.costs.paused_until
    return "hedges lose far more than usual" if slips else ""


def quotes_unharmed(facts: Facts) -> str:
    toxic = facts.now < facts.markouts.paused_until
    return "prices run away after our fills" if toxic else ""


def clocks_agree(facts: Facts) -> str:
    for role, skew in facts.skew_ms.items():
        if abs(skew) > facts.config.limits.skew_pause_ms:
            return f"the clock of {role} is {skew:.0f} ms off"
    return ""


def requests_left(facts: Facts) -> str:
    for role, account in facts.accounts.items():
        short = budget_of(facts, account).short(facts.config.limits)
        if short:
            return f"{role}: {short}"
    return ""


def budget_of(facts: Facts, account: AccountRead | None) -> Budget:
    """What the venue of this account still allows."""
    if account is None or account.requests_left is None:
        return Budget(None, 0)
    needed = forecast(facts.cycles_left, facts.cycles, facts.requotes)
    return Budget(account.requests_left, needed)


# --------------------------------------------------------------------------- opening


def margin_free(facts: Facts) -> str:
    if not facts.opening:
        return ""
    for role, account in facts.accounts.items():
        mid = facts.books.mids.get(role)
        if mid is None:
            continue
        if facts.account_age.get(role, 0.0) > facts.config.limits.account_age:
            return f"the margin of {role} has not been told for {facts.account_age[role]:.0f} s"
        clips = facts.config.limits.margin_clips
        needed = clips * facts.config.size * mid / (account.leverage or 1)
        free = _free(facts, role, account, mid)
        if free is None:
            return f"{role} does not tell its free margin"
        if free < needed:
            return f"{role} has {free:.2f} of free margin, {clips} clips need {needed:.2f}"
    return ""


def _free(facts: Facts, role: Role, account: AccountRead, mid: Decimal) -> Decimal | None:
    """Free margin, or what cannot be less: equity beside what the position ties up."""
    if account.free is not None or account.equity is None:
        return account.free
    return account.equity - abs(facts.ledger.position(role)) * mid / (account.leverage or 1)


def liquidation_far(facts: Facts) -> str:
    return _too_near(facts, facts.config.limits.liquidation_open) if facts.opening else ""


def _too_near(facts: Facts, least: Decimal) -> str:
    for role, account in facts.accounts.items():
        if not facts.ledger.position(role) or role not in facts.books.mids:
            continue
        distance = _distance(facts, role, account)
        if distance is None:
            return f"{role} does not tell how far liquidation is"
        if distance < least:
            return f"{role} would be liquidated {distance:.1%} from here"
    return ""


def _distance(facts: Facts, role: Role, account: AccountRead) -> Decimal | None:
    """To the liquidation price as a fraction, or to where equity is surely left; None: unknown."""
    mid = facts.books.mids[role]
    if account.liquidation:
        return abs(mid - account.liquidation) / mid
    if account.equity is None:
        return None
    highest = facts.markets[role]["max_leverage"]
    kept = _HALF / highest if highest else _MAINTENANCE
    return account.equity / (abs(facts.ledger.position(role)) * mid) - kept


def funding_bearable(facts: Facts) -> str:
    """No opening shortly before a payment, nor one that would have to be closed at once."""
    payment = next_payment(facts.funding, facts.now_ms) if facts.funding else None
    if payment is None or not facts.opening or facts.side is None:
        return ""
    limits, cost = facts.config.limits, payment.cost(facts.side)
    soon = payment.due_ms - facts.now_ms <= limits.funding_before * 1000
    if (soon and cost > limits.funding_cost_bps) or cost > closing_bps(facts):
        return f"funding of {cost:.1f} bps is due"
    return ""


def logins_last(facts: Facts) -> str:
    return _login_ending(facts) if facts.opening else ""


def _login_ending(facts: Facts) -> str:
    for role, at in facts.logins.items():
        if at - facts.now < facts.config.limits.login_left:
            return f"the login on {role} ends in {max(at - facts.now, 0):.0f} s"
    return ""


# Without these no order can be priced at all. How far apart the two prices are is no reason to keep
# a pair open.
BASICS: tuple[Guard, ...] = (
    streams_live,
    books_valid,
    prices_believed,
    clip_hedgeable,
)

GATES: tuple[Guard, ...] = (
    *BASICS,
    same_asset,
    books_not_frozen,
    hedge_deep_enough,
    spread_sane,
    basis_guessed,
    basis_usual,
    hedges_quick,
    hedges_cheap,
    quotes_unharmed,
    clocks_agree,
    requests_left,
    margin_free,
    liquidation_far,
    logins_last,
    funding_bearable,
)


def first_reason(facts: Facts, guards: tuple[Guard, ...] = GATES) -> str:
    """Why no quote may be placed or kept; "" if one may. Later guards rely on earlier ones."""
    if guards not in facts.verdicts:
        reasons = (guard(facts) for guard in guards)
        facts.verdicts[guards] = next((reason for reason in reasons if reason), "")
    return facts.verdicts[guards]


# --------------------------------------------------------------------------- ends


def reduce_reason(facts: Facts) -> str:
    """Why the open pair is to be closed before its time; "" if it need not be."""
    forced = _near_liquidation(facts) or _login_ending(facts)
    if forced:
        return forced
    cost, closing = holding_bps(facts), closing_bps(facts)
    if cost > closing:
        return f"funding of {cost:.1f} bps is dearer than closing for {closing:.1f}"
    return _out_of_patience(facts, closing)


def _out_of_patience(facts: Facts, cost: Decimal) -> str:
    """Quotes have not closed the pair in time: taking does, if that costs no more than they may by
    then. Who wants no loss waits however long it takes."""
    config, waited = facts.config, facts.closing_for
    if waited is None or waited < config.close_patience or config.gate == "no-loss":
        return ""
    limit = allowed_cost(config, waited)
    if limit is not None and cost > limit:
        return ""
    return f"it has waited {waited:.0f} s for a quote to close it; taking costs {cost:.1f} bps"


def _near_liquidation(facts: Facts) -> str:
    """Only what is known to be near: what nobody tells keeps from opening, and no more."""
    for role, account in facts.accounts.items():
        if not facts.ledger.position(role) or role not in facts.books.mids:
            continue
        distance = _distance(facts, role, account)
        if distance is not None and distance < facts.config.limits.liquidation_reduce:
            other = "hedge" if role == "primary" else "primary"
            hint = f"move collateral there from {other}"
            return f"{role} would be liquidated {distance:.1%} from here; {hint}"
    return ""


def holding_bps(facts: Facts) -> Decimal:
    """What the next payment of funding costs the pair that is open; negative: it earns."""
    payment: Payment | None = next_payment(facts.funding, facts.now_ms) if facts.funding else None
    position = facts.ledger.position("primary")
    if payment is None or not position:
        return Decimal(0)
    return payment.cost("buy" if position > 0 else "sell")


def closing_bps(facts: Facts) -> Decimal:
    """What closing the pair by taking costs: fees, slippage, and half of each spread."""
    spreads = [best.spread_bps for best in facts.books.best.values()]
    return facts.costs.taking + sum(spreads, Decimal(0)) / 2


def session_over_limit(facts: Facts) -> str:
    """Why the session must end; "" if it need not."""
    if session_over_limit not in facts.verdicts:
        facts.verdicts[session_over_limit] = _over_limit(facts)
    return facts.verdicts[session_over_limit]


def _over_limit(facts: Facts) -> str:
    limit, loss = facts.config.max_loss, -facts.worth
    if limit is not None and loss >= limit:
        return f"loss of {loss:.2f} reached the limit of {limit}"
    mid = facts.books.mids.get("primary")
    cap = session_cap(facts.config, mid) if mid is not None and loss > 0 else None
    if cap is not None and loss > cap:
        return f"loss of {loss:.2f} is more than all cycles may cost together, {cap:.2f}"
    for role, skew in facts.skew_ms.items():
        if abs(skew) > facts.config.limits.skew_halt_ms:
            return f"the clock of {role} is {skew:.0f} ms off"
    return ""
