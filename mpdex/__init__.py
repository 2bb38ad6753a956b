"""mpdex: one async Python interface to perpetual-futures DEXs, and a delta-neutral hedge on top.

Importing this package imports nothing else: every name is looked up when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers read it, without importing typing
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

# name -> module that defines it
_EXPORTS = {
    "MultiPerpDex": "multi_perp_dex",
    "MultiPerpDexMixin": "multi_perp_dex",
    "Exchange": "multi_perp_dex",
    "create_exchange": "exchange_factory",
    "symbol_create": "exchange_factory",
    "SYMBOL_FORMATS": "exchange_factory",
    "SPOT_SYMBOL_FORMATS": "exchange_factory",
    "BaseWSClient": "wrappers.base_ws_client",
    "EdgexExchange": "wrappers.edgex",
    "ExtendedExchange": "wrappers.extended",
    "GrvtExchange": "wrappers.grvt",
    "BackpackExchange": "wrappers.backpack",
    "HyperliquidExchange": "wrappers.hyperliquid",
    "LighterExchange": "wrappers.lighter",
    "PacificaExchange": "wrappers.pacifica",
    "ParadexExchange": "wrappers.paradex",
    "StandxExchange": "wrappers.standx",
    "VariationalExchange": "wrappers.variational",
    "SuperstackExchange": "wrappers.superstack",
    "TreadfiHlExchange": "wrappers.treadfi_hl",
    "TreadfiPcExchange": "wrappers.treadfi_pc",
}

__all__ = [*_EXPORTS, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
