"""The simulated EdgeX: both generations of its API, REST and sockets, on one port.

v2 is under `/api/v2` with an account of its own, v1 under `/api/v1` with another; the sockets'
paths are the same for both. Orders are `edgex_orders`, the engine behind them `edgex_truth`, market
data `edgex_market` and `edgex_channels`, what an account asks `edgex_account`, what it is told
`edgex_streams`; here is what is asked where, and by whom. Not simulated: orders with triggers,
candles, transfers, withdrawals.

Source: edgex-1.gitbook.io, both APIs; edgex-python-sdk 2.0.1 and 0.3.0; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from mpdex.sim.models import LatencyModel
from mpdex.sim.records import (
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PublicTrade,
    SimEvent,
    Traded,
)
from mpdex.sim.venue import Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.venues import edgex_crypto as crypto
from mpdex.sim.venues import edgex_wire as wire
from mpdex.sim.venues.edgex_account import AccountData
from mpdex.sim.venues.edgex_channels import PublicStreams
from mpdex.sim.venues.edgex_generations import (
    GENERATIONS,
    PRIVATE_SOCKET,
    PUBLIC_SOCKET,
    V1,
    V2,
    Generation,
)
from mpdex.sim.venues.edgex_market import MarketData
from mpdex.sim.venues.edgex_orders import OrderDesk
from mpdex.sim.venues.edgex_streams import PrivateStreams, Sockets
from mpdex.sim.venues.edgex_truth import EdgexTruth
from mpdex.sim.venues.edgex_wire import Refusal
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

Act = Callable[[str, SimRequest], Json]
TIMELY_MS = 60_000
PLACE = "/order/createOrder"
CANCELS = {
    "/order/cancelOrderById": "orderIdList",
    "/order/cancelOrderByClientOrderId": "clientOrderIdList",
    "/order/cancelAllOrder": "",
}
QUERIES = {
    "/order/getOrderById": "orderIdList",
    "/order/getOrderByClientOrderId": "clientOrderIdList",
}
# Fault op of each private call; what is not here cannot be bent.
OPS = {
    PLACE: "place",
    **dict.fromkeys(CANCELS, "cancel"),
    **dict.fromkeys(QUERIES, "query_order"),
    "/order/getHistoryOrderPage": "query_order",
    "/order/getActiveOrderPage": "query_open",
    "/order/getHistoryOrderFillTransactionPage": "query_fills",
    "/account/getAccountAsset": "query_positions",
    "/account/getPositionByContractId": "query_positions",
    "/account/getCollateralByCoinId": "query_balance",
    "/account/getAccountById": "query_leverage",
    "/account/updateLeverageSetting": "leverage",
}


class EdgexSim(SimVenue):
    """EdgeX's wire over the truth of one exchange. Accounts are account ids in text."""

    name = "edgex"
    ws_paths = (PUBLIC_SOCKET, PRIVATE_SOCKET)
    interests = (OrderChanged, Traded, PositionChanged, MarkChanged, PublicTrade)
    dates_books = False
    # UNVERIFIED: no numbers are published.
    limits: ClassVar[Mapping[str, Limit]] = {
        "public": Limit(1000, 60.0),
        "private": Limit(1000, 60.0),
    }
    fields: ClassVar[Mapping[str, str]] = {
        "cid": "clientOrderId",
        "price": "fillPrice",
        "size": "fillSize",
        "fee": "fillFee",
        "side": "side",
        "status": "status",
        "bid": "bestBidPrice",
        "ask": "bestAskPrice",
        "bids": "bids",
        "asks": "asks",
        "ts": "updatedTime",
        "position": "openSize",
    }
    answer_fields: ClassVar[Mapping[str, str]] = {
        "price": "price",
        "size": "size",
        "fee": "cumMatchFee",
        "liquidation": "liquidatePrice",
        "leverage": "maxLeverage",
        "tick": "tickSize",
        "step": "stepSize",
        "min_size": "minOrderSize",
        "free": "availableAmount",
        "equity": "totalEquity",
    }
    exchange: EdgexTruth

    def __init__(self, exchange: EdgexTruth, **world: Any) -> None:
        super().__init__(exchange, **world)
        self.market = MarketData(exchange)
        self.desk = OrderDesk(exchange, self.market)
        self.accounts = AccountData(exchange, self.market)
        self.public = PublicStreams(exchange, self.timers, self.market)
        self.private = PrivateStreams(exchange, self.timers, self.accounts)
        self._sockets = Sockets(exchange, self.timers, self.rng, self.public)
        self._acts: dict[str, Callable[[str, Json], Json]] = {
            PLACE: self.desk.place,
            "/order/cancelOrderById": self.desk.cancel,
            "/order/cancelOrderByClientOrderId": self.desk.cancel_named,
            "/order/cancelAllOrder": self.desk.cancel_all,
            "/order/getMaxCreateOrderSize": self.accounts.largest_order,
            "/account/updateLeverageSetting": self.accounts.update_leverage,
            "/account/setMarginMode": self.accounts.set_margin_mode,
        }

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(cls, clock: Clock, rng: random.Random, latency: LatencyModel) -> EdgexTruth:
        """An account of 100,000 in each generation, v2's first; fees as third parties report."""
        return EdgexTruth(cls.name, clock=clock, rng=rng, latency=latency)

    def endpoints(self, port: int) -> dict[str, str]:
        rest, ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        return {"rest": rest, "ws": ws, "rest_v1": rest, "ws_v1": ws}

    def credentials(self) -> dict[str, str]:
        """Of the account of v2."""
        account = self.exchange.account_of(V2)
        keys = crypto.throwaway_keys(account)._asdict()
        del keys["stark_private_key"]
        return {"account_id": account, **keys}

    def credentials_v1(self) -> dict[str, str]:
        """Of the account of v1."""
        account = self.exchange.account_of(V1)
        key = crypto.throwaway_keys(account).stark_private_key
        return {"account_id": account, "stark_private_key": key}

    def other_credentials(self) -> Iterable[dict[str, str]]:
        return (self.credentials_v1(),)

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        for generation in GENERATIONS:
            public, private = f"{generation.root}/public", f"{generation.root}/private"
            for path, answer in self.market.answers.items():
                call = partial(answer, generation)
                yield "GET", public + path, partial(self._answer_public, call)
            for path, ask in self.accounts.answers.items():
                yield "GET", private + path, partial(self._perform, _asking(ask))
            for path, act in self._acts.items():
                yield "POST", private + path, partial(self._perform, _sending(act))

    def op_of(self, request: SimRequest) -> str:
        path = _short(request)
        return "meta" if path in self.market.answers else OPS.get(path, "")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """By account where one is named, else by address."""
        if "/private/" not in request.path:
            return "public", request.remote, 1
        return "private", _account_named(request) or request.remote, 1

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        path = _short(request)
        if path != PLACE:
            return _which(path, request)
        try:
            body = wire.parse_object(_body(request))
        except Refusal:
            return {}
        generation = _generation(request)
        market = self.exchange.market_of(generation, body.get("contractId"))
        words = {"size": "size", "price": "price", "client_id": "clientOrderId"}
        return {
            "side": wire.SIDES.get(str(body.get("side")), ""),
            "symbol": market.symbol if market else "",
            **{name: str(body[key]) for name, key in words.items() if body.get(key)},
            "reduce_only": str(body.get("reduceOnly")).lower(),
            "post_only": str(body.get("timeInForce") == wire.POST_ONLY).lower(),
        }

    # ---------------------------------------------------------------- who asks

    def verify(self, request: SimRequest, generation: Generation, params: str) -> str:
        """The account that asks. `params`: as they are signed.

        Raises: Refusal.
        """
        account = self.exchange.account_of(generation)
        headers = request.headers
        stamp = headers.get(f"x-edgex-{'api-' if generation.stark else ''}timestamp", "")
        text = f"{stamp}{request.method}{request.path}{params}"
        if generation.stark:
            _, stark_key = crypto.public_keys(account)
            good = crypto.is_stark_of(stark_key, text, headers.get("x-edgex-api-signature", ""))
        else:
            keys = crypto.throwaway_keys(account)
            shown = (headers.get("x-edgex-api-key"), headers.get("x-edgex-passphrase"))
            if shown != (keys.api_key, keys.passphrase):
                raise Refusal(wire.STRANGER)
            good = crypto.is_hmac_of(keys.secret, text, headers.get("x-edgex-signature", ""))
        late = abs(self.clock.now_ms() - int(stamp)) if _is_number(stamp) else TIMELY_MS + 1
        if late > TIMELY_MS:
            raise Refusal("INVALID_TIMESTAMP")
        if not good:
            raise Refusal("INVALID_SIGNATURE")
        if _account_named(request) != account:
            raise Refusal("ACCOUNT_NO_PERMISSION")
        return account

    # ---------------------------------------------------------------- REST

    def _answer_public(
        self, answer: Callable[[Mapping[str, str]], Json], request: SimRequest
    ) -> SimReply:
        return self._guarded(lambda: answer(request.query))

    def _perform(self, act: Act, request: SimRequest) -> SimReply:
        def answer() -> Json:
            posted = request.method == "POST"
            params = crypto.signed_text(_body(request) if posted else request.query)
            return act(self.verify(request, _generation(request), params), request)

        return self._guarded(answer)

    def _guarded(self, answer: Callable[[], Json]) -> SimReply:
        try:
            return self._render("SUCCESS", answer())
        except Refusal as refusal:
            return self._render_refusal(refusal)

    def _render(
        self, code: str, data: Json, message: str | None = None, params: Json = None
    ) -> SimReply:
        now = str(self.clock.now_ms())
        return SimReply(
            {
                "code": code,
                "data": data,
                "msg": message,
                "errorParam": params,
                "requestTime": now,
                "responseTime": now,
                "traceId": UUID(int=self.rng.getrandbits(128)).hex,
            },
            wire.STATUSES.get(code, 200),
        )

    def _render_refusal(self, refusal: Refusal) -> SimReply:
        return self._render(refusal.code, None, refusal.message, refusal.params or None)

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        """A post-only order that would take is taken, and canceled by the engine."""
        path = _short(request)
        if kind == "POST_ONLY" and path == PLACE:
            return self._perform(_sending(self.desk.place_and_refuse), request)
        if kind == "NOT_FOUND" and path in QUERIES:
            return self._render("SUCCESS", [])
        if kind == "NOT_FOUND" and path in CANCELS:
            names = _names(request, CANCELS[path])
            results = dict.fromkeys(names, "FAILED_ORDER_NOT_FOUND")
            return self._render("SUCCESS", {"cancelResultMap": results})
        return self._render_refusal(Refusal(code or wire.REJECTS.get(kind, "INVALID_PARAMETER")))

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        """No Retry-After: nobody has told of one."""
        return self._render_refusal(Refusal("TOO_MANY_REQUESTS"))

    def render_not_found(self, request: SimRequest) -> SimReply:
        return self._render_refusal(Refusal("NOT_FOUND"))

    # ---------------------------------------------------------------- sockets

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        """A private socket is v2's where it shows an API key, and v1's where not."""
        if conn.path == PRIVATE_SOCKET:
            query = "&".join(f"{name}={value}" for name, value in conn.query.items())
            asked = SimRequest("GET", conn.path, query, conn.headers)
            generation = V2 if "x-edgex-api-key" in conn.headers else V1
            try:
                params = crypto.signed_text(asked.query)
                conn.account, conn.private = self.verify(asked, generation, params), True
            except Refusal as refusal:
                return self._render_refusal(refusal)
        self._sockets.greet(conn)
        if conn.private:
            self.private.enter(conn)
        return None

    def subprotocols(self, conn: SimConnection) -> tuple[str, ...]:
        """Whatever is offered: the SDK, and browsers, put the headers into it once more."""
        offered = conn.headers.get("sec-websocket-protocol", "").split(",")
        return tuple(name.strip() for name in offered if name.strip())

    def close_ws(self, conn: SimConnection) -> None:
        self.public.forget(conn)
        self.private.leave(conn)

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        return self._sockets.accept(conn, text)

    def render_event(self, event: SimEvent) -> None:
        self.market.recent.note(event)
        self.public.render(event)
        self.private.render(event)


