"""Lighter, REST: perpetuals and spot on a zk-rollup, settled in USDC.

Every command is a signed transaction with the key's next number. Its acknowledgement says only that
it waits for the sequencer: whether an order rested, filled or was refused is told by the streams,
or by a query with its client id. Orders go over the socket; the same transactions go by REST.

Sources: apidocs.lighter.xyz (pages of 2026-07-19); lighter-sdk 1.1.8; elliottech/lighter-go of
2026-08-06; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from mpdex.errors import BadOrder, MissingCredentials, MpdexError, Unsupported, UsageError
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
    Session,
    TimeInForce,
    VenueSpec,
)
from mpdex.utils.nonces import CountedNonces, nonces_of
from mpdex.utils.precision import plain
from mpdex.utils.translation import FillPage, acknowledged
from mpdex.utils.translation import checked as _checked
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.lighter_signer import (
    CANCEL_ALL,
    CANCEL_ORDER,
    CREATE_ORDER,
    LIFE_MS,
    UPDATE_LEVERAGE,
    VENUE,
    LighterSigner,
)
from wrappers.lighter_wire import (
    ERRORS,
    FRACTION,
    KINDS,
    QUOTE,
    REASONS,
    TICK,
    decode_fills,
    decode_market,
    decode_order,
    decode_position,
    error_of,
    leverage_of,
    margin_fraction,
    units,
)

if TYPE_CHECKING:
    from mpdex.utils.nonces import Nonces
    from wrappers.venue_stream import VenueStream

checked = _checked(VENUE)

MAINNET: Final = 304
# What the venue calls an order entry on its socket.
CALL: Final = "jsonapi/sendtx"

_LIMIT_ORDER: Final = 0
_IMMEDIATE, _RESTING, _POST_ONLY = 0, 1, 2
_NOW, _SCHEDULED, _ABORT = 0, 1, 2
_CROSS: Final = 0
# As the SDK; the venue takes orders for five minutes to thirty days.
_ORDER_LIFE_MS: Final = 28 * 86_400_000
# The venue takes tokens of up to eight hours; a minute less, as clocks differ.
_TOKEN_SECONDS: Final = 8 * 3600 - 60
_MOST_PRICE, _MOST_SIZE = 2**32 - 1, 2**48 - 1
_MOST_INDEX: Final = 2**60 - 1  # of an order; asks count up from 2**48, bids down from 2**49
_BOOK: Final = 250  # orders a side, the most there are
_PAGE: Final = 100
_WRITTEN: Final = tuple((mark, f"%{ord(mark):02X}") for mark in '%"{}[]:,+/=&')  # "%" first
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}

_ACCOUNT: Final = "/api/v1/account"
_DETAILS: Final = "/api/v1/orderBookDetails"
_LIMITS: Final = "/api/v1/accountLimits"
_TRADES: Final = "/api/v1/trades"
_ACTIVE: Final = "/api/v1/accountActiveOrders"
_INACTIVE: Final = "/api/v1/accountInactiveOrders"

# Transactions in a minute, by what accountLimits calls the tier; of premium without staked LIT.
TRANSACTIONS: Final = {"standard": 60, "plus": 8_000, "premium": 4_000}
# Reads in a minute: counted for a standard account, weighed for the others.
READS: Final = {"standard": 60, "plus": 120_000, "premium": 24_000}
_WEIGHTS: Final = {"/api/v1/nextNonce": 6, _INACTIVE: 100, _TRADES: 600}
_WEIGHT: Final = 300


class LighterExchange(MultiPerpDexMixin, MultiPerpDex):
    """Lighter, perpetuals and spot.

    Args:
        chain_id: of the deployment, part of every signature; 304 is mainnet, 300 its testnet.
        exclusive: nobody else trades on this account, so that a market's orders may be canceled
            by one transaction, and a dead man's switch, which is for all of them, may be set.
        options: those of `MultiPerpDexMixin`; `account_index`, `api_key_index` and `private_key`
            among them, and `tier`, the account's ("standard" if left out).

    Raises: UsageError if a key is malformed; MissingDependency without the native signer.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            "rest": "https://mainnet.zklighter.elliot.ai",
            "ws": "wss://mainnet.zklighter.elliot.ai/stream",
        },
        credentials=("account_index", "api_key_index", "private_key"),
        optional_credentials=("tier",),
        supports=frozenset(
            {
                "post_only",
                "reduce_only",
                "market",
                "ioc",
                "slippage_bps",
                "spot",
                "client_order_id",
            }
        ),
        limits={
            "default": Limit(READS["standard"], 60.0),
            "transactions": Limit(TRANSACTIONS["standard"], 60.0),
            "leverage": Limit(40, 60.0),
        },
        errors=ERRORS,
        order_route="ws",
        client_id=ClientIdForm(1, _MOST_SIZE),
        # UNVERIFIED: that two percent are within the venue's own band around the mark.
        market_bound_bps=Decimal(200),
        request_bound_ms=LIFE_MS,
        reports_dropped=False,  # a reduce-only order that would not reduce
        reads_lag_ms=600,  # UNVERIFIED: twice the latency of the slowest tier
    )
    BOOK_SNAPSHOT = "stream"
    SERVER_TIME_STEP_MS = 1000

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.lighter_ws_client import LighterAccountClient, LighterWSClient

        return LighterWSClient, LighterAccountClient

    def __init__(self, *, chain_id: int = MAINNET, exclusive: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.exclusive = exclusive
        self._tier = _tier(self.keys.get("tier", ""))
        self._quota_left: int | None = None
        self._switch_ms = 0  # the account's dead man's switch, as it told when a fence was set
        self._signer: LighterSigner | None = None
        if not self.read_only:
            self._signer = LighterSigner(
                self.keys["private_key"],
                account_index=_index(self.keys, "account_index", 2**48 - 2),
                api_key_index=_index(self.keys, "api_key_index", 254),
                chain_id=chain_id,
            )

    @property
    def limits(self) -> Mapping[str, Limit]:
        """The venue's, as the account's tier has them."""
        return {
            **self.SPEC.limits,
            "default": Limit(READS[self._tier], 60.0),
            "transactions": Limit(TRANSACTIONS[self._tier], 60.0),
        }

    async def get_requests_left(self) -> int | None:
        """Commands left of the quota that grows with volume, as the last answer told.

        None: the venue has told none; a standard account has no such quota.
        """
        return self._quota_left

    async def fence_order(self, symbol: str, client_order_id: str) -> bool:
        """As everywhere, but never a proof by itself: `get_order` tells when this returns.

        UNVERIFIED: that the front knows a nonce as used before the sequencer has come to it. If it
        does not, both the order and the fence are acknowledged, and the order is the one that acts.
        """
        question = replace(self._whole_account(), lane=Lane.CANCEL)
        account = self._account(await self._private(question))
        self._switch_ms = int(account["cancel_all_time"])
        await super().fence_order(symbol, client_order_id)
        await self._caught_up()
        return False

    # ----------------------------------------------------------------- identity and errors

    def sign(self, request: Request, now_ms: int) -> Request:
        """A command becomes a transaction: a form by REST, an object over the socket."""
        if not request.command:
            return request
        if request.nonce is None:
            raise BadOrder(f"{request} has no nonce", venue=VENUE)
        signed = self._proof.sign(request.json["tx_type"], request.json["fields"], request.nonce)
        form = {"tx_type": signed.tx_type, "tx_info": signed.tx_info}
        return replace(request, json=form, body=_form(signed.tx_type, signed.tx_info))

    @property
    def _proof(self) -> LighterSigner:
        if self._signer is None:
            raise MissingCredentials("this needs keys; opened read-only", venue=VENUE)
        return self._signer

    def make_session(self, now_ms: int) -> Session | None:
        """A token for private reads and streams."""
        if self._signer is None:
            return None
        deadline = now_ms // 1000 + _TOKEN_SECONDS
        token = self._signer.auth_token(deadline)
        return Session({"authorization": token}, expires_ms=deadline * 1000)

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        return error_of(status, answer, request)

    def decode_reason(self, reason: str) -> type[Exception] | None:
        """The sequencer's refusals come after the acknowledgement, as the order's last status."""
        return REASONS.get(reason)

    # ----------------------------------------------------------------- nonces

    def make_nonces(self) -> Nonces:
        key = f"{self.keys['account_index']}:{self.keys['api_key_index']}"
        return nonces_of(CountedNonces, f"{self.endpoints['rest']} {key}")

    def encode_next_nonce(self) -> Request:
        query = {name: self.keys[name] for name in ("account_index", "api_key_index")}
        return self._read("/api/v1/nextNonce", query, lane=Lane.CANCEL)

    @checked
    def decode_next_nonce(self, answer: Json) -> int:
        return int(answer["nonce"])

    def spares_nonce(self, error: MpdexError) -> bool:
        """The front refuses without counting; what the sequencer refuses has been acknowledged."""
        return True

    def encode_fence(self, nonce: int, market: Market) -> Request:
        """Sets the dead man's switch to what it is.

        A cancel of nothing would not do: the front refuses it, and counts no refusal. UNVERIFIED:
        that it passes on a switch that is off and stays off.
        """
        return _command(CANCEL_ALL, _switch(self._switch_ms), Lane.HEDGE, nonce=nonce)

    # ----------------------------------------------------------------- markets

    def wire_name(self, market: Market) -> str:
        return str(_market_id(market))

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
        _need_perp(market, "get_funding_rate")
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

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """Raises: Unsupported, BadOrder for what the venue cannot be told."""
        price = _checked_price(order, market)
        immediate = order.time_in_force is TimeInForce.IOC
        if immediate:
            tif, expiry = _IMMEDIATE, 0
        else:
            tif = _POST_ONLY if order.post_only else _RESTING
            expiry = now_ns // 1_000_000 + _ORDER_LIFE_MS
        raw = market["raw"]
        fields = {
            "MarketIndex": raw["market_id"],
            "ClientOrderIndex": _client_id(order.client_id) if order.client_id else 0,
            "BaseAmount": units(order.size, raw["size_decimals"], _MOST_SIZE, "size"),
            "Price": units(price, raw["price_decimals"], _MOST_PRICE, "price"),
            "IsAsk": int(order.side == "sell"),
            "Type": _LIMIT_ORDER,
            "TimeInForce": tif,
            "ReduceOnly": int(order.reduce_only),
            "TriggerPrice": 0,
            "OrderExpiry": expiry,
        }
        return _command(CREATE_ORDER, fields, Lane.HEDGE if immediate else Lane.QUOTE)

    @checked
    def decode_order(self, answer: Json) -> Order:
        return decode_order(answer, self._markets)

    @checked
    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """Accepted into the queue; not even its id is known yet."""
        left = answer.get("volume_quota_remaining")
        if left is not None:
            self._quota_left = int(left)
        return acknowledged(order, _queued(answer))

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        """The venue tells its ids from ours by their size."""
        index = _order_index(cancel.order_id) if cancel.order_id else _client_id(cancel.client_id)
        fields = {"MarketIndex": _market_id(market), "Index": index}
        return _command(CANCEL_ORDER, fields, Lane.CANCEL)

    @checked
    def decode_cancel(self, answer: Json) -> Order | None:
        _queued(answer)
        return None

    def encode_cancel_all(self, market: Market) -> Request | None:
        if not self.exclusive:
            return None
        fields = {
            "TimeInForce": _NOW,
            "Time": 0,
            "CancelAllMarketIndex": _market_id(market),
        }
        return _command(CANCEL_ALL, fields, Lane.CANCEL)

    def encode_schedule_cancel(self, at_ms: int | None) -> Request:
        """The switch is for the whole account; five minutes to fifteen days ahead."""
        if not self.exclusive:
            raise Unsupported(
                "a scheduled cancel ends every order of the account; open it with exclusive=True",
                venue=VENUE,
            )
        return _command(CANCEL_ALL, _switch(at_ms or 0), Lane.CANCEL)

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """By our id in one place, open or ended within a day; by the venue's in two."""
        if query.client_id:
            wanted = {"client_order_indexes": str(_client_id(query.client_id))}
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
        _need_perp(market, "get_leverage_info")
        return self._whole_account()

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        """The market's default as long as the account has set none."""
        entries = self._account(answer)["positions"]
        own = next((e for e in entries if e["market_id"] == _market_id(market)), None)
        default = int(market["raw"]["default_initial_margin_fraction"])
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=leverage_of(margin_fraction(own) if own else default),
            max_leverage=market["max_leverage"],
            margin_mode="isolated" if own and own["margin_mode"] else "cross",
            position_mode="one-way",  # the venue has no other
            raw=own,
        )

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        """Cross margin, as the market is before anybody sets another."""
        _need_perp(market, "update_leverage")
        most = market["max_leverage"]
        if leverage < 1 or (most is not None and leverage > most):
            raise BadOrder(f"leverage {plain(leverage)} is not within 1 and {most}", venue=VENUE)
        fields = {
            "MarketIndex": _market_id(market),
            "InitialMarginFraction": int(FRACTION / leverage),
            "MarginMode": _CROSS,
        }
        return _command(UPDATE_LEVERAGE, fields, Lane.QUERY, scope="leverage")

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


