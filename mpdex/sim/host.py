"""One simulated venue on a loopback port: HTTP, sockets, latency, limits, faults, counting."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import cast

from aiohttp import WSMessage, WSMsgType, web

from mpdex.sim.acts import Job, Lost, Performer
from mpdex.sim.fault_rules import CONNECTION_ACTIONS, TRUTH_ACTIONS, Action
from mpdex.sim.faults import FaultBook, Situation
from mpdex.sim.models import Pipe, Timers
from mpdex.sim.records import Halt
from mpdex.sim.stream_faults import bend, stream_op
from mpdex.sim.truth_acts import busy_symbol
from mpdex.sim.venue import Budget, Handler, SimReply, SimRequest, SimVenue
from mpdex.sim.wire import Connection, encode_payload
from mpdex.types import Json, Limit, Side
from mpdex.utils.clock import Clock

LOST_AFTER = 120.0  # seconds after which a request that gets no answer is cut
Counts = Counter[tuple[str, str, str]]
_REMEMBERED = 200  # frames that a replay can reach back to
_SIGNED = frozenset({"place", "cancel", "query_order", "query_open", "query_positions"})
_SNAPSHOTS = frozenset({"query_open", "query_positions"})
_FAR_NS = 1 << 62
_REPLAYED = frozenset({"order", "fill"})
LIMITED = "rate limited"  # counted beside the op that met the limit


class Bucket:
    """A documented limit: so many units, refilled evenly over the interval."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._left = float(limit.count)  # requests
        self._at = 0.0

    def take(self, weight: int, now: float) -> float:
        """Take units.

        Returns: 0 when there were enough, else the seconds until there are.
        """
        rate = self._limit.count / self._limit.seconds
        self._left = min(self._limit.count, self._left + (now - self._at) * rate)
        self._at = now
        if self._left >= weight:
            self._left -= weight
            return 0.0
        return (weight - self._left) / rate

    @property
    def left(self) -> int:
        """Whole units that were left when it was last asked."""
        return int(self._left)


