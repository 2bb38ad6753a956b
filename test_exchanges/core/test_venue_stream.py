"""Topics, calls and listeners, on a venue invented for it."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from core.ws_double import Peer, Server, until, virtually

from mpdex.errors import (
    AuthError,
    MissingCredentials,
    OutcomeUnknown,
    PostOnlyWouldCross,
    SessionEnded,
    TransportError,
    Unsupported,
    VenueError,
)
from mpdex.types import (
    Event,
    MarkUpdate,
    Reply,
    Request,
    Session,
    StreamDown,
    StreamUp,
    Subscribed,
    Topic,
)
from mpdex.utils.clock import LoopClock
from mpdex.utils.session import SessionKeeper
from mpdex.utils.socket import Engine
from wrappers.base_ws_client import State
from wrappers.venue_stream import VenueStream

BOOK, MARK, FILLS = Topic("book", "ETH"), Topic("mark", "ETH"), Topic("fills")
ORDER = Request("POST", "/order", {"size": "1"}, command=True, call="order")
QUERY = Request("GET", "/order", call="query")
REFUSALS = {"auth": SessionEnded, "cross": PostOnlyWouldCross}


class Acme(VenueStream):
    """Says `{"sub": [...], "id": n}`; fills and orders share a topic; hears what AcmeVenue says."""

    def wire_topic(self, topic: Topic) -> str:
        channel = {"orders": "account", "fills": "account"}.get(topic.channel, topic.channel)
        return f"{channel}.{topic.symbol}"

    def encode_subscribe(self, topics: Sequence[Topic]) -> bytes | list[bytes]:
        return self._frame(sub=[self.wire_topic(t) for t in topics], id=self.request_id(topics))

    def encode_unsubscribe(self, topics: Sequence[Topic]) -> bytes | list[bytes]:
        return [self._frame(unsub=[self.wire_topic(t) for t in topics], id=self.request_id())]

    def encode_call(self, request: Request, id: int) -> bytes:
        return self._frame(call=request.call, id=id)

    def decode(self, frame: bytes) -> Iterable[Event]:
        message = json.loads(frame)
        match message:
            case {"ok": topics}:
                return [Subscribed(topic) for topic in topics]
            case {"mark": price}:
                return [MarkUpdate("ETH", price, None, None)]
            case {"refused": word, "id": id}:
                return [Reply(id, error=REFUSALS.get(word, VenueError)(word))]
            case {"id": id}:
                return [Reply(id, body=message)]
        raise ValueError("unknown frame")

    @staticmethod
    def _frame(**fields: Any) -> bytes:
        return json.dumps(fields).encode()


class Silent(Acme):
    ACKS_SUBSCRIBE = False


class Login(Acme):
    AUTH_TOPIC = "login"

    def encode_auth(self) -> list[bytes]:
        return [self._frame(login=self.keys["api_key"])]


class Locked(Acme):
    def encode_subscribe(self, topics: Sequence[Topic]) -> bytes:
        raise MissingCredentials("no key")


class AcmeVenue:
    """The other end: confirms what it is told to confirm and writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.peers: list[Peer] = []
        self.confirm: Callable[[dict[str, Any]], dict[str, Any] | None] = self.agree

    @staticmethod
    def agree(message: dict[str, Any]) -> dict[str, Any] | None:
        if "sub" in message:
            return {"ok": message["sub"]}
        if "login" in message:
            return {"ok": ["login"]}
        return {"id": message["id"]} if "call" in message else None

    async def __call__(self, peer: Peer) -> None:
        self.peers.append(peer)
        while True:
            message = json.loads(await peer.text())
            self.heard.append(message)
            answer = self.confirm(message)
            if answer is not None:
                peer.send(json.dumps(answer))

    def of(self, key: str) -> list[Any]:
        return [message[key] for message in self.heard if key in message]


class Stage:
    """A venue, a stream to it, and what the stream told."""

    def __init__(self, kind: type[Acme] = Acme, **options: Any) -> None:
        self.venue = AcmeVenue()
        self.server = Server(self.venue)
        self.kind = kind
        self.options = options
        self.events: list[Event] = []

    async def __aenter__(self) -> Stage:
        await self.server.__aenter__()
        self.stream = self.kind(
            url=self.server.url,
            rng=random.Random(7),
            clock=LoopClock(asyncio.get_running_loop(), 0),
            name="acme",
            **self.options,
        )
        self.stream.listeners.append(self.events.append)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stream.close()
        await self.server.__aexit__()

    @property
    def life(self) -> list[Event]:
        return [event for event in self.events if isinstance(event, StreamUp | StreamDown)]

    async def back(self, generation: int) -> None:
        await until(
            lambda: self.stream.state is State.OPEN and self.stream.generation == generation
        )


