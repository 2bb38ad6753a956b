"""The simulated Hyperliquid against every recorded payload: the same keys, the same kinds of value.

A payload is compared place by place; null goes with anything, amounts are told from times and from
words. Keys must be exactly those of a live capture of our days; what differs is listed with its
reason. Answers whose every word is the venue's are compared as they are.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from replay.payload_shapes import kinds_that_differ, lacking, recordings, shape
from sim.hyperliquid_stage import (
    ASSETS,
    ETH,
    SPOT,
    STRANGER,
    XYZ,
    Signer,
    Stage,
    order,
    placing,
    staged,
    taker,
)

D = Decimal
Maker = Callable[[Stage], Awaitable[Any]]
CLOID = "0x" + "12" * 16
CANDLES = {"interval": "1h", "startTime": 0, "endTime": 1 << 50}
GONE = {"type": "cancel", "cancels": [{"a": 5, "o": 1}]}

STREAM = "a stream that is not simulated"
NOT_SIMULATED = {
    "http_exchange_twap_cancel_error": "TWAPs are not simulated",
    "http_exchange_twap_cancel_success": "TWAPs are not simulated",
    "http_exchange_twap_error": "TWAPs are not simulated",
    "http_exchange_twap_running": "TWAPs are not simulated",
    "http_frontend_open_orders": "trigger orders are not simulated",
    "http_perp_dex_status": "deposits of others are not simulated",
    "http_portfolio": "histories of accounts are not simulated",
    "http_token_details": "tokens' supplies are not simulated",
    "http_user_fills_dust_conversion": "dust is not converted",
    "http_user_vault_equities": "shares of vaults are not simulated",
    "ws_candle": STREAM,
    "ws_notification": STREAM,
    "ws_notification_roq": STREAM,
    "ws_user_event_twap_slice_fills": "TWAPs are not simulated",
    "ws_user_twap_history": STREAM,
}
# Keys that only the recording has, and what they are.
MISSING: dict[str, set[str]] = {
    "http_clearinghouse_state_2023": {"maxTradeSzs"},
    "ws_all_dexs_clearinghouse_state": {"rawUsd"},
    "ws_clearinghouse_state": {"rawUsd"},
    "ws_open_orders_hip3_dex": {"children"},  # of a trigger order
    "ws_twap_states": {"states"},
    "ws_user_non_funding_ledger_updates": {  # of a liquidation
        *("liquidatedNtlPos", "accountValue", "leverageType", "liquidatedPositions"),
    },
    "ws_web_data3_user": {"leadingVaults"},
    "http_user_non_funding_ledger_updates": {  # of other kinds of entries
        *("token", "amount", "usdcValue", "user", "destination", "fee", "nativeTokenFee"),
        *("nonce", "feeToken"),
    },
}
# Keys that only the simulator has: newer than the recording, or left out by its authors.
META = {"marginTables", "marginTableId", "collateralToken", "isDelisted"}
STATE = {"withdrawable", "crossMaintenanceMarginUsed", "cumFunding", "maxLeverage", "time"}
MORE: dict[str, set[str]] = {
    "http_all_perp_metas_trimmed": META,
    "http_clearinghouse_state_2023": STATE,
    "http_clearinghouse_state_negative_raw_usd": {"marginSummary", "crossMaintenanceMarginUsed"},
    "http_l2_book": {"time"},
    "http_meta_2023": META,
    "http_meta_and_asset_ctxs_trimmed": {*META, "dayBaseVlm", "description"},
    "http_open_orders": {"origSz", "cloid"},
    "http_perp_dexs": {  # newer than the documentation's example
        *("subDeployers", "deployerFeeScale", "lastDeployerFeeScaleChangeTime"),
    },
    "http_user_non_funding_ledger_updates": {"toPerp"},  # the recording's first is a deposit
    "http_user_rate_limit": {"nRequestsSurplus"},
    "ws_subscription_response_l2_book": {"fast"},
    "ws_active_spot_asset_ctx_roq": {"tokens"},  # shortened by its authors
    "ws_user_event_fill_liquidation": {"builderFee"},
    "ws_user_non_funding_ledger_updates": {"toPerp"},
    "ws_web_data3_vault": {"dexAbstractionEnabled", "abstraction", "optOutOfSpotDusting"},
}


# --------------------------------------------------------------------------- making them


def ask(kind: str, *, before: Maker | None = None, **query: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        return stage.info(kind, **query)

    return make


def mine(kind: str, *, before: Maker | None = None, **query: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        return stage.mine(kind, **query)

    return make


def sent(action: dict[str, Any], *, before: Maker | None = None, **options: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        return stage.act(action, **options)

    return make


def told(channel: str, then: Maker, *kinds: str, about: str = "", **topic: Any) -> Maker:
    """The first frame of a channel, about something, after something has happened."""

    async def make(stage: Stage) -> Any:
        await asyncio.sleep(1)
        if topic.pop("me", False):
            topic["user"] = stage.me
        wire = stage.listen(*kinds or (channel,), **topic)
        wire.frames.clear()
        await then(stage)
        await asyncio.sleep(2)
        frames = (frame for frame in wire.take() if frame["channel"] == channel)
        return next(frame for frame in frames if not about or about in frame["data"])

    return make


def first(channel: str, *, before: Maker | None = None, bare: bool = False, **topic: Any) -> Maker:
    """What is told at once to a new listener."""

    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        await asyncio.sleep(1)
        if topic.pop("me", False):
            topic["user"] = stage.me
        kind = "activeAssetCtx" if channel == "activeSpotAssetCtx" else channel
        wire = stage.listen(kind, **topic)
        frame = next(f for f in wire.take() if f["channel"] == channel)
        return frame["data"] if bare else frame

    return make


def said(message: Any, *, before: Maker | None = None) -> Maker:
    """The direct answer to a frame."""

    async def make(stage: Stage) -> Any:
        if before is not None:
            await before(stage)
        built = message(stage) if callable(message) else message
        return stage.say(stage.connect(), built)

    return make


def posted(action: dict[str, Any], *, before: Maker | None = None) -> Maker:
    def message(stage: Stage) -> Any:
        request = {"type": "action", "payload": stage.body(action)}
        return {"method": "post", "id": 3000001, "request": request}

    return said(message, before=before)


def acknowledged(**topic: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        wire = stage.connect()
        stage.say(wire, {"method": "subscribe", "subscription": topic})
        return wire.take()[0]

    return make


# --------------------------------------------------------------------------- what happens before


async def resting(stage: Stage) -> Any:
    return stage.rest(cloid=CLOID)


async def two_resting(stage: Stage) -> None:
    stage.rest("buy", cloid=CLOID)
    stage.rest("sell", price="3010", cloid=CLOID)


async def canceled(stage: Stage) -> Any:
    return stage.cancel(await resting(stage))


async def bought(stage: Stage) -> Any:
    return stage.statuses(placing(taker(cloid=CLOID)))


async def short(stage: Stage) -> Any:
    return stage.statuses(placing(taker("sell")))


async def isolated(stage: Stage) -> None:
    stage.done({"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 5})
    await short(stage)


async def liquidated(stage: Stage) -> None:
    await bought(stage)
    stage.exchange.liquidate(stage.me, ETH)


async def filled_by_name(stage: Stage) -> None:
    oid = stage.rest(cloid=CLOID)
    stage.exchange.fill(stage.exchange.orders[str(oid)], D("0.1"))


async def liquidated_with_everything(stage: Stage) -> None:
    """One fill that has all a fill can have."""
    stage.done({"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": STRANGER})
    oid = stage.rest(cloid=CLOID, builder={"b": STRANGER, "f": 10})
    stage.exchange.orders[str(oid)].reason = "liquidation"
    stage.exchange.fill(stage.exchange.orders[str(oid)], D("0.1"))


async def funded(stage: Stage) -> None:
    await bought(stage)
    stage.exchange.fund(D("0.0001"), ETH)


async def traded(stage: Stage) -> None:
    stage.trade("3000.1", "0.5", "buy")
    stage.trade("2999.9", "0.25", "sell")


async def moved(stage: Stage) -> None:
    stage.quote("3001.1", "3001.2")


async def spot_bought(stage: Stage) -> Any:
    return stage.statuses(placing(taker(coin=SPOT)))


async def one_sided(stage: Stage) -> None:
    stage.exchange.thin(D(0), "buy", SPOT)


async def with_sub(stage: Stage) -> None:
    stage.venue.open_sub_account(balance=D(10))


async def with_agents(stage: Stage) -> None:
    for number in (1, 2):
        agent = {"agentAddress": f"0x{number:040x}", "agentName": f"n{number}"}
        stage.done({"type": "approveAgent", **agent})


async def with_builder(stage: Stage) -> None:
    stage.done({"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": STRANGER})


async def transferred(stage: Stage) -> None:
    stage.done({"type": "usdClassTransfer", "amount": "12", "toPerp": False})


async def open_elsewhere(stage: Stage) -> None:
    stage.rest("buy", "0.1", "2990", coin=XYZ, cloid=CLOID)


async def own_order_in_the_way(stage: Stage) -> None:
    stage.rest("sell", "0.1", "3000")
    stage.statuses(placing(taker()))


async def unknown_wallet(stage: Stage) -> Any:
    return stage.act(placing(order()), by=Signer("0x" + "77" * 32))


async def no_signer(stage: Stage) -> Any:
    body = stage.body(placing(order()))
    return stage.call("/exchange", {**body, "signature": {"r": "0x0", "s": "0x1", "v": 27}}).body


async def duplicate(stage: Stage) -> Any:
    stage.place(nonce=stage.clock.now_ms())
    return stage.act(placing(order()), nonce=stage.clock.now_ms())


async def bad_modification(stage: Stage) -> Any:
    change = {"oid": await resting(stage), "order": taker()}
    return stage.act({"type": "batchModify", "modifies": [change]})


async def agents_role(stage: Stage) -> Any:
    return stage.info("userRole", user=stage.agent.address)


async def subs_role(stage: Stage) -> Any:
    return stage.info("userRole", user=stage.venue.open_sub_account())


async def vaults_role(stage: Stage) -> Any:
    return stage.info("userRole", user=stage.venue.open_vault())


async def canceled_by_name(stage: Stage) -> Any:
    oid = stage.rest(cloid=CLOID)
    return stage.act({"type": "cancel", "cancels": [{"a": 1, "o": oid}]})


async def dex_mode(stage: Stage) -> Any:
    stage.done({"type": "userDexAbstraction", "user": stage.me, "enabled": True})
    return stage.mine("userDexAbstraction")


async def three_ends(stage: Stage) -> Any:
    """An order opened, one filled and one canceled, in one block."""
    wire = stage.follow("orderUpdates")
    oid = stage.rest(coin=XYZ, cloid=CLOID)
    stage.statuses(placing(taker(coin=SPOT, cloid=CLOID)))
    stage.cancel(oid, ASSETS[XYZ])
    await asyncio.sleep(0.1)
    return wire.take()[0]


SMALL = placing(order(size="0.0001", cloid=CLOID))
STATE_OF_SHORT = mine("clearinghouseState", before=short)
ANSWERS: dict[str, Maker] = {
    "http_active_asset_data": mine("activeAssetData", coin=ETH),
    "http_active_asset_data_hip3": mine("activeAssetData", coin=XYZ),
    "http_all_mids": ask("allMids"),
    "http_all_perp_metas_trimmed": ask("allPerpMetas"),
    "http_approved_builders": mine("approvedBuilders", before=with_builder),
    "http_candle_snapshot": ask("candleSnapshot", before=traded, req={"coin": ETH, **CANDLES}),
    "http_clearinghouse_state": STATE_OF_SHORT,
    "http_clearinghouse_state_2023": STATE_OF_SHORT,
    "http_clearinghouse_state_cross_long": mine("clearinghouseState", before=bought),
    "http_clearinghouse_state_empty": ask("clearinghouseState", user=STRANGER),
    "http_clearinghouse_state_isolated": mine("clearinghouseState", before=isolated),
    "http_clearinghouse_state_isolated_docs": mine("clearinghouseState", before=isolated),
    "http_clearinghouse_state_negative_raw_usd": mine("clearinghouseState"),
    "http_exchange_cancel_error_already_gone": sent(GONE),
    "http_exchange_cancel_error_docs": sent(GONE),
    "http_exchange_cancel_success": canceled_by_name,
    "http_exchange_cancel_success_docs": canceled_by_name,
    "http_exchange_err_duplicate_nonce": duplicate,
    "http_exchange_err_unable_to_recover_signer": no_signer,
    "http_exchange_err_unknown_wallet": unknown_wallet,
    "http_exchange_modify_err": bad_modification,
    "http_exchange_order_err_general": unknown_wallet,
    "http_exchange_order_error_ioc_no_match": sent(placing(taker(price="2990"))),
    "http_exchange_order_error_margin": sent(placing(order(size="900", price="2900"))),
    "http_exchange_order_error_min_value": sent(SMALL),
    "http_exchange_order_error_price": sent(placing(order(price="9000"))),
    "http_exchange_order_error_size": sent(SMALL),
    "http_exchange_order_filled": sent(placing(taker())),
    "http_exchange_order_filled_cloid": sent(placing(taker(cloid=CLOID))),
    "http_exchange_order_resting": sent(placing(order())),
    "http_exchange_order_resting_cloid": sent(placing(order(cloid=CLOID))),
    "http_extra_agents": mine("extraAgents", before=with_agents),
    "http_frontend_open_orders_spot": mine("frontendOpenOrders", before=resting),
    "http_funding_history": ask("fundingHistory", coin=ETH, startTime=0),
    "http_funding_history_hip3": ask("fundingHistory", coin=XYZ, startTime=0),
    "http_historical_orders": mine("historicalOrders", before=canceled),
    "http_l2_book": ask("l2Book", coin=ETH),
    "http_l2_book_five_levels": ask("l2Book", coin=ETH),
    "http_l2_book_spot": ask("l2Book", coin=SPOT),
    "http_meta_2023": ask("meta"),
    "http_meta_and_asset_ctxs_hip3_trimmed": ask("metaAndAssetCtxs", dex="xyz"),
    "http_meta_and_asset_ctxs_trimmed": ask("metaAndAssetCtxs"),
    "http_meta_first_six": ask("meta"),
    "http_meta_full_testnet": ask("meta"),
    "http_open_orders": mine("openOrders", before=resting),
    "http_open_orders_cloid": mine("openOrders", before=two_resting),
    "http_order_status_unknown_oid": mine("orderStatus", oid=1),
    "http_perp_dexs": ask("perpDexs"),
    "http_perp_dexs_full_testnet": ask("perpDexs"),
    "http_perps_at_open_interest_cap": ask("perpsAtOpenInterestCap"),
    "http_spot_clearinghouse_state": mine("spotClearinghouseState", before=spot_bought),
    "http_spot_clearinghouse_state_empty": ask("spotClearinghouseState", user=STRANGER),
    "http_spot_clearinghouse_state_hype": mine("spotClearinghouseState", before=spot_bought),
    "http_spot_meta_and_asset_ctxs_trimmed": ask("spotMetaAndAssetCtxs"),
    "http_spot_meta_trimmed": ask("spotMeta"),
    "http_sub_accounts": mine("subAccounts", before=with_sub),
    "http_sub_accounts_docs": mine("subAccounts", before=with_sub),
    "http_user_dex_abstraction": dex_mode,
    "http_user_fills": mine("userFills", before=liquidated),
    "http_user_funding": mine("userFunding", before=funded, startTime=0),
    "http_user_funding_2025": mine("userFunding", before=funded, startTime=0),
    "http_user_non_funding_ledger_updates": mine(
        "userNonFundingLedgerUpdates", before=transferred, startTime=0
    ),
    "http_user_rate_limit": mine("userRateLimit"),
    "http_user_role": vaults_role,
    "http_user_role_agent": agents_role,
    "http_user_role_missing": ask("userRole", user=STRANGER),
    "http_user_role_sub_account": subs_role,
    "http_user_role_vault": vaults_role,
    "ws_active_asset_ctx": first("activeAssetCtx", coin=ETH),
    "ws_active_asset_ctx_2": told("activeAssetCtx", moved, coin=ETH),
    "ws_active_asset_ctx_roq": first("activeAssetCtx", coin=ETH),
    "ws_active_asset_data": first("activeAssetData", before=isolated, coin=ETH, me=True),
    "ws_active_spot_asset_ctx": first("activeSpotAssetCtx", coin=SPOT),
    "ws_active_spot_asset_ctx_roq": said(
        {
            "method": "post",
            "id": 2000001,
            "request": {"type": "info", "payload": {"type": "spotMeta"}},
        }
    ),
    "ws_all_dexs_asset_ctxs_full": first("allDexsAssetCtxs"),
    "ws_all_dexs_asset_ctxs_no_book": first("allDexsAssetCtxs"),
    "ws_all_dexs_asset_ctxs_trimmed": told("allDexsAssetCtxs", moved),
    "ws_all_dexs_clearinghouse_state": told("allDexsClearinghouseState", bought, me=True),
    "ws_all_mids": told("allMids", moved),
    "ws_all_mids_hip3_dex": first("allMids", dex="xyz"),
    "ws_bbo": told("bbo", moved, coin=ETH),
    "ws_bbo_no_bid": told("bbo", one_sided, coin=SPOT),
    "ws_bbo_roq": first("bbo", coin=ETH),
    "ws_clearinghouse_state": told("clearinghouseState", bought, me=True),
    "ws_clearinghouse_state_hip3_dex_empty": first("clearinghouseState", me=True, dex="xyz"),
    "ws_error_bad_request": said(
        '{"method":"subscribe","xsubscription":{"type":"bbo","coin":"SOL"}}'
    ),
    "ws_l2_book_aggregated__data_part": first("l2Book", coin=ETH, nSigFigs=5, bare=True),
    "ws_l2_book_fast__data_part": first("l2Book", coin=ETH, fast=True, bare=True),
    "ws_l2_book_full": first("l2Book", coin=ETH),
    "ws_l2_book_trimmed": told("l2Book", moved, coin=ETH),
    "ws_open_orders_hip3_dex": told("openOrders", open_elsewhere, me=True, dex="xyz"),
    "ws_order_updates_canceled": told("orderUpdates", canceled, me=True),
    "ws_order_updates_min_trade_ntl_rejected": told("orderUpdates", sent(SMALL), me=True),
    "ws_order_updates_open": told("orderUpdates", resting, me=True),
    "ws_order_updates_open_filled_canceled": three_ends,
    "ws_order_updates_open_then_filled": told("orderUpdates", bought, me=True),
    "ws_order_updates_rejected_other": told(
        "orderUpdates", sent(placing(order(size="900", price="2900", cloid=CLOID))), me=True
    ),
    "ws_pong": said({"method": "ping"}),
    "ws_post_cancel_error": posted(GONE),
    "ws_post_cancel_success": posted(
        {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": CLOID}]}, before=resting
    ),
    "ws_post_order_error_20260803": posted(placing(order(size="110000", price="2999"))),
    "ws_post_order_error_min_notional": posted(SMALL),
    "ws_post_order_filled_cloid": posted(placing(taker(cloid=CLOID))),
    "ws_post_order_resting_cloid": posted(placing(order(cloid=CLOID))),
    "ws_spot_state": told("spotState", spot_bought, me=True),
    "ws_subscription_response_bbo": acknowledged(type="bbo", coin="SOL"),
    "ws_subscription_response_l2_book": acknowledged(type="l2Book", coin=ETH),
    "ws_trades": first("trades", before=traded, coin=ETH),
    "ws_trades_roq": told("trades", traded, coin=ETH),
    "ws_trades_zero_hash": first("trades", before=traded, coin=ETH),
    "ws_twap_states": first("twapStates", me=True),
    "ws_user_event_fill_liquidation": told(
        "user", liquidated_with_everything, "userEvents", me=True
    ),
    "ws_user_event_fills": told("user", liquidated_with_everything, "userEvents", me=True),
    "ws_user_event_fills_roq": told("user", filled_by_name, "userEvents", me=True),
    "ws_user_event_funding": told("user", funded, "userEvents", about="funding", me=True),
    "ws_user_event_funding_roq": told("user", funded, "userEvents", about="funding", me=True),
    "ws_user_event_liquidation": told(
        "user", liquidated, "userEvents", about="liquidation", me=True
    ),
    "ws_user_event_non_user_cancel": told(
        "user", own_order_in_the_way, "userEvents", about="nonUserCancel", me=True
    ),
    "ws_user_fills_snapshot": first("userFills", before=liquidated_with_everything, me=True),
    "ws_user_fills_snapshot_roq": first("userFills", before=short, me=True),
    "ws_user_fills_stream": told("userFills", liquidated_with_everything, me=True),
    "ws_user_fundings_snapshot": first("userFundings", before=funded, me=True),
    "ws_user_fundings_snapshot_roq": first("userFundings", before=funded, me=True),
    "ws_user_non_funding_ledger_updates": first(
        "userNonFundingLedgerUpdates", before=transferred, me=True
    ),
    "ws_web_data3_user": first("webData3", me=True),
    "ws_web_data3_vault": first("webData3", me=True),
}
# What a client sends is no answer: it is read.
SENT = {"ws_client_ping", "ws_client_post_action_request", "ws_client_post_info_request"}
EXACT = (
    *("http_exchange_cancel_success", "http_exchange_cancel_success_docs"),
    *("http_exchange_err_unable_to_recover_signer", "http_exchange_modify_err"),
    *("http_exchange_order_error_price", "http_order_status_unknown_oid"),
    *("http_user_role", "http_user_role_missing", "http_user_role_vault"),
    *("http_user_dex_abstraction", "http_spot_clearinghouse_state_empty"),
    *("ws_pong", "ws_error_bad_request", "ws_subscription_response_bbo"),
)
SAME_BUT_FOR_NUMBERS = (
    *("http_exchange_cancel_error_already_gone", "http_exchange_err_unknown_wallet"),
    *("http_exchange_err_duplicate_nonce", "http_exchange_order_error_ioc_no_match"),
    *("http_exchange_order_error_margin", "http_exchange_order_error_size"),
    *("ws_post_cancel_error", "ws_post_order_error_min_notional"),
    "ws_post_order_error_20260803",
)


def spread(payload: Any) -> Any:
    """Mids without the coins that they are told of: those are not part of the form."""
    if not isinstance(payload, dict):
        return payload
    if payload.get("channel") == "allMids":
        data = payload["data"]
        return {**payload, "data": {**data, "mids": [*data["mids"].values()]}}
    return [*payload.values()] if ETH in payload else payload


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = shape(spread(recordings(shared, "hyperliquid")[name]))

    @staged
    async def check(stage: Stage) -> None:
        made = shape(spread(await ANSWERS[name](stage)))
        assert lacking(recorded, made, MISSING.get(name, set())) == []
        assert lacking(made, recorded, MORE.get(name, set())) == []
        assert kinds_that_differ(recorded, made) == []

    check()


@pytest.mark.parametrize("name", EXACT + SAME_BUT_FOR_NUMBERS)
def test_the_venues_own_words(name: str, shared: Path) -> None:
    recorded = recordings(shared, "hyperliquid")[name]

    @staged
    async def check(stage: Stage) -> None:
        texts = [json.dumps(one) for one in (await ANSWERS[name](stage), recorded)]
        if name in SAME_BUT_FOR_NUMBERS:
            texts = [re.sub(r"0x[0-9a-f]{40}|\d+", "0", text) for text in texts]
        assert texts[0] == texts[1]

    check()


@staged
async def test_frames_of_the_documentation_are_read(stage: Stage) -> None:
    wire = stage.connect()
    assert stage.say(wire, {"method": "ping"}) == {"channel": "pong"}
    asked = {"type": "l2Book", "coin": ETH, "nSigFigs": 5, "mantissa": None}
    message = {"method": "post", "id": 123, "request": {"type": "info", "payload": asked}}
    answer = stage.say(wire, message)["data"]
    assert answer["id"] == 123
    assert answer["response"]["payload"]["type"] == "l2Book"


def test_every_recording_has_a_check(shared: Path) -> None:
    assert recordings(shared, "hyperliquid").keys() == ANSWERS.keys() | NOT_SIMULATED.keys() | SENT
    assert not ANSWERS.keys() & NOT_SIMULATED.keys()
