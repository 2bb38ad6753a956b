"""The far ends of the venues' wires, and the table that finds them.

An installed package adds its own in the entry-point group `mpdex.sim_venues`, as
`name = "module:Class"`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from mpdex.errors import UnknownVenue

if TYPE_CHECKING:
    from mpdex.sim.venue import SimVenue

SIM_VENUES: dict[str, str] = {
    "grvt": "mpdex.sim.venues.grvt:GrvtSim",
    "backpack": "mpdex.sim.venues.backpack:BackpackSim",
    "hyperliquid": "mpdex.sim.venues.hyperliquid:HyperliquidSim",
    "superstack": "mpdex.sim.venues.superstack:SuperstackSim",
    "treadfi.hyperliquid": "mpdex.sim.venues.treadfi_hl:TreadfiHlSim",
    "lighter": "mpdex.sim.venues.lighter:LighterSim",
    "pacifica": "mpdex.sim.venues.pacifica:PacificaSim",
    "treadfi.pacifica": "mpdex.sim.venues.treadfi_pc:TreadfiPcSim",
    "paradex": "mpdex.sim.venues.paradex:ParadexSim",
    "standx": "mpdex.sim.venues.standx:StandxSim",
    "variational": "mpdex.sim.venues.variational:VariationalSim",
    "extended": "mpdex.sim.venues.extended:ExtendedSim",
    "edgex": "mpdex.sim.venues.edgex:EdgexSim",
}


def load_venue(name: str) -> type[SimVenue]:
    """The simulated venue's class.

    Raises: UnknownVenue.
    """
    target = SIM_VENUES.get(name)
    if target is None:
        installed = entry_points(group="mpdex.sim_venues", name=name)
        if not installed:
            known = ", ".join(sorted(SIM_VENUES))
            raise UnknownVenue(f"no simulated venue {name!r}; there are: {known}")
        return _checked(next(iter(installed)).load())
    module, _, attribute = target.partition(":")
    return _checked(getattr(import_module(module), attribute))


def _checked(found: object) -> type[SimVenue]:
    from mpdex.sim.venue import SimVenue

    if not (isinstance(found, type) and issubclass(found, SimVenue)):
        raise UnknownVenue(f"{found!r} is not a simulated venue")
    return found
