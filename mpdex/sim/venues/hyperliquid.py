"""The simulated Hyperliquid: two REST calls and one WebSocket, on one loopback port.

Who may act is `hyperliquid_gate`, what signed actions do `hyperliquid_actions` and
`hyperliquid_orders`, what anybody may ask `hyperliquid_market` and `hyperliquid_account`, streams
`hyperliquid_streams`. What is not simulated is said where it belongs. Venues that trade on this
one inherit from it: they add routes, endpoints and keys, and `place_for` and `cancel_for` trade for
an address without a signature.

Source: hyperliquid.gitbook.io and what its official SDK sends; read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

import msgspec

from mpdex.sim import evm
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import LatencyModel
from mpdex.sim.records import ZERO, PositionChanged, SimEvent
from mpdex.sim.venue import CallingVenue, Handler, SimConnection, SimReply, SimRequest
from mpdex.sim.venues import hyperliquid_exchange as truth
from mpdex.sim.venues import hyperliquid_wire as wire
from mpdex.sim.venues.hyperliquid_account import AccountData
from mpdex.sim.venues.hyperliquid_actions import ActionDesk
from mpdex.sim.venues.hyperliquid_exchange import HyperliquidExchange
from mpdex.sim.venues.hyperliquid_gate import FREE_REQUESTS, Gate
from mpdex.sim.venues.hyperliquid_market import MarketData
from mpdex.sim.venues.hyperliquid_money import MoneyDesk
from mpdex.sim.venues.hyperliquid_orders import OrderDesk
from mpdex.sim.venues.hyperliquid_socket import Socket
from mpdex.sim.venues.hyperliquid_streams import INTERESTS, Streams
from mpdex.sim.venues.hyperliquid_wire import Malformed, Refused, parse_envelope
from mpdex.types import Json, Limit
from mpdex.utils.clock import Clock

BALANCES = {"perps": Decimal(100_000), "spot": Decimal(20_000), "xyz": Decimal(20_000)}
VOLUME = Decimal("2854574.593578")  # USD that the account has traded before; of a live answer
UNREADABLE = "Failed to parse the request body as JSON"
UNSHAPED = "Failed to deserialize the JSON body into the target type"
INFO, EXCHANGE = "/info", "/exchange"

# Fault op of each call; what is not here cannot be bent.
OPS = {
    "order": "place",
    "cancel": "cancel",
    "cancelByCloid": "cancel",
    "modify": "amend",
    "batchModify": "amend",
    "updateLeverage": "leverage",
    "orderStatus": "query_order",
    "historicalOrders": "query_order",
    "openOrders": "query_open",
    "frontendOpenOrders": "query_open",
    "userFills": "query_fills",
    "userFillsByTime": "query_fills",
    "clearinghouseState": "query_positions",
    "spotClearinghouseState": "query_balance",
    "activeAssetData": "query_leverage",
}
LIGHT = frozenset(
    {
        *("l2Book", "allMids", "clearinghouseState", "orderStatus"),
        *("spotClearinghouseState", "exchangeStatus"),
    }
)
# Refusals of a whole action, by neutral class; the others are told of each order.
WHOLE = ("AUTH", "PERMISSION", "NONCE", "RATE")


class HyperliquidSim(CallingVenue):
    """Hyperliquid's wire over the truth of one exchange. The first account is the default one."""

    name = "hyperliquid"
    ws_paths = ("/ws",)
    interests = INTERESTS
    exchange: HyperliquidExchange
    # An address of the internet: weight by REST, messages by socket.
    limits: ClassVar[Mapping[str, Limit]] = {
        "rest": Limit(1200, 60.0),
        "messages": Limit(2000, 60.0),
    }
    fields: ClassVar[Mapping[str, str]] = {
        "cid": "cloid",
        "price": "px",
        "size": "sz",
        "fee": "fee",
        "side": "side",
        "status": "status",
        "bid": "bbo",
        "ask": "bbo",
        "bids": "levels",
        "asks": "levels",
        "ts": "time",
    }
    answer_fields: ClassVar[Mapping[str, str]] = {
        "position": "szi",
        "liquidation": "liquidationPx",
        "leverage": "value",
        "tick": "szDecimals",
        "step": "szDecimals",
        "min_size": "szDecimals",
        "free": "withdrawable",
        "equity": "accountValue",
    }

    def __init__(self, exchange: SimExchange, **world: Any) -> None:
        super().__init__(exchange, **world)
        self.accounts.listen()

    # ---------------------------------------------------------------- what it is

    @classmethod
    def make_exchange(cls, clock: Clock, rng: random.Random, latency: LatencyModel) -> SimExchange:
        """One account: 100,000 USDC in perps, 20,000 each in spot and in the builder dex."""
        return truth.start(cls.name, clock, rng, latency, **BALANCES)

    @cached_property
    def address(self) -> str:
        """The account of `credentials`: a master."""
        return next(iter(self.exchange.accounts))

    @cached_property
    def agent_key(self) -> int:
        """Of the unnamed agent that it has approved."""
        return int.from_bytes(evm.keccak(b"agent of " + self.address.encode()), "big") % evm.N

    @cached_property
    def gate(self) -> Gate:
        gate = Gate(self.exchange, self.clock)
        gate.approve(self.address, evm.address_of(self.agent_key), "")
        gate.allowances[self.address].volume = VOLUME
        gate.allowances[self.address].used = FREE_REQUESTS // 4
        return gate

    @cached_property
    def market(self) -> MarketData:
        return MarketData(self.exchange)

    @cached_property
    def desk(self) -> OrderDesk:
        return OrderDesk(self.exchange, self.market, self.gate)

    @cached_property
    def actions(self) -> ActionDesk:
        money = MoneyDesk(self.exchange, self.market, self.gate)
        money.on_entry = self._note_entry
        return ActionDesk(self.exchange, self.market, self.gate, self.desk, money)

    @cached_property
    def accounts(self) -> AccountData:
        return AccountData(self.market, self.gate, self.actions)

    @cached_property
    def streams(self) -> Streams:
        return Streams(
            self.exchange, self.timers, self.rng, self.market, self.accounts, self._web_data
        )

    @cached_property
    def socket(self) -> Socket:
        return Socket(self.streams, self._answer)

    def endpoints(self, port: int) -> dict[str, str]:
        return {"rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}/ws"}

    def credentials(self) -> dict[str, str]:
        """The agent's key trades; the wallet's own key signs what agents may not."""
        return {
            "private_key": f"0x{self.agent_key:064x}",
            "account_address": self.address,
            "wallet_private_key": f"0x{self.exchange.wallets[self.address]:064x}",
        }

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        yield "POST", INFO, self.info
        yield "POST", EXCHANGE, self.exchange_action

    def op_of(self, request: SimRequest) -> str:
        kind = _kind(request)
        if request.path == INFO and kind in self.market.answers:
            return "meta"
        return OPS.get(kind, "")

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """Weights by REST; a request over the socket is one message."""
        if request.headers.get("via") == "websocket":
            return "messages", request.remote, 1
        if request.path == EXCHANGE:
            return "rest", request.remote, 1 + _count(_action(request)) // 40
        kind = _kind(request)
        return "rest", request.remote, 2 if kind in LIGHT else 60 if kind == "userRole" else 20

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        """Of the first order or cancel of an action, or of the order that is asked for."""
        if request.path != EXCHANGE:
            return _which(_body(request).get("oid"))
        action = _action(request)
        if action.get("type") in ("cancel", "cancelByCloid"):
            first = _first(action.get("cancels"))
            return _which(first.get("o", first.get("cloid")))
        modified = _first(action.get("modifies")) or action
        order = _first(action.get("orders")) or modified.get("order")
        return self._describe_order(order) if isinstance(order, dict) else {}

    def _describe_order(self, order: dict[str, Json]) -> Mapping[str, str]:
        market = self.market.by_asset(order["a"]) if isinstance(order.get("a"), int) else None
        return {
            "side": "buy" if order.get("b") else "sell",
            "symbol": market.symbol if market else "",
            "size": str(order.get("s", "")),
            "price": str(order.get("p", "")),
            "client_id": str(order.get("c") or "").lower(),
            "reduce_only": str(bool(order.get("r"))).lower(),
            "post_only": str(order.get("t") == {"limit": {"tif": "Alo"}}).lower(),
        }

    # ---------------------------------------------------------------- REST

    def info(self, request: SimRequest) -> SimReply:
        """A question; anybody may ask about anybody."""
        refusal = _unreadable(request)
        if refusal is not None:
            return refusal
        query, kind = _body(request), _kind(request)
        answer = self.market.answers.get(kind) or self.accounts.answers.get(kind)
        try:
            return _told(answer(query)) if answer else SimReply(UNSHAPED, 422)
        except Malformed:
            return SimReply(UNSHAPED, 422)

    def exchange_action(self, request: SimRequest) -> SimReply:
        """A signed action. What it causes on the streams races its answer."""
        refusal = _unreadable(request)
        if refusal is not None:
            return refusal
        try:
            envelope = parse_envelope(_body(request))
            with self.streams.racing():
                return _done(self.actions.perform(self.gate.admit(envelope)))
        except Malformed:
            return SimReply(UNSHAPED, 422)
        except Refused as refused:
            return _refused(str(refused))

    def _answer(self, request: SimRequest) -> SimReply:
        return self.info(request) if request.path == INFO else self.exchange_action(request)

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        """`code` takes the place of the text."""
        if request.path == INFO:
            return self._reject_question(request, kind)
        action = _action(request)
        if kind in WHOLE:
            return _refused(code or self._whole_text(request, kind))
        asset = _first(action.get("orders") or action.get("cancels"))
        number = asset.get("a", asset.get("asset"))
        text = wire.REJECTS.get(kind, wire.NO_ASSET.format(asset=number))
        if "{bid}" in text:
            text = self._crossing_text(number)
        suffix = "" if kind in ("PRICE_BAND", "SYMBOL") else f" asset={number}"
        answer = "cancel" if "cancels" in action else "order"
        status = {"error": code or text + suffix}
        return _done({"type": answer, "data": {"statuses": [status]}})

    def _reject_question(self, request: SimRequest, kind: str) -> SimReply:
        """Nobody has to prove who they are here; anything else is a question of a wrong shape."""
        match kind:
            case "RATE":
                return self.render_rate_limited(request, 0.0)
            case "NOT_FOUND" if _kind(request) == "orderStatus":
                return SimReply({"status": "unknownOid"})
            case "AUTH":
                return self.info(request)
            case _:
                return SimReply(UNSHAPED, 422)

    def _crossing_text(self, asset: Json) -> str:
        market = self.market.by_asset(asset) if isinstance(asset, int) else None
        bid, ask = self.exchange.best(market.symbol) if market else (None, None)
        bid, ask = bid or ZERO, ask or ZERO
        return wire.REJECTS["POST_ONLY"].format(bid=wire.text_of(bid), ask=wire.text_of(ask))

    def _whole_text(self, request: SimRequest, kind: str) -> str:
        signer = evm.address_of(self.agent_key)
        match kind:
            case "NONCE":
                return f"Invalid nonce: duplicate nonce {_body(request).get('nonce')}"
            case "RATE":
                cap = self.gate.cap(self.address)
                return self.gate.over(self.address, cap + 1, cap)
            case "PERMISSION":
                return wire.NO_DEPOSIT.format(address=signer)
            case _:
                return wire.UNKNOWN_WALLET.format(address=signer)

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        """No Retry-After, and a body of `null`."""
        return SimReply(None, 429)

    def render_not_found(self, request: SimRequest) -> SimReply:
        return SimReply("", 404)

    # ---------------------------------------------------------------- without a signature

    def place_for(self, address: str, order: dict[str, Json]) -> Json:
        """Place an order for an address, in the venue's own form (a, b, p, s, r, t, c).

        Returns: its status: `{"resting": …}`, `{"filled": …}` or `{"error": …}`.
        Raises: Malformed, Refused.
        """
        with self.streams.racing():
            return self.desk.place(address, [wire.ORDER(order)])[0]

    def cancel_for(self, address: str, asset: int, which: int | str) -> Json:
        """End an order of an address, by number or by client id: "success" or an error."""
        with self.streams.racing():
            return self.desk.cancel(address, asset, which)

    def open_sub_account(self, name: str = "sub", balance: Decimal = ZERO) -> str:
        """A sub-account of the default account; returns its address."""
        return self.actions.open_sub(self.address, name, balance)

    def open_vault(self, name: str = "vault", balance: Decimal = ZERO) -> str:
        """A vault that the default account leads; returns its address."""
        return self.actions.open_vault(self.address, name, balance)

    # ---------------------------------------------------------------- sockets

    def ends(self) -> tuple[Socket, Streams]:
        return self.socket, self.streams

    def accept_ws(self, conn: SimConnection) -> SimReply | None:
        """Anybody may listen to anything. Nothing is said at first."""
        self.streams.watch(conn)
        return None

    # ---------------------------------------------------------------- pushes

    def render_event(self, event: SimEvent) -> None:
        self.market.note(event)
        if isinstance(event, PositionChanged):
            payment = self.accounts.note_position(event.position)
            if payment is not None:
                owner = truth.owner_of(event.position.account)
                self.streams.note_funding(owner, payment)
        self.streams.render(event)

    def _note_entry(self, address: str, delta: dict[str, Json]) -> None:
        self.streams.note_entry(address, self.accounts.note_entry(address, delta))

    def _web_data(self, address: str) -> Json:
        """Data of `webData3`: the account's mode, and its unnamed agent."""
        unnamed = [agent for agent in self.gate.agents_of(address) if not agent.name]
        agent = unnamed[0] if unnamed else None
        mode = self.actions.mode(address)
        state = {
            "agentAddress": agent.address if agent else None,
            "agentValidUntil": agent.valid_until_ms if agent else None,
            "cumLedger": "0.0",
            "serverTime": self.clock.now_ms(),
            "isVault": address in self.gate.vault_names,
            "user": address,
            "dexAbstractionEnabled": mode == "dexAbstraction",
            "abstraction": mode,
            "optOutOfSpotDusting": False,
        }
        dex = {"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": []}
        return {"userState": state, "perpDexStates": [dex for _ in truth.DEXS]}


