"""The simulated Extended: REST under `/api/v1` and both generations of streams, on one port.

Orders are `extended_orders`, the engine behind them `extended_truth`, market data
`extended_market` and `extended_books`, what an account asks `extended_account`, sockets
`extended_socket` and `extended_streams`; here is what is asked where, and by whom. Not simulated:
orders with triggers, TWAP, RFQ and spot markets, candles, transfers, rewards.

Source: api.docs.extended.exchange; x10-python-trading-starknet 2.6.0; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

import msgspec

from mpdex.sim.models import LatencyModel
from mpdex.sim.records import SimEvent
from mpdex.sim.venue import Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.venues import extended_crypto as crypto
from mpdex.sim.venues import extended_socket as socket
from mpdex.sim.venues import extended_wire as wire
from mpdex.sim.venues.extended_account import AccountData
from mpdex.sim.venues.extended_market import MarketData
from mpdex.sim.venues.extended_orders import OrderDesk
from mpdex.sim.venues.extended_render import ok
from mpdex.sim.venues.extended_streams import ACCOUNT, INTERESTS, Streams, Topic
from mpdex.sim.venues.extended_truth import BALANCE, ExtendedTruth
from mpdex.sim.venues.extended_wire import Query, Refusal
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

ROOT = "/api/v1"
ORDER, NAMED = "/user/order", "/user/orders/external"
Act = Callable[[str, SimRequest], Json]

# Fault op of each private call; what is not here cannot be bent.
OPS = {
    ("POST", ORDER): "place",
    ("DELETE", ORDER): "cancel",
    ("POST", f"{ORDER}/massCancel"): "cancel",
    ("GET", "/user/orders"): "query_open",
    ("GET", "/user/orders/history"): "query_order",
    ("GET", "/user/trades"): "query_fills",
    ("GET", "/user/positions"): "query_positions",
    ("GET", "/user/balance"): "query_balance",
    ("GET", "/user/leverage"): "query_leverage",
    ("PATCH", "/user/leverage"): "leverage",
}


class ExtendedSim(SimVenue):
    """Extended's wire over the truth of one exchange. Accounts are account ids in text."""

    name = "extended"
    ws_paths = tuple(socket.paths())
    interests = INTERESTS
    ping_every = 15.0
    pong_within = 25.0  # since the last pong: ten seconds after a ping
    limits: ClassVar[Mapping[str, Limit]] = {"requests": Limit(1000, 60.0)}
    fields: ClassVar[Mapping[str, str]] = {
        "cid": "externalOrderId",  # of a fill
        "price": "price",
        "size": "qty",
        "fee": "fee",
        "side": "side",
        "status": "status",
        "bid": "b",
        "ask": "a",
        "bids": "b",
        "asks": "a",
        "ts": "ts",
    }
    answer_fields: ClassVar[Mapping[str, str]] = {
        "cid": "externalId",
        "fee": "payedFee",
        "bids": "bid",
        "asks": "ask",
        "ts": "updatedTime",
        "position": "size",
        "liquidation": "liquidationPrice",
        "leverage": "leverage",
        "tick": "minPriceChange",
        "step": "minOrderSizeChange",
        "min_size": "minOrderSize",
        "free": "availableForTrade",
        "equity": "equity",
    }
    exchange: ExtendedTruth

    def __init__(self, exchange: ExtendedTruth, **world: Any) -> None:
        super().__init__(exchange, **world)
        self.market = MarketData(exchange)
        self.desk = OrderDesk(exchange, self.market)
        self.accounts = AccountData(exchange, self.market)
        self.streams = Streams(exchange, self.timers, self.market, self.accounts)
        self._calls = socket.Calls(self.streams, exchange.markets, self._account_of)
        self._acts: dict[tuple[str, str], Act] = {
            ("POST", ORDER): lambda account, request: self.desk.place(account, _body(request)),
            ("DELETE", ORDER): self._cancel_named,
            ("DELETE", f"{ORDER}/*"): lambda account, request: self.desk.cancel(
                account, order_id=_last(request)
            ),
            ("POST", f"{ORDER}/massCancel"): lambda account, request: self.desk.cancel_many(
                account, _body(request)
            ),
            ("POST", "/user/deadmanswitch"): lambda account, request: self.desk.set_alarm(
                account, Query(request.query_text)
            ),
            ("GET", "/user/orders/*"): lambda account, request: self.accounts.answer_order(
                account, _last(request)
            ),
            ("GET", f"{NAMED}/*"): lambda account, request: self.accounts.answer_named_orders(
                account, _last(request)
            ),
            ("PATCH", "/user/leverage"): lambda account, request: self.accounts.update_leverage(
                account, _body(request)
            ),
        }

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(
        cls, clock: Clock, rng: random.Random, latency: LatencyModel
    ) -> ExtendedTruth:
        """One account of 100,000 USD; the documented fees."""
        exchange = ExtendedTruth(cls.name, clock=clock, rng=rng, latency=latency)
        exchange.add_account(str(rng.randrange(10**5, 10**6)), BALANCE)
        return exchange

    def endpoints(self, port: int) -> dict[str, str]:
        host = f"127.0.0.1:{port}"
        return {"rest": f"http://{host}{ROOT}", "ws": f"ws://{host}{socket.FIRST}"}

    def credentials(self) -> dict[str, str]:
        return crypto.throwaway_keys(next(iter(self.exchange.accounts)))._asdict()

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        for path in self.market.answers:
            yield "GET", ROOT + path, self._answer_public
        for path in self.accounts.answers:
            yield "GET", ROOT + path, self._answer_private
        for (method, path), act in self._acts.items():
            yield method, ROOT + path, partial(self._perform, act)

    def op_of(self, request: SimRequest) -> str:
        path = _short(request)
        if path in self.market.answers:
            return "meta"
        known = OPS.get((request.method, path))
        if known is not None:
            return known
        single = {"GET": "query_order", "DELETE": "cancel"}
        base = path.rpartition("/")[0]
        return single.get(request.method, "") if base in (ORDER, "/user/orders", NAMED) else ""

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """By address, whoever asks."""
        return "requests", request.remote, 1

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        if self.op_of(request) != "place":
            return _which(request)
        try:
            body = wire.parse_object(_body(request))
        except Refusal:
            return {}
        words = {"symbol": "market", "size": "qty", "price": "price", "client_id": "id"}
        return {
            "side": wire.SIDES.get(str(body.get("side")), ""),
            **{name: str(body[key]) for name, key in words.items() if body.get(key)},
            "reduce_only": str(body.get("reduceOnly") is True).lower(),
            "post_only": str(body.get("postOnly") is True).lower(),
        }

    # ---------------------------------------------------------------- who asks

    def _account_of(self, key: str) -> str:
        """The account behind an API key; "" for none."""
        accounts = self.exchange.accounts
        return next((a for a in accounts if crypto.throwaway_keys(a).api_key == key), "")

    def verify(self, headers: Mapping[str, str]) -> str:
        """The account that asks.

        Raises: Refusal.
        """
        account = self._account_of(headers.get("x-api-key", ""))
        if not account:
            raise Refusal(401)
        return account

    # ---------------------------------------------------------------- REST

    def _answer_public(self, request: SimRequest) -> SimReply:
        answer = self.market.answers[_short(request)]
        return _guarded(request.headers, lambda: answer(Query(request.query_text)))

    def _answer_private(self, request: SimRequest) -> SimReply:
        answer = self.accounts.answers[_short(request)]
        return self._perform(
            lambda account, asked: answer(account, Query(asked.query_text)), request
        )

    def _perform(self, act: Act, request: SimRequest) -> SimReply:
        return _guarded(request.headers, lambda: act(self.verify(request.headers), request))

    def _cancel_named(self, account: str, request: SimRequest) -> Json:
        return self.desk.cancel(account, client_id=Query(request.query_text).one("externalId"))

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        """A post-only order that would take is taken, and refused by the engine later."""
        if kind == "POST_ONLY" and self.op_of(request) == "place":
            return self._perform(
                lambda account, asked: self.desk.place_and_refuse(account, _body(asked)), request
            )
        if kind == "NOT_FOUND" and _short(request).startswith(NAMED):
            return SimReply(ok([]))
        known = int(code) if code.isdigit() else wire.REJECTS.get(kind, 400)
        return _render_refusal(Refusal(known))

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        """No Retry-After: nobody has told of one."""
        return _render_refusal(Refusal(429))

    def render_not_found(self, request: SimRequest) -> SimReply:
        """Beside what is nowhere: data of a market that there is not."""
        code = 1001 if _short(request).startswith("/info/") else 404
        return _guarded(request.headers, lambda: _refuse(code))

    # ---------------------------------------------------------------- sockets

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        """A socket of the first generation says by its address what it wants."""
        conn.state["rpc"] = conn.path == socket.SECOND
        conn.state["seq"] = 0 if conn.state["rpc"] else 1
        try:
            _check_agent(conn.headers)
            if conn.path == f"{socket.FIRST}/account":
                conn.account, conn.private = self.verify(conn.headers), True
                self.streams.listen(conn, Topic(ACCOUNT, conn.account))
            elif not conn.state["rpc"]:
                self.streams.listen(conn, socket.topic_of(conn.path, conn.query))
        except Refusal as refusal:
            return _render_refusal(refusal)
        return None

    def close_ws(self, conn: SimConnection) -> None:
        self.streams.forget(conn)

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        """Only the second generation listens to what clients say; its answers are pushed."""
        if conn.state["rpc"]:
            self._calls.answer(conn, text)
        return None

    def render_event(self, event: SimEvent) -> None:
        self.market.recent.note(event)
        self.accounts.note(event)
        self.streams.render(event)


