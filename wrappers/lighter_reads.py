"""Lighter, reads: markets, books, the account, orders and fills, all by REST.

A private read carries a token in its header. What the venue has acknowledged a moment ago may not
show yet.

Sources: apidocs.lighter.xyz (pages of 2026-07-19); lighter-sdk 1.1.8, api and models; read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final

from mpdex.errors import Unsupported
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    Collateral,
    Fees,
    FundingRate,
    Json,
    Lane,
    LeverageInfo,
    Market,
    Order,
    Position,
    Request,
)
from mpdex.utils.precision import plain
from mpdex.utils.translation import FillPage, Translation
from mpdex.utils.translation import checked as _checked
from wrappers.lighter_signer import VENUE
from wrappers.lighter_wire import (
    KINDS,
    QUOTE,
    TICK,
    client_index,
    decode_fills,
    decode_market,
    decode_order,
    decode_position,
    leverage_of,
    margin_fraction,
    market_index,
)

checked = _checked(VENUE)

_BOOK: Final = 250  # orders a side, the most there are
_PAGE: Final = 100

_ACCOUNT: Final = "/api/v1/account"
_DETAILS: Final = "/api/v1/orderBookDetails"
_LIMITS: Final = "/api/v1/accountLimits"
_TRADES: Final = "/api/v1/trades"
_ACTIVE: Final = "/api/v1/accountActiveOrders"
_INACTIVE: Final = "/api/v1/accountInactiveOrders"
_NONCE: Final = "/api/v1/nextNonce"

# Reads in a minute, by tier: counted for a standard account, weighed for the others.
READS: Final = {"standard": 60, "plus": 120_000, "premium": 24_000}
_WEIGHTS: Final = {_NONCE: 6, _INACTIVE: 100, _TRADES: 600}
_WEIGHT: Final = 300


class LighterReads(Translation):
    """Everything that changes nothing."""

    SERVER_TIME_STEP_MS = 1000
    keys: Mapping[str, str]
    _tier: str

    # ----------------------------------------------------------------- markets

    def wire_name(self, market: Market) -> str:
        return str(market_index(market))

    def encode_markets(self) -> list[Request]:
        return [self._read(_DETAILS, {"filter": "all"})]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        """Perpetuals and spot; other kinds (binary options) are left out."""
        entries = _details(answers[0])
        return [decode_market(entry) for entry in entries if entry["market_type"] in KINDS]

    def encode_mark(self, market: Market) -> Request:
        return self._read(_DETAILS, {"market_id": self.wire_name(market)})

    @checked
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        """The last trade stands in where there is no mark: on spot, and for an older server."""
        entry = _of_market(_details(answer), market)
        return Decimal(entry.get("mark_price") or entry["last_trade_price"])

    def encode_book(self, market: Market, depth: int) -> Request:
        """Single orders, not levels: as many as there are to have."""
        query = {"market_id": self.wire_name(market), "limit": str(_BOOK)}
        return self._read("/api/v1/orderBookOrders", query)

    @checked
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        bids, asks = _levels(answer["bids"]), _levels(answer["asks"])
        return BookUpdate(market["symbol"], bids, asks, 0, 0, True, None)

    def encode_server_time(self) -> Request:
        return self._read("/")

    @checked
    def decode_server_time(self, answer: Json) -> int:
        """The venue tells whole seconds."""
        return int(answer["timestamp"]) * 1000

    def encode_funding_rate(self, market: Market) -> Request:
        need_perp(market, "get_funding_rate")
        return self._read("/api/v1/funding-rates")

    @checked
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        """Funding is hourly; the list has rates of eight hours, to compare venues with.

        UNVERIFIED: the eight hours, which agree with the stream's hourly percents in the samples.
        """
        rates = [entry for entry in answer["funding_rates"] if entry["exchange"] == VENUE]
        entry = _of_market(rates, market)
        hourly = Decimal(str(entry["rate"])) / 8
        return FundingRate(
            symbol=market["symbol"],
            rate=hourly.quantize(Decimal("1e-12")).normalize(),  # a binary fraction on the wire
            interval_hours=Decimal(1),
            next_funding_ms=None,
            raw=entry,
        )

    def encode_next_nonce(self) -> Request:
        query = {name: self.keys[name] for name in ("account_index", "api_key_index")}
        return self._read(_NONCE, query, lane=Lane.CANCEL)

    @checked
    def decode_next_nonce(self, answer: Json) -> int:
        return int(answer["nonce"])

    # ----------------------------------------------------------------- orders

    @checked
    def decode_order(self, answer: Json) -> Order:
        return decode_order(answer, self._markets)

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """By our id in one place, open or ended within a day; by the venue's in two."""
        if query.client_id:
            wanted = {"client_order_indexes": str(client_index(query.client_id))}
            return [self._of_account("/api/v1/accountOrders", wanted)]
        of_market = {"market_id": self.wire_name(market)}
        history = {**of_market, "limit": str(_PAGE)}
        return [self._of_account(_ACTIVE, of_market), self._of_account(_INACTIVE, history)]

    @checked
    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        """A client id may have been used again after its order ended; the latest order counts."""
        orders = [self.decode_order(entry) for entry in answer["orders"]]
        found = [order for order in orders if _matches(order, query)]
        return max(found, key=lambda order: order["timestamp_ms"] or 0, default=None)

    def encode_open_orders(self, market: Market | None) -> Request:
        return self._of_account(_ACTIVE, self._of_market(market))

    @checked
    def decode_orders(self, answer: Json) -> list[Order]:
        """What has just ended may still be listed."""
        orders = [self.decode_order(entry) for entry in answer["orders"]]
        return [order for order in orders if not order["status"].terminal]

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        """Newest first, liquidations included: they move the position like any other."""
        query = {"sort_by": "timestamp", "sort_dir": "desc", "limit": str(_PAGE)}
        if cursor:
            query["cursor"] = cursor
        return self._of_account(_TRADES, {**query, **self._of_market(market)})

    @checked
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        account = int(self.keys["account_index"])
        trades = answer["trades"]
        fills = [fill for entry in trades for fill in decode_fills(entry, account, self._markets)]
        further = answer.get("next_cursor") if trades else None
        return FillPage(fills, further or None, backwards=True)

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Request:
        """Without the markets that only have a leverage set."""
        return self._whole_account(active_only="true")

    def _whole_account(self, **more: str) -> Request:
        query = {"by": "index", "value": self.keys.get("account_index", "")}
        return self._read(_ACCOUNT, {**query, **more}, signed=True)

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        entries = self._account(answer)["positions"]
        found = (decode_position(entry, self._markets) for entry in entries)
        return [position for position in found if position is not None]

    def encode_collateral(self) -> Request:
        return self._whole_account()

    @checked
    def decode_collateral(self, answer: Json) -> Collateral:
        account = self._account(answer)
        pnl = sum((Decimal(p["unrealized_pnl"]) for p in account["positions"]), Decimal(0))
        return Collateral(
            total=Decimal(account["total_asset_value"]),
            available=Decimal(account["available_balance"]),
            unrealized_pnl=pnl,
            currency=QUOTE,
            raw=account,
        )

    def encode_leverage_info(self, market: Market) -> Request:
        need_perp(market, "get_leverage_info")
        return self._whole_account()

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        """The market's default as long as the account has set none."""
        entries = self._account(answer)["positions"]
        own = next((e for e in entries if e["market_id"] == market_index(market)), None)
        default = int(market["raw"]["default_initial_margin_fraction"])
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=leverage_of(margin_fraction(own) if own else default),
            max_leverage=market["max_leverage"],
            margin_mode="isolated" if own and own["margin_mode"] else "cross",
            position_mode="one-way",  # the venue has no other
            raw=own,
        )

    def encode_fees(self, market: Market) -> Request:
        return self._of_account(_LIMITS, {})

    @checked
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        return Fees(
            symbol=market["symbol"],
            maker=answer["current_maker_fee_tick"] * TICK,
            taker=answer["current_taker_fee_tick"] * TICK,
            assumed=False,
            raw=answer,
        )

    # ----------------------------------------------------------------- requests

    def _account(self, answer: Json) -> Json:
        return _only(answer["accounts"], "index", int(self.keys["account_index"]))

    def _of_market(self, market: Market | None) -> dict[str, str]:
        return {} if market is None else {"market_id": self.wire_name(market)}

    def _of_account(self, path: str, query: Mapping[str, str]) -> Request:
        account = {"account_index": self.keys.get("account_index", "")}
        return self._read(path, {**account, **query}, signed=True)

    def _read(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        signed: bool = False,
        lane: Lane = Lane.QUERY,
    ) -> Request:
        """Standard accounts are counted by request, the others by weight."""
        weight = 1 if self._tier == "standard" else _WEIGHTS.get(path, _WEIGHT)
        return Request("GET", path, query=query, signed=signed, weight=weight, lane=lane)


def _details(answer: Json) -> list[Json]:
    return [*answer["order_book_details"], *(answer.get("spot_order_book_details") or ())]


def _of_market(entries: Sequence[Json], market: Market) -> Json:
    return _only(entries, "market_id", market_index(market))


def _only(entries: Sequence[Json], name: str, value: int) -> Json:
    """The entry with that number. Raises: LookupError."""
    return {entry[name]: entry for entry in entries}[value]


def _levels(orders: Sequence[Json]) -> list[tuple[str, str]]:
    """Orders, best first, as levels. Where the list is full, the last level may go on: left out."""
    levels = [
        (price, plain(sum((Decimal(o["remaining_base_amount"]) for o in same), Decimal(0))))
        for price, same in groupby(orders, key=lambda order: str(order["price"]))
    ]
    return levels[:-1] if len(orders) == _BOOK and len(levels) > 1 else levels


def need_perp(market: Market, call: str) -> None:
    if market["kind"] != "perp":
        raise Unsupported(f"{call}: {market['symbol']} is not a perpetual", venue=VENUE)


def _matches(order: Order, query: CancelRequest) -> bool:
    if query.order_id:
        return order["id"] == query.order_id
    return order["client_order_id"] == query.client_id
