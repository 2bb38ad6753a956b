"""What a fault does to the truth of one venue, with nobody asking: fills, halts, moved markets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.sim.exchange import SimExchange
from mpdex.sim.fault_rules import Action, phase_of
from mpdex.sim.fault_words import BadRule, parse_bps, parse_number, parse_rate, parse_size
from mpdex.sim.records import Halt, SimOrder

_AGAIN, _AGAIN_TIMES = 0.05, 1200  # a fill waits a minute for an order to fill


@dataclass(frozen=True, slots=True)
class Measures:
    """What sizes in a rule are relative to.

    Attributes:
        clip: `q` where no order is at hand.
        units: min_P, min_H, lot_P, lot_H.
        order: the size of the order at hand, if the rule is about one.
    """

    clip: Decimal = Decimal(0)
    units: Mapping[str, Decimal] = field(default_factory=dict)
    order: Decimal | None = None

    def size(self, text: str, whole: Decimal) -> Decimal:
        return parse_size(text, whole, self.units)


def apply_truth(exchange: SimExchange, action: Action, measures: Measures | None = None) -> None:
    """Change what is true on a venue.

    Unless named (`symbol=`, `account=`), the account is the first one and the market the first in
    which it holds or has traded anything, else the first.
    """
    given = measures or Measures()
    account = action.named.get("account") or next(iter(exchange.accounts))
    symbol = action.named.get("symbol") or busy_symbol(exchange, account)
    held = abs(exchange.accounts[account].size(symbol))
    clip = given.order or _newest_size(exchange, account) or given.clip
    match action.name:
        case "fill":
            _fill(exchange, account, action, given)
        case "move":
            exchange.move(parse_bps(action.get(0, "bps", "0")), action.named.get("symbol"))
        case "thin":
            side = action.get(1, "side")
            depth = given.size(action.get(0, "depth", "0"), clip)
            exchange.thin(depth, "buy" if side == "buy" else "sell" if side == "sell" else None)
        case "halt":
            mode = action.get(0, "mode", "down")
            exchange.halt(_halt_mode("down" if mode[:1].isdigit() else mode))
        case "liquidate":
            exchange.liquidate(account, symbol, given.size(action.get(0, "qty", "all"), held))
        case "adl":
            exchange.adl(account, symbol, given.size(action.get(0, "qty", "all"), held))
        case "manual_trade":
            exchange.manual_trade(account, symbol, given.size(action.get(0, "qty"), held or clip))
        case "fund":
            exchange.fund(parse_rate(action.get(0, "rate", "0")), action.named.get("symbol"))
        case "drop_order":
            for order in exchange.open_orders(account)[-1:]:
                exchange.drop_order(order)
        case "cancel_all":
            exchange.report_delay = action.seconds(9, "report_delay")
            exchange.cancel_all(account, reason="market")
            exchange.report_delay = 0.0
        case "withdraw":
            cash = exchange.accounts[account].cash
            part = action.get(0, "part", "100%")
            exchange.accounts[account].cash -= (
                cash * parse_rate(part) if part.endswith("%") else parse_number(part)
            )
        case "change":
            fields = {name: parse_number(text) for name, text in action.named.items()}
            exchange.change_market(symbol, **fields)
        case _:
            exchange.set_leverage(account, symbol, action.number(0, "x", "1"))


def end_truth(exchange: SimExchange, action: Action) -> None:
    """The window of a rule is over: what is a state ends; a market moves back."""
    match action.name:
        case "halt":
            exchange.halt("")
        case "thin":
            exchange.thin(None)
        case "move":
            exchange.move(-parse_bps(action.get(0, "bps", "0")), action.named.get("symbol"))


def fill_order(
    exchange: SimExchange, order: SimOrder, action: Action, measures: Measures, left: int = 0
) -> None:
    """Fill an order as often as the action says, reported when it says."""
    exchange.report_delay = action.seconds(9, "report_delay")
    exchange.fill(order, measures.size(action.get(0, "qty", "q"), order.size))
    exchange.report_delay = 0.0
    more = (left or action.times or 1) - 1
    if more and (order.live or not order.filled):
        exchange.timers.after(
            action.every, lambda: fill_order(exchange, order, action, measures, more)
        )


def busy_symbol(exchange: SimExchange, account: str) -> str:
    """The market that an account trades, as far as can be seen."""
    holdings = exchange.accounts[account].holdings
    held = [symbol for symbol, holding in holdings.items() if holding.size]
    asked = [order.symbol for order in exchange.order_history(account)[-1:]]
    return next(iter(held or list(holdings) or asked or list(exchange.markets)))


def _fill(
    exchange: SimExchange, account: str, action: Action, measures: Measures, tried: int = 0
) -> None:
    """The newest live order; after a restart an ended one, too; else wait for one."""
    orders = exchange.open_orders(account)
    if not orders and phase_of(action) == "after_restart":
        orders = exchange.order_history(account)
    if orders:
        fill_order(exchange, orders[-1], action, measures)
    elif tried < _AGAIN_TIMES:
        exchange.timers.after(_AGAIN, lambda: _fill(exchange, account, action, measures, tried + 1))


def _halt_mode(mode: str) -> Halt:
    match mode:
        case "post_only" | "cancel_only" | "reduce_only" | "market" | "down" | "":
            return mode
        case _:
            raise BadRule(f"no such halt: {mode!r}")


def _newest_size(exchange: SimExchange, account: str) -> Decimal:
    orders = exchange.order_history(account)
    return orders[-1].size if orders else Decimal(0)
