"""What EdgeX writes about orders, fills, positions and money: REST and the stream send the same.

Amounts, ids and times are text. An order's `cumMatch*` are what the engine matched, its `cumFill*`
what has been booked since.

Source: edgex-1.gitbook.io, "Order API", "Account API", answers recorded there; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from mpdex.sim.models import FeeModel
from mpdex.sim.numerals import milliseconds, number
from mpdex.sim.records import ZERO, SimFill, SimMarket, SimOrder, SimPosition
from mpdex.sim.venues import edgex_crypto as crypto
from mpdex.sim.venues.edgex_generations import COLLATERAL_ID, V1, Generation
from mpdex.sim.venues.edgex_positions import Flows, Record, Side, Stat
from mpdex.sim.venues.edgex_truth import BALANCE
from mpdex.sim.venues.edgex_wire import POST_ONLY, WireOrder
from mpdex.types import Json, OrderStatus, TimeInForce

CENT = Decimal("1e-6")
OPENED_MS = "1730204434094"
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
        "price": _on(ZERO if order.price is None else order.price, market.tick),
        "size": _on(order.size, market.step),
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
        "maxFillPrice": _on(sums.highest, market.tick) if sums.size else "0",
        "minFillPrice": _on(sums.lowest, market.tick) if sums.size else "0",
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
        "fillSize": _on(fill.size, market.step),
        "fillValue": number(fill.size * fill.price),
        "fillFee": money(fill.fee),
        "fillPrice": _on(fill.price, market.tick),
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


def _on(value: Decimal, step: Decimal) -> str:
    return format(value.quantize(step.normalize()), "f")


# --------------------------------------------------------------------------- positions


def render_position(
    position: SimPosition, record: Record, generation: Generation, market: SimMarket
) -> dict[str, Json]:
    """A row of `positionList`; sizes and values are signed."""
    return {
        **owner(position.account),
        "coinId": COLLATERAL_ID,
        "contractId": generation.contract_id(market),
        "openSize": _on(position.size, market.step) if position.size else "0",
        "openValue": money(position.size * position.entry),
        "openFee": money(record.fee),
        "fundingFee": money(record.funding),
        "longTermCount": record.long.terms,
        "longTermStat": _render_stat(record.long.term),
        **_render_times("longTerm", record.long),
        "shortTermCount": record.short.terms,
        "shortTermStat": _render_stat(record.short.term),
        **_render_times("shortTerm", record.short),
        "longTotalStat": _render_stat(record.long.total),
        "shortTotalStat": _render_stat(record.short.total),
        "createdTime": time(record.began_ns),
        "updatedTime": time(position.updated_ns),
    }


def _render_times(prefix: str, side: Side) -> dict[str, Json]:
    return {
        f"{prefix}CreatedTime": time(side.began_ns),
        f"{prefix}UpdatedTime": time(side.changed_ns),
    }


def _render_stat(stat: Stat) -> dict[str, Json]:
    return {
        "cumOpenSize": number(stat.open_size),
        "cumOpenValue": money(stat.open_value) if stat.open_value else "0",
        "cumOpenFee": money(stat.open_fee) if stat.open_fee else "0",
        "cumCloseSize": number(stat.close_size),
        "cumCloseValue": money(stat.close_value) if stat.close_value else "0",
        "cumCloseFee": money(stat.close_fee) if stat.close_fee else "0",
        "cumFundingFee": number(stat.funding),
        "cumLiquidateFee": "0",
    }


def render_position_asset(
    position: SimPosition, record: Record, generation: Generation, market: SimMarket
) -> dict[str, Json]:
    """What a position is worth. The value of a short one is negative (UNVERIFIED)."""
    value = position.size * position.mark
    realized = position.realized + record.long.total.open_fee + record.long.total.close_fee
    realized += record.short.total.open_fee + record.short.total.close_fee
    return {
        **owner(position.account),
        "coinId": COLLATERAL_ID,
        "contractId": generation.contract_id(market),
        "positionValue": number(value),
        "maxLeverage": number(position.leverage),
        "initialMarginRequirement": number(abs(value) / position.leverage),
        "starkExRiskRate": number(market.maintenance),
        "starkExRiskValue": number(abs(value) * market.maintenance),
        "avgEntryPrice": number(position.entry.quantize(Decimal("1e-8"))),
        "liquidatePrice": _price_or_zero(position.liquidation, market),
        "bankruptPrice": _price_or_zero(position.liquidation, market),
        "worstClosePrice": _price_or_zero(position.liquidation, market),
        "unrealizePnl": number(position.unrealized),
        "termRealizePnl": money(record.realized),
        "totalRealizePnl": money(realized),
    }


def _price_or_zero(price: Decimal | None, market: SimMarket) -> str:
    return "0" if price is None else _on(price, market.tick)


# --------------------------------------------------------------------------- money


class Purse(NamedTuple):
    """What an account is worth.

    Attributes:
        tied: margin of the positions.
        frozen: margin of the open orders.
        exposure: value of the positions, without signs.
        needed: maintenance margin.
    """

    equity: Decimal
    tied: Decimal
    frozen: Decimal
    exposure: Decimal
    needed: Decimal


def render_collateral(
    account: str, cash: Decimal, opened: Decimal, flows: Flows
) -> dict[str, Json]:
    """The ledger's row: `amount` is less by the value of what is open, `legacyAmount` is not."""
    return {
        **owner(account),
        "coinId": COLLATERAL_ID,
        "amount": money(cash - opened),
        "legacyAmount": money(cash),
        "cumDepositAmount": money(BALANCE),
        "cumWithdrawAmount": "0",
        "cumTransferInAmount": "0",
        "cumTransferOutAmount": "0",
        "cumPositionBuyAmount": number(flows.bought),
        "cumPositionSellAmount": number(flows.sold),
        "cumFillFeeAmount": money(flows.fees),
        "cumFundingFeeAmount": number(flows.funding),
        "cumFillFeeIncomeAmount": "0",
        "createdTime": OPENED_MS,
        "updatedTime": time(flows.changed_ns) if flows.changed_ns else OPENED_MS,
    }


