"""Doubles of Extended and Paradex, whose orders are signed on the Stark curve.

As their neighbors in `doubles`, they say only what a hedge needs to hear. But every order is
checked, once its time is taken: hashed as the simulated venue hashes it, with arithmetic of its
own, and refused if that is not what the account's key signed.

Sources of the formats: api.docs.extended.exchange; docs.paradex.trade; read 2026-11-21.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from picows import WSTransport

from bench.double_parts import ORDER_CALL, Surroundings, now_ms, send
from bench.parties import CHAIN, ETH_RATES, ETH_USD, PERPETUAL, SEED, SYMBOLS, credentials
from mpdex.sim.stark import public_key_of, verify
from mpdex.sim.venues import extended_crypto, extended_wire, paradex_crypto, paradex_wire

# On the coarser of the two grids.
BEST_BID, BEST_ASK = "2999.9", "3000.1"
PUBLIC_KEY = public_key_of(int(SEED.hex(), 16))
Answer = tuple[int, Any]  # status and body


class ExtendedDouble:
    """Orders by REST, PENDING in their answer; each socket has one topic and a count of its own."""

    def __init__(self, world: Surroundings) -> None:
        self._world = world
        self._market = SYMBOLS["extended"]
        self._sockets: dict[str, tuple[WSTransport, count[int]]] = {}
        self._position = Decimal(0)
        self._ids = count(1)
        self._vault = int(credentials("extended")["vault"])
        chain: Any = ETH_USD["l2Config"]
        self._l2 = extended_crypto.L2Config(
            int(chain["syntheticId"], 16), chain["syntheticResolution"]
        )

    # ------------------------------------------------------------------ REST

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if (method, path) == ("POST", "/user/order"):
            return self._order(body)
        found = self._read(path)
        if found is None:
            return 404, extended_wire.Refusal(404).body
        return 200, {"status": "OK", "data": found}

    def _read(self, path: str) -> Any:
        match path:
            case "/info/markets":
                return [ETH_USD]
            case "/user/fees":
                return [ETH_RATES]
            case "/user/positions":
                return self._positions()
            case "/user/balance":
                money = ("equity", "balance", "availableForTrade")
                return {**dict.fromkeys(money, "1000000"), "unrealisedPnl": "0"}
            case "/user/leverage":
                return [{"market": self._market, "leverage": "10"}]
            case "/user/orders" | "/user/trades":
                return []
            case _ if path.endswith("/stats"):
                return {"markPrice": "3000", "fundingRate": "0", "nextFundingRate": now_ms()}
            case _ if path.endswith("/orderbook"):
                return {"bid": [_level(BEST_BID)], "ask": [_level(BEST_ASK)]}
        return None

    def _positions(self) -> list[dict[str, str]]:
        if not self._position:
            return []
        return [
            {
                "market": self._market, "status": "OPENED", "size": str(abs(self._position)),
                "side": "LONG" if self._position > 0 else "SHORT", "openPrice": BEST_BID,
                "markPrice": BEST_BID, "unrealisedPnl": "0", "leverage": "10",
            }
        ]  # fmt: skip

    def _order(self, body: Any) -> Answer:
        sent = extended_wire.parse_order(body)
        if not self._signed(sent):
            refusal = extended_wire.Refusal(1101)
            return refusal.status, refusal.body
        number = next(self._ids)
        self._position += sent.size if sent.side == "buy" else -sent.size
        self._world.later(self._filled, sent, number)
        return 200, {"status": "OK", "data": {"id": number, "externalId": sent.client_id}}

    def _signed(self, sent: extended_wire.WireOrder) -> bool:
        price = sent.price or Decimal(0)
        moved = extended_crypto.amounts(sent.side == "buy", sent.size, price, sent.fee, self._l2)
        hashed = extended_crypto.order_hash(
            moved,
            self._l2,
            vault=self._vault,
            public_key=PUBLIC_KEY,
            expiration=extended_crypto.settlement_expiry(sent.expiry_ms),
            salt=sent.nonce,
        )
        return extended_crypto.signed(PUBLIC_KEY, hashed, sent.settlement.signature)

    # ------------------------------------------------------------------ sockets

    def opened(self, transport: WSTransport, path: str) -> None:
        """The address is the topic."""
        self._sockets[path] = (transport, count(1))
        if path == "/account":
            self._tell(path, "ORDER", {"orders": []})
        else:
            self._tell(path, "SNAPSHOT", self._book("SNAPSHOT"))

    def hear(self, transport: WSTransport, message: dict[str, Any]) -> None:
        raise RuntimeError(f"nothing is said on these sockets, but: {message}")

    def gone(self, transport: WSTransport) -> None:
        for path in [path for path, (who, _) in self._sockets.items() if who is transport]:
            del self._sockets[path]

    def publish(self) -> None:
        self._tell(f"/orderbooks/{self._market}", "DELTA", self._book("DELTA"))

    def _tell(self, path: str, kind: str, data: dict[str, Any]) -> None:
        if path in self._sockets:
            transport, numbers = self._sockets[path]
            send(transport, {"type": kind, "data": data, "ts": now_ms(), "seq": next(numbers)})

    def _book(self, kind: str) -> dict[str, Any]:
        sides = {"b": [_short_level(BEST_BID)], "a": [_short_level(BEST_ASK)]}
        return {"t": kind, "m": self._market, **sides, "d": "f"}

    def _filled(self, sent: extended_wire.WireOrder, number: int) -> None:
        """What the stream says of it afterwards."""
        price = BEST_ASK if sent.side == "buy" else BEST_BID
        side, size = "BUY" if sent.side == "buy" else "SELL", str(sent.size)
        trade = {
            "id": number, "accountId": 1, "market": sent.market, "orderId": number, "side": side,
            "externalOrderId": sent.client_id, "price": price, "qty": size, "fee": "0.0375",
            "isTaker": True, "tradeType": "TRADE", "createdTime": now_ms(),
        }  # fmt: skip
        order = {
            "id": number, "accountId": 1, "externalId": sent.client_id, "market": sent.market,
            "type": sent.kind, "side": side, "status": "FILLED", "statusReason": "NONE",
            "price": str(sent.price), "averagePrice": price, "qty": size, "filledQty": size,
            "cancelledQty": "0", "payedFee": "0.0375", "reduceOnly": sent.reduce_only,
            "postOnly": False, "timeInForce": sent.tif, "updatedTime": now_ms(),
        }  # fmt: skip
        self._tell("/account", "TRADE", {"trades": [trade]})
        self._tell("/account", "ORDER", {"orders": [order]})
        self._world.hedged()


class ParadexDouble:
    """Orders on the private socket, NEW in their answer; what follows is told there, in JSON."""

    def __init__(self, world: Surroundings) -> None:
        self._world = world
        self._market = SYMBOLS["paradex"]
        self._account = int(credentials("paradex")["account_address"], 16)
        self._heard: dict[str, WSTransport] = {}
        self._position = Decimal(0)
        self._ids = count(1)

    # ------------------------------------------------------------------ REST

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if path.startswith("/auth/"):
            return 200, {"jwt_token": "bench"}
        found = self._read(path)
        if found is None:
            return 404, paradex_wire.Refusal("ORDER_ID_NOT_FOUND").body
        return 200, found

    def _read(self, path: str) -> Any:
        account = hex(self._account)
        match path:
            case "/system/config":
                return CHAIN
            case "/system/time":
                return {"server_time": str(now_ms())}
            case "/markets":
                return {"results": [PERPETUAL]}
            case "/account":
                money = dict.fromkeys(("account_value", "free_collateral"), "1000000")
                return {**money, "settlement_asset": "USDC"}
            case "/account/info":
                fees = {"maker_rate": "0.00003", "taker_rate": "0.0002"}
                return {"results": [{"account": account, "fees": fees}]}
            case "/account/margin":
                entry = {"market": self._market, "leverage": 10, "margin_type": "CROSS"}
                return {"configs": [entry]}
            case "/positions":
                return {"results": self._positions()}
            case "/orders" | "/orders-history" | "/fills":
                return {"results": [], "next": None}
            case "/markets/summary":
                mark = {"symbol": self._market, "mark_price": "3000", "funding_rate": "0"}
                return {"results": [mark]}
            case _ if path.startswith("/orderbook/"):
                return {"bids": [[BEST_BID, "5"]], "asks": [[BEST_ASK, "5"]]}
        return None

    def _positions(self) -> list[dict[str, str]]:
        size = self._position
        entry = {
            "market": self._market, "status": "OPEN" if size else "CLOSED", "size": str(size),
            "side": "SHORT" if size < 0 else "LONG", "average_entry_price": BEST_BID,
        }  # fmt: skip
        return [entry]

    # ------------------------------------------------------------------ sockets

    def opened(self, transport: WSTransport, path: str) -> None:
        """Nothing is said before it is asked for."""

    def hear(self, transport: WSTransport, message: dict[str, Any]) -> None:
        method, params = message["method"], message["params"]
        if method == ORDER_CALL:
            self._world.watch.came()
            told = self._order(params)
        else:
            told = {"result": {}}
        send(transport, {"jsonrpc": "2.0", "id": message["id"], **told})
        if method == "subscribe":
            self._heard[params["channel"].partition(".")[0]] = transport
            self.publish()

    def gone(self, transport: WSTransport) -> None:
        for channel in [channel for channel, who in self._heard.items() if who is transport]:
            del self._heard[channel]

    def publish(self) -> None:
        """A frame has all of the book."""
        sides = (("BUY", BEST_BID), ("SELL", BEST_ASK))
        levels = [{"side": side, "price": price, "size": "5"} for side, price in sides]
        book = {
            "seq_no": next(self._ids), "market": self._market, "update_type": "s",
            "last_updated_at": now_ms(), "inserts": levels, "updates": [], "deletes": [],
        }  # fmt: skip
        self._tell("order_book", f"{self._market}.snapshot@15@50ms", book)

    def _tell(self, channel: str, rest: str, data: dict[str, Any]) -> None:
        if channel in self._heard:
            params = {"channel": f"{channel}.{rest}", "data": data}
            send(
                self._heard[channel],
                {"jsonrpc": "2.0", "method": "subscription", "params": params},
            )

    # ------------------------------------------------------------------ orders

    def _order(self, body: Any) -> dict[str, Any]:
        sent = paradex_wire.parse_order(body)
        if not self._signed(sent):
            data = "INVALID_ORDER_SIGNATURE"
            return {"error": {"code": 100, "message": "refused", "data": data}}
        number = str(next(self._ids))
        self._position += sent.size if sent.side == "buy" else -sent.size
        self._world.later(self._filled, body, number)
        taken = {**body, "id": number, "status": "NEW", "remaining_size": body["size"]}
        return {"result": {"order": taken}}

    def _signed(self, sent: paradex_wire.WireOrder) -> bool:
        struct = paradex_crypto.order_struct(
            timestamp_ms=sent.timestamp_ms,
            market=sent.market,
            buying=sent.side == "buy",
            kind=sent.kind,
            size=sent.size,
            price=sent.price,
        )
        hashed = paradex_crypto.message_hash(self._account, struct)
        numbers = paradex_crypto.parse_signature(sent.signature)
        return numbers is not None and verify(PUBLIC_KEY, hashed, *numbers)

    def _filled(self, body: dict[str, Any], number: str) -> None:
        """What the streams say of it afterwards."""
        price = BEST_ASK if body["side"] == "BUY" else BEST_BID
        fill = {
            "id": f"{number}-1", "order_id": number, "client_id": body["client_id"],
            "market": self._market, "side": body["side"], "price": price, "size": body["size"],
            "fee": "0.03", "fee_currency": "USDC", "liquidity": "TAKER", "created_at": now_ms(),
        }  # fmt: skip
        order = {
            **body, "id": number, "status": "CLOSED", "remaining_size": "0", "cancel_reason": "",
            "avg_fill_price": price, "last_updated_at": now_ms(),
        }  # fmt: skip
        self._tell("fills", self._market, fill)
        self._tell("orders", self._market, order)
        self._world.hedged()


def _level(price: str) -> dict[str, str]:
    return {"price": price, "qty": "5"}


def _short_level(price: str) -> dict[str, str]:
    """`q` by how much it changed, `c` what it is now: the same in a snapshot."""
    return {"p": price, "q": "5", "c": "5"}
