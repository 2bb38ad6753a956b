"""What an account may ask the simulated StandX: orders, fills, positions, money, settings.

Lists are newest first and paged by `last_id` (UNVERIFIED: the order, and that the page is of
smaller ids).

Source: docs.standx.com, "Perps HTTP API", and live answers; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from mpdex.sim.payments import FundingTally
from mpdex.sim.records import ZERO, SimPosition
from mpdex.sim.venues import standx_render as render
from mpdex.sim.venues import standx_wire as wire
from mpdex.sim.venues.standx_orders import OrderDesk, Taken
from mpdex.sim.venues.standx_truth import StandxTruth
from mpdex.sim.venues.standx_wire import Refusal
from mpdex.types import Json

Query = Mapping[str, str]
Row = dict[str, Json]
FAR_NS = 1 << 62
# Default and most rows of a page.
OPEN_PAGE, PAGE = (500, 1200), (100, 500)


class AccountData:
    """Answers and settings of the accounts of one venue.

    Raises: Refusal from all of them.
    """

    def __init__(self, truth: StandxTruth, desk: OrderDesk) -> None:
        self._truth = truth
        self._desk = desk
        self._tally = FundingTally()
        self._funding: dict[str, list[Row]] = defaultdict(list)
        self.answers: dict[str, Callable[[str, Query], Json]] = {
            "/api/query_order": self.answer_order,
            "/api/query_orders": self.answer_orders,
            "/api/query_open_orders": self.answer_open_orders,
            "/api/query_trades": self.answer_trades,
            "/api/query_positions": self.answer_positions,
            "/api/query_balance": self.answer_balance,
            "/api/query_funding_history": self.answer_funding,
            "/api/query_position_config": self.answer_config,
        }
        self.settings: dict[str, Callable[[str, Mapping[str, Json]], Taken]] = {
            "/api/change_leverage": self.change_leverage,
            "/api/change_margin_mode": self.change_margin_mode,
            "/api/transfer_margin": self.transfer_margin,
        }

    def _symbol(self, query: Query) -> str | None:
        """Of a query that may name a market."""
        return wire.read_symbol(query, self._truth.markets).symbol if "symbol" in query else None

    # ---------------------------------------------------------------- orders and fills

    def answer_order(self, account: str, query: Query) -> Json:
        order = self._desk.find(account, wire.parse_query(query))
        return render.render_order(order, self._truth)

    def answer_orders(self, account: str, query: Query) -> Json:
        status, kind = query.get("status"), query.get("order_type")
        since, until = _span(query)
        rows = [
            render.render_order(order, self._truth, live="new")
            for order in self._truth.order_history(account, self._symbol(query))
            if self._desk.is_seen(order) and since <= order.created_ns <= until
        ]
        wanted = {"open": "new"}.get(status or "", status)
        return self._page(
            [r for r in rows if wanted in (None, r["status"]) and kind in (None, r["order_type"])],
            query,
            PAGE,
        )

    def answer_open_orders(self, account: str, query: Query) -> Json:
        return self._page(self._desk.open_rows(account, self._symbol(query)), query, OPEN_PAGE)

    def answer_trades(self, account: str, query: Query) -> Json:
        since, until = _span(query)
        rows = [
            render.render_fill(fill)
            for fill in self._truth.fills(account, since, self._symbol(query))
            if fill.time_ns <= until and query.get("side") in (None, fill.order.side)
        ]
        return self._page(rows, query, PAGE)

    def _page(self, oldest_first: Iterable[Row], query: Query, sizes: tuple[int, int]) -> Json:
        rows, size = self._cut(oldest_first, query, sizes)
        return {
            "code": 0,
            "message": "success",
            "page_size": size,
            "result": rows[:size],
            "total": len(rows),
        }

    def _cut(
        self, oldest_first: Iterable[Row], query: Query, sizes: tuple[int, int]
    ) -> tuple[list[Row], int]:
        """Rows newest first from `last_id` on, and how many of them are shown."""
        before = wire.read_count(query, "last_id", FAR_NS, FAR_NS)
        rows = [row for row in oldest_first if row["id"] < before][::-1]
        limit = wire.read_count(query, "limit", *sizes)
        return rows, min(limit, len(rows), self._truth.twist.page or limit)

    # ---------------------------------------------------------------- positions and money

    def answer_positions(self, account: str, query: Query) -> Json:
        """A market once held stays, with a quantity of "0" when flat."""
        symbol, now = self._symbol(query), self._truth.clock.now_ns()
        return [
            render.render_position(self._truth.position(account, held), self._truth, now)
            for held in self._truth.accounts[account].holdings
            if symbol in (None, held)
        ]

    def answer_balance(self, account: str, _: Query) -> Json:
        holder = self._truth.accounts[account]
        if not holder.cash and not holder.volume:
            raise Refusal(wire.NO_BALANCE)
        return render.render_balance(account, self._truth)

    def answer_funding(self, account: str, query: Query) -> Json:
        symbol, (since, until) = self._symbol(query), _span(query)
        rows = [
            {name: value for name, value in row.items() if name != "at_ns"}
            for row in self._funding[account]
            if symbol in (None, row["symbol"]) and since <= row["at_ns"] <= until
        ]
        shown, size = self._cut(rows, query, PAGE)
        return shown[:size]

    def note_position(self, position: SimPosition) -> None:
        """Keep a payment of funding where the change was one; negative: paid."""
        received = self._tally.take(position)
        if not received:
            return
        rows, now = self._funding[position.account], self._truth.clock.now_ns()
        at = render.stamp(now)
        rows.append(
            {
                "asset": "DUSD",
                "created_at": at,
                "id": 530_060_896 + len(rows),
                "qty": render.quote(received),
                "symbol": position.symbol,
                "txn_type": "funding_fee",
                "updated_at": at,
                "user": position.account,
                "at_ns": now,
            }
        )

    # ---------------------------------------------------------------- settings

    def answer_config(self, account: str, query: Query) -> Json:
        """The leverage is text, as was seen live; the documentation has a number."""
        symbol = wire.read_symbol(query, self._truth.markets).symbol
        leverage = self._truth.ledger.leverage(account, symbol)
        mode = self._truth.mode(account, symbol)
        return {"symbol": symbol, "leverage": render.number(leverage), "margin_mode": mode}

    def change_leverage(self, account: str, fields: Mapping[str, Json]) -> Taken:
        market = wire.read_symbol(fields, self._truth.markets)
        leverage = wire.read_whole(fields, "leverage")
        if not 1 <= leverage <= market.max_leverage:
            raise Refusal(wire.MALFORMED)
        self._truth.set_leverage(account, market.symbol, Decimal(leverage))
        return Taken()

    def change_margin_mode(self, account: str, fields: Mapping[str, Json]) -> Taken:
        symbol = wire.read_symbol(fields, self._truth.markets).symbol
        mode = fields.get("margin_mode")
        if mode not in wire.MODES:
            raise Refusal(wire.MALFORMED)
        if not self._truth.twist.keep_leverage:
            self._truth.modes[account, symbol] = str(mode)
            self._truth.added.pop((account, symbol), None)
        return Taken()

    def transfer_margin(self, account: str, fields: Mapping[str, Json]) -> Taken:
        """Into an isolated position. UNVERIFIED: a negative amount takes margin out."""
        symbol = wire.read_symbol(fields, self._truth.markets).symbol
        text = fields.get("amount_in")
        if not isinstance(text, str) or not self._truth.isolated_margin(account, symbol):
            raise Refusal(wire.MALFORMED)
        amount = wire.read_amount({"amount": text.removeprefix("-")}, "amount")
        added = self._truth.added.get((account, symbol), ZERO)
        self._truth.added[account, symbol] = added + (-amount if text[:1] == "-" else amount)
        return Taken()


def _span(query: Query) -> tuple[int, int]:
    return wire.read_time(query, "start", 0), wire.read_time(query, "end", FAR_NS)
