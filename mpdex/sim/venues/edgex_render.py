"""What EdgeX writes about orders and fills; REST and the stream send the same.

Amounts, ids and times are text. An order's `cumMatch*` are what the engine matched, its `cumFill*`
what has been booked since.

Source: edgex-1.gitbook.io, "Order API", answers recorded there; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from mpdex.sim.models import FeeModel
from mpdex.sim.numerals import milliseconds, number
from mpdex.sim.records import ZERO, SimFill, SimMarket, SimOrder
from mpdex.sim.venues.edgex_generations import COLLATERAL_ID, V1, Generation
from mpdex.sim.venues.edgex_wire import POST_ONLY, WireOrder
from mpdex.types import Json, OrderStatus, TimeInForce

CENT = Decimal("1e-6")
STATUS = {
    OrderStatus.PENDING: "PENDING",
    OrderStatus.OPEN: "OPEN",
    OrderStatus.FILLED: "FILLED",
}
NO_REASON = "UNKNOWN_ORDER_CANCEL_REASON"
# Why an order ended, in the venue's words. A post-only order that would have taken is told from an
# immediate one by nothing (UNVERIFIED); so is one that would have traded with its own account.
REASONS: Mapping[str, str] = {
    "client": "USER_CANCELED",
    "expired": "EXPIRE_CANCELED",
    "post_only": "COULD_NOT_FILL",
    "ioc": "COULD_NOT_FILL",
    "fok": "COULD_NOT_FILL",
    "self_trade": "COULD_NOT_FILL",
    "reduce_only": "REDUCE_ONLY_CANCELED",
    "margin": "MARGIN_NOT_ENOUGH",
    "liquidation": "LIQUIDATE_CANCELED",
    "market": "ADMIN_CANCELED",
    "band": "COULD_NOT_FILL",
}
TIFS = {
    TimeInForce.GTC: "GOOD_TIL_CANCEL",
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FOK: "FILL_OR_KILL",
}
_NO_LEG = {
    "side": "UNKNOWN_ORDER_SIDE",
    "price": "",
    "size": "",
    "clientOrderId": "",
    "triggerPrice": "",
    "triggerPriceType": "UNKNOWN_PRICE_TYPE",
    "expireTime": "0",
    "l2Nonce": "0",
    "l2Value": "",
    "l2Size": "",
    "l2LimitFee": "",
    "l2ExpireTime": "0",
    "l2Signature": {"r": "", "s": "", "v": ""},
}


def money(value: Decimal) -> str:
    """With six decimals, as the collateral has them."""
    return format(value.quantize(CENT, ROUND_HALF_EVEN), "f")


def time(ns: int) -> str:
    return str(milliseconds(ns))


def owner(account: str) -> dict[str, Json]:
    return {"userId": str(int(account) - 124_921_387), "accountId": account}


# --------------------------------------------------------------------------- orders and fills


class Booked(NamedTuple):
    """What of an order's executions has been booked.

    Attributes:
        highest, lowest: prices; 0 before the first.
    """

    size: Decimal = ZERO
    value: Decimal = ZERO
    fee: Decimal = ZERO
    pnl: Decimal = ZERO
    highest: Decimal = ZERO
    lowest: Decimal = ZERO

    def plus(self, fill: SimFill) -> Booked:
        return Booked(
            self.size + fill.size,
            self.value + fill.size * fill.price,
            self.fee + fill.fee,
            self.pnl + fill.closed_pnl - fill.fee,
            max(self.highest, fill.price),
            min(self.lowest or fill.price, fill.price),
        )


def booked(order: SimOrder) -> Booked:
    """Never more than the order, as it is shown, has matched."""
    known: Booked = order.raw.get("booked", Booked())
    return known if known.size <= order.filled else Booked()


def render_order(
    order: SimOrder, generation: Generation, market: SimMarket, leverage: Decimal, fees: FeeModel
) -> dict[str, Json]:
    sent: WireOrder | None = order.raw.get("sent")
    at_market = order.price is None
    return {
        "id": order.order_id,
        **owner(order.account),
        "coinId": COLLATERAL_ID,
        "contractId": generation.contract_id(market),
        "side": order.side.upper(),
        "price": on_grid(ZERO if order.price is None else order.price, market.tick),
        "size": on_grid(order.size, market.step),
        "clientOrderId": order.client_id,
        "type": "MARKET" if at_market else "LIMIT",
        "timeInForce": _tif(order),
        "reduceOnly": order.reduce_only,
        "triggerPrice": "0",
        "triggerPriceType": "UNKNOWN_PRICE_TYPE",
        "expireTime": time(order.expires_ns or 0),
        "sourceKey": "",
        "isPositionTpsl": False,
        "isLiquidate": _is_forced(order, "liquidation"),
        "isDeleverage": _is_forced(order, "adl"),
        "openTpslParentOrderId": "0",
        "isSetOpenTp": False,
        "openTp": _NO_LEG,
        "isSetOpenSl": False,
        "openSl": _NO_LEG,
        "isWithoutMatch": False,
        "withoutMatchFillSize": "0",
        "withoutMatchFillValue": "0",
        "withoutMatchPeerAccountId": "0",
        "withoutMatchPeerOrderId": "0",
        "maxLeverage": number(leverage),
        "takerFeeRate": money(fees.taker),
        "makerFeeRate": money(fees.maker),
        "liquidateFeeRate": "0.01",
        "marketLimitPrice": "0",
        "marketLimitValue": money(sent.value) if sent and at_market else "0",
        **_render_l2(order, generation),
        "extraType": "",
        "extraDataJson": "",
        "status": status_word(order),
        "matchSequenceId": order.order_id[-8:].lstrip("0") or "0",
        "triggerTime": "0",
        "triggerPriceTime": "0",
        "triggerPriceValue": "0",
        "cancelReason": reason_word(order),
        **_render_sums(order, market),
        "createdTime": time(order.created_ns),
        "updatedTime": time(order.updated_ns),
    }


def status_word(order: SimOrder) -> str:
    """Partly filled is OPEN; refused by the engine, expired and canceled are one."""
    if order.live and order.raw.get("canceling"):
        return "CANCELING"
    return STATUS.get(order.status, "CANCELED")


def reason_word(order: SimOrder) -> str:
    if order.live or order.status is OrderStatus.FILLED:
        return NO_REASON
    if order.reason == "market" and order.price is None:
        return "COULD_NOT_FILL"  # a market order's rest
    return REASONS.get(order.reason, "INTERNAL_FAILED")


def _tif(order: SimOrder) -> str:
    return POST_ONLY if order.post_only else TIFS[order.tif]


def _render_l2(order: SimOrder, generation: Generation) -> dict[str, Json]:
    """What was signed; of an order that nobody signed, nothing."""
    sent: WireOrder | None = order.raw.get("sent")
    if sent is None:
        names = ("l2Nonce", "l2Value", "l2Size", "l2LimitFee", "l2ExpireTime")
        return {**dict.fromkeys(names, "0"), "l2Signature": _signature("", generation)}
    return {
        "l2Nonce": str(sent.nonce),
        "l2Value": money(sent.value),
        "l2Size": number(sent.size),
        "l2LimitFee": number(sent.limit_fee),
        "l2ExpireTime": str(sent.settles_ms),
        "l2Signature": _signature(sent.signature, generation),
    }


def _signature(text: str, generation: Generation) -> Json:
    """v1 takes it apart; that v2 does not is UNVERIFIED."""
    if generation is not V1:
        return text
    r, s = (f"0x{part}" if part else "" for part in (text[:64], text[64:128]))
    return {"r": r, "s": s, "v": text[128:]}


def _render_sums(order: SimOrder, market: SimMarket) -> dict[str, Json]:
    sums = booked(order)
    return {
        "cumFillSize": number(sums.size),
        "cumFillValue": number(sums.value),
        "cumFillFee": number(sums.fee),
        "maxFillPrice": on_grid(sums.highest, market.tick) if sums.size else "0",
        "minFillPrice": on_grid(sums.lowest, market.tick) if sums.size else "0",
        "cumLiquidateFee": "0",
        "cumRealizePnl": number(sums.pnl),
        "cumMatchSize": number(order.filled),
        "cumMatchValue": number(order.quote_filled),
        "cumMatchFee": number(order.fees),
        "cumFailSize": "0",
        "cumFailValue": "0",
        "cumFailFee": "0",
        "cumApprovedSize": "0",
        "cumApprovedValue": "0",
        "cumApprovedFee": "0",
    }


def render_fill(fill: SimFill, generation: Generation, market: SimMarket) -> dict[str, Json]:
    """An execution, once it is booked."""
    order, at = fill.order, time(fill.time_ns)
    row = int(order.order_id) + fill.trade_id * 1024
    return {
        "id": str(row),
        **owner(order.account),
        "coinId": COLLATERAL_ID,
        "contractId": generation.contract_id(market),
        "orderId": order.order_id,
        "orderSide": order.side.upper(),
        "fillSize": on_grid(fill.size, market.step),
        "fillValue": number(fill.size * fill.price),
        "fillFee": money(fill.fee),
        "fillPrice": on_grid(fill.price, market.tick),
        "liquidateFee": "0",
        "realizePnl": money(fill.closed_pnl - fill.fee),
        "direction": fill.liquidity.upper(),
        "isPositionTpsl": False,
        "isLiquidate": _is_forced(order, "liquidation"),
        "isDeleverage": _is_forced(order, "adl"),
        "isWithoutMatch": False,
        "matchSequenceId": str(35_000_000 + fill.trade_id),
        "matchIndex": 0,
        "matchTime": at,
        "matchAccountId": "555790606509539863",
        "matchOrderId": str(row + 1),
        "matchFillId": f"05d14491-db7d-478a-9d9f-{fill.trade_id:012x}",
        "positionTransactionId": str(row + 2),
        "collateralTransactionId": str(row + 3),
        "extraType": "",
        "extraDataJson": "",
        "censorStatus": "CENSOR_SUCCESS",
        "censorTxId": str(893_000 + fill.trade_id),
        "censorTime": at,
        "censorFailCode": "",
        "censorFailReason": "",
        "l2TxId": str(1_084_000 + fill.trade_id),
        "l2RejectTime": "0",
        "l2RejectCode": "",
        "l2RejectReason": "",
        "l2ApprovedTime": "0",
        "createdTime": at,
        "updatedTime": at,
    }


def _is_forced(order: SimOrder, reason: str) -> bool:
    """Whether the venue itself traded for the account."""
    return order.reason == reason and "sent" not in order.raw


def on_grid(value: Decimal, step: Decimal) -> str:
    """With the decimals of a tick or a step; what the venue closed at its mark has more."""
    return number(value) if value % step else format(value.quantize(step.normalize()), "f")
