"""Lighter: perpetuals and spot on a zk-rollup, settled in USDC. Keys, nonces and commands.

Every command is a signed transaction with the key's next number. Its acknowledgement says only that
it waits for the sequencer: whether an order rested, filled or was refused is told by the streams,
or by a query with its client id. Orders go over the socket; the same transactions go by REST.

Sources: apidocs.lighter.xyz (pages of 2026-07-19); lighter-sdk 1.1.8; elliottech/lighter-go of
2026-08-06; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from mpdex.errors import BadOrder, MissingCredentials, MpdexError, Unsupported, UsageError
from mpdex.types import (
    CancelRequest,
    ClientIdForm,
    Json,
    Lane,
    Limit,
    Market,
    Order,
    OrderRequest,
    Request,
    Session,
    TimeInForce,
    VenueSpec,
)
from mpdex.utils.nonces import CountedNonces, nonces_of
from mpdex.utils.precision import plain
from mpdex.utils.translation import acknowledged
from mpdex.utils.translation import checked as _checked
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.lighter_reads import READS, LighterReads, need_perp
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
    MOST_SIZE,
    REASONS,
    client_index,
    error_of,
    market_index,
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
_GIVEN_OUT: Final = 100  # commands that may be on their way when a program ends
# The venue takes tokens of up to eight hours; a minute less, as clocks differ.
_TOKEN_SECONDS: Final = 8 * 3600 - 60
_MOST_PRICE: Final = 2**32 - 1
_MOST_INDEX: Final = 2**60 - 1  # of an order; asks count up from 2**48, bids down from 2**49
_WRITTEN: Final = tuple((mark, f"%{ord(mark):02X}") for mark in '%"{}[]:,+/=&')  # "%" first
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


# Transactions in a minute, by what accountLimits calls the tier; of premium without staked LIT.
TRANSACTIONS: Final = {"standard": 60, "plus": 8_000, "premium": 4_000}


class LighterExchange(LighterReads, MultiPerpDexMixin, MultiPerpDex):
    """Lighter, perpetuals and spot.

    Args:
        chain_id: of the deployment, part of every signature; 304 is mainnet, 300 its testnet.
        options: those of `MultiPerpDexMixin`; `account_index`, `api_key_index` and `private_key`
            among them, and `tier`, the account's ("standard" if left out). With `exclusive` a
            market's orders may be canceled by one transaction, and a dead man's switch, which is
            for all of them, may be set.

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
        client_id=ClientIdForm(1, MOST_SIZE),
        # UNVERIFIED: that two percent are within the venue's own band around the mark.
        market_bound_bps=Decimal(200),
        request_bound_ms=LIFE_MS,
        reports_dropped=False,  # a reduce-only order that would not reduce
        reads_lag_ms=600,  # UNVERIFIED: twice the latency of the slowest tier
    )
    BOOK_SNAPSHOT = "stream"

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.lighter_ws_client import LighterAccountClient, LighterWSClient

        return LighterWSClient, LighterAccountClient

    def __init__(self, *, chain_id: int = MAINNET, **options: Any) -> None:
        super().__init__(**options)
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

        An order of an earlier run, whose number is not known any more, is fenced with all its like.

        UNVERIFIED: that the front knows a nonce as used before the sequencer has come to it. If it
        does not, both the order and the fence are acknowledged, and the order is the one that acts.
        """
        question = replace(self._whole_account(), lane=Lane.CANCEL)
        account = self._account(await self._private(question))
        self._switch_ms = int(account["cancel_all_time"])
        if client_order_id in self._sent_nonces:
            await super().fence_order(symbol, client_order_id)
        else:
            await self._pass_over()
        await self._caught_up()
        return False

    async def _pass_over(self) -> None:
        """Uses up every number that an earlier run may have given out, by a higher one."""
        assert self._nonces is not None
        number = await self._next_nonce() + _GIVEN_OUT
        fields = {**_switch(self._switch_ms), "SkipNonce": 1}
        await self._command(_command(CANCEL_ALL, fields, Lane.HEDGE, nonce=number))
        self._nonces.doubt()
        self._nonces.start(number + 1)

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

    def spares_nonce(self, error: MpdexError) -> bool:
        """The front refuses without counting; what the sequencer refuses has been acknowledged."""
        return True

    def encode_fence(self, nonce: int, market: Market) -> Request:
        """Sets the dead man's switch to what it is.

        A cancel of nothing would not do: the front refuses it, and counts no refusal. UNVERIFIED:
        that it passes on a switch that is off and stays off.
        """
        return _command(CANCEL_ALL, _switch(self._switch_ms), Lane.HEDGE, nonce=nonce)

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
            "ClientOrderIndex": client_index(order.client_id) if order.client_id else 0,
            "BaseAmount": units(order.size, raw["size_decimals"], MOST_SIZE, "size"),
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
    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """Accepted into the queue; not even its id is known yet."""
        left = answer.get("volume_quota_remaining")
        if left is not None:
            self._quota_left = int(left)
        return acknowledged(order, _queued(answer))

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        """The venue tells its ids from ours by their size."""
        index = _order_index(cancel.order_id) if cancel.order_id else client_index(cancel.client_id)
        fields = {"MarketIndex": market_index(market), "Index": index}
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
            "CancelAllMarketIndex": market_index(market),
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

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        """Cross margin, as the market is before anybody sets another."""
        need_perp(market, "update_leverage")
        most = market["max_leverage"]
        if leverage < 1 or (most is not None and leverage > most):
            raise BadOrder(f"leverage {plain(leverage)} is not within 1 and {most}", venue=VENUE)
        fields = {
            "MarketIndex": market_index(market),
            "InitialMarginFraction": int(FRACTION / leverage),
            "MarginMode": _CROSS,
        }
        return _command(UPDATE_LEVERAGE, fields, Lane.QUERY, scope="leverage")


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


def _order_index(text: str) -> int:
    """Raises: BadOrder: a smaller number would be taken for a client id."""
    if not (text.isdecimal() and MOST_SIZE < int(text) <= _MOST_INDEX):
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