def _asking(answer: Callable[[str, Mapping[str, str]], Json]) -> Act:
    return lambda account, request: answer(account, request.query)


def _sending(act: Callable[[str, Json], Json]) -> Act:
    return lambda account, request: act(account, _body(request))


def _generation(request: SimRequest) -> Generation:
    return V1 if request.path.startswith(V1.root) else V2


def _short(request: SimRequest) -> str:
    """The path without its generation and its side."""
    rest = request.path.removeprefix(_generation(request).root)
    return rest.removeprefix("/public").removeprefix("/private")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _body(request: SimRequest) -> Json:
    """Raises: Refusal for what is not JSON."""
    try:
        return request.json
    except msgspec.DecodeError as error:
        raise Refusal("INVALID_PARAMETER", "body is not JSON") from error


def _account_named(request: SimRequest) -> str:
    """The account that a request says it is about; "" for none."""
    try:
        named = _body(request) if request.method == "POST" else request.query
    except Refusal:
        return ""
    return str(named.get("accountId", "")) if isinstance(named, dict) else ""


def _names(request: SimRequest, key: str) -> list[str]:
    """Orders that a request names."""
    try:
        body = wire.parse_object(_body(request))
        return wire.parse_names(body, key)
    except Refusal:
        return []


def _which(path: str, request: SimRequest) -> Mapping[str, str]:
    """The one order that a cancel or a query is about."""
    if path in QUERIES:
        names = wire.names_of(request.query, QUERIES[path])
    else:
        names = _names(request, CANCELS.get(path, ""))
    kind = "client_id" if "ClientOrderId" in path else "order_id"
    return {kind: names[0]} if len(names) == 1 else {}
