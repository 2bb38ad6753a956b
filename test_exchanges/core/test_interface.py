"""multi_perp_dex and mpdex.dex: the guide's own classes work unchanged, and what a SPEC gives."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from mpdex.errors import (
    AuthError,
    BadOrder,
    MissingCredentials,
    MpdexError,
    NotSynced,
    OrderNotFound,
    OutcomeUnknown,
    ProtocolError,
    TransportError,
    Unsupported,
    UsageError,
    VenueError,
)
from mpdex.types import (
    CancelRequest,
    Fill,
    Json,
    Lane,
    Market,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Position,
    Request,
    StreamDown,
    TimeInForce,
    Topic,
    VenueSpec,
)
from mpdex.utils.clock import LoopClock, VenueClock
from mpdex.utils.translation import FillPage, checked
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin

D = Decimal
ETH = "ETH-PERP"
METHODS = {
    "create_order": ["symbol", "side", "amount", "price", "order_type"],
    "get_position": ["symbol"],
    "close_position": ["symbol", "position"],
    "get_collateral": [],
    "get_open_orders": ["symbol"],
    "cancel_orders": ["symbol", "open_orders"],
    "get_mark_price": ["symbol"],
    "update_leverage": ["symbol", "leverage"],
    "get_available_symbols": [],
    "close": [],
}
WS_SUPPORTED = {
    "get_mark_price": False,
    "get_position": False,
    "get_open_orders": False,
    "get_collateral": False,
    "get_orderbook": False,
    "create_order": False,
    "cancel_orders": False,
    "update_leverage": False,
}


# --------------------------------------------------------------------------- as the guide has it


class MyExchange(MultiPerpDexMixin, MultiPerpDex):
    """Word for word what the guide tells a newcomer to write."""

    def __init__(self, api_key: str, secret: str) -> None:
        super().__init__()
        self.api_key = api_key
        self.secret = secret
        self.has_spot = False
        self.orders: list[tuple[Any, ...]] = []
        self.position: Any = None
        self.closed = False

    async def init(self) -> MyExchange:
        self.available_symbols = {"ETH": ETH}
        return self

    async def create_order(  # type: ignore[override]
        self,
        symbol: str,
        side: str,
        amount: Any,
        price: Any = None,
        order_type: str = "market",
        is_reduce_only: bool = False,
    ) -> str:
        self.orders.append((symbol, side, amount, price, order_type, is_reduce_only))
        return "placed"

    async def get_position(self, symbol: str) -> Any:
        return self.position

    async def get_collateral(self) -> Any:
        return {"total": 1}

    async def get_open_orders(self, symbol: str) -> Any:  # type: ignore[override]
        return []

    async def cancel_orders(self, symbol: str, open_orders: Any = None) -> Any:
        return open_orders

    async def get_mark_price(self, symbol: str) -> Any:
        return D(3000)

    async def update_leverage(self, symbol: str, leverage: Any) -> Any:
        return leverage

    async def get_available_symbols(self) -> Any:
        return {"perp": [ETH]}

    async def close(self) -> None:
        self.closed = True


async def test_the_guides_class_works_unchanged() -> None:
    async with await MyExchange("key", secret="word").init() as dex:  # noqa: S106
        assert dex.available_symbols == {"ETH": ETH}
        assert dex.has_spot is False
        assert dex.ws_supported == WS_SUPPORTED
        assert await dex.create_order(ETH, "buy", 1) == "placed"
    assert dex.closed


@pytest.mark.parametrize(
    ("side", "closing"), [("long", "sell"), ("short", "buy"), ("LONG", "sell"), ("buy", "sell")]
)
async def test_closing_is_inherited(side: str, closing: str) -> None:
    dex = MyExchange("key", "word")
    dex.position = {"side": side, "size": D(2)}
    assert await dex.close_position(ETH) == "placed"
    assert await dex.close_position(ETH, {"side": side, "size": D(3)}) == "placed"
    assert dex.orders == [(ETH, closing, size, None, "market", True) for size in (D(2), D(3))]


async def test_closing_nothing_is_none() -> None:
    dex = MyExchange("key", "word")
    assert await dex.close_position(ETH) is None
    assert dex.orders == []


async def test_init_gives_the_object_by_default() -> None:
    class Plain(MyExchange):
        init = MultiPerpDex.init  # type: ignore[assignment]

    dex = Plain("key", "word")
    assert await dex.init() is dex


def test_the_interface_is_abstract_and_has_the_guides_signatures() -> None:
    assert MultiPerpDex.__abstractmethods__ == METHODS.keys()
    with pytest.raises(TypeError, match="abstract"):
        MultiPerpDex()  # type: ignore[abstract]
    for kind in (MultiPerpDex, MultiPerpDexMixin):
        for name, parameters in METHODS.items():
            method = inspect.signature(getattr(kind, name)).parameters
            assert list(method)[1 : len(parameters) + 1] == parameters, name
    defaults = {
        "create_order": {"price": None, "order_type": "market"},
        "cancel_orders": {"open_orders": None},
        "close_position": {"position": None},
    }
    for name, wanted in defaults.items():
        method = inspect.signature(getattr(MultiPerpDexMixin, name)).parameters
        assert {parameter: method[parameter].default for parameter in wanted} == wanted


def test_what_the_interface_begins_with() -> None:
    dex = MyExchange("key", "word")
    assert dex.ws_supported == WS_SUPPORTED
    other = MyExchange("key", "word")
    other.ws_supported["create_order"] = True
    assert dex.ws_supported == WS_SUPPORTED, "the objects share their dict"


def test_a_class_with_neither_spec_nor_methods_is_refused_by_name() -> None:
    class Half(MultiPerpDexMixin, MultiPerpDex):
        async def get_position(self, symbol: str) -> Any:
            return None

    with pytest.raises(
        TypeError, match="Half has neither a SPEC nor its own cancel_orders"
    ) as told:
        Half()
    missing = set(METHODS) - {"get_position", "close_position"}
    assert str(told.value).endswith(", ".join(sorted(missing)))


def test_a_class_without_a_spec_takes_no_keys() -> None:
    class Own(MyExchange):
        def __init__(self, **keys: str) -> None:
            MultiPerpDexMixin.__init__(self, **keys)

    with pytest.raises(TypeError, match=r"Own\(\) got unexpected arguments: api_key"):
        Own(api_key="key")


# --------------------------------------------------------------------------- with a SPEC


class AcmeStream:
    HOST = "ws"
    CHANNELS = frozenset({"book", "mark", "orders", "fills"})
    PRIVATE = True

    @classmethod
    def patience(cls) -> float:
        return 30.0

    @classmethod
    def path_of(cls, topic: Topic) -> str:
        return ""


class Acme(MultiPerpDexMixin, MultiPerpDex):
    """Translations that say nothing but what they were asked."""

    SPEC = VenueSpec(
        name="acme",
        endpoints={"rest": "https://api.acme.example", "ws": "wss://ws.acme.example"},
        credentials=("api_key", "secret_key"),
        optional_credentials=("account",),
        supports=frozenset({"post_only", "reduce_only", "market", "ioc", "client_order_id"}),
    )

    @classmethod
    def streams(cls) -> tuple[type[Any], ...]:
        return (AcmeStream,)

    def encode_markets(self) -> list[Request]:
        return [Request("GET", "/markets")]

    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        found: list[Market] = answers[0]
        return found

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        return Request("POST", "/order", json=order, signed=True, command=True, lane=Lane.QUOTE)

    def decode_order(self, answer: Json) -> Order:
        if answer == "new word":
            raise ProtocolError("a status nobody knows", venue="acme")
        return dict(answer)  # type: ignore[return-value]

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        return Request("DELETE", "/order", json=cancel, signed=True, command=True)

    def decode_cancel(self, answer: Json) -> Order | None:
        return answer  # type: ignore[no-any-return]

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        return [Request("GET", path, json=query, signed=True) for path in ("/live", "/past")]

    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        return answer  # type: ignore[no-any-return]

    def encode_open_orders(self, market: Market | None) -> Request:
        return Request("GET", "/orders", signed=True)

    def decode_orders(self, answer: Json) -> list[Order]:
        return list(answer)

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        return Request("GET", "/fills", query={"cursor": cursor or ""}, signed=True)

    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        return FillPage(*answer)

    def encode_positions(self, market: Market | None) -> Request:
        return Request("GET", "/positions", signed=True)

    def decode_positions(self, answer: Json) -> list[Position]:
        return list(answer)


Kind = TypeVar("Kind", bound=Acme)


class Wire:
    """In place of the transport: answers in order, and what was sent."""

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self.answers: deque[Any] = deque()
        self.counts: dict[tuple[str, str], int] = {}
        self.closed = 0

    async def send(self, request: Request) -> Json:
        self.sent.append(request)
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed += 1


MARKET = Market(
    symbol=ETH,
    coin="ETH",
    quote="USD",
    kind="perp",
    tick=D("0.01"),
    step=D("0.001"),
    min_size=D("0.001"),
    min_notional=None,
    max_size=None,
    multiplier=D(1),
    max_leverage=None,
    significant_figures=None,
    price_band=None,
    active=True,
    raw={},
)
ORDER: dict[str, Any] = {
    "id": "1",
    "client_order_id": "7",
    "symbol": ETH,
    "status": OrderStatus.OPEN,
}


@pytest.fixture
def wire() -> Wire:
    return Wire()


async def opened(kind: type[Kind], wire: Wire) -> Kind:
    made = kind(api_key="key", secret_key="word")  # noqa: S106
    made._rest = wire  # type: ignore[assignment]
    wire.answers.append([MARKET])
    await made.init()
    wire.sent.clear()
    return made


@pytest.fixture
async def dex(wire: Wire) -> Acme:
    return await opened(Acme, wire)


def test_the_spec_says_what_goes_by_socket() -> None:
    dex = Acme(api_key="key", secret_key="word")  # noqa: S106
    told = {"get_mark_price": True, "get_open_orders": True, "get_orderbook": True}
    assert dex.ws_supported == {**WS_SUPPORTED, **told}
    assert (dex.name, dex.has_spot) == ("acme", False)
    assert dex.endpoints == Acme.SPEC.endpoints


def test_an_endpoint_is_overridden_by_name() -> None:
    dex = Acme(api_key="key", secret_key="word", endpoints={"rest": "http://here"})  # noqa: S106
    assert dex.endpoints == {**Acme.SPEC.endpoints, "rest": "http://here"}


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        ({"api_key": "key"}, MissingCredentials, r"secret_key missing; keys/copy\.pk_acme\.py"),
        ({}, MissingCredentials, "api_key, secret_key missing"),
        ({"api_key": "key", "secret_key": ""}, MissingCredentials, "secret_key missing"),
        ({"api_key": "k", "secret_key": "s", "secret": "s"}, UsageError, "unknown key secret"),
    ],
)
def test_keys_are_checked_by_name(keys: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Acme(**keys)


def test_white_space_around_a_key_is_none_of_it() -> None:
    copied = {"api_key": " key\n", "secret_key": "\tword"}
    assert Acme(**copied).keys == {"api_key": "key", "secret_key": "word"}


def test_no_key_is_in_the_repr() -> None:
    dex = Acme(api_key="long-secret-key", secret_key="another-secret")  # noqa: S106
    assert repr(dex) == str(dex) == "<Acme>"


def test_what_a_request_carries_is_not_in_its_repr() -> None:
    """Logins have a key in their body, proofs one in their headers."""
    carried = {"json": {"api_key": "long-secret"}, "body": b"long-secret"}
    request = Request("POST", "/login", **carried, headers={"X-Key": "long-secret"})
    assert "POST" in repr(request)
    assert "/login" in repr(request)
    assert "long-secret" not in f"{request!r} {request}"


@pytest.mark.parametrize(("command", "kind"), [(True, OutcomeUnknown), (False, ProtocolError)])
@pytest.mark.parametrize("answer", [{}, [], None, {"code": None}, {"code": "x"}])
def test_a_verdict_in_a_form_that_nobody_knows_is_none(
    command: bool, kind: type[Exception], answer: Json
) -> None:
    class Strict(Acme):
        def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
            return None if int(answer["code"]) == 0 else VenueError("no", venue="acme")

    dex, request = Strict(read_only=True), Request("POST", "/order", command=command)
    assert dex._failure(200, {"code": 0}, request) is None
    assert type(dex._failure(200, {"code": 1}, request)) is VenueError
    error = dex._failure(200, answer, request)
    assert type(error) is kind
    assert "POST /order" in str(error)


async def test_read_only_refuses_what_needs_keys(wire: Wire) -> None:
    dex = Acme(read_only=True)
    dex._rest = wire  # type: ignore[assignment]
    wire.answers.append([MARKET])
    await dex.init()
    for call in (lambda: dex.get_open_orders(ETH), lambda: dex.create_order(ETH, "buy", 1)):
        with pytest.raises(MissingCredentials, match="read-only"):
            await call()
    assert len(wire.sent) == 1


async def test_an_order_is_put_on_the_grid_and_sent_once(dex: Acme, wire: Wire) -> None:
    wire.answers.append(ORDER)
    placed = await dex.create_order(ETH, "BUY", "1.23456", 3000.019, post_only=True)
    assert placed == ORDER
    [request] = wire.sent
    asked: OrderRequest = request.json
    assert (asked.size, asked.price, asked.side) == (D("1.234"), D("3000.01"), "buy")
    assert asked.post_only
    assert asked.time_in_force is TimeInForce.GTC
    assert dex.client_ids.ours(asked.client_id)


@pytest.mark.parametrize(
    ("options", "tif"),
    [
        ({}, TimeInForce.IOC),
        ({"price": "3000"}, TimeInForce.GTC),
        ({"price": "3000", "time_in_force": "ioc"}, TimeInForce.IOC),
    ],
)
async def test_how_long_an_order_lives(
    dex: Acme, wire: Wire, options: dict[str, Any], tif: TimeInForce
) -> None:
    wire.answers.append(ORDER)
    await dex.create_order(ETH, "sell", 1, **options)
    assert wire.sent[0].json.time_in_force is tif


async def test_the_lane_of_an_order_is_the_callers(dex: Acme, wire: Wire) -> None:
    wire.answers.extend([ORDER, ORDER])
    await dex.create_order(ETH, "sell", 1)
    await dex.create_order(ETH, "sell", 1, lane=Lane.HEDGE)
    assert [request.lane for request in wire.sent] == [Lane.QUOTE, Lane.HEDGE]


@pytest.mark.parametrize(
    "options",
    [
        {"time_in_force": "FOK", "price": 3000},
        {"slippage_bps": 5},
    ],
)
async def test_flags_are_refused_before_sending(
    dex: Acme, wire: Wire, options: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported):
        await dex.create_order(ETH, "buy", 1, **options)
    assert wire.sent == []


@pytest.mark.parametrize("answer", [OutcomeUnknown("lost", venue="acme"), "new word"])
async def test_doubt_names_the_order(dex: Acme, wire: Wire, answer: Any) -> None:
    wire.answers.append(answer)
    with pytest.raises(OutcomeUnknown) as caught:
        await dex.create_order(ETH, "buy", 1, 3000, client_order_id="77")
    assert caught.value.client_order_id == "77"
    assert len(wire.sent) == 1


class Countersigned(Acme):
    """Somebody else has the key: asks there, and sends what comes back."""

    SPEC = replace(Acme.SPEC, countersigner="wallet", request_bound_ms=5000)

    def encode_countersign(self, request: Request, now_ms: int) -> Request:
        return Request("POST", "/sign", json=[request.path, now_ms], host="wallet")

    @checked("acme")
    def decode_countersign(self, answer: Json, request: Request) -> Request:
        return replace(request, json=answer["payload"], signed=False)


@pytest.fixture
async def elsewhere(wire: Wire) -> Countersigned:
    return await opened(Countersigned, wire)


async def test_a_command_signed_elsewhere_goes_there_first(
    elsewhere: Countersigned, wire: Wire
) -> None:
    wire.answers += [{"payload": "proof"}, ORDER]
    order = await elsewhere.create_order(ETH, "buy", 1, 3000)
    assert order["id"] == "1"
    asked, sent = wire.sent
    assert (asked.host, asked.path, asked.command) == ("wallet", "/sign", True)
    assert (sent.path, sent.json, sent.command, sent.signed) == ("/order", "proof", True, False)
    assert sent.weight == 0, "its limit was waited for before it was signed"
    assert elsewhere._throttle.spent["default", Lane.QUOTE] == 1


@pytest.mark.parametrize(
    "answer",
    [
        OutcomeUnknown("no answer within 10 s", venue="acme"),
        ProtocolError("HTTP 200 with a body that is not JSON", venue="acme"),
        TransportError("cannot connect", venue="acme"),
        {"no": "payload"},
        None,
    ],
)
async def test_without_a_signature_nothing_was_sent(
    elsewhere: Countersigned, wire: Wire, answer: Any
) -> None:
    wire.answers.append(answer)
    with pytest.raises(TransportError):
        await elsewhere.create_order(ETH, "buy", 1, 3000)
    assert [request.path for request in wire.sent] == ["/sign"]


async def test_both_ways_of_a_command_signed_elsewhere_are_warmed(
    elsewhere: Countersigned, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed: list[str] = []

    async def warm(host: str = "") -> None:
        warmed.append(host)

    async def stream_for(topic: Topic) -> None:
        warmed.append(topic.channel)

    elsewhere._rest.warm = warm  # type: ignore[method-assign]
    elsewhere._stream_for = stream_for  # type: ignore[method-assign, assignment]
    await elsewhere.warm()
    assert warmed == [""], "all hosts, the signer's among them"
    monkeypatch.setattr(Countersigned, "SPEC", replace(Countersigned.SPEC, order_route="ws"))
    await elsewhere.warm()
    assert warmed == ["", "orders", "wallet"]


async def test_a_refused_signature_is_a_refusal(elsewhere: Countersigned, wire: Wire) -> None:
    wire.answers.append(AuthError("invalid key", venue="acme"))
    with pytest.raises(AuthError, match="invalid key"):
        await elsewhere.cancel_order(ETH, "1")
    assert [request.path for request in wire.sent] == ["/sign"]


async def test_doubt_begins_with_the_second_hop(elsewhere: Countersigned, wire: Wire) -> None:
    wire.answers += [{"payload": "proof"}, OutcomeUnknown("lost", venue="acme")]
    with pytest.raises(OutcomeUnknown) as caught:
        await elsewhere.create_order(ETH, "buy", 1, 3000, client_order_id="77")
    assert caught.value.client_order_id == "77"


async def test_a_signature_that_comes_too_late_is_not_used(
    elsewhere: Countersigned, wire: Wire
) -> None:
    clock = LoopClock(asyncio.get_running_loop(), 10**18)
    elsewhere.venue_clock = VenueClock(clock)

    async def send(request: Request) -> Json:
        wire.sent.append(request)
        clock.skew_ns += 5 * 10**9
        return {"payload": "proof"}

    elsewhere._rest.send = send  # type: ignore[method-assign]
    with pytest.raises(TransportError, match="too late"):
        await elsewhere.create_order(ETH, "buy", 1, 3000)
    assert [request.path for request in wire.sent] == ["/sign"]


class Nameless(Acme):
    """Its keys do not say whose they are."""

    SPEC = replace(Acme.SPEC, account="account")

    def encode_account(self) -> Request | None:
        return None if self.keys.get("account") else Request("GET", "/whose", signed=True)

    def decode_account(self, answer: Json) -> str:
        return str(answer["account"])


async def test_an_account_that_the_keys_do_not_name_is_asked_for(wire: Wire) -> None:
    keys = {"api_key": "key", "secret_key": "word"}
    asked, told = Nameless(**keys), Nameless(**keys, account="7")  # type: ignore[arg-type]
    for dex in (asked, told):
        dex._rest = wire  # type: ignore[assignment]
    wire.answers += [{"account": "7"}, [MARKET], [MARKET]]
    assert (await asked.init()).keys == (await told.init()).keys == {**keys, "account": "7"}
    assert asked.account_id == told.account_id
    assert [request.path for request in wire.sent] == ["/whose", "/markets", "/markets"]


async def test_without_keys_nobody_asks_whose_they_are(wire: Wire) -> None:
    dex = Nameless(read_only=True)
    dex._rest = wire  # type: ignore[assignment]
    wire.answers.append([MARKET])
    await dex.init()
    assert [request.path for request in wire.sent] == ["/markets"]


async def test_blocked_orders_send_nothing(dex: Acme, wire: Wire) -> None:
    dex.block_orders("this is a dry run")
    calls = (
        lambda: dex.create_order(ETH, "buy", 1),
        lambda: dex.cancel_order(ETH, "1"),
    )
    for call in calls:
        with pytest.raises(Unsupported, match="this is a dry run"):
            await call()
    assert wire.sent == []


async def test_an_order_is_looked_for_in_each_place(dex: Acme, wire: Wire) -> None:
    gone = OrderNotFound("gone", venue="acme")
    wire.answers.extend([gone, ORDER])
    assert await dex.get_order(ETH, "1") == ORDER
    wire.answers.extend([None, ORDER])
    assert await dex.get_order(ETH, client_order_id="7") == ORDER
    assert [request.path for request in wire.sent] == ["/live", "/past"] * 2
    wire.answers.extend([gone, None])
    with pytest.raises(OrderNotFound, match="no order 1 on ETH-PERP"):
        await dex.get_order(ETH, "1")


async def test_cancels_go_one_by_one_where_there_is_no_other_way(dex: Acme, wire: Wire) -> None:
    second = {**ORDER, "id": "2"}
    wire.answers.extend([[ORDER, second], OrderNotFound("filled", venue="acme"), None])
    assert await dex.cancel_orders(ETH) == [second]
    assert [request.method for request in wire.sent] == ["GET", "DELETE", "DELETE"]


async def test_all_pages_of_fills_once_each_oldest_first(dex: Acme, wire: Wire) -> None:
    def fill(id: str, at: int, symbol: str = ETH) -> Fill:
        return {  # type: ignore[typeddict-item]
            "id": id,
            "order_id": "1",
            "symbol": symbol,
            "timestamp_ms": at,
        }

    pages = [
        ([fill("4", 40), fill("9", 35, "BTC-PERP"), fill("3", 30)], "a"),
        ([fill("3", 30), fill("2", 20)], "b"),
        ([fill("1", 10)], None),
    ]
    wire.answers.extend(pages)
    assert [f["id"] for f in await dex.get_fills(ETH, since=20)] == ["2", "3", "4"]
    assert [request.query for request in wire.sent] == [{"cursor": c} for c in ("", "a", "b")]


async def test_a_list_that_goes_on_with_what_has_ended_is_asked_order_by_order(
    dex: Acme, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Acme, "SPEC", replace(Acme.SPEC, lists_ended=True))
    second, third = {**ORDER, "id": "2"}, {**ORDER, "id": "3"}
    ended = {**ORDER, "status": OrderStatus.CANCELED}
    gone = OrderNotFound("not yet", venue="acme")
    wire.answers.extend([[ORDER, second, third], ended, second, gone, None])
    assert await dex.read_open_orders(ETH) == [second, third]
    asked = [(request.path, getattr(request.json, "order_id", "")) for request in wire.sent]
    one_by_one = [("/live", "1"), ("/live", "2"), ("/live", "3"), ("/past", "3")]
    assert asked == [("/orders", ""), *one_by_one]
    wire.answers.extend([[], [ORDER], ended])
    assert await dex._fetch_account(None) == ([], [], [])


async def test_orders_may_have_a_socket_of_their_own(dex: Acme, wire: Wire) -> None:
    class Entry(AcmeStream):
        HOST, CHANNELS = "entry", frozenset({"commands"})

    class Line:
        def __init__(self, kind: type[Any]) -> None:
            self.kind, self.listeners, self.connected = kind, list[Any](), True

        async def close(self) -> None:
            assert self.listeners == [], "somebody still listens"

    async def connect(kind: Any, url: str) -> Line:
        return Line(kind)

    dex.endpoints = {**dex.endpoints, "entry": "wss://entry.acme.example"}
    dex.streams = lambda: (AcmeStream, Entry)  # type: ignore[misc,method-assign,assignment]
    dex._connect = connect  # type: ignore[method-assign]
    assert dex._commands == Topic("commands")
    assert "commands" not in dex.stream_channels
    assert dex._command_stream() is None
    line: Any = await dex._stream_for(dex._commands)
    assert line is dex._command_stream()
    assert line.kind is Entry
    account: Any = await dex._stream_for(Topic("orders"))
    for line.connected, account.connected, detour in (
        (True, True, False),
        (False, True, True),
        (True, False, True),
    ):
        assert dex._must_detour() is detour, "one is lost: the other one is as good as lost"
    heard: list[Order] = []
    dex.on_orders(heard.append)
    [told] = line.listeners
    told(StreamDown("nobody minds"))
    told(OrderUpdate({**ORDER, "filled": D(0)}))  # type: ignore[typeddict-item]
    assert [order["id"] for order in heard] == ["1"]
    await dex.close()


async def test_a_position_is_that_of_the_market(dex: Acme, wire: Wire) -> None:
    other, ours = {"symbol": "BTC-PERP"}, {"symbol": ETH}
    wire.answers.extend([[other], [other, ours], [other, ours]])
    assert await dex.get_position(ETH) is None
    assert await dex.get_position(ETH) == ours
    assert await dex.get_positions() == [other, ours]


async def test_what_is_not_translated_is_unsupported(dex: Acme, wire: Wire) -> None:
    calls = (
        lambda: dex.get_fees(ETH),
        lambda: dex.get_funding_rate(ETH),
        lambda: dex.get_collateral(),
        lambda: dex.update_leverage(ETH, 5),
    )
    for call in calls:
        with pytest.raises(Unsupported, match="is not offered here"):
            await call()
    assert wire.sent == []


async def test_a_topic_with_an_address_of_its_own_has_its_own_connection(
    dex: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    class Line:
        async def close(self) -> None:
            opened.remove(opened[0])

    async def connect(kind: Any, url: str) -> Line:
        opened.append(url)
        return Line()

    address = staticmethod(lambda topic: f"/{topic.channel}/{topic.symbol}")
    monkeypatch.setattr(AcmeStream, "path_of", address, raising=False)
    dex._connect = connect  # type: ignore[method-assign]
    book, mark = Topic("book", ETH), Topic("mark", ETH)
    lines = [await dex._stream_for(topic) for topic in (book, mark, book)]
    assert opened == [f"wss://ws.acme.example/{channel}/{ETH}" for channel in ("book", "mark")]
    assert lines[0] is lines[2] is not lines[1]
    await dex.close()
    assert opened == []


async def test_what_no_stream_carries_is_unsupported(dex: Acme) -> None:
    with pytest.raises(Unsupported, match="no stream of positions"):
        await dex.start_streams([Topic("positions")])


async def test_a_book_that_nobody_asked_for_is_not_known(dex: Acme) -> None:
    with pytest.raises(NotSynced, match="no book of ETH-PERP is subscribed"):
        dex.book(ETH)


async def test_a_cancel_needs_an_id(dex: Acme, wire: Wire) -> None:
    with pytest.raises(BadOrder, match="order_id or client_order_id"):
        await dex.cancel_order(ETH)
    assert wire.sent == []


async def test_closing_closes_the_transport(dex: Acme, wire: Wire) -> None:
    async with dex:
        pass
    assert wire.closed == 1