def _command(
    tx_type: int,
    fields: Mapping[str, Json],
    lane: Lane,
    *,
    scope: str = "transactions",
    nonce: int | None = None,
) -> Request:
    """A transaction that waits for its nonce and its signature."""
    return Request(
        "POST",
        "/api/v1/sendTx",
        json={"tx_type": tx_type, "fields": fields},
        signed=True,
        scope=scope,
        lane=lane,
        command=True,
        call=CALL,
        headers=_FORM,
        nonce=nonce,
    )


def _form(tx_type: int, tx_info: str) -> bytes:
    """As `urlencode`, five times as fast for the few marks that a transaction has."""
    for mark, written in _WRITTEN:
        tx_info = tx_info.replace(mark, written)
    return f"tx_type={tx_type}&tx_info={tx_info}".encode()


def _switch(at_ms: int) -> dict[str, Json]:
    """The dead man's switch; 0: off."""
    return {"TimeInForce": _SCHEDULED if at_ms else _ABORT, "Time": at_ms}


def _queued(answer: Json) -> Json:
    """An acknowledgement; what has no hash is none. Raises: LookupError."""
    return answer if answer["tx_hash"] else None


def _market_id(market: Market) -> int:
    found: int = market["raw"]["market_id"]
    return found


def _details(answer: Json) -> list[Json]:
    return [*answer["order_book_details"], *(answer.get("spot_order_book_details") or ())]


