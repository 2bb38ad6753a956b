"""The server, seen by a client over real loopback sockets, in virtual time.

The venue here is a toy: a JSON REST of three calls and one socket path, so that everything said is
about the server.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal as D
from typing import Any

import aiohttp
import pytest

from mpdex.errors import UnknownVenue
from mpdex.sim import run
from mpdex.sim.exchange import SimExchange, SimMarket, SimOrder, Traded
from mpdex.sim.market import SyntheticWalk
from mpdex.sim.models import NO_LATENCY, LatencyModel
from mpdex.sim.records import BookChanged, OrderChanged, SimEvent
from mpdex.sim.server import SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.wire import encode_frame
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock, SystemClock
from mpdex.utils.virtual_loop import run_virtual

ETH = SimMarket(
    symbol="ETH", coin="ETH", quote="USD", tick=D("0.01"), step=D("0.01"), min_size=D("0.01")
)


class Toy(SimVenue):
    name = "toy"
    ws_paths = ("/ws",)
    limits = {"order": Limit(3, 1.0)}  # noqa: RUF012
    fields = {"cid": "c"}  # noqa: RUF012
    ping_every = 60.0
    pong_within = 120.0

    @classmethod
    def make_exchange(cls, clock: Clock, rng: random.Random, latency: LatencyModel) -> SimExchange:
        exchange = SimExchange(cls.name, clock=clock, markets=[ETH], rng=rng, latency=latency)
        exchange.add_account("a", D(100_000))
        return exchange

    def routes(self) -> Iterable[tuple[str, str, Callable[[SimRequest], SimReply]]]:
        return [
            ("POST", "/order", self._place),
            ("DELETE", "/order", self._cancel),
            ("GET", "/time", lambda request: SimReply({"t": self.clock.now_ms(), **request.query})),
            ("GET", "/part/*", lambda request: SimReply(request.path.rpartition("/")[2])),
            ("GET", "/part/own", lambda _: SimReply("its own")),
        ]

    def endpoints(self, port: int) -> dict[str, str]:
        return {"rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}/ws"}

    def credentials(self) -> dict[str, str]:
        return {"api_key": "toy"}

    def op_of(self, request: SimRequest) -> str:
        return {"POST": "place", "DELETE": "cancel"}.get(request.method, "meta")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        return ("order", "a", 1) if request.method == "POST" else ("", "", 1)

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        return {k: str(v) for k, v in (request.json or {}).items()}

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        return SimReply({"error": kind, "code": code}, 400)

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        return SimReply({"error": "RATE"}, 429, {"Retry-After": f"{retry_after:.3f}"})

    def render_event(self, event: SimEvent) -> None:
        for conn in self.conns:
            if isinstance(event, BookChanged):
                conn.send({"k": "book", "seq": event.seq, "bids": event.bids}, "book")
            elif isinstance(event, Traded):
                order = event.fill.order
                conn.send({"k": "fill", "size": event.fill.size, "c": order.client_id}, "fill")
            elif isinstance(event, OrderChanged):
                conn.send({"k": "order", "status": event.order.status}, "order")

    @property
    def conns(self) -> list[SimConnection]:
        return self.__dict__.setdefault("_conns", [])  # type: ignore[no-any-return]

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        if conn.headers.get("x-key") == "wrong":
            return SimReply("no", 401)
        conn.private = True
        self.conns.append(conn)
        return None

    def close_ws(self, conn: SimConnection) -> None:
        if conn in self.conns:
            self.conns.remove(conn)

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        if text == "book":
            self.watch_book("ETH")
            return "ack"
        if text == "pack":
            conn.pack = lambda payload: payload[::-1] if b"packed" in payload else None
            conn.send("packed", "book")
            return "plain"
        if text == "bye":
            conn.close(4000, "as you wish")
            return None
        request = self.request_of_message(conn, text)
        return self._place(request).body if request else text

    def request_of_message(self, conn: SimConnection, text: str) -> SimRequest | None:
        return SimRequest("POST", "/order", body=text.encode()) if text.startswith("{") else None

    def wrap_reply(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        return {"refused": reply.body}

    def _place(self, request: SimRequest) -> SimReply:
        said = request.json
        order = SimOrder(
            account="a",
            symbol="ETH",
            side=said.get("side", "buy"),
            size=D(said["size"]),
            price=D(said["price"]),
            client_id=said.get("client_id", ""),
        )
        self.exchange.place(order)
        return SimReply({"id": order.order_id, "status": order.status, "filled": order.filled})

    def _cancel(self, request: SimRequest) -> SimReply:
        order = self.exchange.cancel("a", order_id=request.json["order_id"])
        return SimReply({"status": order.status if order else "none"})


class Still(SyntheticWalk):
    """The first book of a walk, and nothing after it."""

    def moves(self) -> Iterator[Any]:
        yield next(super().moves())


class Lab:
    def __init__(self, world: run.Running, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.http = http
        self.url = world.endpoints["toy"]["rest"]
        self.ws_url = world.endpoints["toy"]["ws"]
        self.exchange = world.exchanges["toy"]

    async def place(self, **kwargs: str) -> tuple[int, Any]:
        body = {"size": "1", "price": "2900", **kwargs}
        async with self.http.post(f"{self.url}/order", json=body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def cancel(self, order_id: str) -> Any:
        async with self.http.delete(f"{self.url}/order", json={"order_id": order_id}) as answer:
            return await answer.json()

    def now(self) -> float:
        return asyncio.get_running_loop().time()


@asynccontextmanager
async def lab(faults: str = "", **kwargs: Any) -> AsyncIterator[Lab]:
    kwargs = {"source": Still(), "coins": ("ETH",), "latency": NO_LATENCY, **kwargs}
    world = await run.start([Toy], faults=faults, **kwargs)
    timeout = aiohttp.ClientTimeout(total=5)
    async with world, aiohttp.ClientSession(timeout=timeout) as http:
        yield Lab(world, http)


def play(story: Callable[[Lab], Awaitable[None]], faults: str = "", **kwargs: Any) -> None:
    """Run a story in a lab, in virtual time; nothing may be left running after it."""

    async def main() -> None:
        async with lab(faults, **kwargs) as stage:
            await story(stage)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())


# --------------------------------------------------------------------------- REST


def test_a_request_and_what_it_costs() -> None:
    async def story(lab: Lab) -> None:
        start = lab.now()
        status, answer = await lab.place()
        assert (status, answer["status"]) == (200, "open")
        assert 0.2 <= lab.now() - start <= 0.21
        assert lab.world.counts["toy", "rest", "place"] == 1
        async with lab.http.get(f"{lab.url}/time?x=a%20b") as reply:
            answer = await reply.json()
        assert answer == {"t": answer["t"], "x": "a b"}
        async with lab.http.get(f"{lab.url}/nowhere") as reply:
            assert reply.status == 404

    play(story, latency=LatencyModel(request=0.1, response=0.1, stream=0.1, jitter=0.0))


def test_documented_limits_are_enforced_and_refill() -> None:
    async def story(lab: Lab) -> None:
        statuses = [(await lab.place())[0] for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        await asyncio.sleep(1)
        assert (await lab.place())[0] == 200

    play(story)


@pytest.mark.parametrize(
    "how",
    [
        *("drop_response", "drop_response(reset)"),
        *("http(502, accept=true)", "reject(AUTH, accept=true)"),
    ],
)
def test_accepted_but_not_answered(how: str) -> None:
    async def story(lab: Lab) -> None:
        if "accept" in how:
            assert (await lab.place())[0] >= 400
        else:
            with pytest.raises((TimeoutError, aiohttp.ClientError)):
                await lab.place()
        assert len(lab.exchange.open_orders("a")) == 1
        assert (await lab.place())[0] == 200
        assert len(lab.exchange.open_orders("a")) == 2

    play(story, f"P.place.nth(1) -> {how}")


@pytest.mark.parametrize("how", ["drop_request", "delay(100, land=false)"])
def test_never_arrived(how: str) -> None:
    async def story(lab: Lab) -> None:
        with pytest.raises((TimeoutError, aiohttp.ClientError)):
            await lab.place()
        assert lab.exchange.order_history("a") == []

    play(story, f"P.place -> {how}")


def test_landing_after_the_client_gave_up() -> None:
    async def story(lab: Lab) -> None:
        with pytest.raises(TimeoutError):
            await lab.place()
        assert lab.exchange.order_history("a") == []
        await asyncio.sleep(3)
        assert len(lab.exchange.open_orders("a")) == 1

    play(story, "P.place -> delay(7000)")


def test_refusals_and_pages() -> None:
    async def story(lab: Lab) -> None:
        assert await lab.place() == (400, {"error": "MARGIN", "code": "77"})
        async with lab.http.get(f"{lab.url}/time") as reply:
            assert (reply.status, await reply.text()) == (403, "<html>no</html>")
            assert reply.content_type == "text/html"
            assert reply.headers["Retry-After"] == "2"
        assert lab.exchange.order_history("a") == []

    play(story, "P.place -> reject(MARGIN, 77)\nP.meta -> http(403, '<html>no</html>', 2)")


def test_a_cancel_that_lies() -> None:
    async def story(lab: Lab) -> None:
        _, answer = await lab.place()
        assert (await lab.cancel(answer["id"]))["status"] == "open"
        assert len(lab.exchange.open_orders("a")) == 1

    play(story, "P.cancel -> ack_ok")


@pytest.mark.parametrize(
    ("rule", "filled"),
    [
        ("fill(0.4q, before_place_ack)", D("0.4")),
        ("fill(0.3, resting)", D("0.3")),
        ("fill(q, at=after_cancel_send)", D(1)),
        ("fill(0.5q, at=after_cancel_ack)", D("0.5")),
    ],
)
def test_fills_in_every_phase(rule: str, filled: D) -> None:
    async def story(lab: Lab) -> None:
        _, answer = await lab.place()
        assert D(answer["filled"]) == 0
        await asyncio.sleep(1)
        await lab.cancel(answer["id"])
        await asyncio.sleep(1)
        assert lab.exchange.order_history("a")[0].filled == filled

    play(story, rule)


def test_acknowledged_then_rejected() -> None:
    async def story(lab: Lab) -> None:
        _, answer = await lab.place()
        assert answer["status"] == "pending"
        await asyncio.sleep(0.4)
        assert lab.exchange.order_history("a")[0].status == "rejected"

    play(story, "P.place -> ack_then(REJECTED, 300)")


def test_a_venue_that_is_down() -> None:
    async def story(lab: Lab) -> None:
        async with lab.http.ws_connect(lab.ws_url) as ws:
            lab.world.faults.add("P.halt(down).between(0, 60s)")
            assert (await ws.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        with pytest.raises(aiohttp.ClientError):
            await lab.place()
        with pytest.raises(aiohttp.ClientError):
            await lab.http.ws_connect(lab.ws_url)
        await asyncio.sleep(61)
        assert (await lab.place())[0] == 200

    play(story)


# --------------------------------------------------------------------------- sockets


def test_frames_arrive_in_order_after_the_latency() -> None:
    async def story(lab: Lab) -> None:
        async with lab.http.ws_connect(lab.ws_url) as ws:
            start = lab.now()
            for number in range(20):
                await ws.send_str(str(number))
            got = [(await ws.receive_str()) for _ in range(20)]
            assert got == [str(n) for n in range(20)]
            assert 0.02 <= lab.now() - start <= 0.06

    play(story, latency=LatencyModel(request=0.01, response=0.01, stream=0.01, jitter=0.02))


def test_calls_over_the_socket_meet_limits_and_faults() -> None:
    async def story(lab: Lab) -> None:
        async with lab.http.ws_connect(lab.ws_url) as ws:
            order = '{"size": "1", "price": "2900"}'
            await ws.send_str(order)
            seen = [await ws.receive_json() for _ in range(2)]
            assert [s.get("k", "reply") for s in seen] == ["order", "reply"]
            await ws.send_str(order)  # acts, but the answer is lost
            assert (await ws.receive_json())["k"] == "order"
            await ws.send_str(order)
            assert (await ws.receive_json()) == {"refused": {"error": "X", "code": ""}}
            await ws.send_str(order)
            assert (await ws.receive_json()) == {"refused": {"error": "RATE"}}
        assert len(lab.exchange.open_orders("a")) == 2
        assert lab.world.counts["toy", "ws", "place"] == 4

    play(story, "P.place.nth(2) -> drop_response\nP.place.transport(ws).nth(3) -> reject(X)")


def test_books_are_conflated() -> None:
    async def story(lab: Lab) -> None:
        async with lab.http.ws_connect(lab.ws_url) as ws:
            await ws.send_str("book")
            assert await ws.receive_str() == "ack"
            for price in ("2900.01", "2900.02"):
                await lab.place(price=price)
            kinds = [(await ws.receive_json())["k"] for _ in range(3)]
            assert sorted(kinds) == ["book", "order", "order"]

    play(story)


def test_closing_and_refusing() -> None:
    async def story(lab: Lab) -> None:
        async with lab.http.ws_connect(lab.ws_url) as ws:
            await ws.send_str("bye")
            message = await ws.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4000)
        async with lab.http.ws_connect(lab.ws_url) as ws:
            await ws.close()
            assert ws.close_code == 1000
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await lab.http.ws_connect(lab.ws_url, headers={"X-Key": "wrong"})
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            await lab.http.ws_connect(lab.ws_url + "/elsewhere")

    play(story)


def test_handshakes_fail_so_often() -> None:
    async def story(lab: Lab) -> None:
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
                await lab.http.ws_connect(lab.ws_url)
        async with lab.http.ws_connect(lab.ws_url) as ws:
            await ws.send_str("x")
            assert await ws.receive_str() == "x"

    play(story, "P.ws_private -> handshake(429, 2)")


def test_a_drop_and_the_time_after_it() -> None:
    async def story(lab: Lab) -> None:
        async with lab.http.ws_connect(lab.ws_url) as ws:
            lab.world.faults.add("P.ws_private -> disconnect(4s)")
            assert (await ws.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        with pytest.raises(aiohttp.ClientError):
            await lab.http.ws_connect(lab.ws_url)
        await asyncio.sleep(4.1)
        async with lab.http.ws_connect(lab.ws_url) as ws:
            await ws.send_str("x")
            assert await ws.receive_str() == "x"

    play(story)


def test_half_open() -> None:
    async def story(lab: Lab) -> None:
        async with lab.http.ws_connect(lab.ws_url) as ws:
            lab.world.faults.add("P.ws_* -> silence(60s)")
            await ws.send_str("lost")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(50):
                    await ws.receive()
            await asyncio.sleep(11)
            await ws.send_str("heard")
            assert await ws.receive_str() == "heard"

    play(story)


@pytest.mark.parametrize(
    ("rule", "sizes"),
    [
        ("P.ws_private.fill -> lose(1)", ["0.20"]),
        ("P.ws_private.fill -> duplicate(1)", ["0.10", "0.10", "0.20"]),
        ("P.ws_private.fill -> reorder(2)", ["0.20", "0.10"]),
        ("P.ws_private.fill.nth(1) -> stale_snapshot(500)", ["0.20", "0.10"]),
        ("P.ws_private.fill.nth(2) -> disconnect(1s)", ["0.10"]),
    ],
)
def test_frames_that_go_wrong(rule: str, sizes: list[str]) -> None:
    async def story(lab: Lab) -> None:
        got: list[str] = []
        async with lab.http.ws_connect(lab.ws_url) as ws:
            await lab.place()
            order = lab.exchange.open_orders("a")[0]
            lab.exchange.fill(order, D("0.1"))
            await asyncio.sleep(0.1)
            lab.exchange.fill(order, D("0.2"))
            try:
                async with asyncio.timeout(2):
                    async for message in ws:
                        frame = message.json()
                        got += [frame["size"]] if frame["k"] == "fill" else []
            except TimeoutError:
                pass
        assert got == sizes

    play(story, rule)


def test_frames_with_other_words() -> None:
    async def story(lab: Lab) -> None:
        async with lab.http.ws_connect(lab.ws_url) as ws:
            await lab.place(client_id="7")
            lab.exchange.fill(lab.exchange.open_orders("a")[0], D("0.1"))
            frames = [await ws.receive_json() for _ in range(2)]
            assert frames[1] == {"k": "fill", "size": "0.10", "c": None}

    play(story, "P.ws_private.fill -> mutate(cid=None)")


def test_pings_and_who_does_not_answer() -> None:
    async def answer(ws: aiohttp.ClientWebSocketResponse) -> str:
        return await ws.receive_str()  # reading is what answers pings

    async def ignore(ws: aiohttp.ClientWebSocketResponse) -> list[aiohttp.WSMessage]:
        return [await ws.receive() for _ in range(3)]

    async def story(lab: Lab) -> None:
        async with (
            lab.http.ws_connect(lab.ws_url) as good,
            lab.http.ws_connect(lab.ws_url, autoping=False) as bad,
            asyncio.TaskGroup() as group,
        ):
            reading, ignoring = group.create_task(answer(good)), group.create_task(ignore(bad))
            await asyncio.sleep(400)
            await good.send_str("still here")
            assert await reading == "still here"
            seen = await ignoring
            assert [m.type for m in seen[:2]] == [aiohttp.WSMsgType.PING] * 2
            assert (seen[2].type, seen[2].data) == (aiohttp.WSMsgType.CLOSE, 1008)

    play(story)


def test_a_venue_may_pack_frames_into_binary_ones() -> None:
    async def story(lab: Lab) -> None:
        async with lab.http.ws_connect(lab.ws_url) as ws:
            await ws.send_str("pack")
            seen = [await ws.receive() for _ in range(2)]
        told = {message.type: message.data for message in seen}
        assert told == {aiohttp.WSMsgType.BINARY: b"dekcap", aiohttp.WSMsgType.TEXT: "plain"}

    play(story)


def test_the_last_part_of_a_path_may_be_open() -> None:
    async def story(lab: Lab) -> None:
        for path, wanted in (("part/17", "17"), ("part/own", "its own")):
            async with lab.http.get(f"{lab.url}/{path}") as reply:
                assert await reply.text() == wanted
        async with lab.http.get(f"{lab.url}/part/17/more") as reply:
            assert reply.status == 404

    play(story)


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_frame_lengths(size: int) -> None:
    frame = encode_frame(1, b"x" * size)
    extra = 0 if size < 126 else 2 if size < 65536 else 8
    assert len(frame) == 2 + extra + size
    assert frame[0] == 0x81
    assert frame[1] == (size if size < 126 else 126 if size < 65536 else 127)
    assert int.from_bytes(frame[2 : 2 + extra], "big") == (size if extra else 0)


# --------------------------------------------------------------------------- control, run


def test_the_control_port() -> None:
    async def story(lab: Lab) -> None:
        control = lab.world.control_url
        async with lab.http.post(f"{control}/faults", data="P.place -> reject(MARGIN)") as reply:
            assert await reply.json() == ["P.place -> reject(MARGIN)"]
        assert (await lab.place())[0] == 400
        async with lab.http.post(f"{control}/faults", data="P.place -> explode") as reply:
            assert reply.status == 400
        async with lab.http.delete(f"{control}/faults") as reply:
            assert await reply.json() == []
        assert (await lab.place(size="0.5", side="sell"))[0] == 200
        async with lab.http.get(f"{control}/truth") as reply:
            truth = await reply.json()
        account = truth["venues"]["toy"]["a"]
        assert [o["status"] for o in account["orders"]] == ["filled"]
        assert account["positions"][0]["size"] == "-0.50"
        assert ["toy", "rest", "place", 2] in truth["counts"]
        async with lab.http.get(f"{control}/venues") as reply:
            assert await reply.json() == {"toy": lab.world.endpoints["toy"]}
        async with lab.http.get(f"{control}/else") as reply:
            assert reply.status == 404

    play(story)


def test_equal_seeds_are_equal_worlds() -> None:
    async def story(trace: list[Any]) -> None:
        async with (
            lab(source=None, latency=LatencyModel()) as stage,
            stage.http.ws_connect(stage.ws_url) as ws,
        ):
            await ws.send_str("book")
            for _ in range(50):
                trace.append((await ws.receive(), stage.now()))

    first: list[Any] = []
    second: list[Any] = []
    run_virtual(story(first))
    run_virtual(story(second))
    assert [m.data for m, _ in first] == [m.data for m, _ in second]
    assert [t for _, t in first] == pytest.approx([t for _, t in second], abs=1e-6)


class OtherToy(Toy):
    name = "other"


def test_two_venues_see_one_market_a_basis_and_a_lag_apart() -> None:
    async def main() -> None:
        world = await run.start(
            [Toy, OtherToy], coins=("ETH",), basis_bps=D(-10), lag_ms=100, faults="H.fund(0.001)"
        )
        one, other = world.exchanges["toy"], world.exchanges["other"]
        async with world:
            await asyncio.sleep(30)
            ratio = other.mark("ETH") / one.mark("ETH")
            assert abs(ratio - D("0.999")) < D("0.0003")
            assert (one.funding_rate("ETH"), other.funding_rate("ETH")) == (D("0.0001"), D("0.001"))

    run_virtual(main())


def test_close_answers_whoever_still_waits() -> None:
    async def main() -> None:
        rule = "P.* -> drop_request"
        world = await run.start([Toy], source=Still(), coins=("ETH",), faults=rule)
        async with aiohttp.ClientSession() as http:
            asyncio.get_running_loop().call_later(1, lambda: closing.set_result(None))
            closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            async def close() -> None:
                await closing
                await world.close()

            async with asyncio.TaskGroup() as group:
                group.create_task(close())
                with pytest.raises(aiohttp.ClientError):
                    await http.get(f"{world.endpoints['toy']['rest']}/time")

    run_virtual(main())


async def test_real_time_too() -> None:
    async with lab(clock=SystemClock(), source=None) as stage:
        assert (await stage.place())[0] == 200
        async with stage.http.ws_connect(stage.ws_url) as ws:
            await ws.send_str("book")
            assert await ws.receive_str() == "ack"
            assert (await ws.receive_json())["k"] == "book"


async def test_an_unknown_venue_is_named() -> None:
    with pytest.raises(UnknownVenue, match="nowhere"):
        await run.start(["nowhere"])