class VenueHost:
    """Serves one venue; what faults know as `Wire`.

    Attributes:
        connections: open sockets by number.
        port: once started.
        arrivals: called with (venue, op, request) when a request has come in, before it acts.
        asked: how often a client has come to the door, refused ones included.
        cut_off: (from, until) in ns, when no private socket was open after one had been.
        serves: whether a client at this remote port is served; a dead process is not.
        acting: the request that the venue acts on at this instant; None: on none.
        whose: request -> client id of its order, where the request names none and somebody knows.
    """

    def __init__(
        self,
        venue: SimVenue,
        *,
        clock: Clock,
        rng: random.Random,
        faults: FaultBook,
        counts: Counts,
    ) -> None:
        self.venue = venue
        self.exchange = venue.exchange
        self.connections: dict[int, Connection] = {}
        self.port = 0
        self.arrivals: list[Callable[[str, str, SimRequest], None]] = []
        self.asked = 0
        self.cut_off: list[tuple[int, int]] = []
        self.serves: Callable[[int], bool] = _everybody
        self.acting: SimRequest | None = None
        self.whose: Callable[[SimRequest], str] = lambda _: ""
        self._clock = clock
        self._rng = rng
        self._faults = faults
        self._counts = counts
        self._timers = Timers()
        self._performer = Performer(
            venue, self._timers, rng, self._act, lambda: self._faults.measures.units
        )
        self._routes: dict[tuple[str, str], Handler] = {
            (method, path): handler for method, path, handler in venue.routes()
        }
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._refused_until: dict[str, float] = {}
        self._one_limit: Limit | None = None
        self._told: deque[bytes] = deque(maxlen=_REMEMBERED)  # newest private frames
        self._replays = 0
        self._sockets = 0
        self._unanswered: set[asyncio.Future[Json | Lost]] = set()
        self._runner = web.ServerRunner(
            web.Server(self._serve, access_log=None), shutdown_timeout=1.0
        )
        self.exchange.halt_hooks.append(self._on_halt)
        faults.attach(venue.name, self)

    async def start(self, port: int = 0) -> None:
        """Listen on a loopback port; 0 takes a free one."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]

    async def shut(self) -> None:
        """Whoever comes is refused at the door, until `open_again`; who is inside is put out."""
        for site in list(self._runner.sites):
            await site.stop()
        self.exchange.halt("down")
        for kept in list(self._runner.server.connections if self._runner.server else ()):
            if kept.transport is not None:
                kept.transport.abort()

    async def open_again(self) -> None:
        """After `shut`."""
        self.exchange.halt("")
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def close(self) -> None:
        """Cut every socket, answer nobody any more, take back every timer."""
        self._timers.close()
        for answered in self._unanswered:
            _set(answered, Lost.RESET)
        self.venue.timers.close()
        self.exchange.close()
        for conn in list(self.connections.values()):
            conn.abort()
        await self._runner.cleanup()

    # ---------------------------------------------------------------- REST

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        sim = SimRequest(
            request.method,
            request.path,
            request.rel_url.raw_query_string,
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
            request.remote or "",
        )
        self.asked += 1
        if self.exchange.halted == "down" or not self.serves(_port_of(request)):
            return _cut(request)
        if sim.headers.get("upgrade", "").lower() == "websocket":
            return await self._serve_socket(request, sim)
        answer = await self._answer(sim)
        return _cut(request) if isinstance(answer, Lost) else _response(answer)

    async def _answer(self, sim: SimRequest) -> Json | Lost:
        """The whole life of a REST request, latency included."""
        latency = self.venue.latency
        answered: asyncio.Future[Json | Lost] = asyncio.get_running_loop().create_future()
        self._unanswered.add(answered)
        handler = self._handler(sim)
        try:
            await asyncio.sleep(latency.draw(latency.request, self._rng))
            self._meet(
                Job(sim, self.venue.op_of(sim), lambda: handler(sim), self._answerer(answered)),
                "rest",
            )
            return await answered
        finally:
            self._unanswered.discard(answered)

    def _handler(self, sim: SimRequest) -> Handler:
        """Of an exact path, else of one that leaves its last part open."""
        open_path = sim.path.rpartition("/")[0] + "/*"
        found = (self._routes.get((sim.method, path)) for path in (sim.path, open_path))
        return next(filter(None, found), self.venue.render_not_found)

    def _answerer(self, answered: asyncio.Future[Json | Lost]) -> Callable[[Json | Lost], None]:
        def done(answer: Json | Lost) -> None:
            if answer is Lost.RESET:
                _set(answered, answer)
            elif answer is Lost.SILENCE:
                self._timers.after(LOST_AFTER, lambda: _set(answered, Lost.RESET))
            else:
                pause = self.venue.latency.draw(self.venue.latency.response, self._rng)
                self._timers.after(pause, lambda: _set(answered, answer))

        return done

    def _meet(self, job: Job, transport: str) -> None:
        """A request has arrived: count it, hold it against the limits and the faults."""
        self._counts[self.venue.name, transport, job.op or "other"] += 1
        for told in self.arrivals:
            told(self.venue.name, job.op, job.request)
        job.act = self._watched(job.act, job.request)
        wait = self._over_limit(job.request)
        if wait:
            self._counts[self.venue.name, transport, LIMITED] += 1
            job.done(self.venue.render_rate_limited(job.request, wait))
        elif self._faults.idle:
            self._performer.perform(job, ())
        elif self.venue.session_lost and job.op in _SIGNED:
            self.venue.session_lost = False
            job.done(self.venue.render_reject(job.request, "AUTH", ""))
        else:
            situation = self._situation(job, transport)
            self._performer.perform(job, self._faults.on_request(situation))

    def _watched(self, act: Callable[[], Json], request: SimRequest) -> Callable[[], Json]:
        def watched() -> Json:
            self.acting = request
            try:
                return act()
            finally:
                self.acting = None

        return watched

    def _over_limit(self, request: SimRequest) -> float:
        scope, whose, weight = self.venue.scope_of(request)
        limit = self.venue.limits.get(scope)
        if self._one_limit is not None:
            scope, limit = "", self._one_limit
        if limit is None:
            return 0.0
        bucket = self._buckets.setdefault((scope, whose), Bucket(limit))
        wait = bucket.take(weight, self._clock.monotonic())
        self.venue.budget = Budget(bucket.left, limit)
        return wait

    def client_id_of(self, request: SimRequest) -> str:
        """Client id of the order that a request is about, whichever id it names."""
        said = self.venue.describe(request)
        known = self.exchange.orders.get(said.get("order_id", ""))
        named = said.get("client_id", "") or (known.client_id if known is not None else "")
        return named or self.whose(request)

    def _situation(self, job: Job, transport: str) -> Situation:
        said = self.venue.describe(job.request)
        words = {name for name, value in said.items() if value == "true"}
        purpose = self._faults.purpose_of(self.venue.name, self.client_id_of(job.request))
        if purpose:
            words.add(purpose)
        if job.op in _SNAPSHOTS:
            words.add("snapshot")
        if job.op == "place" and self._would_cross(said):
            words.add("crosses")
        return Situation(
            self.venue.name,
            job.op,
            said.get("side", ""),
            transport,
            frozenset(words),
            lambda name: self._number(name, said),
        )

    def _number(self, name: str, said: Mapping[str, str]) -> Decimal | None:
        """What a condition of a rule asks for."""
        account = next(iter(self.exchange.accounts))
        match name:
            case "size" | "price":
                return _decimal(said[name]) if name in said else None
            case "position":
                symbol = said.get("symbol") or busy_symbol(self.exchange, account)
                return self.exchange.accounts[account].size(symbol)
            case "open_orders":
                return Decimal(len(self.exchange.open_orders(account)))
            case "fills":
                return Decimal(len(self.exchange.fills(account)))
        return None

    def _act(self, job: Job, action: Action) -> None:
        """An action that a request brings about, on this venue or on the other."""
        size = self.venue.describe(job.request).get("size", "")
        self._faults.act(self.venue.name, job.op, action, _decimal(size) or None)

    def _would_cross(self, said: Mapping[str, str]) -> bool:
        symbol, price = said.get("symbol", ""), said.get("price", "")
        side: Side = "buy" if said.get("side") == "buy" else "sell"
        known = symbol in self.exchange.markets and bool(price)
        return known and self.exchange.crosses(symbol, side, _decimal(price))

    # ---------------------------------------------------------------- sockets

    async def _serve_socket(self, request: web.BaseRequest, sim: SimRequest) -> web.StreamResponse:
        self._sockets += 1
        conn = Connection(
            self._sockets,
            sim.path,
            sim.headers,
            query=sim.query,
            latency=self.venue.latency,
            rng=self._rng,
            before_send=self._before_send,
        )
        self._counts[self.venue.name, "ws", "connect"] += 1
        if sim.path not in self.venue.ws_paths:
            return _response(self.venue.render_not_found(sim))
        refused = self.venue.accept_ws(conn) or self._refused(conn)
        if refused is not None:
            conn.dispose()
            self.venue.close_ws(conn)
            return _cut(request) if isinstance(refused, Lost) else _response(refused)
        socket = web.WebSocketResponse(
            autoping=False,
            autoclose=False,
            compress=False,
            protocols=self.venue.subprotocols(conn),
        )
        await socket.prepare(request)
        self.connections[conn.id] = conn
        self._note_private_back(conn)  # where the address says it, no message follows
        try:
            # Not every loop's transports are subclasses of asyncio's; all have its verbs.
            conn.attach(cast(asyncio.WriteTransport, request.transport))
            await self._read(socket, conn)
        finally:
            del self.connections[conn.id]
            self.venue.close_ws(conn)
            conn.dispose()
            self._note_private(conn)
        return socket

    def _note_private(self, gone: Connection) -> None:
        if gone.private and not any(c.private for c in self.connections.values()):
            self.cut_off.append((self._clock.now_ns(), _FAR_NS))

    def _note_private_back(self, conn: Connection) -> None:
        if conn.private and self.cut_off and self.cut_off[-1][1] == _FAR_NS:
            self.cut_off[-1] = (self.cut_off[-1][0], self._clock.now_ns())

    async def _read(self, socket: web.WebSocketResponse, conn: Connection) -> None:
        inbox: Pipe[str] = Pipe(lambda text: self._accept(conn, text))
        self._ping_later(conn)
        try:
            while True:
                message = await socket.receive()
                if not self._take(message, conn, inbox):
                    return
        finally:
            inbox.close()
            if conn.closing:
                conn.hang_up()  # the close frame has been sent: nothing may follow it

    def _take(self, message: WSMessage, conn: Connection, inbox: Pipe[str]) -> bool:
        """One thing from the client; False when the socket is over."""
        latency = self.venue.latency
        match message.type:
            case WSMsgType.TEXT | WSMsgType.BINARY:
                self.asked += 1
                text = message.data if isinstance(message.data, str) else message.data.decode()
                inbox.push(text, latency.draw(latency.request, self._rng))
            case WSMsgType.PING:
                conn.pong(bytes(message.data))
            case WSMsgType.PONG:
                conn.heard()
            case _:
                return False
        return True

    def _accept(self, conn: Connection, text: str) -> None:
        """A text frame has arrived: a call that stands for a request, or anything else."""
        if not conn.open:
            return
        sim = self.venue.request_of_message(conn, text)
        if sim is None:
            self._counts[self.venue.name, "ws", "message"] += 1
            self._reply(conn, text, self.venue.accept_message(conn, text))
            self._note_private_back(conn)
            return
        job = Job(
            sim,
            self.venue.op_of(sim),
            lambda: self.venue.accept_message(conn, text),
            lambda answer: self._reply(conn, text, answer),
        )
        self._meet(job, "ws")

    def _reply(self, conn: Connection, text: str, answer: Json | Lost) -> None:
        if answer is Lost.RESET:
            conn.abort()
        elif isinstance(answer, SimReply):
            self._reply(conn, text, self.venue.wrap_reply(conn, text, answer))
        elif answer is Lost.SILENCE:
            self.venue.hush(conn, text)
        elif answer is not None and conn.open:
            conn.push(encode_payload(answer), self.venue.latency.response)

    def _ping_later(self, conn: Connection) -> None:
        """Pings by the venue's rule, and what it does about silence."""
        if self.venue.ping_every is None:
            return
        conn.timers.after(self.venue.ping_every, lambda: self._ping(conn))

    def _ping(self, conn: Connection) -> None:
        patience = self.venue.pong_within
        if patience is not None and conn.quiet_for() > patience:
            words = self.venue.render_silence(conn)
            if words is not None:
                conn.send(words)
            conn.close(1008, "no pong")
            return
        conn.ping()
        self._ping_later(conn)

    # ---------------------------------------------------------------- faults on sockets

    def disconnect(self, op: str, refuse_for: float) -> None:
        """Drop the sockets of a class and refuse new ones for some seconds."""
        self._refused_until[op] = self._clock.monotonic() + refuse_for
        for conn in self._matching(op):
            conn.abort()

    def silence(self, op: str, seconds: float) -> None:
        """Nothing goes out on the sockets of a class; they stay open."""
        for conn in self._matching(op):
            conn.silence(seconds)

    def replay(self, op: str, count: int) -> None:
        """Tell the newest frames of a class again on the next socket of it."""
        self._replays = count

    def _replay(self, conn: Connection) -> None:
        """A socket that has just been opened hears what an earlier one was told."""
        told = list(self._told)[-self._replays :] if self._replays and conn.private else []
        if told:
            self._replays = 0
            for payload in told:
                conn.push(payload, self.venue.latency.stream)

    def limit(self, count: int, seconds: float) -> None:
        """One limit for all requests of a client; 0: the venue's own again."""
        self._one_limit = Limit(count, seconds) if count else None
        self._buckets.clear()

    def expire_sessions(self) -> None:
        """Whoever is logged in is not any more."""
        self.venue.expire_sessions()

    def _matching(self, op: str) -> list[Connection]:
        return [
            conn
            for conn in list(self.connections.values())
            if any(fnmatchcase(own, op) for own in self._ops(conn))
        ]

    def _ops(self, conn: Connection) -> list[str]:
        """Classes of a socket; where a path serves both, a private socket is public too."""
        if not conn.private:
            return ["ws_public"]
        return ["ws_private", "ws_public"] if self.venue.is_mixed(conn.path) else ["ws_private"]

    def _refused(self, conn: Connection) -> SimReply | Lost | None:
        """What a handshake meets: an outage, a status, or nothing."""
        both = self.venue.is_mixed(conn.path)
        ops = ["ws_private", "ws_public"] if both else self._ops(conn)
        now = self._clock.monotonic()
        for op in ops:
            if any(fnmatchcase(op, k) and now < t for k, t in self._refused_until.items()):
                return Lost.RESET
            words = frozenset({"handshake"})
            for action in self._faults.on_handshake(Situation(self.venue.name, op, words=words)):
                return SimReply("", int(action.get(0, "status", "429")))
        return None

    def _before_send(self, conn: Connection, payload: bytes, kind: str) -> list[bytes]:
        if self._faults.idle:
            return [payload]
        op = stream_op(conn.private, kind)
        actions = self._faults.on_stream(
            Situation(self.venue.name, op, transport="ws", words=frozenset({kind}), payload=payload)
        )
        for action in actions:
            if action.venue or action.name in CONNECTION_ACTIONS | TRUTH_ACTIONS:
                self._faults.act(self.venue.name, op, action)
        self._replay(conn)
        if op == "ws_private" and kind in _REPLAYED:
            self._told.append(payload)
        return bend(conn, payload, actions, fields=self.venue.fields, rng=self._rng)

    def _on_halt(self, mode: Halt) -> None:
        if mode == "down":
            for conn in list(self.connections.values()):
                conn.abort()


def _set(answered: asyncio.Future[Json | Lost], answer: Json | Lost) -> None:
    if not answered.done():
        answered.set_result(answer)


def _response(reply: SimReply) -> web.Response:
    body, kind = reply.encode()
    headers = {"Content-Type": kind, **reply.headers}
    response = web.Response(status=reply.status, body=body, headers=headers)
    for cookie in reply.cookies:
        response.headers.add("Set-Cookie", cookie)
    return response


def _cut(request: web.BaseRequest) -> web.Response:
    """No answer at all: the connection is reset, the response goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _everybody(_: int) -> bool:
    return True


def _port_of(request: web.BaseRequest) -> int:
    """Of the client's end; 0 once it is gone."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return peer[1] if peer else 0


def _decimal(text: str) -> Decimal:
    """A number a client said; 0 where it is none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)