@pytest.fixture(params=["picows", "websockets"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param


# ------------------------------------------------------------------------- frames and listeners


@virtually
async def test_listeners_hear_events_in_order_and_in_the_callback(engine: Engine) -> None:
    order: list[str] = []
    async with Stage(engine=engine) as stage:
        tasks: set[Any] = set()

        def first(event: Event) -> None:
            tasks.add(asyncio.current_task())
            order.append(f"first {type(event).__name__}")

        stage.stream.listeners[:] = [first, lambda e: order.append(f"second {type(e).__name__}")]
        await stage.stream.connect()
        stage.venue.peers[0].send('{"mark":1}')
        await until(lambda: len(order) == 4)
    assert order[:4] == [
        "first StreamUp",
        "second StreamUp",
        "first MarkUpdate",
        "second MarkUpdate",
    ]
    assert None in tasks  # the mark came in a protocol callback, in no task


@virtually
async def test_a_listener_that_raises_keeps_nothing_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: Event) -> None:
        if isinstance(event, MarkUpdate):
            raise LookupError("bug")  # noqa: TRY004  (any bug)

    async with Stage() as stage:
        stage.stream.listeners.insert(0, broken)
        await stage.stream.connect()
        for _ in range(2):
            stage.venue.peers[0].send('{"mark":1}')
        await until(lambda: len(stage.events) == 3)
        assert stage.stream.state is State.OPEN
        assert stage.stream.quarantine.counts.total() == 2
    assert len([r for r in caplog.records if "set aside" in r.getMessage()]) == 1


@virtually
async def test_undecodable_frames_end_the_connection_visibly() -> None:
    async with Stage() as stage:
        await stage.stream.connect()
        for _ in range(3):
            stage.venue.peers[0].send("garbage")
        stage.venue.peers[0].send('{"mark":1}')
        await until(lambda: len(stage.life) == 2)
        assert stage.life[1] == StreamDown("3 frames in 10 s could not be handled")
        assert not any(isinstance(event, MarkUpdate) for event in stage.events)
        await stage.back(2)


@virtually
async def test_a_message_can_be_handed_in() -> None:
    async with Stage() as stage:
        await stage.stream._handle_message({"mark": 1})  # nobody is connected: nothing to say
        await stage.stream.connect()
        await stage.stream._handle_message({"mark": 2})
    assert [event.mark_price for event in stage.events if isinstance(event, MarkUpdate)] == [2]


# ------------------------------------------------------------------------- topics


@virtually
async def test_subscribe_returns_when_the_venue_has_confirmed(engine: Engine) -> None:
    async with Stage(engine=engine) as stage:
        stage.venue.confirm = lambda message: None
        await stage.stream.connect()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(stage.stream.subscribe(BOOK))
            await until(lambda: stage.venue.of("sub"))
            await asyncio.sleep(5)
            assert not waiting.done()
            stage.venue.peers[0].send('{"ok":["book.ETH"]}')
    assert stage.venue.of("sub") == [["book.ETH"]]
    assert Subscribed("book.ETH") in stage.events


@virtually
async def test_a_reply_with_the_id_confirms_too() -> None:
    async with Stage() as stage:
        stage.venue.confirm = lambda message: {"id": message["id"]}
        await stage.stream.connect()
        await stage.stream.subscribe(BOOK)


@virtually
async def test_without_confirmations_it_returns_after_sending() -> None:
    async with Stage(Silent) as stage:
        stage.venue.confirm = lambda message: None
        await stage.stream.connect()
        await stage.stream.subscribe(BOOK)
        await until(lambda: stage.venue.of("sub") == [["book.ETH"]])
        stage.venue.peers[0].cut()
        await stage.back(2)
        await until(lambda: stage.venue.of("sub") == [["book.ETH"], ["book.ETH"]])


@virtually
async def test_topics_are_counted() -> None:
    async with Stage() as stage:
        await stage.stream.connect()
        await asyncio.gather(*(stage.stream.subscribe(BOOK) for _ in range(3)))
        await stage.stream.subscribe(BOOK)
        for _ in range(3):
            await stage.stream.unsubscribe(BOOK)
        await asyncio.sleep(1)
        assert stage.venue.of("unsub") == []
        await stage.stream.unsubscribe(BOOK)
        await stage.stream.unsubscribe(BOOK)  # one too many: nothing to give back
        await until(lambda: stage.venue.of("unsub"))
        await stage.stream.subscribe(BOOK)
    assert stage.venue.of("sub") == [["book.ETH"], ["book.ETH"]]
    assert stage.venue.of("unsub") == [["book.ETH"]]


@virtually
async def test_two_topics_with_one_text_are_one_subscription() -> None:
    async with Stage() as stage:
        await stage.stream.connect()
        await stage.stream.subscribe(FILLS)
        await stage.stream.subscribe(Topic("orders"))
        await stage.stream.unsubscribe(FILLS)
        await asyncio.sleep(1)
    assert stage.venue.of("sub") == [["account."]]
    assert stage.venue.of("unsub") == []


@virtually
async def test_a_refused_subscription() -> None:
    def refuse_marks(message: dict[str, Any]) -> dict[str, Any] | None:
        if message.get("sub") == ["mark.ETH"]:
            return {"refused": "no such instrument", "id": message["id"]}
        return AcmeVenue.agree(message)

    async with Stage() as stage:
        stage.venue.confirm = refuse_marks
        await stage.stream.connect()
        results = await asyncio.gather(
            stage.stream.subscribe(BOOK),
            stage.stream.subscribe(MARK),
            stage.stream.subscribe(MARK),
            return_exceptions=True,
        )
        assert results[0] is None
        assert all(type(error) is VenueError for error in results[1:])
        stage.venue.peers[0].cut()
        await stage.back(2)
    assert stage.venue.of("sub")[-1] == ["book.ETH"]  # what was refused is not asked again
    assert stage.venue.of("unsub") == []


@virtually
async def test_a_refusal_without_an_id_is_of_what_waits() -> None:
    async with Stage() as stage:
        await stage.stream.connect()
        await stage.stream.subscribe(BOOK)
        stage.venue.confirm = lambda message: {"refused": "what", "id": 0}
        with pytest.raises(VenueError, match="what"):
            await stage.stream.subscribe(MARK)
        assert stage.stream.state is State.OPEN


@virtually
async def test_a_refused_signature_where_nothing_is_confirmed_is_a_drop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Otherwise the private topics would be silent, and look like a quiet account."""
    async with Stage(Silent) as stage:
        stage.venue.confirm = lambda message: {"refused": "auth", "id": 0}
        await stage.stream.connect()
        await stage.stream.subscribe(FILLS)
        await until(lambda: len(stage.life) == 2)
        assert stage.life[1] == StreamDown("a subscription was refused")
        stage.venue.confirm = AcmeVenue.agree
        await stage.back(2)
    assert "refused something" in caplog.text


@virtually
async def test_a_subscription_without_an_answer() -> None:
    loop = asyncio.get_running_loop()
    async with Stage() as stage:
        stage.venue.confirm = lambda message: None
        await stage.stream.connect()
        with pytest.raises(TransportError, match="no confirmation within 10 s"):
            await stage.stream.subscribe(BOOK)
        assert loop.time() == pytest.approx(10, abs=0.1)
        await until(lambda: stage.venue.of("unsub") == [["book.ETH"]])


@virtually
async def test_a_drop_fails_what_waits_and_replays_what_was_confirmed() -> None:
    async with Stage() as stage:
        await stage.stream.connect()
        await stage.stream.subscribe(BOOK)
        stage.venue.confirm = lambda message: None
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_outcome(stage.stream.subscribe(MARK)))
            await until(lambda: len(stage.venue.of("sub")) == 2)
            stage.venue.peers[0].say_goodbye(1001, "restart")
        assert isinstance(waiting.result(), TransportError)
        assert "restart" in str(waiting.result())
        stage.venue.confirm = AcmeVenue.agree
        await stage.back(2)
    assert stage.venue.of("sub") == [["book.ETH"], ["mark.ETH"], ["book.ETH"]]


@virtually
async def test_a_topic_asked_for_during_a_reconnect_waits_for_it() -> None:
    async with Stage() as stage:
        await stage.stream.connect()
        stage.venue.peers[0].cut()
        await until(lambda: stage.stream.state is State.CONNECTING)
        await stage.stream.subscribe(BOOK)
        assert stage.stream.generation == 2
    assert stage.venue.of("sub") == [["book.ETH"]]


@virtually
async def test_nothing_is_subscribed_on_a_closed_stream() -> None:
    async with Stage() as stage:
        with pytest.raises(TransportError, match="not connected"):
            await stage.stream.subscribe(BOOK)
        await stage.stream.unsubscribe(BOOK)
        await stage.stream.connect()
        await stage.stream.close()
        with pytest.raises(TransportError, match="not connected"):
            await stage.stream.subscribe(BOOK)
    assert stage.venue.heard == []


@virtually
async def test_a_canceled_subscribe_holds_no_claim() -> None:
    async with Stage() as stage:
        stage.venue.confirm = lambda message: None
        await stage.stream.connect()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(stage.stream.subscribe(BOOK))
            await until(lambda: stage.venue.of("sub"))
            waiting.cancel()
        await until(lambda: stage.venue.of("unsub") == [["book.ETH"]])
        stage.venue.peers[0].cut()
        await stage.back(2)
    assert stage.venue.of("sub") == [["book.ETH"]]


@virtually
async def test_a_topic_that_cannot_be_encoded_leaves_nothing_behind() -> None:
    async with Stage(Locked) as stage:
        await stage.stream.connect()
        for _ in range(2):
            with pytest.raises(MissingCredentials):
                await stage.stream.subscribe(FILLS)
        stage.venue.peers[0].cut()
        await stage.back(2)


@virtually
async def test_resubscribe_asks_for_a_new_snapshot_once() -> None:
    async with Stage() as stage:
        stage.stream.resubscribe(BOOK)
        await stage.stream.connect()
        await stage.stream.subscribe(BOOK)
        stage.stream.resubscribe(BOOK)
        stage.stream.resubscribe(BOOK)  # already asked for
        stage.stream.resubscribe(MARK)  # nobody wants it
        await until(lambda: len(stage.venue.of("sub")) == 2)
        await asyncio.sleep(1)
        stage.stream.resubscribe(BOOK)
        await until(lambda: len(stage.venue.of("sub")) == 3)
    assert stage.venue.of("unsub") == [["book.ETH"]] * 2


# ------------------------------------------------------------------------- up and down


@virtually
async def test_up_comes_after_every_replay_is_confirmed_and_down_at_once() -> None:
    async with Stage() as stage:
        await stage.stream.connect()
        assert stage.life == [StreamUp(1)]
        await stage.stream.subscribe(BOOK)
        await stage.stream.subscribe(MARK)
        stage.venue.confirm = lambda message: None
        stage.venue.peers[0].say_goodbye(1012, "service restart")
        await until(lambda: len(stage.venue.of("sub")) == 3)
        assert stage.life == [StreamUp(1), StreamDown("closed by the server: 1012 service restart")]
        assert stage.venue.of("sub")[2] == ["book.ETH", "mark.ETH"]  # in one frame
        stage.venue.peers[1].send('{"ok":["book.ETH"]}')
        await asyncio.sleep(2)
        assert stage.stream.state is State.CONNECTING
        stage.venue.peers[1].send('{"ok":["mark.ETH"]}')
        await stage.back(2)
        assert stage.life[2:] == [StreamUp(2)]
    assert stage.life[3:] == [StreamDown("closed")]


@virtually
async def test_an_unconfirmed_replay_is_a_failed_attempt() -> None:
    async with Stage() as stage:
        await stage.stream.connect()
        await stage.stream.subscribe(BOOK)
        stage.venue.confirm = lambda message: None
        stage.venue.peers[0].cut()
        await until(lambda: len(stage.venue.peers) == 3)
        stage.venue.confirm = AcmeVenue.agree
        await stage.back(stage.stream.generation + 1)
    ups = [event for event in stage.life if isinstance(event, StreamUp)]
    assert ups[0] == StreamUp(1)
    assert len(ups) == 2  # no up for what was never confirmed


@virtually
async def test_a_refused_replay_is_tried_again_and_not_forgotten() -> None:
    async with Stage() as stage:
        await stage.stream.connect()
        await stage.stream.subscribe(BOOK)
        stage.venue.confirm = lambda message: {"refused": "maintenance", "id": message["id"]}
        stage.venue.peers[0].cut()
        await until(lambda: len(stage.venue.peers) == 3)
        stage.venue.confirm = AcmeVenue.agree
        await stage.back(4)
    assert stage.venue.of("sub")[-1] == ["book.ETH"]


@virtually
async def test_authentication_comes_first_on_every_connection() -> None:
    async with Stage(Login, keys={"api_key": "k"}) as stage:
        await stage.stream.connect()
        await stage.stream.subscribe(FILLS)
        stage.venue.peers[0].cut()
        await stage.back(2)
    assert [next(iter(message)) for message in stage.venue.heard] == ["login", "sub"] * 2


@virtually
async def test_a_topic_waits_for_the_authentication() -> None:
    async with Stage(Login, keys={"api_key": "k"}) as stage:
        await stage.stream.connect()
        stage.venue.confirm = lambda message: None
        stage.venue.peers[0].cut()
        await until(lambda: len(stage.venue.of("login")) == 2)
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.stream.subscribe(FILLS))
            await asyncio.sleep(1)
            assert stage.venue.of("sub") == []
            stage.venue.confirm = AcmeVenue.agree
            stage.venue.peers[1].send('{"ok":["login"]}')
        assert stage.venue.of("sub") == [["account."]]


@virtually
async def test_a_refused_authentication_is_told_by_connect() -> None:
    async with Stage(Login, keys={"api_key": "k"}) as stage:
        stage.venue.confirm = lambda message: {"refused": "auth", "id": 0}
        with pytest.raises(AuthError):
            await stage.stream.connect()
        assert stage.life == []


@virtually
async def test_a_drop_during_the_greeting_is_noticed_at_once() -> None:
    loop = asyncio.get_running_loop()
    async with Stage(Login, keys={"api_key": "k"}) as stage:

        def leave(message: dict[str, Any]) -> None:
            if len(stage.venue.peers) == 1:
                stage.venue.peers[0].cut()
            else:
                stage.venue.peers[1].send('{"ok":["login"]}')

        stage.venue.confirm = leave
        await stage.stream.connect()
        assert loop.time() < 2
    assert stage.life == [StreamUp(2), StreamDown("closed")]


# ------------------------------------------------------------------------- calls


@virtually
async def test_calls_are_written_at_once_and_answered_by_id(engine: Engine) -> None:
    held: list[dict[str, Any]] = []
    async with Stage(engine=engine) as stage:
        stage.venue.confirm = lambda message: held.append(message)
        await stage.stream.connect()
        first, second = stage.stream.call(ORDER), stage.stream.call(QUERY)
        await until(lambda: len(held) == 2)
        assert [message["call"] for message in held] == ["order", "query"]
        for message in reversed(held):
            stage.venue.peers[0].send(json.dumps({"id": message["id"]}))
        assert (await second)["id"] == held[1]["id"]
        assert (await first)["id"] == held[0]["id"]
        assert held[0]["id"] != held[1]["id"]


@virtually
async def test_a_refused_call() -> None:
    async with Stage() as stage:
        stage.venue.confirm = lambda message: {"refused": "cross", "id": message["id"]}
        await stage.stream.connect()
        with pytest.raises(PostOnlyWouldCross):
            await stage.stream.call(ORDER)


@virtually
async def test_a_drop_makes_commands_unknown_and_queries_unanswered() -> None:
    async with Stage() as stage:
        stage.venue.confirm = lambda message: None
        await stage.stream.connect()
        order, query = stage.stream.call(ORDER), stage.stream.call(QUERY)
        states: list[bool] = []
        stage.stream.listeners.append(
            lambda event: states.append(order.done()) if type(event) is StreamDown else None
        )
        await until(lambda: len(stage.venue.heard) == 2)
        stage.venue.peers[0].cut()
        with pytest.raises(OutcomeUnknown, match="POST /order") as caught:
            await order
        with pytest.raises(TransportError):
            await query
        assert caught.value.request == "POST /order"
        assert states == [True]
        with pytest.raises(TransportError, match="not connected"):
            stage.stream.call(ORDER)
        await stage.back(2)
    assert stage.venue.of("call") == ["order", "query"]  # nothing is sent twice


@virtually
async def test_every_call_has_its_deadline_and_all_share_one_timer() -> None:
    loop = asyncio.get_running_loop()
    async with Stage() as stage:
        stage.venue.confirm = lambda message: None
        await stage.stream.connect()
        timers = len(loop._scheduled)  # type: ignore[attr-defined]
        calls = [stage.stream.call(ORDER) for _ in range(100)]
        assert len(loop._scheduled) == timers + 1  # type: ignore[attr-defined]
        await asyncio.sleep(4)
        late = stage.stream.call(QUERY)
        await asyncio.wait(calls)
        assert loop.time() == pytest.approx(10, abs=0.01)
        assert all(isinstance(call.exception(), OutcomeUnknown) for call in calls)
        assert not late.done()
        with pytest.raises(TransportError, match="no answer within 10 s"):
            await late
        assert loop.time() == pytest.approx(14, abs=0.01)
        assert stage.stream.state is State.OPEN


@virtually
async def test_an_answer_after_the_deadline_harms_nobody() -> None:
    async with Stage() as stage:
        stage.venue.confirm = lambda message: None
        await stage.stream.connect()
        with pytest.raises(OutcomeUnknown):
            await stage.stream.call(ORDER)
        id = stage.venue.heard[0]["id"]
        stage.venue.peers[0].send(json.dumps({"refused": "late", "id": id}))
        stage.venue.confirm = AcmeVenue.agree
        await stage.stream.subscribe(BOOK)
        await stage.stream.call(QUERY)
        assert stage.stream.quarantine.counts.total() == 0


@virtually
async def test_an_abandoned_call_is_no_trouble() -> None:
    async with Stage() as stage:
        stage.venue.confirm = lambda message: None
        await stage.stream.connect()
        answered, expired = stage.stream.call(QUERY), stage.stream.call(QUERY)
        answered.cancel()
        expired.cancel()
        await until(lambda: len(stage.venue.heard) == 2)
        stage.venue.peers[0].send(json.dumps({"id": stage.venue.heard[0]["id"]}))
        await asyncio.sleep(30)
        assert stage.stream.quarantine.counts.total() == 0


@virtually
async def test_a_call_the_venue_has_no_frame_for() -> None:
    class Deaf(Acme):
        encode_call = VenueStream.encode_call

    async with Stage(Deaf) as stage:
        await stage.stream.connect()
        with pytest.raises(Unsupported, match="does not go over the socket"):
            stage.stream.call(ORDER)


# ------------------------------------------------------------------------- sessions


class Logins:
    def __init__(self) -> None:
        self.count = 0
        clock = LoopClock(asyncio.get_running_loop(), 0)
        self.keeper = SessionKeeper(self.login, clock=clock)

    async def login(self) -> Session:
        self.count += 1
        return Session({"Cookie": f"token={self.count}"})


@pytest.mark.parametrize("way", ["call", "subscribe"])
@virtually
async def test_a_session_refused_later_recycles_the_connection(way: str) -> None:
    logins = Logins()
    async with Stage(session=logins.keeper) as stage:
        stage.venue.confirm = lambda message: {"refused": "auth", "id": message["id"]}
        await stage.stream.connect()
        stream = stage.stream
        with pytest.raises(AuthError):
            await (stream.call(ORDER) if way == "call" else stream.subscribe(FILLS))
        stage.venue.confirm = AcmeVenue.agree
        await stage.back(2)
        assert stage.life[1] == StreamDown("the session was refused")
    cookies = [peer.headers["cookie"] for peer in stage.server.peers]
    assert cookies == ["token=1", "token=2"]


@virtually
async def test_a_refused_permission_without_a_session_is_only_an_error() -> None:
    async with Stage() as stage:
        stage.venue.confirm = lambda message: {"refused": "auth", "id": message["id"]}
        await stage.stream.connect()
        with pytest.raises(AuthError):
            await stage.stream.call(ORDER)
        await asyncio.sleep(5)
        assert stage.stream.generation == 1


@virtually
async def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Stage(Login, keys={"api_key": "hunter2"}) as stage:
        await stage.stream.connect()
        stage.venue.peers[0].cut()
        await stage.back(2)
        assert "hunter2" not in repr(stage.stream) + str(vars(stage.stream)["name"])
    assert "hunter2" not in caplog.text


@virtually
async def test_a_day_of_drops_leaves_nothing_behind() -> None:
    """Memory and timers stay flat over a thousand connections."""
    loop = asyncio.get_running_loop()
    async with Stage() as stage:
        await stage.stream.connect()
        await stage.stream.subscribe(BOOK)
        for generation in range(2, 1002):
            stage.stream.call(QUERY).add_done_callback(lambda future: future.exception())
            await asyncio.sleep(60)
            stage.venue.peers[-1].cut()
            await stage.back(generation)
        assert len(asyncio.all_tasks()) <= 4
        assert len(stage.stream._topics) == 1
        assert stage.stream._calls == {}
        assert len(loop._scheduled) < 50  # type: ignore[attr-defined]
    assert len(stage.life) == 2002


async def _outcome(call: Any) -> Exception | None:
    try:
        await call
    except TransportError as error:
        return error
    return None
