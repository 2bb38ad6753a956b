"""A simulated EdgeX without a server: proved requests go straight to its handlers.

The client's half signs orders with eth-account and fast-stark-crypto, which the simulator does not
know; there is one for each generation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from itertools import count
from typing import Any, Self
from urllib.parse import urlencode

from Crypto.Hash import keccak
from eth_account import Account
from fast_stark_crypto import get_public_key, pedersen_hash
from fast_stark_crypto import sign as stark_sign
from sim.grvt_stage import Wire
from sim.staging import stager

from mpdex.sim.board import Quote
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.edgex import EdgexSim
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop

ETH = "ETHUSDC"
UNIT = 10**8
TICK = 10**6  # of ETH, in units
ENGINE, BOOKED = 0.015, 0.03  # seconds after which the engine has acted, and fills are booked
RESOLUTION = 10**9  # of ETH
COLLATERAL = 10**6
CURVE_ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
FIELDS = {
    "OrderBase": "uint256 nonce,address signer,uint64 accountId,uint256 expirationTimestamp",
    "LimitOrderParams": "OrderBase base,int256 amountSynthetic,int256 amountCollateral,"
    "uint256 amountFee,uint64 assetIdSynthetic,uint64 assetIdCollateral,bool isBuyingSynthetic,"
    "bytes32 parentOrderHash,uint256 subOrderIndex",
    "SetMarginPreferenceParams": "uint64 accountId,uint64 assetId,uint8 marginMode,uint256 nonce,"
    "address signer",
}
TYPES = {
    name: [dict(zip(("type", "name"), field.split(), strict=True)) for field in fields.split(",")]
    for name, fields in FIELDS.items()
}


def text_of(value: Any) -> str:
    """As the SDKs turn parameters into text."""
    if isinstance(value, Mapping):
        return "&".join(f"{name}={text_of(inner)}" for name, inner in sorted(value.items()))
    if isinstance(value, list):
        return "&".join(map(text_of, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class Signer(ABC):
    """A client's half.

    Attributes:
        root: of its paths.
        contract: of ETH.
    """

    root: str
    contract: str

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id

    @abstractmethod
    def headers(self, stamp: str, text: str) -> dict[str, str]: ...

    @abstractmethod
    def socket_query(self, stamp: str) -> dict[str, str]: ...

    @abstractmethod
    def sign_order(self, body: Mapping[str, Any], amounts: tuple[int, int, int]) -> str: ...

    def signed(self, body: dict[str, Any]) -> dict[str, Any]:
        """With the signature of what it says."""
        amounts = (
            int(Decimal(str(body["l2Size"])) * RESOLUTION),
            int(Decimal(str(body["l2Value"])) * COLLATERAL),
            int(Decimal(str(body["l2LimitFee"])) * COLLATERAL),
        )
        return {**body, "l2Signature": self.sign_order(body, amounts)}


class SignerV2(Signer):
    root, contract = "/api/v2", "30000002"

    def __init__(self, account_id: str, domain: Mapping[str, Any], **keys: str) -> None:
        super().__init__(account_id)
        self.keys = keys
        self.signer = Account.from_key(keys["signer_private_key"]).address
        self._domain = domain

    def headers(self, stamp: str, text: str) -> dict[str, str]:
        key = base64.b64encode(self.keys["secret"].encode())
        return {
            "x-edgex-api-key": self.keys["api_key"],
            "x-edgex-passphrase": self.keys["passphrase"],
            "x-edgex-signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
            "x-edgex-timestamp": stamp,
        }

    def socket_query(self, stamp: str) -> dict[str, str]:
        return {"accountId": self.account_id, "timestamp": stamp}

    def typed(self, kind: str, message: Mapping[str, Any]) -> str:
        """EIP-712 signature without 0x."""
        used = {kind: TYPES[kind]}
        if kind == "LimitOrderParams":
            used["OrderBase"] = TYPES["OrderBase"]
        key = self.keys["signer_private_key"]
        signed = Account.sign_typed_data(key, dict(self._domain), used, dict(message))
        return str(signed.signature.hex()).removeprefix("0x")

    def sign_order(self, body: Mapping[str, Any], amounts: tuple[int, int, int]) -> str:
        synthetic, collateral, fee = amounts
        base = {
            "nonce": int(body["l2Nonce"]),
            "signer": self.signer,
            "accountId": int(self.account_id),
            "expirationTimestamp": int(body["expireTime"]) // 1000,
        }
        return self.typed(
            "LimitOrderParams",
            {
                "base": base,
                "amountSynthetic": synthetic,
                "amountCollateral": collateral,
                "amountFee": fee,
                "assetIdSynthetic": int(body["contractId"]),
                "assetIdCollateral": 1000,
                "isBuyingSynthetic": body["side"] == "BUY",
                "parentOrderHash": bytes(32),
                "subOrderIndex": 0,
            },
        )


class SignerV1(Signer):
    root, contract = "/api/v1", "10000002"

    def __init__(self, account_id: str, stark_private_key: str, collateral: str) -> None:
        super().__init__(account_id)
        self._key = int(stark_private_key, 16)
        self._collateral = int(collateral, 16)
        self.public_key = int(get_public_key(self._key))

    def sign(self, hashed: int) -> str:
        r, s = stark_sign(private_key=self._key, msg_hash=hashed)
        return f"{r:064x}{s:064x}"

    def headers(self, stamp: str, text: str) -> dict[str, str]:
        digest = keccak.new(digest_bits=256, data=text.encode()).digest()
        signature = self.sign(int.from_bytes(digest, "big") % CURVE_ORDER)
        return {"x-edgex-api-timestamp": stamp, "x-edgex-api-signature": signature}

    def socket_query(self, stamp: str) -> dict[str, str]:
        return {"accountId": self.account_id}

    def sign_order(self, body: Mapping[str, Any], amounts: tuple[int, int, int]) -> str:
        coin = int.from_bytes(b"ETH-9".ljust(15, b"\0"), "big")
        position, cents = int(self.account_id), self._collateral
        synthetic, collateral, fee = amounts
        sides = [(cents, collateral), (coin, synthetic)]
        (sells, sold), (buys, bought) = sides if body["side"] == "BUY" else sides[::-1]
        packed = ((sold << 64 | bought) << 64 | fee) << 32 | int(body["l2Nonce"])
        terms = ((3 << 64 | position) << 64 | position) << 64 | position
        terms = (terms << 32 | int(body["l2ExpireTime"]) // 3_600_000) << 17
        hashed = pedersen_hash(pedersen_hash(sells, buys), cents)
        return self.sign(pedersen_hash(pedersen_hash(hashed, packed), terms))


class Stage:
    """The venue, a clock, a market of ETH around 3000, and a client of each generation."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        self.exchange = EdgexSim.make_exchange(self.clock, rng, NO_LATENCY)
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = EdgexSim(self.exchange, rng=rng, **world)
        self.routes = {(method, path): call for method, path, call in self.venue.routes()}
        self._numbers = count(1)
        self.v2 = self._make_v2()
        self.v1 = self._make_v1()
        self.account = self.v2.account_id
        self.quote("2999.99", "3000")

    def _make_v2(self) -> SignerV2:
        settings = self.public("/api/v2", "/meta/getMetaData")["global"]
        domain = {
            "name": "EdgeX",
            "version": "1",
            "chainId": int(settings["nativeChainId"]),
            "verifyingContract": settings["contractAddress"],
        }
        return SignerV2(domain=domain, **self.venue.credentials())

    def _make_v1(self) -> SignerV1:
        settings = self.public("/api/v1", "/meta/getMetaData")["global"]
        collateral = settings["starkExCollateralCoin"]["starkExAssetId"]
        return SignerV1(collateral=collateral, **self.venue.credentials_v1())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timers.close()
        self.exchange.close()

    def quote(self, bid: str, ask: str, size: str = "5", levels: int = 10) -> None:
        """A book of some levels a side, a tick apart."""
        lots = int(Decimal(size) * UNIT)
        bids = [(int(Decimal(bid) * UNIT) - i * TICK, lots) for i in range(levels)]
        asks = [(int(Decimal(ask) * UNIT) + i * TICK, lots) for i in range(levels)]
        self.exchange.on_quote(ETH, Quote(bids, asks, True))

    def trade(self, price: str, size: str, taker: Any) -> None:
        units = (int(Decimal(text) * UNIT) for text in (price, size))
        self.exchange.on_trade(ETH, *units, taker)

    # ---------------------------------------------------------------- REST

    def send(self, request: SimRequest) -> SimReply:
        handler = self.routes.get((request.method, request.path), self.venue.render_not_found)
        return handler(request)

    def public(self, root: str, path: str, **query: str) -> Any:
        """The data of a public answer that must be good."""
        reply = self.send(SimRequest("GET", f"{root}/public{path}", urlencode(query)))
        assert reply.body["code"] == "SUCCESS", reply.body
        return json.loads(reply.encode()[0])["data"]

    def request(
        self,
        call: str,
        body: Any = None,
        *,
        by: Signer | None = None,
        stamp: str | None = None,
        changed: Mapping[str, str | None] | None = None,
        **query: str,
    ) -> SimRequest:
        """A private request ("GET /order/getOrderById"), of v2 unless `by` says otherwise.

        Args:
            stamp: its time; now.
            changed: headers over the right ones; None: without.
        """
        signer = by or self.v2
        method, _, rest = call.partition(" ")
        path, stamp = f"{signer.root}/private{rest}", stamp or str(self.clock.now_ms())
        about = {"accountId": signer.account_id}
        posted = None if method == "GET" else {**about, **(body or {})}
        query = {**about, **query} if method == "GET" else {}
        text = f"{stamp}{method}{path}{text_of(query if posted is None else posted)}"
        heads = {**signer.headers(stamp, text), **(changed or {})}
        sent = {name: value for name, value in heads.items() if value is not None}
        raw = b"" if posted is None else json.dumps(posted).encode()
        return SimRequest(method, path, urlencode(query), sent, raw)

    def ask(self, call: str, body: Any = None, **how: Any) -> SimReply:
        return self.send(self.request(call, body, **how))

    def done(self, call: str, body: Any = None, **how: Any) -> Any:
        """The data of an answer that must be good."""
        reply = self.ask(call, body, **how)
        answer = json.loads(reply.encode()[0])
        assert (reply.status, answer["code"]) == (200, "SUCCESS"), answer
        return answer["data"]

    # ---------------------------------------------------------------- orders

    def order(
        self, side: str = "BUY", size: str = "0.1", *, by: Signer | None = None, **fields: Any
    ) -> dict[str, Any]:
        """A post-only limit order at 2990 or 3010, signed as it is; None takes a field away.

        Args:
            fields: over the usual ones, before it is signed; of "l2Signature", after.
        """
        signer, number = by or self.v2, next(self._numbers)
        price = fields.get("price") or ("2990" if side == "BUY" else "3010")
        name = str(fields.get("clientOrderId") or 1000 + number)
        value = fields.get("l2Value") or str(Decimal(price) * Decimal(size))
        fee = (Decimal(value) * Decimal("0.00038")).to_integral_value(ROUND_CEILING)
        now = self.clock.now_ms()
        body = {
            "accountId": signer.account_id,
            "contractId": signer.contract,
            "price": price,
            "size": size,
            "type": "LIMIT",
            "side": side,
            "timeInForce": "POST_ONLY",
            "clientOrderId": name,
            "expireTime": str(now + 3_600_000),
            "l2Nonce": str(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)),
            "l2ExpireTime": str(now + 8 * 86_400_000),
            "l2Value": value,
            "l2Size": size,
            "l2LimitFee": str(fee),
            "reduceOnly": False,
            **fields,
        }
        signed = signer.signed(body)
        body = {"l2Signature": signed["l2Signature"], **body}
        return {field: value for field, value in body.items() if value is not None}

    def taker(self, side: str = "BUY", size: str = "0.1", **fields: Any) -> dict[str, Any]:
        """An immediate-or-cancel order that crosses."""
        price = "3010" if side == "BUY" else "2990"
        crossing = {"price": price, "timeInForce": "IMMEDIATE_OR_CANCEL", **fields}
        return self.order(side, size, **crossing)

    def place(self, body: dict[str, Any] | None = None, *, by: Signer | None = None) -> Any:
        """The truth of an order that must be taken; the engine has not looked at it."""
        signer = by or self.v2
        sent = body or self.order(by=signer)
        number = self.done("POST /order/createOrder", sent, by=signer)["orderId"]
        return self.exchange.orders[number]

    # ---------------------------------------------------------------- sockets

    def connect(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Wire | SimReply:
        """A socket, or what its handshake is answered."""
        wire = Wire(next(self._numbers), path, headers or {})
        wire.query = dict(query or {})
        refused = self.venue.accept_ws(wire)
        return wire if refused is None else refused

    def listen(self, by: Signer | None = None) -> Wire:
        """A private socket."""
        signer, stamp = by or self.v2, str(self.clock.now_ms())
        path, query = "/api/v1/private/ws", signer.socket_query(stamp)
        text = f"{stamp}GET{path}{text_of(query)}"
        wire = self.connect(path, signer.headers(stamp, text), query)
        assert isinstance(wire, Wire), wire.body
        return wire

    def watch(self, *channels: str) -> Wire:
        """A public socket that has subscribed."""
        wire = self.connect("/api/v1/public/ws")
        assert isinstance(wire, Wire)
        for channel in channels:
            self.say(wire, type="subscribe", channel=channel)
        return wire

    def say(self, wire: Wire, **message: Any) -> Any:
        """The direct answer to a message."""
        return self.venue.accept_message(wire, json.dumps(message))


staged = stager(Stage)
