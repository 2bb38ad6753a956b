"""The simulated Pacifica: REST under `/api/v1` and one WebSocket at `/ws`, on one loopback port.

Orders are `pacifica_orders`, market data `pacifica_market`, what an account asks
`pacifica_account`, streams `pacifica_streams`; here is who asks, how much may be asked, and how
long a socket lives. A venue in front of Pacifica is a subclass: more `routes`, more `endpoints`,
and `desk`, whose operations need no signature. Not simulated: trigger, TWAP and strategy orders,
withdrawals, sub-accounts, candles, hardware signatures.

Source: docs.pacifica.fi, "API", "Rate limits", "WebSocket"; read 2026-11-21.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

import msgspec

from mpdex.sim.models import LatencyModel, Timers
from mpdex.sim.records import SimEvent
from mpdex.sim.venue import Budget, Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.venues import pacifica_crypto as crypto
from mpdex.sim.venues import pacifica_wire as wire
from mpdex.sim.venues.pacifica_account import AccountData
from mpdex.sim.venues.pacifica_history import History
from mpdex.sim.venues.pacifica_market import MarketData
from mpdex.sim.venues.pacifica_orders import Done, OrderDesk
from mpdex.sim.venues.pacifica_render import envelope
from mpdex.sim.venues.pacifica_streams import INTERESTS, Streams
from mpdex.sim.venues.pacifica_truth import PacificaTruth
from mpdex.sim.venues.pacifica_wire import Fault, Refusal
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

ROOT = "/api/v1"
USUAL_WINDOW_MS = 30_000
MOST_ACTIONS = 10
MOST_SOCKETS = 300  # of an IP
PATIENCE, LIFETIME = 60.0, 86_400.0  # seconds: of silence, of a connection
NORMAL_CLOSE = 1000  # UNVERIFIED: the code of both closes
# Limits and costs are counted in tenths of a credit, as headers show them.
CREDIT, CANCELLATION = 10, 5
HEAVY = frozenset({"/orders/history", "/trades/history", "/funding/history"})

# Fault op of each call; what is not here cannot be bent.
OPS = {
    "/orders/create": "place",
    "/orders/create_market": "place",
    "/orders/batch": "place",
    "/orders/cancel": "cancel",
    "/orders/cancel_all": "cancel",
    "/orders/edit": "amend",
    "/orders/history": "query_order",
    "/orders/history_by_id": "query_order",
    "/orders": "query_open",
    "/trades/history": "query_fills",
    "/positions": "query_positions",
    "/account": "query_balance",
    "/account/settings": "query_leverage",
    "/account/leverage": "leverage",
}
# Calls over the socket, and the request that each stands for.
CALLS = {
    "create_order": "/orders/create",
    "create_market_order": "/orders/create_market",
    "edit_order": "/orders/edit",
    "cancel_order": "/orders/cancel",
    "cancel_all_orders": "/orders/cancel_all",
    "batch_orders": "/orders/batch",
}
ACTIONS = {
    "Create": "create_order",
    "CreateMarket": "create_market_order",
    "Cancel": "cancel_order",
}


class PacificaSim(SimVenue):
    """Pacifica's wire over the truth of one exchange. Accounts are owners' addresses.

    Attributes:
        speed_bump: seconds that orders which may take wait, unless the latency model says how
            long; `PacificaTruth.set_speed_bump` changes it while it runs.
        desk: places and cancels for an account, whoever asks.
    """

    name = "pacifica"
    ws_paths = ("/ws",)
    interests = INTERESTS
    speed_bump: ClassVar[float] = 0.2
    limits: ClassVar[Mapping[str, Limit]] = {
        "address": Limit(100 * CREDIT, 60.0),
        "key": Limit(300 * CREDIT, 60.0),
    }
    fields: ClassVar[Mapping[str, str]] = {
        "cid": "I",
        "price": "p",
        "size": "a",
        "fee": "f",
        "side": "d",
        "status": "os",
        "bid": "b",
        "ask": "a",
        "bids": "l",
        "asks": "l",
        "ts": "t",
    }
    answer_fields: ClassVar[Mapping[str, str]] = {
        "cid": "client_order_id",
        "price": "price",
        "size": "initial_amount",
        "fee": "fee",
        "side": "side",
        "status": "order_status",
        "ts": "updated_at",
        "position": "amount",
        "liquidation": "liquidation_price",
        "leverage": "leverage",
        "tick": "tick_size",
        "step": "lot_size",
        "min_size": "min_order_size",
        "free": "available_to_spend",
        "equity": "account_equity",
    }
    exchange: PacificaTruth

    def __init__(
        self,
        exchange: PacificaTruth,
        *,
        clock: Clock,
        rng: random.Random,
        latency: LatencyModel,
        timers: Timers,
    ) -> None:
        super().__init__(exchange, clock=clock, rng=rng, latency=latency, timers=timers)
        self.market = MarketData(exchange)
        self.history = History(exchange)
        self.desk = OrderDesk(exchange, self.market)
        self.accounts = AccountData(exchange, self.market, self.history, rng)
        self.streams = Streams(exchange, timers, self.market, self.accounts, self.history)
        self._sockets: set[int] = set()
        self._operations: dict[str, Callable[[str, Mapping[str, Json]], Done]] = {
            "create_order": self.desk.create,
            "create_market_order": self.desk.create_market,
            "edit_order": self.desk.edit,
            "cancel_order": self.desk.cancel,
            "cancel_all_orders": self.desk.cancel_all,
        }
        for account in exchange.accounts:
            self.accounts.agents[account].append(self.agent(account).address)

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(
        cls, clock: Clock, rng: random.Random, latency: LatencyModel
    ) -> PacificaTruth:
        """One account of 100,000 USDC; fees of the first tier; the speed bump is on."""
        bumped = replace(latency, taker_delay=latency.taker_delay or cls.speed_bump)
        exchange = PacificaTruth(cls.name, clock=clock, rng=rng, latency=bumped)
        exchange.open_owner(f"owner {rng.randrange(10**9)}")
        return exchange

    @staticmethod
    def agent(account: str) -> crypto.KeyPair:
        """The agent that is bound to an account from the start."""
        return crypto.throwaway_keys(f"agent of {account}")

    def endpoints(self, port: int) -> dict[str, str]:
        return {"rest": f"http://127.0.0.1:{port}{ROOT}", "ws": f"ws://127.0.0.1:{port}/ws"}

    def credentials(self) -> dict[str, str]:
        """The owner's address, and the key of an agent."""
        account = next(iter(self.exchange.accounts))
        return {"account": account, "private_key": self.agent(account).private_key}

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        for path in self.market.answers:
            yield "GET", ROOT + path, self._answer_public
        for path in self.accounts.answers:
            yield "GET", ROOT + path, self._answer_read
        yield "GET", f"{ROOT}/orders/history_by_id", self._answer_events
        for path, operation in crypto.OPERATIONS.items():
            ordering = operation in self._operations
            yield "POST", ROOT + path, self._answer_order if ordering else self._answer_setting
        yield "POST", f"{ROOT}/orders/batch", self._answer_batch

    def op_of(self, request: SimRequest) -> str:
        path = _short(request)
        return "meta" if path in self.market.answers else OPS.get(path, "")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """By API config key where there is a good one, else by address."""
        key = request.headers.get("pf-api-key", "")
        known = key in self.accounts.every_api_key()
        return ("key", key, _cost(request, True)) if known else _by_address(request)

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        fields = _first(request)
        words = {
            "symbol": "symbol",
            "size": "amount",
            "price": "price",
            "client_id": "client_order_id",
            "order_id": "order_id",
        }
        return {
            "side": wire.SIDES.get(str(fields.get("side")), ""),
            **{name: str(fields[key]) for name, key in words.items() if fields.get(key)},
            "reduce_only": str(fields.get("reduce_only") is True).lower(),
            "post_only": str(fields.get("tif") in ("ALO", "TOB")).lower(),
        }

    # ---------------------------------------------------------------- who asks

    def verify(self, operation: str, body: Json) -> tuple[str, dict[str, Json]]:
        """The account that an operation is for, and the operation's own fields.

        Raises: Refusal.
        """
        if not isinstance(body, dict):
            raise Refusal(wire.BAD_REQUEST)
        account, payload = body.get("account"), crypto.payload_of(body, operation)
        own_agent = None if operation in crypto.ABOUT_AGENTS else body.get("agent_wallet")
        signer = account if own_agent is None else own_agent
        public, signature = crypto.parse_address(signer), body.get("signature")
        if public is None or crypto.parse_address(account) is None:
            raise Refusal(wire.NO_KEY)
        proof = crypto.decode_base58(signature, 64) if isinstance(signature, str) else None
        if proof is None:
            raise Refusal(wire.NO_SIGNATURE)
        message = crypto.signed_message(operation, payload, *self._timed(body))
        if not crypto.verify(public, proof, message):
            raise Refusal(wire.BAD_SIGNATURE)
        self._check_right(str(account), own_agent, operation)
        return str(account), payload

    def _timed(self, body: Mapping[str, Json]) -> tuple[int, int]:
        """Both times; a signature is good until their sum, however far ahead (UNVERIFIED)."""
        try:
            stamp = wire.parse_number(body, "timestamp")
            window = wire.parse_number({"w": body.get("expiry_window", USUAL_WINDOW_MS)}, "w")
        except Refusal as refusal:
            raise Refusal(wire.INVALID_MESSAGE) from refusal
        if stamp + window <= self.clock.now_ms():
            raise Refusal(wire.INVALID_MESSAGE)
        return stamp, window

    def _check_right(self, account: str, agent: Json, operation: str) -> None:
        if agent is not None and agent not in self.accounts.agents.get(account, ()):
            raise Refusal(wire.NO_AGENT)
        if agent is not None and operation in crypto.OWNERS:
            raise Refusal(wire.NOT_OWNER)
        if account not in self.exchange.accounts:
            raise Refusal(wire.NO_ACCOUNT)

    # ---------------------------------------------------------------- REST

    def _answer_public(self, request: SimRequest) -> SimReply:
        return self._guarded(lambda: self.market.answers[_short(request)](request.query))

    def _answer_read(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            account = self.accounts.account(request.query)
            return self.accounts.answers[_short(request)](account, request.query)

        return self._guarded(answer)

    def _answer_events(self, request: SimRequest) -> SimReply:
        return self._guarded(lambda: self.accounts.answer_order_events(request.query))

    def _answer_setting(self, request: SimRequest) -> SimReply:
        """Settings, agents and keys. What has nothing to tell says only that it worked."""

        def answer() -> Json:
            operation = crypto.OPERATIONS[_short(request)]
            account, fields = self.verify(operation, _read(request.body))
            data = self.accounts.operations[operation](account, fields)
            self._tell_setting(operation, account, fields)
            return {"success": True} if data is None else envelope(data)

        return self._guarded(answer)

    def _tell_setting(self, operation: str, account: str, fields: Mapping[str, Json]) -> None:
        symbol = fields.get("symbol")
        if operation == "update_leverage":
            data = {"s": symbol, "l": fields.get("leverage")}
            self.streams.tell_setting("account_leverage", account, data)
        elif operation == "update_margin_mode":
            data = {"s": symbol, "i": fields.get("is_isolated")}
            self.streams.tell_setting("account_margin", account, data)

    def _answer_order(self, request: SimRequest) -> SimReply:
        """A cancel of one order has nothing to tell but that it worked."""

        def answer() -> Json:
            done = self._ordered(crypto.OPERATIONS[_short(request)], _read(request.body))
            return {"success": True} if done.rest is None else envelope(done.rest)

        return self._guarded(answer)

    def _ordered(self, operation: str, body: Json) -> Done:
        account, fields = self.verify(operation, body)
        return self._operations[operation](account, fields)

    def _answer_batch(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            results = self._batch(_read(request.body), _rest_result)
            return envelope({"results": results})

        return self._guarded(answer)

    def _batch(
        self, body: Json, render: Callable[[Done | Fault], dict[str, Json]]
    ) -> list[dict[str, Json]]:
        """All signatures first; then each by itself, whatever becomes of the others."""
        actions = body.get("actions") if isinstance(body, dict) else None
        if not isinstance(actions, list) or not 0 < len(actions) <= MOST_ACTIONS:
            raise Refusal(wire.BAD_REQUEST)
        todo = [_action(action) for action in actions]
        proven = [(name, *self.verify(name, fields)) for name, fields in todo]
        return [render(self._tried(*one)) for one in proven]

    def _tried(self, operation: str, account: str, fields: Mapping[str, Json]) -> Done | Fault:
        try:
            return self._operations[operation](account, fields)
        except Refusal as refusal:
            return refusal.fault

    def _guarded(self, answer: Callable[[], Json]) -> SimReply:
        try:
            return SimReply(answer(), headers=_headers(self.budget))
        except Refusal as refusal:
            return self._render_refusal(refusal.fault)

    def _render_refusal(self, fault: Fault) -> SimReply:
        return SimReply(fault.body, fault.status, _headers(self.budget))

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        fault = wire.REJECTS.get(kind, wire.BAD_REQUEST)
        return self._render_refusal(fault._replace(code=int(code)) if code.isdigit() else fault)

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        """No Retry-After: it may be absent; `t` of the headers says when."""
        return self._render_refusal(wire.OVER_LIMIT)

    def render_not_found(self, request: SimRequest) -> SimReply:
        return self._render_refusal(wire.NOT_FOUND)

    # ---------------------------------------------------------------- sockets

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        """Every socket has an end: a minute after its client's last word, or after a day."""
        if len(self._sockets) >= MOST_SOCKETS:
            return self._render_refusal(wire.OVER_LIMIT)
        self._sockets.add(conn.id)
        conn.state["heard"] = self.clock.monotonic()
        self.timers.after(LIFETIME, lambda: conn.close(NORMAL_CLOSE))
        self._watch(conn, PATIENCE)
        return None

    def close_ws(self, conn: SimConnection) -> None:
        self._sockets.discard(conn.id)
        self.streams.forget(conn)

    def _watch(self, conn: SimConnection, seconds: float) -> None:
        self.timers.after(seconds, lambda: self._look(conn))

    def _look(self, conn: SimConnection) -> None:
        if conn.id not in self._sockets:
            return
        left = conn.state["heard"] + PATIENCE - self.clock.monotonic()
        if left <= 0:
            conn.close(NORMAL_CLOSE)
        else:
            self._watch(conn, left)

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        """A ping, a subscription or a call; acknowledgements are pushed, ahead of snapshots."""
        message = self._heard(conn, text)
        if "id" in message or ("params" in message and "method" not in message):
            return self._answer_call(message, conn)
        try:
            return self._listen(conn, message)
        except Refusal as refusal:
            fault = refusal.fault
            return {"code": fault.stream, "err": fault.message, "t": self.clock.now_ms()}

    def _listen(self, conn: SimConnection, message: Mapping[str, Json]) -> Json | None:
        params = message.get("params")
        match message.get("method"):
            case "ping":
                return {"channel": "pong"}
            case "subscribe" if isinstance(params, dict):
                self.streams.subscribe(conn, params)
            case "unsubscribe" if isinstance(params, dict):
                self.streams.unsubscribe(conn, params)
            case _:
                raise Refusal(wire.BAD_REQUEST)
        return None

    def _heard(self, conn: SimConnection, text: str) -> dict[str, Json]:
        conn.state["heard"] = self.clock.monotonic()
        return _message(text)

    def request_of_message(self, conn: SimConnection, text: str) -> SimRequest | None:
        """The REST request that a call stands for; None for anything but a call."""
        call = _call(_message(text))
        if call is None:
            return None
        path, body = ROOT + CALLS[call[0]], crypto.write_body(call[1])
        return SimRequest("POST", path, headers=conn.headers, body=body)

    def _answer_call(self, message: Mapping[str, Json], conn: SimConnection) -> Json:
        try:
            call = _call(message)
            if call is None or not wire.is_uuid(message.get("id")):
                raise Refusal(wire.BAD_REQUEST)
            name, body = call
            data = (
                {"results": self._batch(body, _stream_result)}
                if name == "batch_orders"
                else self._ordered(name, body).stream
            )
            return self._reply(message, conn, {"code": 200, "data": data})
        except Refusal as refusal:
            return self._refuse_call(message, conn, refusal.fault.stream, refusal.fault.message)

    def _refuse_call(
        self, message: Mapping[str, Json], conn: SimConnection, code: int, text: str
    ) -> Json:
        return self._reply(message, conn, {"code": code, "err": text})

    def _reply(
        self, message: Mapping[str, Json], conn: SimConnection, said: Mapping[str, Json]
    ) -> Json:
        """An answer to a call; who has an API config key is told what is left of the limit."""
        call, budget = _call(message), self.budget
        answer = {
            **said,
            "id": message.get("id"),
            "type": call[0] if call else "",
            "t": self.clock.now_ms(),
        }
        if (
            budget is None
            or conn.headers.get("pf-api-key", "") not in self.accounts.every_api_key()
        ):
            return answer
        left = {"r": budget.left, "q": budget.limit.count, "t": _refreshed_in(budget)}
        return {**answer, "rl": left}

    def wrap_reply(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        """A refusal made for REST, as the answer to a call."""
        body = reply.body if isinstance(reply.body, dict) else {}
        known = next((f for f in wire.REJECTS.values() if f.message == body.get("error")), None)
        code = known.stream if known else reply.status
        words = str(body.get("error") or "Internal server error")
        return self._refuse_call(_message(text), conn, code, words)

    def render_event(self, event: SimEvent) -> None:
        self.market.note(event)
        self.streams.render(event)

    def issued(self) -> Iterable[str]:
        return self.accounts.every_api_key()


# --------------------------------------------------------------------------- bodies


def _short(request: SimRequest) -> str:
    """The path as the documentation has it."""
    return request.path.removeprefix(ROOT)


def _read(body: bytes) -> Json:
    try:
        return crypto.read_body(body)
    except msgspec.DecodeError as error:
        raise Refusal(wire.BAD_REQUEST) from error


def _message(text: str) -> dict[str, Json]:
    """A text frame; {} where it is no object."""
    try:
        message = crypto.read_body(text.encode())
    except msgspec.DecodeError:
        return {}
    return message if isinstance(message, dict) else {}


def _call(message: Mapping[str, Json]) -> tuple[str, Json] | None:
    """Name and body of a call; None where there is none that is known."""
    params = message.get("params")
    if not isinstance(params, dict) or len(params) != 1 or "method" in message:
        return None
    [(name, body)] = params.items()
    return (name, body) if name in CALLS else None


def _action(action: Json) -> tuple[str, Json]:
    """Operation and signed body of one action of a batch."""
    kind = action.get("type") if isinstance(action, dict) else None
    if kind not in ACTIONS:
        raise Refusal(wire.BAD_REQUEST)
    return ACTIONS[kind], action.get("data")


def _first(request: SimRequest) -> Mapping[str, Json]:
    """Fields of a request, of the first action of a batch; {} where unreadable."""
    if request.method == "GET":
        return request.query
    try:
        body = _read(request.body)
        if isinstance(body, dict) and isinstance(body.get("actions"), list):
            return dict(_action(body["actions"][0])[1])
    except (Refusal, IndexError, TypeError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _rest_result(done: Done | Fault) -> dict[str, Json]:
    """One result of a batch; a cancel has no number."""
    if isinstance(done, Fault):
        return {"success": False, "order_id": None, "error": done.message}
    if done.order is None:
        return {"success": True}
    return {"success": True, "order_id": done.order_id, "error": None}


def _stream_result(done: Done | Fault) -> dict[str, Json]:
    if isinstance(done, Fault):
        return {"success": False, "order_id": None, "error": done.message}
    named = {"order_id": done.order_id, "client_order_id": done.client_id, "symbol": done.symbol}
    return {"success": True, **{name: value for name, value in named.items() if value is not None}}


# --------------------------------------------------------------------------- credits


def _by_address(request: SimRequest) -> tuple[str, str, int]:
    return "address", request.remote, _cost(request, False)


def _cost(request: SimRequest, with_key: bool) -> int:
    """Tenths of a credit. How a heavy answer's cost grows is UNVERIFIED: with the page's length."""
    path = _short(request)
    if OPS.get(path) == "cancel":
        return CANCELLATION
    if path not in HEAVY:
        return CREDIT
    least, most = (1, 4) if with_key else (3, 12)
    asked = request.query.get("limit", str(wire.USUAL_PAGE))
    length = int(asked) if asked.isdigit() else wire.USUAL_PAGE
    grown = math.ceil(most * length / wire.LONGEST_PAGE)
    return min(max(least, grown), most) * CREDIT


def _headers(budget: Budget | None) -> dict[str, str]:
    if budget is None:
        return {}
    count, seconds = budget.limit.count, int(budget.limit.seconds)
    return {
        "ratelimit": f'"credits";r={budget.left};t={_refreshed_in(budget)}',
        "ratelimit-policy": f'"credits";q={count};w={seconds}',
    }


def _refreshed_in(budget: Budget) -> int:
    """Seconds until all credits are back."""
    share = 1 - budget.left / budget.limit.count
    return math.ceil(share * budget.limit.seconds)