def _check_agent(headers: Mapping[str, str]) -> None:
    """Everybody says who they are. Raises: Refusal 403."""
    if not headers.get("user-agent"):
        raise Refusal(403)


def _guarded(headers: Mapping[str, str], answer: Callable[[], Json]) -> SimReply:
    try:
        _check_agent(headers)
        return SimReply(answer())
    except Refusal as refusal:
        return _render_refusal(refusal)


def _render_refusal(refusal: Refusal) -> SimReply:
    return SimReply(refusal.body, refusal.status)


def _refuse(code: int) -> Json:
    raise Refusal(code)


def _short(request: SimRequest) -> str:
    """The path as the documentation has it."""
    return request.path.removeprefix(ROOT)


def _last(request: SimRequest) -> str:
    return request.path.rpartition("/")[2]


def _body(request: SimRequest) -> Json:
    """Raises: Refusal 400 for what is not JSON."""
    try:
        return request.json
    except msgspec.DecodeError as error:
        raise Refusal(400) from error


def _which(request: SimRequest) -> Mapping[str, str]:
    """The order that a cancel or a query names."""
    path = _short(request)
    base, _, last = path.rpartition("/")
    if base == NAMED:
        return {"client_id": last}
    if base in (ORDER, "/user/orders") and last.isdigit():
        return {"order_id": last}
    named = Query(request.query_text).one("externalId") if path == ORDER else ""
    return {"client_id": named} if named else {}