# --------------------------------------------------------------------------- helpers


def _told(answer: Json) -> SimReply:
    """A bare text is JSON, too."""
    return SimReply(msgspec.json.encode(answer) if isinstance(answer, str) else answer)


def _done(response: Json) -> SimReply:
    return SimReply({"status": "ok", "response": response})


def _refused(text: str) -> SimReply:
    return SimReply({"status": "err", "response": text})


def _unreadable(request: SimRequest) -> SimReply | None:
    """What is wrong with a body before its shape is looked at."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return SimReply("Expected request with `Content-Type: application/json`", 415)
    try:
        read = request.json
    except msgspec.DecodeError:
        return SimReply(UNREADABLE, 400)
    return None if isinstance(read, dict) else SimReply(UNSHAPED, 422)


def _body(request: SimRequest) -> dict[str, Json]:
    """The body; {} where it cannot be read."""
    try:
        read = request.json
    except msgspec.DecodeError:
        return {}
    return read if isinstance(read, dict) else {}


def _action(request: SimRequest) -> dict[str, Json]:
    action = _body(request).get("action")
    return action if isinstance(action, dict) else {}


def _kind(request: SimRequest) -> str:
    """Type of a question or an action."""
    said = _action(request) if request.path == EXCHANGE else _body(request)
    return str(said.get("type", ""))


def _count(action: dict[str, Json]) -> int:
    rows = action.get("orders") or action.get("cancels") or action.get("modifies")
    return len(rows) if isinstance(rows, list) else 1


def _first(rows: Json) -> dict[str, Json]:
    return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}


def _which(which: Json) -> Mapping[str, str]:
    """An id as the faults know it: a number is the venue's, a text the client's."""
    if isinstance(which, int):
        return {"order_id": str(which)}
    return {"client_id": which.lower()} if isinstance(which, str) else {}
