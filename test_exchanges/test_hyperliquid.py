"""Hyperliquid passes what every venue passes, and what it alone has; run as a script, its signing
vectors too."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from checkout import recorded, run_as_script

from mpdex.conformance.stage import FAR, Stage, Suite, staged, until
from mpdex.errors import AuthError, OrderNotFound, OutcomeUnknown
from mpdex.testing import VenueConformance
from mpdex.types import OrderStatus
from mpdex.utils.signing.eip712 import EvmSigner


class TestHyperliquid(VenueConformance):
    venue = "hyperliquid"
    recorded = recorded("hyperliquid")
    untold = frozenset({"average_price"})
    whole_books = True
    spot_coin = "UETH"

    # ---------------------------------------------------------------- whose account it is

    @staged()
    async def test_an_agents_own_address_is_never_read(self, stage: Stage) -> None:
        agent = EvmSigner(stage.keys["private_key"]).address
        with pytest.raises(AuthError, match="is an agent"):
            await (await stage.open(account_address=agent)).get_collateral()

    @staged()
    async def test_an_agents_owner_is_found(self, stage: Stage) -> None:
        dex = await stage.open(account_address="")
        assert dex.read_address == stage.keys["account_address"].lower()
        assert (await dex.get_collateral())["total"] > 0

    @staged()
    async def test_a_vault_is_traded_for(self, stage: Stage) -> None:
        venue: Any = stage.world.venues[stage.name]
        vault = venue.open_vault(balance=Decimal(5000))
        dex = await stage.open(vault_address=vault)
        assert (await dex.get_collateral())["total"] == 5000
        heard = await stage.hear(dex)
        placed = await stage.rest(dex)
        await until(lambda: heard.of(placed), "the order is heard")
        [true] = stage.truth.open_orders(vault)
        assert true.client_id == placed["client_order_id"]
        assert stage.truth.open_orders(stage.account) == []

    # ---------------------------------------------------------------- money

    @staged()
    async def test_money_is_moved_by_the_wallet(self, stage: Stage) -> None:
        dex = await stage.open()
        before, held = await dex.get_collateral(), await balances(dex)
        await dex.transfer_usd("12.5", to_perp=False)
        await dex.transfer_usd(2, to_perp=True)
        after, now = await dex.get_collateral(), await balances(dex)
        assert after["total"] == before["total"] - Decimal("10.5")
        assert now["USDC"] == held["USDC"] + Decimal("10.5")

    @staged()
    async def test_a_unified_account_is_read_as_one(self, stage: Stage) -> None:
        dex = await stage.open()
        apart, held = await dex.get_collateral(), await balances(dex)
        await dex.set_account_mode("unifiedAccount")
        together = await dex.get_collateral()
        assert together["total"] == (await balances(dex))["USDC"]
        assert together["total"] >= apart["total"] + held["USDC"]

    # ---------------------------------------------------------------- commands

    @staged()
    async def test_the_fence_tells_whether_an_order_can_still_come(self, stage: Stage) -> None:
        dex = await stage.open()
        for fault, never in (("drop_request(silence)", True), ("drop_response(silence)", False)):
            stage.faults(f"P.place.nth(1) -> {fault}")
            with pytest.raises(OutcomeUnknown) as caught:
                await stage.rest(dex)
            own = caught.value.client_order_id
            assert await dex.fence_order(stage.symbol, own) is never
            if never:
                with pytest.raises(OrderNotFound):
                    await dex.get_order(stage.symbol, client_order_id=own)
            else:
                found = await dex.get_order(stage.symbol, client_order_id=own)
                assert found["status"] is OrderStatus.OPEN
            stage.world.faults.clear()

    @staged()
    async def test_the_switch_cancels_when_nobody_says_otherwise(self, stage: Stage) -> None:
        dex = await stage.open()
        await stage.rest(dex)
        await dex.schedule_cancel(30)
        await dex.schedule_cancel(None)
        await asyncio.sleep(60)
        assert len(await dex.get_open_orders()) == 1
        await dex.schedule_cancel(30)
        await until(lambda: not stage.truth.open_orders(stage.account), "the switch acts")

    @staged()
    async def test_each_command_is_taken_from_the_quota(self, stage: Stage) -> None:
        dex = await stage.open()
        before = await dex.get_requests_left()
        await stage.rest(dex)
        assert await dex.get_requests_left() == before - 1


class TestBuildersDex(Suite):
    """A market of somebody else's, on the same books."""

    venue = "hyperliquid"
    coin = "BTC"  # what moves the market there

    @staged()
    async def test_a_builders_dex_is_traded(self, stage: Stage) -> None:
        dex = await stage.open(dexs=("xyz",))
        symbol = next(s for s in stage.truth.markets if s.startswith("xyz:"))
        heard = await stage.hear(dex)
        market, mark = await dex.get_market(symbol), await dex.get_mark_price(symbol)
        size = max(market["step"], Decimal(20) / mark // market["step"] * market["step"])
        placed = await dex.create_order(symbol, "buy", size, mark * (1 - FAR), post_only=True)
        resting = [order["symbol"] for order in await dex.read_open_orders()]
        assert resting == [symbol]
        await dex.cancel_order(symbol, placed["id"])
        await dex.create_order(symbol, "buy", size)
        await until(lambda: heard.positions, "the position is heard")
        [position] = await dex.get_positions()
        assert (position["symbol"], position["size"]) == (symbol, size)
        assert heard.positions[0].size == size
        await dex.close_position(symbol)
        assert await dex.get_positions() == []


async def balances(dex: Any) -> dict[str, Decimal]:
    """Token -> what can be spent."""
    found: dict[str, Decimal] = dex.decode_balances(await dex._private(dex.encode_balances()))
    return found


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
