"""What every venue on Hyperliquid's books shares: orders as actions, and reads of the account.

A subclass says how an action is proved (`sign`, `encode_countersign`) or overrides `encode_action`.

Source: hyperliquid.gitbook.io, "Info endpoint", "Exchange endpoint", "Perpetuals", "Spot", "Rate
limits and user limits"; read 2026-11-21.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

import msgspec

from mpdex.errors import BadOrder, ProtocolError, Unsupported
from mpdex.types import (
    CancelRequest,
    ClientIdForm,
    Collateral,
    Fees,
    Json,
    Lane,
    LeverageInfo,
    Limit,
    Market,
    Order,
    OrderRequest,
    OrderStatus,
    Position,
    Reads,
    Request,
    TimeInForce,
)
from mpdex.utils.common_hyperliquid import (
    EXCHANGE,
    checked,
    decode_fill,
    decode_order,
    decode_positions,
    number_text,
)
from mpdex.utils.hyperliquid_facts import LIGHT, HyperliquidFacts
from mpdex.utils.translation import FillPage, acknowledged

CALL: Final = "post"  # of an action over the socket
CLIENT_ID: Final = ClientIdForm(0, 2**128 - 1, "hex")
# Weight per minute and IP address. An action counts 1.
LIMITS: Final = {"default": Limit(1200, 60.0)}
SUPPORTS: Final = frozenset(
    {"post_only", "reduce_only", "market", "ioc", "slippage_bps", "spot", "client_order_id"}
)
MARKET_BOUND_BPS: Final = Decimal(500)  # the SDK's own 5 %
# Time after which an order is not taken any more. Blocks come every 0.1 s; an answer takes 0.2 to
# 0.9 s. A late order costs five requests of the account's quota.
REQUEST_BOUND_MS, IMMEDIATE_BOUND_MS = 5_000, 3_000

_CLOID: Final = re.compile("0x[0-9a-fA-F]{32}")
_UNIFIED: Final = frozenset({"unifiedAccount", "portfolioMargin"})
_SEPARATE: Final = frozenset({"disabled", "default", "dexAbstraction"})
_GROWTH: Final = Decimal("0.1")
_HUNDRED_THOUSANDTH: Final = Decimal("0.00001")  # a tenth of a basis point


class HyperliquidBase(HyperliquidFacts):
    """Translations for one account on Hyperliquid's books."""

    # The most that one page of fills holds. A page more "to be sure" would cost 20 of the 1200 that
    # a minute has, at each question about an order.
    FILLS_PAGE = 2000

    def encode_action(
        self,
        action: dict[str, Json],
        *,
        lane: Lane = Lane.QUERY,
        nonce: int | None = None,
        call: str = CALL,
    ) -> Request:
        """A command. Its keys are in the order in which they are hashed; the proof comes later,
        around the action's JSON in `body`.
        """
        return Request(
            "POST",
            EXCHANGE,
            json=action,
            signed=True,
            lane=lane,
            command=True,
            call=call,
            body=msgspec.json.encode(action),
            nonce=nonce,
        )

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """Raises: Unsupported, BadOrder for what the venue does not take."""
        immediate = order.time_in_force is TimeInForce.IOC
        action: dict[str, Json] = {
            "type": "order",
            "orders": [self.encode_order_fields(order, market)],
            "grouping": "na",
        }
        builder = self.keys.get("builder")
        if builder:
            action["builder"] = {"b": builder.lower(), "f": int(self.keys["builder_fee"])}
        return self.encode_action(action, lane=Lane.HEDGE if immediate else Lane.QUOTE)

    def encode_order_fields(self, order: OrderRequest, market: Market) -> dict[str, Json]:
        """One order as it stands in an action."""
        if order.price is None:
            raise Unsupported("there are no market orders; give a price", venue=self._venue)
        if order.time_in_force is TimeInForce.FOK:
            raise Unsupported("fok is not offered here", venue=self._venue)
        if order.slippage_bps is not None:
            raise Unsupported("slippage_bps bounds market orders only", venue=self._venue)
        if order.reduce_only and market["kind"] != "perp":
            raise Unsupported("reduce_only exists for perpetuals only", venue=self._venue)
        force = "Ioc" if order.time_in_force is TimeInForce.IOC else "Gtc"
        fields: dict[str, Json] = {
            "a": market["raw"]["asset"],
            "b": order.side == "buy",
            "p": number_text(order.price),
            "s": number_text(order.size),
            "r": order.reduce_only,
            "t": {"limit": {"tif": "Alo" if order.post_only else force}},
        }
        if order.client_id:
            fields["c"] = self._client_id(order.client_id)
        return fields

    @checked
    def decode_order(self, answer: Json) -> Order:
        """From an answer to `orderStatus`."""
        told = answer["order"]
        word, time_ms = told["status"], int(told["statusTimestamp"])
        return decode_order(told["order"], self._markets.symbol_of, word, time_ms)

    @checked
    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """An order that filled at once tells how far; what an immediate one left is canceled."""
        [told] = answer["response"]["data"]["statuses"]
        if "filled" not in told:
            return acknowledged(
                order, answer, id=str(told["resting"]["oid"]), status=OrderStatus.OPEN
            )
        filled = Decimal(told["filled"]["totalSz"])
        status = OrderStatus.FILLED
        if filled < order.size:
            ended = order.time_in_force is TimeInForce.IOC
            status = OrderStatus.CANCELED if ended else OrderStatus.OPEN
        return acknowledged(
            order,
            answer,
            id=str(told["filled"]["oid"]),
            status=status,
            filled=filled,
            average_price=Decimal(told["filled"]["avgPx"]),
        )

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        asset = market["raw"]["asset"]
        if cancel.order_id:
            which = {"a": asset, "o": self._order_id(cancel.order_id)}
            action = {"type": "cancel", "cancels": [which]}
        else:
            which = {"asset": asset, "cloid": self._client_id(cancel.client_id)}
            action = {"type": "cancelByCloid", "cancels": [which]}
        return self.encode_action(action, lane=Lane.CANCEL)

    @checked
    def decode_cancel(self, answer: Json) -> Order | None:
        """Always None: the venue only says that it is done."""
        [told] = answer["response"]["data"]["statuses"]
        if told != "success":
            raise ProtocolError("a cancel that did not succeed", venue=self._venue, raw=answer)
        return None

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        which = (
            self._order_id(query.order_id) if query.order_id else self._client_id(query.client_id)
        )
        return [self._of_account("orderStatus", LIGHT, oid=which)]

    @checked
    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        """None is no proof: an order that was refused early never gets a record."""
        if answer["status"] == "unknownOid":
            return None
        return self.decode_order(answer)

    def encode_open_orders(self, market: Market | None) -> Reads:
        """One question for each dex; spot is told with the main one. UNVERIFIED: that it is."""
        return tuple(self._of_account("frontendOpenOrders", dex=dex) for dex in self._dexs(market))

    @checked
    def decode_orders(self, answer: Json) -> list[Order]:
        symbol_of = self._markets.symbol_of
        return [decode_order(entry, symbol_of, "open") for page in answer for entry in page]

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        """All markets at once; see `decode_fills` for the cursor."""
        bounds: dict[str, Json] = {"startTime": max(since_ms, 0)}
        if cursor is not None:
            bound, _, time_ms = cursor.partition(" ")
            bounds[bound] = int(time_ms)
        return self._of_account("userFillsByTime", **bounds)

    @checked
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        """A full page may have been cut: the next one begins where this one ended, and tells that
        moment again. UNVERIFIED which end of the time comes first, so either is gone on with."""
        fills = [decode_fill(entry, self._markets.symbol_of) for entry in answer]
        if len(fills) < self.FILLS_PAGE:
            return FillPage(fills, None)
        first, last = fills[0]["timestamp_ms"], fills[-1]["timestamp_ms"]
        bound = "startTime" if last >= first else "endTime"
        following = f"{bound} {last}"
        if following == cursor:  # more fills in one millisecond than a page holds
            following = f"{bound} {last + (1 if bound == 'startTime' else -1)}"
        return FillPage(fills, following)

    def encode_schedule_cancel(self, at_ms: int | None) -> Request:
        """At least 5 s ahead. The venue grants it to accounts with 1,000,000 USD of volume."""
        action: dict[str, Json] = {"type": "scheduleCancel"}
        if at_ms is not None:
            action["time"] = at_ms
        return self.encode_action(action, lane=Lane.CANCEL)

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> tuple[Request, ...]:
        return tuple(
            self._of_account("clearinghouseState", LIGHT, dex=dex) for dex in self._dexs(market)
        )

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        symbol_of = self._markets.symbol_of
        return [position for state in answer for position in decode_positions(state, symbol_of)]

    def encode_collateral(self) -> Reads:
        """Which state counts, its mode tells; see `decode_collateral`."""
        return (
            self._of_account("userAbstraction"),
            self._of_account("clearinghouseState", LIGHT, dex=""),
            self._of_account("spotClearinghouseState", LIGHT),
        )

    @checked
    def decode_collateral(self, answer: Json) -> Collateral:
        """Of a unified account its spot balance, of any other the margin of the main dex.

        Raises: ProtocolError for a mode that is not known.
        """
        mode, perp, spot = answer
        if mode not in _UNIFIED | _SEPARATE:
            raise ProtocolError(f"unknown account mode {mode!r}", venue=self._venue)
        entries = [entry["position"] for entry in perp["assetPositions"]]
        pnl = sum((Decimal(entry["unrealizedPnl"]) for entry in entries), Decimal(0))
        total = Decimal(perp["marginSummary"]["accountValue"])
        available = Decimal(perp["withdrawable"])
        if mode in _UNIFIED:
            total, available = _spendable(spot, "USDC")
        return Collateral(
            total=total, available=available, unrealized_pnl=pnl, currency="USDC", raw=answer
        )

    def encode_balances(self) -> Request:
        return self._of_account("spotClearinghouseState", LIGHT)

    @checked
    def decode_balances(self, answer: Json) -> dict[str, Decimal]:
        """Token -> what can be spent."""
        coins = [entry["coin"] for entry in answer["balances"]]
        return {coin: _spendable(answer, coin)[1] for coin in coins}

    def encode_leverage_info(self, market: Market) -> Request:
        self._need_perp(market, "get_leverage_info")
        return self._of_account("activeAssetData", coin=self.wire_name(market))

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        leverage = answer["leverage"]
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=Decimal(leverage["value"]),
            max_leverage=market["max_leverage"],
            margin_mode=leverage["type"],
            position_mode="one-way",  # the venue has no other
            raw=answer,
        )

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        """Sets the leverage and, because the venue sets both together, cross margin; isolated
        where the market has no other. Raises: BadOrder unless it is a whole number."""
        self._need_perp(market, "update_leverage")
        if leverage != int(leverage) or leverage < 1:
            raise BadOrder(f"leverage {leverage} is not a whole number", venue=self._venue)
        raw = market["raw"]
        cross = not (raw.get("onlyIsolated") or raw.get("marginMode"))
        fields = {"asset": raw["asset"], "isCross": cross, "leverage": int(leverage)}
        return self.encode_action({"type": "updateLeverage", **fields})

    def encode_requests_left(self) -> Request:
        return self._of_account("userRateLimit")

    @checked
    def decode_requests_left(self, answer: Json) -> int:
        """Grows by one for each dollar traded; at zero one command every 10 s is let through."""
        left = int(answer["nRequestsCap"]) - int(answer["nRequestsUsed"])
        return max(left, 0)

    def encode_fees(self, market: Market) -> Request:
        return self._of_account("userFees")

    @checked
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        """With the deployer's scale on a builder's dex, and our own builder's part.

        A rebate is not scaled. `assumed` where the scale had to be: 1 is usual.
        """
        prefix = "user" if market["kind"] == "perp" else "userSpot"
        scale, assumed = _fee_scale(market)
        builder = int(self.keys.get("builder_fee") or 0) * _HUNDRED_THOUSANDTH
        maker, taker = (Decimal(answer[f"{prefix}{side}Rate"]) for side in ("Add", "Cross"))
        return Fees(
            symbol=market["symbol"],
            maker=(maker * scale if maker > 0 else maker) + builder,
            taker=taker * scale + builder,
            assumed=assumed,
            raw=answer,
        )

    def _client_id(self, text: str) -> str:
        """Raises: BadOrder unless it is "0x" and 32 hexadecimal digits."""
        if _CLOID.fullmatch(text) is None:
            raise BadOrder(f"client id {text!r} is not 0x and 32 digits", venue=self._venue)
        return text.lower()

    def _order_id(self, text: str) -> int:
        """Raises: BadOrder unless it is a number."""
        if not text.isdecimal():
            raise BadOrder(f"order id {text!r} is not a number", venue=self._venue)
        return int(text)


def _spendable(spot: Json, coin: str) -> tuple[Decimal, Decimal]:
    """Total and free balance of a token; an account without it has none."""
    for entry in spot["balances"]:
        if entry["coin"] == coin:
            total = Decimal(entry["total"])
            return total, total - Decimal(entry["hold"])
    return Decimal(0), Decimal(0)


def _fee_scale(market: Market) -> tuple[Decimal, bool]:
    """What a builder's dex multiplies positive fees with, and whether that is assumed."""
    raw = market["raw"]
    if not raw["dex"]:
        return Decimal(1), False
    told: Decimal | None = raw["feeScale"]
    scale = Decimal(1) if told is None else told
    factor = 1 + scale if scale < 1 else 2 * scale
    return factor * (_GROWTH if raw.get("growthMode") == "enabled" else 1), told is None
