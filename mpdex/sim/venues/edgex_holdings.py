"""What EdgeX writes about positions, money and accounts; REST and the stream send the same.

Amounts and times are text; sizes and values are signed.

Source: edgex-1.gitbook.io, "Account API", answers recorded there; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from mpdex.sim.models import FeeModel
from mpdex.sim.numerals import number
from mpdex.sim.records import ZERO, SimMarket, SimPosition
from mpdex.sim.venues import edgex_crypto as crypto
from mpdex.sim.venues.edgex_generations import COLLATERAL_ID, Generation
from mpdex.sim.venues.edgex_positions import Flows, Record, Side, Stat
from mpdex.sim.venues.edgex_render import money, on_grid, owner, time
from mpdex.sim.venues.edgex_truth import BALANCE
from mpdex.types import Json

OPENED_MS = "1730204434094"


def render_position(
    position: SimPosition, record: Record, generation: Generation, market: SimMarket
) -> dict[str, Json]:
    """A row of `positionList`; sizes and values are signed."""
    return {
        **owner(position.account),
        "coinId": COLLATERAL_ID,
        "contractId": generation.contract_id(market),
        "openSize": on_grid(position.size, market.step) if position.size else "0",
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
    return "0" if price is None else on_grid(price, market.tick)


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
