"""TreadFi on Hyperliquid passes what every venue passes, and what belongs to a session; run as a
script, its vectors too."""

from __future__ import annotations

from decimal import Decimal

import pytest
from checkout import recorded, run_as_script
from treadfi_suite import BySession

from mpdex.conformance.stage import Stage, Suite, staged
from mpdex.errors import Unsupported
from mpdex.testing import VenueConformance
from mpdex.types import OrderRequest, TimeInForce


class TestBuildersDex(Suite):
    """With the outside market that moves the simulated builder's dex."""

    venue = "treadfi.hyperliquid"
    coin = "BTC"

    @staged()
    async def test_a_builders_dex_is_traded(self, stage: Stage) -> None:
        dex = await stage.open(dexs=("xyz",))
        symbol = "xyz_XYZ100:PERP-USDC"
        market, mark = await dex.get_market(symbol), await dex.get_mark_price(symbol)
        size = Decimal(20) / mark // market["step"] * market["step"]
        placed = await dex.create_order(symbol, "buy", size)
        assert (await dex.get_order(symbol, placed["id"]))["filled"] == size
        [position] = await dex.get_positions()
        assert (position["symbol"], position["size"]) == (symbol, size)
        await dex.close_position(symbol)
        assert await dex.get_positions() == []


class TestTreadfiHl(BySession, VenueConformance):
    venue = "treadfi.hyperliquid"
    recorded = recorded("treadfi_hl")
    whole_books = True

    @staged()
    async def test_money_is_moved_past_treadfi(self, stage: Stage) -> None:
        wallets = stage.world.venues[stage.name].exchange.wallets  # type: ignore[attr-defined]
        key = f"0x{wallets[stage.keys['account_address']]:064x}"
        dex = await stage.open(wallet_private_key=key)
        before = await dex.get_collateral()
        await dex.transfer_usd("12.5", to_perp=False)
        assert (await dex.get_collateral())["total"] == before["total"] - Decimal("12.5")

    @staged()
    async def test_an_immediate_limit_is_refused_even_by_the_encoder(self, stage: Stage) -> None:
        dex = await stage.open()
        order = OrderRequest(
            symbol=stage.symbol,
            side="buy",
            size=stage.unit,
            price=stage.price("buy", Decimal(0)),
            time_in_force=TimeInForce.IOC,
        )
        with pytest.raises(Unsupported, match="ioc"):
            dex.encode_order(order, stage.market, 0)


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
