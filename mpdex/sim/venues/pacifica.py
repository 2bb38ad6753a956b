"""The simulated Pacifica: REST under `/api/v1` and one WebSocket at `/ws`, on one loopback port.

Orders are `pacifica_orders`, market data `pacifica_market`, what an account asks
`pacifica_account`, streams `pacifica_streams`, who signed `pacifica_commands`; here is what is
asked where, and how long a socket lives. A venue in front of Pacifica is a subclass: more `routes`,
more `endpoints`, and `desk`, whose operations need no signature. Not simulated: trigger, TWAP and
strategy orders, withdrawals, sub-accounts, candles, hardware signatures.

Source: docs.pacifica.fi, "API", "Rate limits", "WebSocket"; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from mpdex.sim.models import LatencyModel
from mpdex.sim.records import SimEvent
from mpdex.sim.venue import Budget, Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.venues import pacifica_credits as credits
from mpdex.sim.venues import pacifica_crypto as crypto
from mpdex.sim.venues import pacifica_wire as wire
from mpdex.sim.venues.pacifica_account import AccountData
from mpdex.sim.venues.pacifica_calls import Calls, is_call, read_message
from mpdex.sim.venues.pacifica_commands import Commands, action_of, read, rest_result
from mpdex.sim.venues.pacifica_history import History
from mpdex.sim.venues.pacifica_market import MarketData
from mpdex.sim.venues.pacifica_orders import OrderDesk
from mpdex.sim.venues.pacifica_render import envelope
from mpdex.sim.venues.pacifica_streams import INTERESTS, Streams
from mpdex.sim.venues.pacifica_truth import PacificaTruth
from mpdex.sim.venues.pacifica_wire import Fault, Refusal
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

ROOT = "/api/v1"
MOST_SOCKETS = 300  # of an IP
PATIENCE, LIFETIME = 60.0, 86_400.0  # seconds: of silence, of a connection
NORMAL_CLOSE = 1000  # UNVERIFIED: the code of both closes

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
    limits: ClassVar[Mapping[str, Limit]] = credits.LIMITS
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

    def __init__(self, exchange: PacificaTruth, **world: Any) -> None:
        super().__init__(exchange, **world)
        self.market = MarketData(exchange)
        self.history = History(exchange)
        self.desk = OrderDesk(exchange, self.market)
        self.accounts = AccountData(exchange, self.market, self.history, self.rng)
        self.streams = Streams(exchange, self.timers, self.market, self.accounts, self.history)
        self.commands = Commands(self.clock, self.accounts, self.desk)
        self._calls = Calls(self.clock, self.commands, ROOT)
        self._sockets: set[int] = set()
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
        """The owner's address, the key of an agent, and one that raises the limits."""
        account = next(iter(self.exchange.accounts))
        return {
            "account": account,
            "private_key": self.agent(account).private_key,
            "api_config_key": self.api_key,
        }

    @cached_property
    def api_key(self) -> str:
        """An API config key that the first account has made."""
        account = next(iter(self.exchange.accounts))
        return str(self.accounts.create_api_key(account, {})["api_key"])

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        for path in self.market.answers:
            yield "GET", ROOT + path, self._answer_public
        for path in self.accounts.answers:
            yield "GET", ROOT + path, self._answer_read
        yield "GET", f"{ROOT}/orders/history_by_id", self._answer_events
        for path, operation in crypto.OPERATIONS.items():
            ordering = operation in self.commands.operations
            yield "POST", ROOT + path, self._answer_order if ordering else self._answer_setting
        yield "POST", f"{ROOT}/orders/batch", self._answer_batch

    def op_of(self, request: SimRequest) -> str:
        path = _short(request)
        return "meta" if path in self.market.answers else OPS.get(path, "")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """By API config key where there is a good one, else by address."""
        key = self._known_key(request.headers)
        weight = credits.cost(request, with_key=bool(key))
        return ("key", key, weight) if key else ("address", request.remote, weight)

    def _known_key(self, headers: Mapping[str, str]) -> str:
        """The API config key that somebody shows; "" for none, or for one that nobody made."""
        key = headers.get("pf-api-key", "")
        return key if key in self.accounts.every_api_key() else ""

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
            account, fields = self.commands.verify(operation, read(request.body))
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
            done = self.commands.order(crypto.OPERATIONS[_short(request)], read(request.body))
            return {"success": True} if done.rest is None else envelope(done.rest)

        return self._guarded(answer)

    def _answer_batch(self, request: SimRequest) -> SimReply:
        def answer() -> Json:
            results = self.commands.batch(read(request.body), rest_result)
            return envelope({"results": results})

        return self._guarded(answer)

    def _guarded(self, answer: Callable[[], Json]) -> SimReply:
        try:
            return SimReply(answer(), headers=credits.headers(self.budget))
        except Refusal as refusal:
            return self._render_refusal(refusal.fault)

    def _render_refusal(self, fault: Fault) -> SimReply:
        return SimReply(fault.body, fault.status, credits.headers(self.budget))

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
        self.timers.after(PATIENCE, lambda: self._look(conn))
        return None

    def close_ws(self, conn: SimConnection) -> None:
        self._sockets.discard(conn.id)
        self.streams.forget(conn)

    def _look(self, conn: SimConnection) -> None:
        """Close a socket whose client has been silent for too long, else look again then."""
        if conn.id not in self._sockets:
            return
        left = conn.state["heard"] + PATIENCE - self.clock.monotonic()
        if left > 0:
            self.timers.after(left, lambda: self._look(conn))
        else:
            conn.close(NORMAL_CLOSE)

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        """A ping, a subscription or a call; acknowledgements are pushed, ahead of snapshots."""
        conn.state["heard"] = self.clock.monotonic()
        message = read_message(text)
        if is_call(message):
            return self._calls.answer(message, self._told_budget(conn))
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

    def request_of_message(self, conn: SimConnection, text: str) -> SimRequest | None:
        return self._calls.request_of(conn, text)

    def wrap_reply(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        return self._calls.wrap(text, reply, self._told_budget(conn))

    def _told_budget(self, conn: SimConnection) -> Budget | None:
        """What is left of a limit, for a client that showed an API config key."""
        return self.budget if self._known_key(conn.headers) else None

    def render_event(self, event: SimEvent) -> None:
        self.market.recent.note(event)
        self.streams.render(event)

    def issued(self) -> Iterable[str]:
        return self.accounts.every_api_key()


# --------------------------------------------------------------------------- bodies


def _short(request: SimRequest) -> str:
    """The path as the documentation has it."""
    return request.path.removeprefix(ROOT)


def _first(request: SimRequest) -> Mapping[str, Json]:
    """Fields of a request, of the first action of a batch; {} where unreadable."""
    if request.method == "GET":
        return request.query
    try:
        body = read(request.body)
        if isinstance(body, dict) and isinstance(body.get("actions"), list):
            return dict(action_of(body["actions"][0])[1])
    except (Refusal, IndexError, TypeError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}
