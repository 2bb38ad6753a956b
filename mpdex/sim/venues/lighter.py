"""The simulated Lighter: REST under `/api/v1` and one WebSocket at `/stream`, on one loopback port.

Signatures are `lighter_crypto`, keys and nonces `lighter_keys`, the way of a transaction
`lighter_sequencer`, what it does `lighter_orders`, questions `lighter_market` and
`lighter_account`, streams `lighter_streams` and `lighter_socket`.

A check of a signature takes about 3 ms. For load tests `LighterSim.proves = False`, or the
environment variable MPDEX_LIGHTER_HASH_ONLY, leaves it at recomputing the hash and looking at the
signature's form.

Not simulated: trigger, TWAP and grouped orders, transfers and pools, the volume quota's end, the
messages `candle`, `height` and `notification`.

Source: apidocs.lighter.xyz and what lighter-sdk 1.1.8 sends; read 2026-11-21.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from itertools import count
from typing import ClassVar

from mpdex.sim.exchange import SimExchange, Twist
from mpdex.sim.models import FeeModel, LatencyModel
from mpdex.sim.records import PositionChanged, SimEvent, Traded
from mpdex.sim.venue import Handler, SimConnection, SimReply, SimRequest, SimVenue
from mpdex.sim.venues import lighter_crypto as crypto
from mpdex.sim.venues import lighter_wire as wire
from mpdex.sim.venues.lighter_account import PREMIUM, AccountData, Tier
from mpdex.sim.venues.lighter_keys import KeyRing
from mpdex.sim.venues.lighter_market import MARKETS, MarketData
from mpdex.sim.venues.lighter_orders import OrderDesk
from mpdex.sim.venues.lighter_render import FIRST_ASK
from mpdex.sim.venues.lighter_sequencer import Record, Sequencer
from mpdex.sim.venues.lighter_socket import Socket, socket_batch_is_too_long
from mpdex.sim.venues.lighter_streams import INTERESTS, Streams
from mpdex.sim.venues.lighter_wire import REJECTS, Refusal, Sent, read_sent
from mpdex.types import Json, Limit, OrderStatus
from mpdex.utils.clock import Clock

BALANCE = Decimal(100_000)
CHAIN_ID = 304
API_KEY = 5
USUAL_LEVERAGE = Decimal(20)
FIRST_QUOTA = 1_000_000  # transactions; UNVERIFIED
HASH_ONLY = "MPDEX_LIGHTER_HASH_ONLY"
SEND, SEND_BATCH = "/api/v1/sendTx", "/api/v1/sendTxBatch"
# Weights of requests on tiers that weigh them.
WEIGHTS = {
    **dict.fromkeys((SEND, SEND_BATCH, "/api/v1/nextNonce"), 6),
    "/api/v1/accountInactiveOrders": 100,
    "/api/v1/apikeys": 150,
    **dict.fromkeys(("/api/v1/trades", "/api/v1/recentTrades"), 600),
}
USUAL_WEIGHT = 300
ACCOUNT = "/api/v1/account"
# Fault op of each call; what is not here cannot be bent.
OPS = {
    "/api/v1/accountOrders": "query_order",
    "/api/v1/accountInactiveOrders": "query_order",
    "/api/v1/accountActiveOrders": "query_open",
    "/api/v1/trades": "query_fills",
    ACCOUNT: "query_positions",
}
TX_OPS = {
    wire.CREATE: "place",
    wire.GROUP: "place",
    wire.CANCEL: "cancel",
    wire.CANCEL_ALL: "cancel",
    wire.MODIFY: "amend",
    wire.LEVERAGE: "leverage",
}
SETTINGS = (wire.LEVERAGE, wire.MARGIN)
SPARES_QUOTA = (wire.CANCEL, *SETTINGS)


class LighterSim(SimVenue):
    """Lighter's wire over the truth of one exchange. Accounts are their indexes.

    Attributes:
        delay: seconds until the sequencer has executed what the front has accepted; also what an
            order that may take waits for. Live it is up to 0.3 s, by tier.
        proves: whether signatures are checked, or only their form.
        tier: of every account.
    """

    name = "lighter"
    ws_paths = ("/stream",)
    interests = INTERESTS
    delay: ClassVar[float] = 0.05
    proves: ClassVar[bool] = True
    tier: ClassVar[Tier] = PREMIUM
    limits: ClassVar[Mapping[str, Limit]] = {
        "premium": Limit(24_000, 60.0),
        "standard": Limit(60, 60.0),
        "settings": Limit(40, 60.0),
    }
    fields: ClassVar[Mapping[str, str]] = {
        "cid": "client_order_index",
        "price": "price",
        "size": "size",
        "fee": "taker_fee",
        "side": "is_ask",
        "status": "status",
        "bid": "b",
        "ask": "a",
        "bids": "bids",
        "asks": "asks",
        "ts": "timestamp",
    }
    answer_fields: ClassVar[Mapping[str, str]] = {
        "size": "initial_base_amount",
        "position": "position",
        "liquidation": "liquidation_price",
        "leverage": "initial_margin_fraction",
        "tick": "price_decimals",
        "step": "size_decimals",
        "min_size": "min_base_amount",
        "free": "available_balance",
        "equity": "total_asset_value",
    }

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(cls, clock: Clock, rng: random.Random, latency: LatencyModel) -> SimExchange:
        """One account of 100,000 USDC at 20x; orders that may take wait for the sequencer."""
        maker, taker = (Decimal(fee) / 1_000_000 for fee in (cls.tier.maker, cls.tier.taker))
        exchange = SimExchange(
            cls.name,
            clock=clock,
            markets=MARKETS,
            fees=FeeModel(maker=maker, taker=taker),
            latency=replace(latency, taker_delay=cls.delay),
            rng=rng,
            order_ids=map(str, count(FIRST_ASK + 10**8)).__next__,
        )
        exchange.add_account(str(rng.randrange(10**5, 10**6)), BALANCE, USUAL_LEVERAGE)
        return exchange

    @cached_property
    def keys(self) -> KeyRing:
        proves = self.proves and not os.environ.get(HASH_ONLY)
        keys = KeyRing(self.clock, CHAIN_ID, proves)
        for account in self.exchange.accounts:
            public = crypto.public_key(crypto.throwaway_key(account))
            keys.register(account, API_KEY, public, nonce=self.rng.randrange(1, 1000))
        return keys

    @cached_property
    def market(self) -> MarketData:
        return MarketData(self.exchange)

    @cached_property
    def desk(self) -> OrderDesk:
        return OrderDesk(self.exchange, self.market, self.timers)

    @cached_property
    def accounts(self) -> AccountData:
        return AccountData(self.exchange, self.market, self.desk, self.keys, self.tier, self.delay)

    @cached_property
    def streams(self) -> Streams:
        return Streams(self.exchange, self.timers, self.market, self.accounts, self.delay)

    @cached_property
    def sequencer(self) -> Sequencer:
        return Sequencer(
            self.keys,
            self.desk,
            self.clock,
            self.timers,
            delay=self.delay,
            told=self._tell_executed,
        )

    @cached_property
    def socket(self) -> Socket:
        return Socket(self.streams, self.keys, self.clock, self.timers, self.rng, self._transact)

    @cached_property
    def _quota(self) -> dict[str, int]:
        return dict.fromkeys(self.exchange.accounts, FIRST_QUOTA)

    def endpoints(self, port: int) -> dict[str, str]:
        return {"rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}/stream"}

    def credentials(self) -> dict[str, str]:
        account = next(iter(self.exchange.accounts))
        return {
            "account_index": account,
            "api_key_index": str(API_KEY),
            "private_key": crypto.throwaway_key(account),
            "tier": self.tier.name,
        }

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        for path, answer in (self.market.answers | self.accounts.public).items():
            yield "GET", path, _public(answer)
        for path, private in self.accounts.private.items():
            yield "GET", path, self._private(private)
        yield "GET", "/api/v1/tx", _public(self._answer_transaction)
        yield "POST", SEND, self._transact
        yield "POST", SEND_BATCH, self._transact

    # ---------------------------------------------------------------- what the server asks

    def op_of(self, request: SimRequest) -> str:
        if request.path in (SEND, SEND_BATCH):
            first = _first(request)
            return TX_OPS.get(first.kind, "") if first else ""
        if request.path == ACCOUNT and "active_only" not in request.query:
            return "query_balance"  # with it, only the positions are of interest
        return "meta" if request.path in self.market.answers else OPS.get(request.path, "")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """By account where the request tells it, else by address."""
        first = _first(request) if request.path in (SEND, SEND_BATCH) else None
        if first is not None and first.kind in SETTINGS:
            return "settings", str(first.account), 1
        whose = str(first.account) if first else self._asking(request)
        weight = WEIGHTS.get(request.path, USUAL_WEIGHT) if self.tier.weighted else 1
        return self.tier.name, whose, weight

    @staticmethod
    def _asking(request: SimRequest) -> str:
        """Of the token, unverified; the address where there is none."""
        parts = _token(request).split(":")
        return parts[1] if len(parts) == 4 else request.remote

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        if request.path == "/api/v1/accountOrders":
            asked = request.query.get("client_order_indexes", "")
            return {"client_id": asked} if asked.isdigit() else {}
        first = _first(request) if request.path in (SEND, SEND_BATCH) else None
        if first is None:
            return {}
        values = first.values
        ids = _ids(values.get("Index", 0) or values.get("ClientOrderIndex", 0))
        return {**ids, **self._described(values)} if first.kind == wire.CREATE else ids

    def _described(self, values: Mapping[str, int]) -> Mapping[str, str]:
        try:
            market = self.market.market(values["MarketIndex"])
        except Refusal:
            return {}
        return {
            "symbol": market.symbol,
            "side": "sell" if values["IsAsk"] else "buy",
            "size": str(values["BaseAmount"] * market.step),
            "price": str(values["Price"] * market.tick),
            "reduce_only": str(bool(values["ReduceOnly"])).lower(),
            "post_only": str(values["TimeInForce"] == 2).lower(),
        }

    # ---------------------------------------------------------------- REST

    def _private(self, answer: Callable[[str, Mapping[str, str]], Json]) -> Handler:
        """What needs a token, in a header or in the query."""

        def handle(request: SimRequest) -> SimReply:
            def answered() -> Json:
                token = _token(request)
                if not token:
                    raise wire.invalid("auth field is required")
                account = self.keys.account_of(token)
                if request.query.get("account_index", account) != account:
                    raise Refusal(20013, ": another account")
                return answer(account, request.query)

            return _guarded(answered)

        return handle

    def _answer_transaction(self, query: Mapping[str, str]) -> Json:
        if query.get("by") != "hash":
            raise wire.invalid("by")
        record = self.sequencer.find(query.get("value", ""))
        owner = self.accounts.owner(str(record.sent.account))
        told = record.rendered(owner, self._delay_ms)
        return {"code": 200, **told, "committed_at": 0, "verified_at": 0}

    def _transact(self, request: SimRequest) -> SimReply:
        """The answer says no more than that the transactions are in the queue."""

        def answered() -> Json:
            sent = read_sent(request)
            if socket_batch_is_too_long(request, len(sent.transactions)):
                raise wire.invalid("too many transactions")
            self.accounts.known(str(sent.transactions[0].account))
            with self.streams.sequenced():
                records = self.sequencer.submit(sent)
            return self._receipt(sent, records, batch=request.path == SEND_BATCH)

        return _guarded(answered)

    def _receipt(self, sent: Sent, records: list[Record], *, batch: bool) -> Json:
        account = str(sent.transactions[0].account)
        used = sum(one.kind not in SPARES_QUOTA for one in sent.transactions)
        self._quota[account] -= used
        message = '{"ratelimit": "didn\'t use volume quota"}' if not used else ""
        left = {"volume_quota_remaining": self._quota[account]} if self.tier.weighted else {}
        hashes = [record.hash for record in records]
        return {
            "code": 200,
            "message": message,
            "tx_hash": hashes if batch else hashes[0],
            "predicted_execution_time_ms": self.clock.now_ms() + self._delay_ms,
            **left,
        }

    @property
    def _delay_ms(self) -> int:
        return int(self.delay * 1000)

    def _tell_executed(self, record: Record) -> None:
        self.streams.render_transaction(record, self._delay_ms)

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        """A post-only refusal is no answer: the transaction is taken and a stream says no."""
        op = self.op_of(request)
        if kind == "POST_ONLY" and not code and op == "place":
            before = self.exchange.twist
            self.exchange.twist = Twist(fate=(OrderStatus.REJECTED, self.delay))
            try:
                return self._transact(request)
            finally:
                self.exchange.twist = before
        if kind == "NOT_FOUND" and request.path == "/api/v1/accountOrders":
            return SimReply({"code": 200, "orders": []})
        asked = 20013 if kind == "AUTH" and request.method == "GET" else REJECTS.get(kind, 29500)
        return _refused(Refusal(int(code) if code.isdigit() else asked))

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        """No Retry-After: nobody has told of one. UNVERIFIED: 429 carries it."""
        return _refused(Refusal(23000), 429)

    def render_not_found(self, request: SimRequest) -> SimReply:
        return _refused(Refusal(29404), 404)

    # ---------------------------------------------------------------- sockets

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        self.socket.open(conn, pings=conn.query.get("server_pings") == "true")
        return None

    def request_of_message(self, conn: SimConnection, text: str) -> SimRequest | None:
        return self.socket.request_of(text)

    def accept_message(self, conn: SimConnection, text: str) -> Json | None:
        return self.socket.accept(conn, text)

    def wrap_reply(self, conn: SimConnection, text: str, reply: SimReply) -> Json:
        return self.socket.wrap(text, reply)

    def close_ws(self, conn: SimConnection) -> None:
        self.streams.forget(conn)

    def issued(self) -> Iterable[str]:
        """Tokens are made by clients; those seen here."""
        return self.keys.seen

    def expire_sessions(self) -> None:
        """Tokens used so far are over; subscriptions made with them go on (UNVERIFIED)."""
        self.keys.revoke_tokens()

    def render_event(self, event: SimEvent) -> None:
        match event:
            case PositionChanged(position):
                self.accounts.note_position(position)
            case Traded(fill):
                self.accounts.note_fill(fill)
        self.market.recent.note(event)
        self.streams.render(event)


def _guarded(answer: Callable[[], Json]) -> SimReply:
    try:
        return SimReply(answer())
    except Refusal as refusal:
        return _refused(refusal)


def _refused(refusal: Refusal, status: int = 400) -> SimReply:
    return SimReply({"code": refusal.code, "message": refusal.message}, status)


def _public(answer: Callable[[Mapping[str, str]], Json]) -> Handler:
    return lambda request: _guarded(lambda: answer(request.query))


def _token(request: SimRequest) -> str:
    return request.headers.get("authorization", "") or request.query.get("auth", "")


def _first(request: SimRequest) -> wire.Transaction | None:
    """The first transaction of a request; None where it cannot be read."""
    try:
        return read_sent(request).transactions[0]
    except Refusal:
        return None


def _ids(index: int) -> dict[str, str]:
    if not index:
        return {}
    return {"order_id" if index >= FIRST_ASK else "client_id": str(index)}
