"""Pacifica: perpetuals of one account, settled in USDC.

The answer to an order says that it was taken, with its id, not what became of it: an order that may
trade waits about 200 ms before it is matched, and one that is post-only and would cross gets an id,
too. The stream tells the rest. Orders travel on the account's socket; the body is that of the REST
call, byte for byte.

Sources: docs.pacifica.fi, "Create limit order", "Create market order", "Cancel order", "Cancel all
orders", "Update leverage", "Rate limits"; read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from mpdex.errors import BadOrder, MissingCredentials, ProtocolError, Unsupported
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
    TimeInForce,
    VenueSpec,
)
from mpdex.utils.common_pacifica import (
    HALF,
    LIMIT,
    LIMIT_WITH_KEY,
    STANDARD,
    PacificaBase,
)
from mpdex.utils.pacifica_errors import ERRORS
from mpdex.utils.pacifica_wire import (
    CANCEL,
    CANCEL_ALL,
    CREATE,
    CREATE_MARKET,
    LEVERAGE,
    config_headers,
)
from mpdex.utils.precision import plain
from mpdex.utils.translation import acknowledged, checked
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.pacifica_auth import (
    IMMEDIATE_WINDOW_MS,
    OPERATIONS,
    VENUE,
    WINDOW_MS,
    PacificaAuth,
)

if TYPE_CHECKING:
    from wrappers.venue_stream import VenueStream

# A market order must name a bound; one that was not asked for is meant to be filled. UNVERIFIED:
# whether it counts from the mark or from the middle of the book.
SLIPPAGE_BPS: Final = Decimal(500)
_UUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SIDES: Final = {"buy": "bid", "sell": "ask"}


class PacificaExchange(PacificaBase, MultiPerpDexMixin, MultiPerpDex):
    """Pacifica, perpetuals.

    Args:
        credits: what the account may spend in a minute, where its fee tier grants more than the
            base of an API config key.
        options: those of `MultiPerpDexMixin`, `account` and `private_key` among them.

    Raises: UsageError if a key is malformed.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={"rest": "https://api.pacifica.fi/api/v1", "ws": "wss://ws.pacifica.fi/ws"},
        credentials=("account", "private_key"),
        optional_credentials=("api_config_key",),
        account="account",
        supports=frozenset(
            {"post_only", "reduce_only", "market", "ioc", "slippage_bps", "client_order_id"}
        ),
        limits={"default": LIMIT},
        errors=ERRORS,
        order_route="ws",
        # UNVERIFIED: that any UUID will do, and not a random one (version 4) alone.
        client_id=ClientIdForm(0, 2**128 - 1, "uuid"),
        request_bound_ms=WINDOW_MS,
        immediate_bound_ms=IMMEDIATE_WINDOW_MS,
        order_book="pacifica",
        # UNVERIFIED: that the end of an immediate order which found nothing is told like any other.
        reports_unfilled_ioc=True,
    )

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.pacifica_ws_client import PacificaAccountClient, PacificaWSClient

        return PacificaWSClient, PacificaAccountClient

    def __init__(self, *, credits: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._credits = credits
        self._headers = config_headers(self.keys)
        self._auth: PacificaAuth | None = None
        if not self.read_only:
            self._auth = PacificaAuth(self.keys["account"], self.keys["private_key"])

    @property
    def limits(self) -> Mapping[str, Limit]:
        if self._credits is not None:
            return {"default": Limit(self._credits * STANDARD, LIMIT.seconds)}
        return {"default": LIMIT_WITH_KEY} if self.keys.get("api_config_key") else self.SPEC.limits

    # ----------------------------------------------------------------- proof

    def sign(self, request: Request, now_ms: int) -> Request:
        if not request.signed:
            return request
        if self._auth is None:
            raise MissingCredentials(f"{request} needs keys; opened read-only", venue=VENUE)
        window_ms = IMMEDIATE_WINDOW_MS if _trades_at_once(request) else WINDOW_MS
        return self._auth.sign(request, now_ms, window_ms)

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """Raises: Unsupported, BadOrder for flags that the venue does not take together."""
        _check_flags(order)
        fields: dict[str, Json] = {
            "symbol": self.wire_name(market),
            "amount": plain(order.size),
            "side": _SIDES[order.side],
            "reduce_only": order.reduce_only,
        }
        if order.client_id:
            fields["client_order_id"] = _client_id(order.client_id)
        if order.price is None:
            bound = SLIPPAGE_BPS if order.slippage_bps is None else order.slippage_bps
            fields["slippage_percent"] = plain((bound / 100).normalize())
            return self._order_command(CREATE_MARKET, fields, Lane.HEDGE)
        fields["price"] = plain(order.price)
        fields["tif"] = "ALO" if order.post_only else order.time_in_force.value
        lane = Lane.QUOTE if order.time_in_force is TimeInForce.GTC else Lane.HEDGE
        return self._order_command(CREATE, fields, lane)

    @checked(VENUE)
    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """Taken, with an id; the old form has no envelope."""
        data = answer.get("data", answer)
        return acknowledged(order, answer, id=str(int(data["order_id"])))

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        fields: dict[str, Json] = {"symbol": self.wire_name(market)}
        if cancel.order_id:
            fields["order_id"] = _order_id(cancel.order_id)
        else:
            fields["client_order_id"] = _client_id(cancel.client_id)
        return self._order_command(CANCEL, fields, Lane.CANCEL, HALF)

    def decode_cancel(self, answer: Json) -> Order | None:
        """Acknowledged: only `success` is the same in every version of the answer."""
        if not (isinstance(answer, dict) and answer.get("success")):
            raise ProtocolError(f"a cancel was answered with {answer!r:.100}", venue=VENUE)
        return None

    def encode_cancel_all(self, market: Market) -> Request:
        fields = {
            "all_symbols": False,
            "exclude_reduce_only": False,
            "symbol": self.wire_name(market),
        }
        return self._order_command(CANCEL_ALL, fields, Lane.CANCEL, HALF)

    # ----------------------------------------------------------------- account

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        """Whole numbers only. While a position is open the venue does not lower it."""
        if leverage != int(leverage):
            raise Unsupported(f"leverage {plain(leverage)} is not a whole number", venue=VENUE)
        fields = {"symbol": self.wire_name(market), "leverage": int(leverage)}
        return Request(
            "POST", LEVERAGE, json=fields, signed=True, weight=STANDARD, headers=self._headers
        )

    def _order_command(
        self, path: str, fields: dict[str, Json], lane: Lane, weight: int = STANDARD
    ) -> Request:
        return Request(
            "POST",
            path,
            json=fields,
            signed=True,
            weight=weight,
            lane=lane,
            command=True,
            call=OPERATIONS[path],
            headers=self._headers,
        )


def _trades_at_once(request: Request) -> bool:
    return request.path == CREATE_MARKET or request.json.get("tif") == "IOC"


def _order_id(text: str) -> int:
    if not text.isdecimal():
        raise BadOrder(f"order id {text!r} is not a number", venue=VENUE)
    return int(text)


def _client_id(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise BadOrder(f"client id {text!r} is not a UUID in small letters", venue=VENUE)
    return text


def _check_flags(order: OrderRequest) -> None:
    if order.time_in_force is TimeInForce.FOK:
        raise Unsupported("fok is not offered here", venue=VENUE)
    if order.post_only and (order.price is None or order.time_in_force is not TimeInForce.GTC):
        raise BadOrder("a post-only order is a GTC limit order", venue=VENUE)
    if order.price is not None and order.slippage_bps is not None:
        raise Unsupported("slippage_bps bounds market orders only", venue=VENUE)
