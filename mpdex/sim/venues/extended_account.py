"""What an account may ask the simulated Extended: orders, fills, positions, balance, settings.

Lists are newest first; a page is followed by what is older than its cursor. Queries of orders tell
of a moment ago.

Source: api.docs.extended.exchange, "Private REST-API"; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from mpdex.sim.numerals import milliseconds, number
from mpdex.sim.payments import FundingTally
from mpdex.sim.records import (
    ZERO,
    PositionChanged,
    SimEvent,
    SimOrder,
    SimPosition,
    Traded,
)
from mpdex.sim.venues import extended_crypto as crypto
from mpdex.sim.venues import extended_render as render
from mpdex.sim.venues import extended_truth as truth
from mpdex.sim.venues.extended_market import MarketData
from mpdex.sim.venues.extended_positions import Positions
from mpdex.sim.venues.extended_render import ok
from mpdex.sim.venues.extended_truth import ExtendedTruth
from mpdex.sim.venues.extended_wire import Query, Refusal, parse_amount, parse_object, parse_text
from mpdex.types import Json, OrderStatus

Answer = Callable[[str, Query], Json]
LONGEST_PAGE = 10_000
FINEST_LEVERAGE = Decimal("0.01")


class AccountData:
    """Private queries and settings of the accounts of one venue."""

    def __init__(self, exchange: ExtendedTruth, market: MarketData) -> None:
        self._exchange = exchange
        self._market = market
        self._positions = Positions()
        self._tally = FundingTally()
        self._payments: dict[str, list[dict[str, Json]]] = defaultdict(list)
        self.answers: dict[str, Answer] = {
            "/user/account/info": lambda account, _: ok(self.render_account(account)),
            "/user/accounts": lambda account, _: ok([self.render_account(account)]),
            "/user/client/info": lambda account, _: ok({"id": int(account) + 1}),
            "/user/balance": self.answer_balance,
            "/user/spot/balances": self.answer_assets,
            "/user/positions": self.answer_positions,
            "/user/positions/history": self.answer_past_positions,
            "/user/orders": self.answer_open_orders,
            "/user/orders/history": self.answer_past_orders,
            "/user/trades": self.answer_fills,
            "/user/funding/history": self.answer_funding,
            "/user/leverage": self.answer_leverage,
            "/user/fees": self.answer_fees,
            "/user/rebates/stats": lambda *_: ok([NO_REBATES]),
        }

    # ---------------------------------------------------------------- heard from the truth

    def note(self, event: SimEvent) -> None:
        if isinstance(event, Traded):
            self._positions.note(event.fill)
        elif isinstance(event, PositionChanged):
            self._note_position(event.position)

    def _note_position(self, position: SimPosition) -> None:
        """Remember a payment of funding, if the change was one."""
        received = self._tally.take(position)
        if not received:
            return
        account, symbol = position.account, position.symbol
        self._positions.pay(account, symbol, received)
        size = abs(position.size)
        self._payments[account].append(
            {
                "id": len(self._payments[account]) + 1,
                "accountId": int(account),
                "market": symbol,
                "positionId": self._positions.newest(account, symbol).id,
                "side": "LONG" if position.size > 0 else "SHORT",
                "size": number(size),
                "value": number(size * position.mark),
                "markPrice": number(position.mark),
                "fundingFee": render.rounded(received),
                "fundingRate": number(self._exchange.funding_rate(symbol)),
                "paidTime": milliseconds(position.updated_ns),
            }
        )

    # ---------------------------------------------------------------- orders and fills

    def answer_order(self, account: str, order_id: str) -> Json:
        """Not found for a short time after placing."""
        with self._exchange.lagging():
            order = self._exchange.order(account, order_id=order_id)
        if order is None:
            raise Refusal(404, "Order not found")
        return ok(render.render_order(order, self._exchange.halted))

    def answer_named_orders(self, account: str, client_id: str) -> Json:
        """A list, which may be empty."""
        with self._exchange.lagging():
            order = self._exchange.order(account, client_id=client_id)
        return ok([render.render_order(order, self._exchange.halted)] if order else [])

    def answer_open_orders(self, account: str, query: Query) -> Json:
        with self._exchange.lagging():
            orders = self._exchange.open_orders(account)
        return ok([render.render_order(o) for o in reversed(self._asked(orders, query))])

    def answer_past_orders(self, account: str, query: Query) -> Json:
        """Those that have ended."""
        with self._exchange.lagging():
            orders = [o for o in self._exchange.order_history(account) if not o.live]
        asked, halted = self._asked(orders, query), self._exchange.halted
        return self._page([render.render_order(order, halted) for order in asked], query)

    def _asked(self, orders: Iterable[SimOrder], query: Query) -> list[SimOrder]:
        symbols = {market.symbol for market in self._market.chosen(query)}
        kind, side = query.one("type"), query.one("side")
        return [
            order
            for order in orders
            if order.symbol in symbols
            and kind in ("", order.raw.get("kind"))
            and side in ("", render.SIDE[order.side])
        ]

    def answer_fills(self, account: str, query: Query) -> Json:
        symbols = {market.symbol for market in self._market.chosen(query)}
        rows = [
            render.render_fill(fill, "externalId")
            for fill in self._exchange.fills(account)
            if fill.order.symbol in symbols
        ]
        wanted = [("side", query.one("side")), ("tradeType", query.one("type"))]
        return self._page([r for r in rows if all(v in ("", r[k]) for k, v in wanted)], query)

    def _page(self, oldest_first: Sequence[dict[str, Json]], query: Query) -> Json:
        """A page, newest first, shorter where a fault says so; its cursor is its last id."""
        limit = min(query.count("limit", LONGEST_PAGE), LONGEST_PAGE)
        before = query.count("cursor", 0)
        rows = [row for row in reversed(oldest_first) if not before or row["id"] < before]
        rows = rows[:limit][: self._exchange.twist.page]
        cursor = {"cursor": rows[-1]["id"]} if rows else {}
        return {**ok(rows), "pagination": {**cursor, "count": len(rows)}}

    # ---------------------------------------------------------------- positions

    def render_positions(self, account: str) -> list[dict[str, Json]]:
        return [
            render.render_position(position, self._positions.newest(account, position.symbol))
            for position in self._exchange.positions(account)
        ]

    def moved(self, account: str, symbols: Iterable[str]) -> list[dict[str, Json]]:
        """Positions in these markets as the stream tells them, those that have just gone too."""
        told = []
        for symbol in sorted(symbols):
            position = self._exchange.position(account, symbol)
            life = self._positions.newest(account, symbol)
            draw = render.render_position if position.size else render.render_closed
            if position.size or life.closed_ns:
                told.append(draw(position, life))
        return told

    def answer_positions(self, account: str, query: Query) -> Json:
        symbols = {market.symbol for market in self._market.chosen(query)}
        side = query.one("side")
        return ok(
            [
                row
                for row in self.render_positions(account)
                if row["market"] in symbols and side in ("", row["side"])
            ]
        )

    def answer_past_positions(self, account: str, query: Query) -> Json:
        symbols = {market.symbol for market in self._market.chosen(query)}
        side, leverage = query.one("side"), self._exchange.ledger.leverage
        rows = [
            render.render_past(life, account, symbol, leverage(account, symbol))
            for symbol, life in self._positions.past(account)
            if symbol in symbols and side in ("", life.side)
        ]
        return self._page(rows, query)

    def answer_funding(self, account: str, query: Query) -> Json:
        symbols = {market.symbol for market in self._market.chosen(query)}
        since, side = query.count("fromTime", 0), query.one("side")
        rows = [
            row
            for row in self._payments[account]
            if row["market"] in symbols and row["paidTime"] >= since and side in ("", row["side"])
        ]
        return self._page(rows, query)

    # ---------------------------------------------------------------- money

    def balance(self, account: str) -> dict[str, Json]:
        """{} where there is none."""
        exchange, ledger = self._exchange, self._exchange.ledger
        cash = exchange.accounts[account].cash
        if not cash:
            return {}
        held = exchange.positions(account)
        return render.render_balance(
            render.Purse(
                cash,
                ledger.unrealized(account),
                exchange.equity(account) - exchange.free(account),
                ledger.maintenance_margin(account),
                sum((abs(p.size) * p.mark for p in held), ZERO),
                exchange.clock.now_ns(),
            )
        )

    def answer_balance(self, account: str, _: Query) -> Json:
        balance = self.balance(account)
        if not balance:
            raise Refusal(404, "Balance not found")
        return ok(balance)

    def answer_assets(self, account: str, _: Query) -> Json:
        """The collateral is the only asset here."""
        balance = self.balance(account)
        return ok([render.render_asset(account, balance)] if balance else [])

    def state(self, account: str) -> list[tuple[str, dict[str, Json]]]:
        """Everything about an account: (kind, data) of the messages that tell it."""
        balance = self.balance(account)
        orders = [
            render.render_order(order)
            for order in self._exchange.open_orders(account)
            if order.status is not OrderStatus.PENDING
        ]
        told: list[tuple[str, dict[str, Json]]] = [("BALANCE", {"balance": balance})]
        told = told if balance else []
        return [
            *told,
            ("POSITION", {"positions": self.render_positions(account)}),
            ("ORDER", {"orders": orders}),
        ]

    # ---------------------------------------------------------------- settings

    def render_account(self, account: str) -> dict[str, Json]:
        keys = crypto.throwaway_keys(account)
        return {
            "accountId": int(account),
            "status": "ACTIVE",
            "l2Key": keys.public_key,
            "l2Vault": int(keys.vault),
            "description": "Main account",
            "accountIndex": 0,
            "bridgeStarknetAddress": keys.public_key,
        }

    def answer_leverage(self, account: str, query: Query) -> Json:
        leverage = self._exchange.ledger.leverage
        return ok(
            [
                {"market": market.symbol, "leverage": number(leverage(account, market.symbol))}
                for market in self._market.chosen(query)
            ]
        )

    def update_leverage(self, account: str, value: Json) -> Json:
        """Raises: Refusal."""
        body = parse_object(value)
        market = self._market.market(parse_text(body, "market"))
        leverage = parse_amount(body, "leverage") or ZERO
        if leverage % FINEST_LEVERAGE:
            raise Refusal(1053)
        if leverage < 1:
            raise Refusal(1049)
        if leverage > market.max_leverage:
            raise Refusal(1050)
        self._check_leverage(account, market.symbol, leverage)
        self._exchange.set_leverage(account, market.symbol, leverage)
        return ok({"market": market.symbol, "leverage": number(leverage)})

    def _check_leverage(self, account: str, symbol: str, leverage: Decimal) -> None:
        """Whether the position may be so large, and the account bears its margin."""
        position = self._exchange.position(account, symbol)
        value = abs(position.size) * position.mark
        bounds = [bound for bound, factor in truth.TIERS if factor <= 1 / leverage]
        if value > max(bounds):
            raise Refusal(10501)
        more = value / leverage - value / position.leverage
        if more > max(self._exchange.free(account), ZERO):
            raise Refusal(1052)

    def answer_fees(self, _: str, query: Query) -> Json:
        fees = self._exchange.fees
        rates = {
            "makerFeeRate": format(fees.maker.quantize(FEE_DIGITS), "f"),
            "takerFeeRate": format(fees.taker.quantize(FEE_DIGITS), "f"),
            "builderFeeRate": "0",
        }
        return ok([{"market": market.symbol, **rates} for market in self._market.chosen(query)])


FEE_DIGITS = Decimal("0.00001")
NO_REBATES = {
    "totalPaid": "0",
    "rebatesRate": "0",
    "marketShare": "0",
    "nextTierMakerShare": "0.005",
    "nextTierRebateRate": "0.00002",
}
