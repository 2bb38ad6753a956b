"""EdgeX passes what every venue passes, in both generations; run as a script, its vectors too."""

from __future__ import annotations

from checkout import recorded, run_as_script

from mpdex.conformance.stage import Stage, staged
from mpdex.sim.venues.edgex import EdgexSim
from mpdex.testing import VenueConformance
from mpdex.types import OrderStatus
from wrappers.edgex_auth import V1_KEY


class TestEdgex(VenueConformance):
    venue = "edgex"
    recorded = recorded("edgex")

    @staged()
    async def test_an_order_of_any_name_is_found_and_canceled(self, stage: Stage) -> None:
        """What is escaped in an address and what is proved over it are two spellings."""
        dex = await stage.open()
        for name in ("a b", "x&accountId=1", "50%2C", "%", "é+漢/?#", '"q"\\'):
            order = await stage.rest(dex, client_order_id=name)
            assert (await stage.found(dex, order))["client_order_id"] == name
            await dex.cancel_order(stage.symbol, client_order_id=name)
            assert (await stage.ended(dex, order))["status"] is OrderStatus.CANCELED


class OldAccounts(EdgexSim):
    """Gives its clients the keys of an account of v1."""

    def credentials(self) -> dict[str, str]:
        return self.credentials_v1()


class TestEdgexV1(TestEdgex):
    sim_class = OldAccounts

    @staged()
    async def test_a_market_has_the_venues_own_grid(self, stage: Stage) -> None:
        """That of v2, as the simulated venue has one book for both; the collateral is another."""
        assert V1_KEY in stage.keys
        dex = await stage.open()
        market, told = await dex.get_market(stage.symbol), stage.truth.markets[stage.true_symbol]
        assert (market["tick"], market["step"]) == (told.tick, told.step)
        assert (market["coin"], market["quote"], market["active"]) == ("ETH", "USD", True)
        assert market["raw"]["contractName"] == "ETHUSD"
        assert [path for _, path in dex.rest_counts if not path.startswith("/api/v1/")] == []


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
