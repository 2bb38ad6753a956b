"""What an account may ask the simulated EdgeX: orders, fills, positions, money, settings.

Pages are newest first; an empty cursor says that there is nothing older.

Source: edgex-1.gitbook.io, "Order API", "Account API"; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any, NamedTuple, TypeVar

from mpdex.sim.cursors import read_cursor, write_cursor
from mpdex.sim.numerals import number
from mpdex.sim.payments import FundingTally
from mpdex.sim.records import ZERO, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues import edgex_crypto as crypto
from mpdex.sim.venues import edgex_holdings as holdings
from mpdex.sim.venues import edgex_render as render
from mpdex.sim.venues import edgex_truth as truth
from mpdex.sim.venues import edgex_wire as wire
from mpdex.sim.venues.edgex_generations import COLLATERAL_ID, Generation
from mpdex.sim.venues.edgex_market import MarketData
from mpdex.sim.venues.edgex_positions import Positions
from mpdex.sim.venues.edgex_truth import EdgexTruth
from mpdex.sim.venues.edgex_wire import Refusal, names_of
from mpdex.types import Json

T = TypeVar("T")
Query = Mapping[str, str]
Answer = Callable[[str, Query], Json]
PAGE, LONGEST_PAGE = 100, 200
MARGIN_MODES = ("0", "1", "2")  # UNVERIFIED what they mean


class Payment(NamedTuple):
    """One of funding, as the position's transaction and as the collateral's."""

    position: dict[str, Json]
    collateral: dict[str, Json]


class AccountData:
    """Private queries and settings of the accounts of one venue.

    Attributes:
        versions: how often each account has changed.
    """

    def __init__(self, exchange: EdgexTruth, market: MarketData) -> None:
        self._exchange = exchange
        self._market = market
        self._positions = Positions()
        self._tally = FundingTally()
        self._payments: dict[str, list[Payment]] = defaultdict(list)
        self.versions: dict[str, int] = dict.fromkeys(exchange.accounts, 1000)
        self.answers: dict[str, Answer] = {
            "/order/getOrderById": self.answer_orders,
            "/order/getOrderByClientOrderId": self.answer_named_orders,
            "/order/getActiveOrderPage": self.answer_open_orders,
            "/order/getHistoryOrderPage": self.answer_past_orders,
            "/order/getHistoryOrderFillTransactionPage": self.answer_fills,
            "/account/getAccountAsset": self.answer_asset,
            "/account/getAccountById": lambda account, _: self.render_account(account),
            "/account/getPositionByContractId": self.answer_positions,
            "/account/getCollateralByCoinId": lambda account, _: [self.render_collateral(account)],
            "/account/getPositionTransactionPage": self.answer_payments,
        }

    # ---------------------------------------------------------------- what it hears

    def note_fill(self, fill: SimFill) -> None:
        self._positions.note(fill)

    def book(self, fill: SimFill) -> None:
        """An execution has passed the later check."""
        raw = fill.order.raw
        raw["booked"] = raw.get("booked", render.Booked()).plus(fill)

    def take_payment(self, position: SimPosition) -> Decimal:
        """What funding has brought since the last change; 0: the change was another one."""
        received = self._tally.take(position)
        if received:
            account, symbol, now = position.account, position.symbol, position.updated_ns
            self._positions.pay(account, symbol, received, now)
            payment = Payment(
                self._render_payment(position, received),
                self._render_collateral_payment(position, received),
            )
            self._payments[account].append(payment)
        return received

    def newest_payment(self, account: str) -> Payment:
        return self._payments[account][-1]

    # ---------------------------------------------------------------- orders and fills

    def answer_orders(self, account: str, query: Query) -> Json:
        ids = _required(query, "orderIdList")
        return self._known(self._exchange.order(account, order_id=name) for name in ids)

    def answer_named_orders(self, account: str, query: Query) -> Json:
        ids = _required(query, "clientOrderIdList")
        return self._known(self._exchange.order(account, client_id=name) for name in ids)

    def _known(self, orders: Any) -> Json:
        return [self.render_order(order) for order in orders if order is not None]

    def answer_open_orders(self, account: str, query: Query) -> Json:
        orders = self._exchange.open_orders(account)
        return self._page(orders, query, self.render_order, self._order_filter(account, query))

    def answer_past_orders(self, account: str, query: Query) -> Json:
        """Those that have ended."""
        fits = self._order_filter(account, query)
        orders = self._exchange.order_history(account)
        return self._page(orders, query, self.render_order, lambda o: not o.live and fits(o))

    def _order_filter(self, account: str, query: Query) -> Callable[[SimOrder], bool]:
        symbols = self._market.symbols(self._exchange.generations[account], query)
        statuses = names_of(query, "filterStatusList")
        return lambda order: (
            order.symbol in symbols and (not statuses or render.status_word(order) in statuses)
        )

    def answer_fills(self, account: str, query: Query) -> Json:
        """Those that have been booked."""
        symbols = self._market.symbols(self._exchange.generations[account], query)
        ids = names_of(query, "filterOrderIdList")
        until = self._exchange.clock.now_ns() - int(truth.CENSOR_BEHIND * 1e9)
        return self._page(
            self._exchange.fills(account),
            query,
            self.render_fill,
            lambda fill: (
                fill.time_ns <= until
                and fill.order.symbol in symbols
                and (not ids or fill.order.order_id in ids)
            ),
        )

    def answer_payments(self, account: str, query: Query) -> Json:
        """Of funding; other transactions are not simulated."""
        kinds = names_of(query, "filterTypeList")
        return self._page(
            self._payments[account],
            query,
            lambda row: row.position,
            lambda row: not kinds or row.position["type"] in kinds,
        )

    def _page(
        self,
        oldest_first: Sequence[T],
        query: Query,
        draw: Callable[[T], Json],
        fits: Callable[[T], bool],
    ) -> Json:
        """A page, shorter where a fault says so."""
        size = wire.count_of(query, "size", PAGE, LONGEST_PAGE) or PAGE
        size = min(size, self._exchange.twist.page or size)
        place = _place(query, len(oldest_first))
        rows: list[Json] = []
        while place and len(rows) < size:
            place -= 1
            if fits(oldest_first[place]):
                rows.append(draw(oldest_first[place]))
        more = any(fits(row) for row in oldest_first[:place])
        return {"dataList": rows, "nextPageOffsetData": write_cursor(place) if more else ""}

    def render_order(self, order: SimOrder) -> dict[str, Json]:
        market, generation = self._where(order.account, order.symbol)
        leverage = self._exchange.ledger.leverage(order.account, order.symbol)
        return render.render_order(order, generation, market, leverage, self._exchange.fees)

    def render_fill(self, fill: SimFill) -> dict[str, Json]:
        market, generation = self._where(fill.order.account, fill.order.symbol)
        return render.render_fill(fill, generation, market)

    def _where(self, account: str, symbol: str) -> tuple[SimMarket, Generation]:
        return self._exchange.markets[symbol], self._exchange.generations[account]

    # ---------------------------------------------------------------- positions and money

    def render_position(self, account: str, symbol: str) -> dict[str, Json]:
        """One that is open, or has just gone."""
        position = self._exchange.position(account, symbol)
        market, generation = self._where(account, symbol)
        record = self._positions.record(account, symbol)
        return holdings.render_position(position, record, generation, market)

    def render_positions(self, account: str) -> list[dict[str, Json]]:
        held = self._exchange.positions(account)
        return [self.render_position(account, position.symbol) for position in held]

    def answer_positions(self, account: str, query: Query) -> Json:
        ids = _required(query, "contractIdList")
        return [row for row in self.render_positions(account) if row["contractId"] in ids]

    def answer_asset(self, account: str, _: Query) -> Json:
        """Everything at once."""
        return {
            "account": self.render_account(account),
            "collateralList": [self.render_collateral(account)],
            "positionList": self.render_positions(account),
            "version": str(self.versions[account]),
            "positionAssetList": [
                self._render_position_asset(position)
                for position in self._exchange.positions(account)
            ],
            "collateralAssetModelList": [
                holdings.render_collateral_asset(account, self._purse(account))
            ],
            "oraclePriceList": [],
        }

    def _render_position_asset(self, position: SimPosition) -> dict[str, Json]:
        market, generation = self._where(position.account, position.symbol)
        record = self._positions.record(position.account, position.symbol)
        return holdings.render_position_asset(position, record, generation, market)

    def _purse(self, account: str) -> holdings.Purse:
        exchange, ledger = self._exchange, self._exchange.ledger
        equity, tied = exchange.equity(account), ledger.initial_margin(account)
        held = exchange.positions(account)
        return holdings.Purse(
            equity,
            tied,
            equity - tied - exchange.free(account),
            sum((abs(p.size) * p.mark for p in held), ZERO),
            ledger.maintenance_margin(account),
        )

    def render_collateral(self, account: str) -> dict[str, Json]:
        held = self._exchange.positions(account)
        opened = sum((p.size * p.entry for p in held), ZERO)
        cash = self._exchange.accounts[account].cash
        return holdings.render_collateral(account, cash, opened, self._positions.flows(account))

    def _render_payment(self, position: SimPosition, received: Decimal) -> dict[str, Json]:
        """A position's transaction of funding."""
        market, generation = self._where(position.account, position.symbol)
        at = render.time(position.updated_ns)
        return {
            "id": str(truth.FIRST_ID + position.updated_ns // 1000),
            **render.owner(position.account),
            "coinId": COLLATERAL_ID,
            "contractId": generation.contract_id(market),
            "type": "SETTLE_FUNDING_FEE",
            "deltaFundingFee": render.money(received),
            "beforeOpenSize": number(position.size),
            "fundingTime": at,
            "fundingRate": number(self._exchange.funding_rate(position.symbol)),
            "createdTime": at,
            "updatedTime": at,
        }

    def _render_collateral_payment(
        self, position: SimPosition, received: Decimal
    ) -> dict[str, Json]:
        """The same from the collateral's side."""
        market, generation = self._where(position.account, position.symbol)
        cash, at = self._exchange.accounts[position.account].cash, render.time(position.updated_ns)
        return {
            "id": str(truth.FIRST_ID + position.updated_ns // 1000 + 1),
            **render.owner(position.account),
            "coinId": COLLATERAL_ID,
            "type": "POSITION_FUNDING",
            "deltaAmount": render.money(received),
            "beforeAmount": render.money(cash - received),
            "fundingTime": at,
            "fundingRate": number(self._exchange.funding_rate(position.symbol)),
            "fundingIndexPrice": number(position.mark),
            "fundingOraclePrice": number(position.mark),
            "fundingPositionSize": number(position.size),
            "positionContractId": generation.contract_id(market),
            "createdTime": at,
            "updatedTime": at,
        }

    # ---------------------------------------------------------------- settings

    def render_account(self, account: str) -> dict[str, Json]:
        generation, own = self._exchange.generations[account], self._exchange.accounts[account]
        markets = self._exchange.markets
        leverages = {
            generation.contract_id(markets[symbol]): leverage
            for symbol, leverage in own.leverage.items()
        }
        changed = self._positions.flows(account).changed_ns
        return holdings.render_account(account, leverages, self._exchange.fees, changed)

    def update_leverage(self, account: str, value: Json) -> Json:
        """Raises: Refusal."""
        body = wire.parse_object(value)
        generation = self._exchange.generations[account]
        market = self._market.market(generation, body.get("contractId"))
        leverage = wire.parse_amount(body, "leverage")
        if leverage % 1 or not 1 <= leverage <= market.max_leverage:
            raise Refusal("INVALID_LEVERAGE")
        position = self._exchange.position(account, market.symbol)
        value_held = abs(position.size) * position.mark
        more = value_held / leverage - value_held / position.leverage
        if more > max(self._exchange.free(account), ZERO):
            raise Refusal("INSUFFICIENT_MARGIN")
        self._exchange.set_leverage(account, market.symbol, leverage)
        return None

    def set_margin_mode(self, account: str, value: Json) -> Json:
        """Kept, and without effect. Raises: Refusal."""
        body = wire.parse_object(value)
        generation = self._exchange.generations[account]
        market = self._market.market(generation, body.get("contractId"))
        mode = wire.parse_word(body, "marginMode", dict.fromkeys(MARGIN_MODES))
        signer, _ = crypto.public_keys(account)
        digest = crypto.margin_digest(
            int(account),
            int(body["contractId"]),
            int(mode),
            wire.parse_whole(body, "l2Nonce"),
            signer,
        )
        signature = wire.parse_text(body, "l2Signature")
        named = wire.parse_text(body, "signer").lower()
        if named != signer or crypto.signer_of(digest, signature) != signer:
            raise Refusal("INVALID_L2_SIGNATURE")
        self._exchange.modes[account, market.symbol] = mode
        return None

    def largest_order(self, account: str, value: Json) -> Json:
        """By what is free, at a price that may have commas in it."""
        body = wire.parse_object(value)
        generation = self._exchange.generations[account]
        market = self._market.market(generation, body.get("contractId"))
        price = wire.parse_amount({"price": str(body.get("price")).replace(",", "")}, "price")
        if not price:
            raise Refusal("INVALID_PARAMETER", "invalid price", name="price")
        leverage = self._exchange.ledger.leverage(account, market.symbol)
        opening = max(self._exchange.free(account), ZERO) * leverage / price
        held = self._exchange.accounts[account].size(market.symbol)
        bid, ask = self._exchange.best(market.symbol)
        return {
            "maxBuySize": _down(opening + 2 * max(-held, ZERO), market.step),
            "maxSellSize": _down(opening + 2 * max(held, ZERO), market.step),
            "ask1Price": number(ask or ZERO),
            "bid1Price": number(bid or ZERO),
        }


def _required(query: Query, key: str) -> list[str]:
    names = names_of(query, key)
    if not names:
        raise Refusal("INVALID_PARAMETER", f"invalid {key}", name=key)
    return names


def _place(query: Query, size: int) -> int:
    """Raises: Refusal for a cursor that nobody gave."""
    try:
        return read_cursor(query.get("offsetData", ""), size)
    except ValueError:
        raise Refusal("INVALID_PARAMETER", "invalid offsetData", name="offsetData") from None


def _down(size: Decimal, step: Decimal) -> str:
    return number(size.quantize(step.normalize(), ROUND_DOWN))
