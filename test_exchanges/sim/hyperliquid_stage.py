"""A simulated Hyperliquid without a server: actions signed by eth-account go to its handlers."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from itertools import count
from typing import Any, Self

import msgspec
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from sim.grvt_stage import Wire as GrvtWire
from sim.staging import stager

from mpdex.sim.board import Quote
from mpdex.sim.exchange import SimExchange
from mpdex.sim.models import NO_LATENCY, Timers
from mpdex.sim.run import EPOCH_NS
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.hyperliquid import HyperliquidSim
from mpdex.sim.venues.hyperliquid_exchange import HyperliquidExchange
from mpdex.utils.clock import LoopClock
from mpdex.utils.virtual_loop import VirtualLoop

ETH, BTC, SOL, XYZ, SPOT = "ETH", "BTC", "SOL", "xyz:XYZ100", "@151"
ASSETS = {BTC: 0, ETH: 1, SOL: 5, XYZ: 110_000, SPOT: 10_151, "PURR/USDC": 10_000}
UNIT = 10**8
ZERO_ADDRESS = "0x" + "00" * 20
STRANGER = "0x" + "5e" * 20
MEMBERS = {
    "usdSend": ("UsdSend", "destination:string amount:string time:uint64"),
    "spotSend": ("SpotSend", "destination:string token:string amount:string time:uint64"),
    "withdraw3": ("Withdraw", "destination:string amount:string time:uint64"),
    "usdClassTransfer": ("UsdClassTransfer", "amount:string toPerp:bool nonce:uint64"),
    "sendAsset": (
        "SendAsset",
        "destination:string sourceDex:string destinationDex:string token:string amount:string "
        "fromSubAccount:string nonce:uint64",
    ),
    "approveAgent": ("ApproveAgent", "agentAddress:address agentName:string nonce:uint64"),
    "approveBuilderFee": ("ApproveBuilderFee", "maxFeeRate:string builder:address nonce:uint64"),
    "userSetAbstraction": ("UserSetAbstraction", "user:address abstraction:string nonce:uint64"),
    "userDexAbstraction": ("UserDexAbstraction", "user:address enabled:bool nonce:uint64"),
    "tokenDelegate": (
        "TokenDelegate",
        "validator:address wei:uint64 isUndelegate:bool nonce:uint64",
    ),
}


class Wire(GrvtWire):
    """Takes the frames of one socket; remembers what they are to the faults."""

    def __init__(self, number: int, path: str) -> None:
        super().__init__(number, path, {})
        self.kinds: list[str] = []

    def send(self, frame: Any, kind: str = "") -> None:
        super().send(frame, kind)
        self.kinds.append(kind)

    def take(self, channel: str = "") -> list[Any]:
        """The frames since the last call, of one channel their data."""
        frames, self.frames = self.frames, []
        return [f["data"] for f in frames if f["channel"] == channel] if channel else frames


class Signer:
    """A client's half: what is documented, signed by eth-account."""

    def __init__(self, key: str, source: str = "a") -> None:
        self.account = Account.from_key(key)
        self.address = self.account.address.lower()
        self.source = source

    def l1(self, action: Any, nonce: int, vault: str | None, expires: int | None) -> dict[str, Any]:
        data = msgspec.msgpack.encode(action) + nonce.to_bytes(8, "big")
        data += b"\x01" + bytes.fromhex(vault[2:]) if vault else b"\x00"
        data += b"" if expires is None else b"\x00" + expires.to_bytes(8, "big")
        types = {"Agent": fields("source:string connectionId:bytes32")}
        message = {"source": self.source, "connectionId": keccak(data)}
        return self._typed("Exchange", 1337, types, message)

    def user(self, action: dict[str, Any]) -> dict[str, Any]:
        name, members = MEMBERS[action["type"]]
        primary = f"HyperliquidTransaction:{name}"
        types = {primary: fields(f"hyperliquidChain:string {members}")}
        message = {name: value for name, value in action.items() if name in members}
        message["hyperliquidChain"] = action["hyperliquidChain"]
        if action["type"] == "approveAgent":
            message.setdefault("agentName", "")
        chain = int(action["signatureChainId"], 16)
        return self._typed("HyperliquidSignTransaction", chain, types, message)

    def _typed(self, name: str, chain: int, types: Any, message: Any) -> dict[str, Any]:
        domain = {
            "name": name,
            "version": "1",
            "chainId": chain,
            "verifyingContract": ZERO_ADDRESS,
        }
        (primary,) = types
        full = {
            "domain": domain,
            "types": {
                "EIP712Domain": fields(
                    "name:string version:string chainId:uint256 verifyingContract:address"
                ),
                **types,
            },
            "primaryType": primary,
            "message": message,
        }
        signed = self.account.sign_message(encode_typed_data(full_message=full))
        return {"r": hex(signed.r), "s": hex(signed.s), "v": signed.v}


