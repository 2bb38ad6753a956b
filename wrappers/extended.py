"""Extended: perpetuals of one account, quoted in USD (USDC), settled on Starknet, cross margin.

An order is PENDING when its answer comes: it has an id, but is not in the book, and the engine may
still refuse it; that is on the account stream and, a little later, in a query. A cancel is no
different. Requests carry no time, so the only bound of a late order is its own expiry: one that
must trade at once lives for seconds, any other for weeks.

Each order names the highest fee rate that it pays, so the account's rates are read with the
markets. Markets by quote request (`isRfq`) and spot, which follow rules of their own, are left out.

Sources: api.docs.extended.exchange; x10-python-trading-starknet 2.6.0; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from mpdex.errors import AuthError, BadOrder, MissingCredentials, MpdexError, OrderNotFound
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    ClientIdForm,
    Collateral,
    Fees,
    FundingRate,
    Json,
    Lane,
    LeverageInfo,
    Limit,
    Market,
    Order,
    OrderRequest,
    Position,
    Request,
    TimeInForce,
    VenueSpec,
)
from mpdex.utils.precision import plain
from mpdex.utils.translation import FillPage, acknowledged
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.extended_auth import VENUE, Draft, ExtendedAuth, assets_of, chain_of, nonce_of
from wrappers.extended_wire import (
    BALANCE,
    ERRORS,
    ORDER,
    QUOTE,
    REASONS,
    checked,
    decimal,
    decode_fill,
    decode_market,
    decode_order,
    decode_position,
    error_of,
)

if TYPE_CHECKING:
    from wrappers.venue_stream import VenueStream

# How long an order may live: 90 days at most, on the testnet 28, of which a day is left for clocks.
RESTING_MS: Final = 27 * 86_400_000
# One that must trade at once. Nothing tells the venue's clock, which was seen 3 s ahead.
# UNVERIFIED: that so short an expiry is taken; the documentation names a maximum only.
IMMEDIATE_MS: Final = 10_000

_ORDERS: Final = "/user/orders"
_MASS_CANCEL: Final = "/user/order/massCancel"
_SWITCH: Final = "/user/deadmanswitch"
_PAGE: Final = 1000  # of history; 10,000 is the most
_MARKET: Final = "/info/markets/{}/{}"
# The most that the venue's own SDK signs for, where the account's rates do not name a market.
_FALLBACK_FEE: Final = Decimal("0.0005")
_NO_FEE: Final = Decimal(0)
_FLAT: Final[Mapping[str, str]] = {"equity": "0", "availableForTrade": "0", "unrealisedPnl": "0"}


class ExtendedExchange(MultiPerpDexMixin, MultiPerpDex):
    """Extended perpetuals.

    Args:
        options: those of `MultiPerpDexMixin`; the keys are `api_key`, `private_key`, `public_key`
            and `vault`, all of one sub-account.

    Raises: UsageError if a key is malformed, or the two Stark keys do not belong together.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            "rest": "https://api.starknet.extended.exchange/api/v1",
            "ws": "wss://api.starknet.extended.exchange/stream.extended.exchange/v1",
        },
        credentials=("api_key", "private_key", "public_key", "vault"),
        account="vault",
        supports=frozenset(
            {"post_only", "reduce_only", "market", "ioc", "slippage_bps", "client_order_id"}
        ),
        limits={"default": Limit(1000, 60.0)},  # of an address, over all endpoints
        errors=ERRORS,
        order_route="rest",
        client_id=ClientIdForm(1, 2**63 - 1),  # any text. UNVERIFIED: of which length
        # Inside the 5 % around the mark that market orders may have, with room for a mark that
        # moves on the way.
        market_bound_bps=Decimal(300),
        request_bound_ms=None,
        immediate_bound_ms=IMMEDIATE_MS,
        reads_lag_ms=500,  # UNVERIFIED: how long an order that was placed is not found
    )
    BOOK_SNAPSHOT = "stream"

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.extended_ws_client import ExtendedAccountClient, ExtendedWSClient

        return ExtendedWSClient, ExtendedAccountClient

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._auth: ExtendedAuth | None = None
        if not self.read_only:
            keys = {name: self.keys[name] for name in self.SPEC.credentials}
            self._auth = ExtendedAuth(**keys, chain=chain_of(self.endpoints["rest"]))

    # ----------------------------------------------------------------- identity and errors

    def sign(self, request: Request, now_ms: int) -> Request:
        """The API key; an order is signed when it is encoded, since it carries its own bound."""
        headers = self._proof(request).headers
        return request.proved(request.body, {**request.headers, **headers})

    def _proof(self, what: object) -> ExtendedAuth:
        if self._auth is None:
            raise MissingCredentials(f"{what} needs keys; opened read-only", venue=VENUE)
        return self._auth

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        """An account without money has no balance (404): that is no error."""
        refused = isinstance(answer, dict) and answer.get("status") == "ERROR"
        if (status < 400 and not refused) or (status == 404 and request.path == BALANCE):
            return None
        return error_of(status, answer, request)

    def decode_page(self, status: int, text: str, request: Request) -> MpdexError | None:
        """A door that refuses without JSON has not let anything in; 404 is what its code is."""
        if status not in (401, 403, 404):
            return None
        error = error_of(status, text or f"HTTP {status}", request)
        return error if isinstance(error, AuthError | OrderNotFound) else None

    def decode_reason(self, reason: str) -> type[Exception] | None:
        return REASONS.get(reason)

    # ----------------------------------------------------------------- markets

    def encode_markets(self) -> list[Request]:
        """With the account's fee rates: of all markets, as none is named."""
        listing = Request("GET", "/info/markets")
        return [listing] if self.read_only else [listing, _private("/user/fees")]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        listing, rates = answers[0], _data(answers[1]) if len(answers) > 1 else []
        known = {entry["market"]: entry for entry in rates}
        return [
            decode_market(entry, known.get(entry["name"]))
            for entry in _data(listing)
            if entry["type"] == "PERPETUAL" and not entry["isRfq"]
        ]

    def encode_mark(self, market: Market) -> Request:
        return Request("GET", _MARKET.format(market["symbol"], "stats"))

    @checked
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        return Decimal(_data(answer)["markPrice"])

    def encode_book(self, market: Market, depth: int) -> Request:
        """All of it: there is no choice."""
        return Request("GET", _MARKET.format(market["symbol"], "orderbook"))

    @checked
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        bids, asks = (
            [(level["price"], level["qty"]) for level in _data(answer)[side]]
            for side in ("bid", "ask")
        )
        return BookUpdate(market["symbol"], bids, asks, 0, 0, True, None)

    def encode_funding_rate(self, market: Market) -> Request:
        return self.encode_mark(market)

    @checked
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        """`nextFundingRate` is a time, in spite of its name."""
        stats = _data(answer)
        return FundingRate(
            symbol=market["symbol"],
            rate=Decimal(stats["fundingRate"]),
            interval_hours=Decimal(1),
            next_funding_ms=int(stats["nextFundingRate"]),
            raw=stats,
        )

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """Signed here: its expiry counts from now.

        Raises: BadOrder: no price, or an amount that the chain cannot hold.
        """
        auth, price = self._proof("an order"), order.price
        if price is None:
            raise BadOrder(
                "every order has a worst price here; create_order finds one", venue=VENUE
            )
        immediate = order.time_in_force is TimeInForce.IOC
        now_ms = now_ns // 1_000_000
        draft = Draft(
            market=market["symbol"],
            assets=assets_of(market["raw"]["l2Config"]),
            kind="LIMIT",
            side=order.side,
            size=order.size,
            price=price,
            time_in_force="IOC" if immediate else "GTT",
            post_only=order.post_only,
            reduce_only=order.reduce_only,
            expires_ms=now_ms + (IMMEDIATE_MS if immediate else RESTING_MS),
            fee=fee_cap(market, post_only=order.post_only),
            nonce=nonce_of(order.client_id, now_ns),
            client_id=order.client_id,
        )
        lane = Lane.HEDGE if immediate else Lane.QUOTE
        return _command("POST", ORDER, lane, body=msgspec.json.encode(auth.order_fields(draft)))

    @checked
    def decode_order(self, answer: Json) -> Order:
        return decode_order(_data(answer))

    @checked
    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """It has an id, and nothing is decided yet."""
        return acknowledged(order, answer, id=str(_data(answer)["id"]))

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        if cancel.client_id:
            query = {"externalId": quote(cancel.client_id, safe="")}
            return _command("DELETE", ORDER, Lane.CANCEL, query=query)
        return _command("DELETE", f"{ORDER}/{cancel.order_id}", Lane.CANCEL)

    def decode_cancel(self, answer: Json) -> Order | None:
        """Always None: it has been asked of the engine, and fills may still come."""
        return None

    def encode_cancel_all(self, market: Market) -> Request:
        body = msgspec.json.encode({"markets": [market["symbol"]]})
        return _command("POST", _MASS_CANCEL, Lane.CANCEL, body=body)

    def encode_schedule_cancel(self, at_ms: int | None) -> Request:
        """The switch counts whole seconds from when it comes in; 0 takes it back."""
        left_ms = 0 if at_ms is None else max(at_ms - self.venue_clock.now_ms(), 1)
        query = {"countdownTime": str(-(-left_ms // 1000))}
        return Request("POST", _SWITCH, query=query, signed=True, lane=Lane.CANCEL)

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """One place has open and ended orders alike; by our id it gives a list."""
        if query.client_id:
            return [_private(f"{_ORDERS}/external/{quote(query.client_id, safe='')}")]
        return [_private(f"{_ORDERS}/{query.order_id}")]

    @checked
    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        """The newest of that id: one that ended may have had it, too."""
        told = _data(answer)
        entries = told if isinstance(told, list) else [told]
        found = [entry for entry in entries if entry["market"] == query.symbol]
        return decode_order(max(found, key=lambda entry: entry["id"])) if found else None

    def encode_open_orders(self, market: Market | None) -> Request:
        return _private(_ORDERS, _filter(market))

    @checked
    def decode_orders(self, answer: Json) -> list[Order]:
        return [decode_order(entry) for entry in _data(answer)]

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        """Newest first, without a filter by time. Liquidations and deleveraging are in it."""
        query = {**_filter(market), "limit": str(_PAGE)}
        if cursor is not None:
            query["cursor"] = cursor
        return _private("/user/trades", query)

    @checked
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        """An empty page is the end: one shorter than asked for may have been cut."""
        fills = [decode_fill(entry) for entry in _data(answer)]
        last = (answer.get("pagination") or {}).get("cursor")
        goes_on = bool(fills) and last is not None and str(last) != cursor
        return FillPage(fills, str(last) if goes_on else None, backwards=True)

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Request:
        return _private("/user/positions", _filter(market))

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        positions = (decode_position(entry) for entry in _data(answer))
        return [position for position in positions if position is not None]

    def encode_collateral(self) -> Request:
        return _private(BALANCE)

    @checked
    def decode_collateral(self, answer: Json) -> Collateral:
        balance = answer["data"] if answer.get("status") == "OK" else _FLAT
        return Collateral(
            total=Decimal(balance["equity"]),
            available=Decimal(balance["availableForTrade"]),
            unrealized_pnl=Decimal(balance["unrealisedPnl"]),
            currency=balance.get("collateralName", QUOTE),
            raw=answer,
        )

    def encode_leverage_info(self, market: Market) -> Request:
        return _private("/user/leverage", _filter(market))

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        entry = _of(answer, market)
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=decimal(entry.get("leverage")),
            max_leverage=market["max_leverage"],
            margin_mode="cross",
            position_mode="one-way",  # the venue has no other
            raw=entry,
        )

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        fields = {"market": market["symbol"], "leverage": plain(leverage)}
        return Request("PATCH", "/user/leverage", json=fields, signed=True)

    def encode_fees(self, market: Market) -> Request:
        return _private("/user/fees", _filter(market))

    @checked
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        entry = _of(answer, market)
        return Fees(
            symbol=market["symbol"],
            maker=Decimal(entry["makerFeeRate"]),
            taker=Decimal(entry["takerFeeRate"]),
            assumed=False,
            raw=entry,
        )


def fee_cap(market: Market, *, post_only: bool) -> Decimal:
    """The highest rate that an order accepts: the account's own; a rebate needs none."""
    rates = market["raw"].get("fees")
    if rates is None:
        return _FALLBACK_FEE
    return max(Decimal(rates["makerFeeRate" if post_only else "takerFeeRate"]), _NO_FEE)


# --------------------------------------------------------------------------- requests


def _private(path: str, query: Mapping[str, str] | None = None) -> Request:
    return Request("GET", path, query=query, signed=True)


def _command(method: str, path: str, lane: Lane, **content: Any) -> Request:
    return Request(method, path, signed=True, lane=lane, command=True, **content)


def _filter(market: Market | None) -> dict[str, str]:
    return {} if market is None else {"market": market["symbol"]}


# --------------------------------------------------------------------------- answers


def _data(answer: Json) -> Json:
    return answer["data"]


def _of(answer: Json, market: Market) -> Json:
    entries = {entry["market"]: entry for entry in _data(answer)}
    return entries.get(market["symbol"], {})