def _of_market(entries: Sequence[Json], market: Market) -> Json:
    return _only(entries, "market_id", _market_id(market))


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


def _checked_price(order: OrderRequest, market: Market) -> Decimal:
    if order.price is None:
        raise Unsupported("a market order needs its worst price; use create_order", venue=VENUE)
    if order.slippage_bps is not None:
        raise Unsupported("slippage_bps bounds market orders only", venue=VENUE)
    if order.reduce_only and market["kind"] != "perp":
        raise Unsupported("reduce_only exists for perpetuals only", venue=VENUE)
    if order.post_only and order.time_in_force is not TimeInForce.GTC:
        raise BadOrder("a post-only order is a GTC limit order", venue=VENUE)
    return order.price


def _need_perp(market: Market, call: str) -> None:
    if market["kind"] != "perp":
        raise Unsupported(f"{call}: {market['symbol']} is not a perpetual", venue=VENUE)


def _matches(order: Order, query: CancelRequest) -> bool:
    if query.order_id:
        return order["id"] == query.order_id
    return order["client_order_id"] == query.client_id


def _client_id(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) <= _MOST_SIZE):
        raise BadOrder(f"client id {text!r} is not a number up to {_MOST_SIZE}", venue=VENUE)
    return int(text)


def _order_index(text: str) -> int:
    """Raises: BadOrder: a smaller number would be taken for a client id."""
    if not (text.isdecimal() and _MOST_SIZE < int(text) <= _MOST_INDEX):
        raise BadOrder(f"{text!r} is no order index of this venue", venue=VENUE)
    return int(text)


def _index(keys: Mapping[str, str], name: str, most: int) -> int:
    text = keys[name]
    if not (text.isdecimal() and int(text) <= most):
        raise UsageError(f"{name} is a number up to {most}", venue=VENUE)
    return int(text)


def _tier(name: str) -> str:
    tier = name or "standard"
    if tier not in TRANSACTIONS:
        raise UsageError(f"tier is one of {', '.join(TRANSACTIONS)}, not {tier!r}", venue=VENUE)
    return tier