def fields(text: str) -> list[dict[str, str]]:
    pairs = (member.split(":") for member in text.split())
    return [{"name": name, "type": kind} for name, kind in pairs]


class Stage:
    """The venue, a clock, a market of ETH around 3000, an agent and its master."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = LoopClock(loop, EPOCH_NS)
        rng, self.timers = random.Random(7), Timers()
        made: SimExchange = HyperliquidSim.make_exchange(self.clock, rng, NO_LATENCY)
        assert isinstance(made, HyperliquidExchange)
        self.exchange = made
        world: Any = {"clock": self.clock, "latency": NO_LATENCY, "timers": self.timers}
        self.venue = HyperliquidSim(made, rng=rng, **world)
        keys = self.venue.credentials()
        self.me = keys["account_address"]
        self.agent = Signer(keys["private_key"])
        self.master = Signer(keys["wallet_private_key"])
        self.routes = {f"{method} {path}": call for method, path, call in self.venue.routes()}
        self._sockets = count(1)
        self._nonce = 0
        self.quote("2999.9", "3000.1")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.timers.close()
        self.exchange.close()

    # ---------------------------------------------------------------- the market

    def quote(self, bid: str, ask: str, size: str = "5", symbols: Any = (ETH, SPOT, XYZ)) -> None:
        """Books of ten levels a side, a tenth apart."""
        lots = int(Decimal(size) * UNIT)
        bids = [(int(Decimal(bid) * UNIT) - i * 10**7, lots) for i in range(10)]
        asks = [(int(Decimal(ask) * UNIT) + i * 10**7, lots) for i in range(10)]
        for symbol in symbols:
            self.exchange.on_quote(symbol, Quote(bids, asks, True))

    def trade(self, price: str, size: str, taker: Any, symbol: str = ETH) -> None:
        units = (int(Decimal(text) * UNIT) for text in (price, size))
        self.exchange.on_trade(symbol, *units, taker)

    # ---------------------------------------------------------------- asking

    def call(self, path: str, body: Any, **headers: str) -> SimReply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        heads = {"content-type": "application/json", **headers}
        return self.routes[f"POST {path}"](SimRequest("POST", path, "", heads, data))

    def info(self, kind: str, **query: Any) -> Any:
        """The answer to a question that must be answered, as it arrives."""
        reply = self.call("/info", {"type": kind, **query})
        assert reply.status == 200, (reply.status, reply.body)
        return json.loads(reply.encode()[0])

    def mine(self, kind: str, **query: Any) -> Any:
        return self.info(kind, user=self.me, **query)

    def nonce(self) -> int:
        self._nonce = max(self._nonce + 1, self.clock.now_ms())
        return self._nonce

    def body(
        self,
        action: dict[str, Any],
        *,
        by: Signer | None = None,
        nonce: int | None = None,
        vault: str | None = None,
        expires: int | None = None,
        hashed: Any = None,
    ) -> dict[str, Any]:
        """A signed body; `hashed` is signed where it is not the action."""
        nonce = self.nonce() if nonce is None else nonce
        self._nonce = max(self._nonce, nonce)
        if action["type"] in MEMBERS:
            stamp = "time" if "time:" in MEMBERS[action["type"]][1] else "nonce"
            chain = {"signatureChainId": "0x66eee", "hyperliquidChain": "Mainnet"}
            action = {**chain, stamp: nonce, **action}
            signature = (by or self.master).user(action)
        else:
            signature = (by or self.agent).l1(hashed or action, nonce, vault, expires)
        return {
            "action": action,
            "nonce": nonce,
            "signature": signature,
            "vaultAddress": vault,
            "expiresAfter": expires,
        }

    def act(self, action: dict[str, Any], **options: Any) -> Any:
        """The answer to a signed action, good or bad."""
        reply = self.call("/exchange", self.body(action, **options))
        assert reply.status == 200, (reply.status, reply.body)
        return json.loads(reply.encode()[0])

    def done(self, action: dict[str, Any], **options: Any) -> Any:
        """`response` of an action that must succeed as a whole."""
        answer = self.act(action, **options)
        assert answer["status"] == "ok", answer
        return answer["response"]

    def refused(self, action: dict[str, Any], **options: Any) -> str:
        """The text with which a whole action is refused."""
        answer = self.act(action, **options)
        assert answer["status"] == "err", answer
        return str(answer["response"])

    def statuses(self, action: dict[str, Any], **options: Any) -> list[Any]:
        return list(self.done(action, **options)["data"]["statuses"])

    def place(self, *args: Any, builder: Any = None, **changes: Any) -> Any:
        """The status of one order, see `order`."""
        options = {n: changes.pop(n) for n in ("vault", "by", "expires", "nonce") if n in changes}
        [status] = self.statuses(placing(order(*args, **changes), builder=builder), **options)
        return status

    def rest(self, *args: Any, **changes: Any) -> int:
        """The number of an order that must rest."""
        return int(self.place(*args, **changes)["resting"]["oid"])

    def cancel(self, oid: int, asset: int = ASSETS[ETH]) -> Any:
        [status] = self.statuses({"type": "cancel", "cancels": [{"a": asset, "o": oid}]})
        return status

    # ---------------------------------------------------------------- sockets

    def connect(self) -> Wire:
        wire = Wire(next(self._sockets), "/ws")
        assert self.venue.accept_ws(wire) is None
        return wire

    def say(self, wire: Wire, message: Any) -> Any:
        text = message if isinstance(message, str) else json.dumps(message)
        return self.venue.accept_message(wire, text)

    def listen(self, *kinds: str, wire: Wire | None = None, **more: Any) -> Wire:
        """A socket that has subscribed; what was confirmed and told at first is in it."""
        wire = wire or self.connect()
        for kind in kinds:
            asked = {"type": kind, **more}
            assert self.say(wire, {"method": "subscribe", "subscription": asked}) is None
        return wire

    def follow(self, *kinds: str, wire: Wire | None = None, **more: Any) -> Wire:
        """The same for the account; nothing is in it."""
        wire = self.listen(*kinds, wire=wire, user=self.me, **more)
        wire.frames.clear()
        return wire


def order(
    side: str = "buy", size: str = "0.1", price: str = "2990", **changes: Any
) -> dict[str, Any]:
    """A post-only order of ETH at 2990, unless changed; `coin`, `tif`, `cloid` by name."""
    sent = {
        "a": ASSETS[changes.pop("coin", ETH)],
        "b": side == "buy",
        "p": price,
        "s": size,
        "r": changes.pop("reduce_only", False),
        "t": {"limit": {"tif": changes.pop("tif", "Alo")}},
    }
    cloid = changes.pop("cloid", None)
    return {**sent, **({"c": cloid} if cloid else {}), **changes}


def taker(side: str = "buy", size: str = "0.1", **changes: Any) -> dict[str, Any]:
    """An immediate order that crosses."""
    price = changes.pop("price", "3010" if side == "buy" else "2980")
    return order(side, size, price, **{"tif": "Ioc", **changes})


def placing(*orders: dict[str, Any], builder: Any = None) -> dict[str, Any]:
    action = {"type": "order", "orders": list(orders), "grouping": "na"}
    return {**action, "builder": builder} if builder else action


staged = stager(Stage)
