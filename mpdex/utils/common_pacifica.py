"""Pacifica, reads: markets, prices and the account of whoever knows its address.

Nothing here is signed. A venue that trades on Pacifica's book puts `PacificaBase` among its bases,
says which account is read, and brings the orders; `PacificaFrames` is the same for its streams.

Sources: docs.pacifica.fi, "REST API", "Rate limits", "Funding rates"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from mpdex.errors import MissingCredentials, MpdexError, NotSynced
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    Collateral,
    Fees,
    FundingRate,
    Json,
    LeverageInfo,
    Limit,
    Market,
    Order,
    Position,
    Reads,
    Request,
)
from mpdex.utils.pacifica_errors import error_of
from mpdex.utils.pacifica_wire import (
    FAMILY,
    OPEN_ORDERS,
    ORDER_EVENTS,
    ORDERS,
    QUOTE,
    REFUSALS,
    TRADES,
    config_headers,
    decode_fill,
    decode_market,
    decode_order,
    decode_order_events,
    decode_position,
    is_perp,
)
from mpdex.utils.translation import FillPage, Translation, checked

# Everything is counted in tenths of a credit, as the venue's own headers are.
STANDARD: Final = 10
HALF: Final = 5  # a cancel
# A history costs 3 to 12 credits, with an API config key 1 to 4, growing with what it finds. The
# least is counted here: what it was more is seen in the header that each answer has.
HISTORY: Final = 30
HISTORY_WITH_KEY: Final = 10
LIMIT: Final = Limit(1000, 60.0)  # of an address without a key
LIMIT_WITH_KEY: Final = Limit(3000, 60.0)  # and more by fee tier
PAGE: Final = 100  # entries of a history: the default. UNVERIFIED: whether more are given
_HOUR_MS: Final = 3_600_000

checked_here = checked(FAMILY)


class PacificaBase(Translation):
    """What every venue on Pacifica's book reads in the same way.

    `keys` has the `account` whose state is read; `api_config_key`, if any, raises the limits.
    """

    SCOPE = "default"  # of SPEC.limits, for reads of Pacifica

    keys: Mapping[str, str]

    @property
    def read_account(self) -> str:
        """The address whose account is read. Raises: MissingCredentials."""
        account = self.keys.get("account")
        if not account:
            raise MissingCredentials("account: whose state is to be read?", venue=self.SPEC.name)
        return account

    def spell(self, wire: str) -> str:
        """The symbol of what Pacifica calls a market; the same, unless a venue has its own."""
        return wire

    def wire_name(self, market: Market) -> str:
        return str(market["raw"]["symbol"])

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        """A refusal may hide in a 200: its envelope says whether it is one."""
        refused = isinstance(answer, dict) and answer.get("success") is False
        if status < 400 and not refused:
            return None
        return error_of(self.SPEC.name, status, answer, request)

    def decode_reason(self, reason: str) -> type[Exception] | None:
        return REFUSALS.get(reason)

    # ----------------------------------------------------------------- markets

    def encode_markets(self) -> list[Request]:
        return [self._get("/info")]

    @checked_here
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        """Perpetuals; spot instruments, which came in 2026, follow rules of their own."""
        entries = (entry for entry in _data(answers[0]) if is_perp(entry["symbol"]))
        return [
            decode_market(entry, self.spell(entry["symbol"]))
            for entry in entries
            if entry.get("instrument_type", "perpetual") == "perpetual"
        ]

    def encode_mark(self, market: Market) -> Request:
        return self._get("/info/prices")

    @checked_here
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        return Decimal(self._price_of(answer, market)["mark"])

    def encode_book(self, market: Market, depth: int) -> Request:
        """Ten levels a side; the venue gives no more."""
        return self._get("/book", symbol=self.wire_name(market), agg_level="1")

    @checked_here
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        data = _data(answer)
        bids, asks = ([(level["p"], level["a"]) for level in side] for side in data["l"])
        return BookUpdate(market["symbol"], bids, asks, 0, 0, True, int(data["t"]))

    def encode_funding_rate(self, market: Market) -> Request:
        return self._get("/info/prices")

    @checked_here
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        """`next_funding` is the running hour's rate, `funding` what the last hour paid.

        UNVERIFIED: that hours are those of the clock.
        """
        entry = self._price_of(answer, market)
        now_ms = int(entry["timestamp"])
        return FundingRate(
            symbol=market["symbol"],
            rate=Decimal(entry["next_funding"]),
            interval_hours=Decimal(1),
            next_funding_ms=now_ms - now_ms % _HOUR_MS + _HOUR_MS,
            raw=entry,
        )

    def _price_of(self, answer: Json, market: Market) -> Json:
        wire = self.wire_name(market)
        prices = {entry["symbol"]: entry for entry in _data(answer)}
        return prices[wire]

    # ----------------------------------------------------------------- orders and fills

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """Open orders, then what has ended; there is no look-up by client id.

        By client id the newest of the history are looked through, and then the newest trades, since
        a trade may be told before the history has its order.
        """
        if query.order_id:
            events = self._get(ORDER_EVENTS, self._history, order_id=query.order_id)
            return [self.encode_open_orders(market), events]
        ended = self._read(ORDERS, self._history, limit=str(PAGE))
        return [self.encode_open_orders(market), ended, self.encode_fills(market, 0, None)]

    @checked_here
    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        """A history's "open" is no news: the open orders, asked before, do not have the order.

        Raises: NotSynced: the order has traded, but its state is not told yet.
        """
        entries = _data(answer)
        names = set(entries[0]) if entries else set()
        if {"event_type", "order_status"} <= names:
            told = _ended([decode_order_events(entries, query.symbol)])
        elif "order_status" in names:
            told = _ended(self.decode_orders(answer))
        elif "event_type" in names:
            _refuse_to_guess(self.decode_fills(answer, None), query)
            told = []
        else:
            told = self.decode_orders(answer)
        return next((order for order in told if _is_asked_for(order, query)), None)

    def encode_open_orders(self, market: Market | None) -> Request:
        """Of all markets: there is no filter."""
        return self._read(OPEN_ORDERS)

    @checked_here
    def decode_orders(self, answer: Json) -> list[Order]:
        symbol_of = self._markets.symbol_of
        entries = (entry for entry in _data(answer) if is_perp(entry["symbol"]))
        return [decode_order(entry, symbol_of(entry["symbol"])) for entry in entries]

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        """Liquidations and settlements included: they move the position like any other."""
        query = {"limit": str(PAGE)}
        if market is not None:
            query["symbol"] = self.wire_name(market)
        if since_ms > 0:
            query["start_time"] = str(since_ms)
        if cursor is not None:
            query["cursor"] = cursor
        return self._read(TRADES, self._history, **query)

    @checked_here
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        symbol_of = self._markets.symbol_of
        entries = (entry for entry in _data(answer) if is_perp(entry["symbol"]))
        fills = [decode_fill(entry, symbol_of(entry["symbol"])) for entry in entries]
        return FillPage(fills, answer.get("next_cursor") if answer.get("has_more") else None)

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Request:
        return self._read("/positions")

    @checked_here
    def decode_positions(self, answer: Json) -> list[Position]:
        symbol_of = self._markets.symbol_of
        return [
            decode_position(entry, symbol_of(entry["symbol"]))
            for entry in _data(answer)
            if is_perp(entry["symbol"]) and Decimal(entry["amount"])
        ]

    def encode_collateral(self) -> Reads:
        return self._read("/account")

    @checked_here
    def decode_collateral(self, answer: Json) -> Collateral:
        account = _account(answer)
        return Collateral(
            total=Decimal(account["account_equity"]),
            available=Decimal(account["available_to_spend"]),
            unrealized_pnl=None,
            currency=QUOTE,
            raw=account,
        )

    def encode_leverage_info(self, market: Market) -> Request:
        return self._read("/account/settings")

    @checked_here
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        """A market that is not in the settings has the venue's defaults: cross, at the maximum."""
        data, wire = _data(answer), self.wire_name(market)
        settings = data["margin_settings"] if isinstance(data, dict) else data
        entry = next((entry for entry in settings if entry["symbol"] == wire), None)
        leverage = market["max_leverage"] if entry is None else Decimal(entry["leverage"])
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=leverage,
            max_leverage=market["max_leverage"],
            margin_mode="isolated" if entry and entry["isolated"] else "cross",
            position_mode="one-way",  # the venue has no other
            raw=data,
        )

    def encode_fees(self, market: Market) -> Request:
        return self._read("/account")

    @checked_here
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        account = _account(answer)
        return Fees(
            symbol=market["symbol"],
            maker=Decimal(account["maker_fee"]),
            taker=Decimal(account["taker_fee"]),
            assumed=False,
            raw=account,
        )

    # ----------------------------------------------------------------- requests

    @property
    def _history(self) -> int:
        """What a page of a history costs at least."""
        return HISTORY_WITH_KEY if self.keys.get("api_config_key") else HISTORY

    def _get(self, path: str, weight: int = STANDARD, **query: str) -> Request:
        return Request(
            "GET",
            path,
            query=query or None,
            scope=self.SCOPE,
            weight=weight,
            headers=config_headers(self.keys),
        )

    def _read(self, path: str, weight: int = STANDARD, **query: str) -> Request:
        """Of the account."""
        return self._get(path, weight, account=self.read_account, **query)


def _data(answer: Json) -> Json:
    return answer["data"]


def _account(answer: Json) -> Json:
    """An object; until 2026 it was a list with that object in it."""
    data = _data(answer)
    return data[0] if isinstance(data, list) else data


def _ended(orders: list[Order]) -> list[Order]:
    return [order for order in orders if order["status"].terminal]


def _is_asked_for(order: Order, query: CancelRequest) -> bool:
    if query.order_id:
        return order["id"] == query.order_id
    return order["client_order_id"] == query.client_id


def _refuse_to_guess(page: FillPage, query: CancelRequest) -> None:
    """A fill proves that the order arrived, and says nothing of what became of the rest of it."""
    if any(fill["client_order_id"] == query.client_id for fill in page.fills):
        raise NotSynced(
            f"order {query.client_id} has traded; its state is not told yet, ask again",
            venue=FAMILY,
        )
