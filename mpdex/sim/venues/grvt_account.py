"""What an account may ask the simulated GRVT: orders, fills, positions, balances, leverage.

Source: api-docs.grvt.io, trading_api; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeVar

from mpdex.sim.cursors import read_cursor, write_cursor
from mpdex.sim.exchange import SimExchange
from mpdex.sim.records import SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues import grvt_crypto as crypto
from mpdex.sim.venues import grvt_render as render
from mpdex.sim.venues.grvt_market import MOST, MarketData, chosen, limit_of
from mpdex.sim.venues.grvt_orders import CHAIN_ID, OrderDesk
from mpdex.sim.venues.grvt_streams import Publisher, Streams
from mpdex.sim.venues.grvt_wire import Refusal, parse_integer, parse_number, parse_signature
from mpdex.types import Json

T = TypeVar("T")
Answer = Callable[[str, dict[str, Json]], Json]


class MarkedFill(NamedTuple):
    """A fill and the prices that GRVT shows with it, as they were."""

    fill: SimFill
    mark: Decimal
    index_price: Decimal


class AccountData:
    """Private queries and settings of the accounts of one venue.

    Args:
        mains: trading account -> main account.
    """

    def __init__(
        self,
        exchange: SimExchange,
        market: MarketData,
        streams: Streams,
        desk: OrderDesk,
        mains: Mapping[str, str],
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._streams = streams
        self._desk = desk
        self._mains = mains
        self._fills: dict[str, list[MarkedFill]] = defaultdict(list)
        self._payments: dict[str, list[dict[str, Json]]] = defaultdict(list)
        self._funded: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._margin_types: dict[tuple[str, str], str] = {}
        self.answers: dict[str, Answer] = {
            "order": self.answer_order,
            "open_orders": self.answer_open_orders,
            "order_history": self.answer_order_history,
            "fill_history": self.answer_fill_history,
            "positions": self.answer_positions,
            "account_summary": self.answer_summary,
            "funding_account_summary": self.answer_funding_account,
            "aggregated_account_summary": self.answer_funding_account,
            "get_sub_accounts": self.answer_sub_accounts,
            "get_all_initial_leverage": self.answer_leverage,
            "set_initial_leverage": self.set_leverage,
            "set_position_config": self.set_position_config,
            "funding_payment_history": self.answer_payments,
        }

    # ---------------------------------------------------------------- heard from the truth

    def note_fill(self, fill: SimFill) -> Publisher:
        """Remember a fill with today's prices.

        Returns: what renders it.
        """
        symbol = fill.order.symbol
        marked = MarkedFill(fill, self._market.mark(symbol), self._market.index(symbol))
        self._fills[fill.order.account].append(marked)
        return lambda: self._render_fill(marked)

    def note_position(self, position: SimPosition) -> None:
        """A change of what funding has brought so far is a payment."""
        key = (position.account, position.symbol)
        received = position.funding - self._funded[key]
        if received:
            self._funded[key] = position.funding
            payments = self._payments[position.account]
            number = len(payments) + 1
            payments.append(render.render_funding_payment(position, received, number))

    def _render_fill(self, marked: MarkedFill) -> dict[str, Json]:
        market = self._exchange.markets[marked.fill.order.symbol]
        return render.render_fill(marked.fill, market, marked.mark, marked.index_price)

    # ---------------------------------------------------------------- orders and fills

    def answer_order(self, account: str, body: dict[str, Json]) -> Json:
        """By either id. Ended orders stay; unknown: 1004."""
        order_id, client_id = body.get("order_id") or "", body.get("client_order_id") or ""
        if not order_id and not client_id:
            raise Refusal(3021)
        order = self._desk.find(account, order_id=str(order_id), client_id=str(client_id))
        if order is None:
            raise Refusal(1004)
        return {"result": _show(order)}

    def answer_open_orders(self, account: str, body: dict[str, Json]) -> Json:
        symbols = self._symbols(body)
        orders = self._exchange.open_orders(account)
        return {"result": [_show(o) for o in orders if o.symbol in symbols]}

    def answer_order_history(self, account: str, body: dict[str, Json]) -> Json:
        symbols = self._symbols(body)

        def wanted(order: SimOrder) -> bool:
            return order.symbol in symbols and _within(body, order.created_ns)

        return self._page(self._exchange.order_history(account), body, wanted, _show)

    def answer_fill_history(self, account: str, body: dict[str, Json]) -> Json:
        symbols = self._symbols(body)

        def wanted(marked: MarkedFill) -> bool:
            fill = marked.fill
            known = self._exchange.tells(fill.time_ns)
            return known and fill.order.symbol in symbols and _within(body, fill.time_ns)

        return self._page(self._fills[account], body, wanted, self._render_fill)

    def answer_payments(self, account: str, body: dict[str, Json]) -> Json:
        symbols = self._symbols(body)

        def wanted(payment: dict[str, Json]) -> bool:
            return payment["instrument"] in symbols and _within(body, int(payment["event_time"]))

        return self._page(self._payments[account], body, wanted, lambda payment: payment)

    def _page(
        self,
        oldest_first: Sequence[T],
        body: dict[str, Json],
        wanted: Callable[[T], bool],
        show: Callable[[T], Json],
    ) -> dict[str, Json]:
        """A page, shorter where a fault says so."""
        limit = min(limit_of(body), self._exchange.twist.page or MOST)
        return _page(oldest_first, body, wanted, show, limit)

    def _symbols(self, body: dict[str, Json]) -> set[str]:
        return {market.symbol for market in chosen(body, self._exchange.markets.values())}

    # ---------------------------------------------------------------- money

    def answer_positions(self, account: str, body: dict[str, Json]) -> Json:
        symbols = self._symbols(body)
        held = self._exchange.positions(account)
        return {"result": [self._streams.position(p) for p in held if p.symbol in symbols]}

    def answer_summary(self, account: str, _: dict[str, Json]) -> Json:
        ledger = self._exchange.ledger
        summary = render.render_account(
            account,
            now_ns=self._exchange.clock.now_ns(),
            equity=ledger.equity(account),
            balance=ledger.accounts[account].cash,
            unrealized=ledger.unrealized(account),
            initial=ledger.initial_margin(account),
            maintenance=ledger.maintenance_margin(account),
            free=self._exchange.free(account),
            positions=[self._streams.position(p) for p in self._exchange.positions(account)],
        )
        return {"result": summary}

    def answer_funding_account(self, account: str, _: dict[str, Json]) -> Json:
        """Its balance is that of the trading account: the simulator has no transfers."""
        fees = self._exchange.fees
        cash = self._exchange.accounts[account].cash
        return render.render_funding_account(self._mains[account], cash, fees.maker, fees.taker)

    def answer_sub_accounts(self, account: str, _: dict[str, Json]) -> Json:
        return {"sub_account_ids": [account]}

    # ---------------------------------------------------------------- leverage

    def answer_leverage(self, account: str, _: dict[str, Json]) -> Json:
        """Key `results`, and not wrapped, as live."""
        ledger = self._exchange.ledger
        return {
            "results": [
                render.render_leverage(
                    market,
                    ledger.leverage(account, symbol),
                    self._margin_types.get((account, symbol), "CROSS"),
                )
                for symbol, market in self._exchange.markets.items()
            ]
        }

    def set_leverage(self, account: str, body: dict[str, Json]) -> Json:
        market = self._market.market(body.get("instrument"))
        self._apply_leverage(account, market, parse_number(body.get("leverage")))
        return {"success": True}

    def set_position_config(self, account: str, body: dict[str, Json]) -> Json:
        """Signed; margin type and leverage together."""
        market = self._market.market(body.get("instrument"))
        leverage, margin_type = parse_number(body.get("leverage")), body.get("margin_type")
        signature = parse_signature(body.get("signature"))
        if margin_type not in crypto.MARGIN_TYPES:
            raise Refusal(1003)
        digest = crypto.position_config_digest(
            chain_id=CHAIN_ID,
            sub_account_id=parse_integer(body.get("sub_account_id"), 64),
            asset=int(market.info["instrument_hash"], 16),
            margin_type=crypto.MARGIN_TYPES[margin_type],
            leverage=leverage,
            nonce=signature.nonce,
            expiration=signature.expiration,
        )
        self._desk.verify(account, signature, digest)
        if margin_type != self._margin_types.get((account, market.symbol), "CROSS"):
            self._check_margin_type_free(account, market)
        self._apply_leverage(account, market, leverage)
        self._margin_types[account, market.symbol] = margin_type
        return {"ack": True}

    def _check_margin_type_free(self, account: str, market: SimMarket) -> None:
        if self._exchange.accounts[account].size(market.symbol):
            raise Refusal(2102)
        if self._exchange.open_orders(account, market.symbol):
            raise Refusal(2103)

    def _apply_leverage(self, account: str, market: SimMarket, leverage: Decimal) -> None:
        if not 1 <= leverage <= market.max_leverage:
            raise Refusal(2100)
        self._exchange.set_leverage(account, market.symbol, leverage)


def _show(order: SimOrder) -> dict[str, Json]:
    return render.render_order(order, render.render_state(order))


# --------------------------------------------------------------------------- pages


def _page(
    oldest_first: Sequence[T],
    body: dict[str, Json],
    wanted: Callable[[T], bool],
    show: Callable[[T], Json],
    limit: int,
) -> dict[str, Json]:
    """Newest first, at most `limit`; `next` is a cursor, "" at the end."""
    result: list[Json] = []
    end = _place(body, len(oldest_first))
    for index in range(end - 1, -1, -1):
        if not wanted(oldest_first[index]):
            continue
        if len(result) == limit:
            return {"result": result, "next": write_cursor(index + 1)}
        result.append(show(oldest_first[index]))
    return {"result": result, "next": ""}


def _place(body: dict[str, Json], size: int) -> int:
    try:
        return read_cursor(str(body.get("cursor") or ""), size)
    except ValueError as error:
        raise Refusal(1003) from error


def _within(body: dict[str, Json], time_ns: int) -> bool:
    start = parse_integer(body.get("start_time"), 63, 0)
    end = parse_integer(body.get("end_time"), 63, (1 << 63) - 1)
    return start <= time_ns <= end