def render_collateral_asset(account: str, purse: Purse) -> dict[str, Json]:
    return {
        **owner(account),
        "coinId": COLLATERAL_ID,
        "totalEquity": number(purse.equity),
        "totalPositionValueAbs": number(purse.exposure),
        "initialMarginRequirement": number(purse.tied),
        "starkExRiskValue": number(purse.needed),
        "pendingWithdrawAmount": "0",
        "pendingTransferOutAmount": "0",
        "orderFrozenAmount": number(purse.frozen),
        "availableAmount": money(max(purse.equity - purse.tied - purse.frozen, ZERO)),
    }


def render_account(
    account: str, leverages: Mapping[str, Decimal], fees: FeeModel, updated_ns: int
) -> dict[str, Json]:
    """An account and its settings. `leverages`: by contract id, where it has set its own."""
    signer, stark_key = crypto.public_keys(account)
    return {
        "id": account,
        "userId": owner(account)["userId"],
        "ethAddress": signer,
        "l2Key": hex(stark_key),
        "l2KeyYCoordinate": "0x0",
        "clientAccountId": "main",
        "isSystemAccount": False,
        "defaultTradeSetting": {
            "isSetFeeRate": True,
            "takerFeeRate": money(fees.taker),
            "makerFeeRate": money(fees.maker),
            "isSetFeeDiscount": False,
            "takerFeeDiscount": "0",
            "makerFeeDiscount": "0",
            "isSetMaxLeverage": False,
            "maxLeverage": "0",
        },
        "contractIdToTradeSetting": {
            contract_id: _own_setting(leverage) for contract_id, leverage in leverages.items()
        },
        "maxLeverageLimit": "0",
        "createOrderPerMinuteLimit": 0,
        "createOrderDelayMillis": 0,
        "extraType": "",
        "extraDataJson": "",
        "status": "NORMAL",
        "isLiquidating": False,
        "createdTime": OPENED_MS,
        "updatedTime": time(updated_ns) if updated_ns else OPENED_MS,
    }


def _own_setting(leverage: Decimal) -> dict[str, Json]:
    return {
        "isSetFeeRate": False,
        "takerFeeRate": "",
        "makerFeeRate": "",
        "isSetFeeDiscount": False,
        "takerFeeDiscount": "",
        "makerFeeDiscount": "",
        "isSetMaxLeverage": True,
        "maxLeverage": number(leverage),
    }
