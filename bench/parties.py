"""Who trades in the benchmarks: throwaway keys, one market of each venue, one order to sign.

The listings are the smallest that the wrappers read, with the names and spellings that the venues
document (api-docs.grvt.io, "Get Instruments"; docs.backpack.exchange, "Get markets"; read
2026-11-21). The keys count from 1 to 32 and belong to nobody.
"""

from __future__ import annotations

import base64
from decimal import Decimal
from importlib import import_module
from typing import Any

from mpdex.types import Market, OrderRequest, TimeInForce

SEED = bytes(range(1, 33))
ACCOUNT = "2147050003876484"
COIN = "ETH"
SYMBOLS = {"grvt": "ETH_USDT_Perp", "backpack": "ETH_USDC_PERP"}
CLASSES = {
    "grvt": ("wrappers.grvt", "GrvtExchange"),
    "backpack": ("wrappers.backpack", "BackpackExchange"),
}

INSTRUMENT = {
    "instrument": SYMBOLS["grvt"],
    "instrument_hash": "0x030501",
    "base": "ETH",
    "quote": "USDT",
    "kind": "PERPETUAL",
    "venues": ["ORDERBOOK"],
    "settlement_period": "PERPETUAL",
    "base_decimals": 9,
    "quote_decimals": 6,
    "tick_size": "0.01",
    "min_size": "0.01",
    "create_time": "1697788800000000000",
    "min_notional": "5.0",
    "status": "ACTIVE",
}
LISTING = {
    "symbol": SYMBOLS["backpack"],
    "baseSymbol": "ETH",
    "quoteSymbol": "USDC",
    "marketType": "PERP",
    "filters": {
        "price": {"minPrice": "0.01", "maxPrice": None, "tickSize": "0.01"},
        "quantity": {"minQuantity": "0.001", "maxQuantity": None, "stepSize": "0.001"},
    },
    "imfFunction": {"type": "sqrt", "base": "0.02", "factor": "0.0001"},
    "fundingInterval": 28800000,
    "orderBookState": "Open",
    "visible": True,
}


def credentials(venue: str) -> dict[str, str]:
    """By the names the venue's class takes."""
    if venue == "grvt":
        return {"api_key": "bench", "private_key": "0x" + SEED.hex(), "sub_account_id": ACCOUNT}
    from nacl.bindings import crypto_sign_seed_keypair

    public, _ = crypto_sign_seed_keypair(SEED)
    return {
        "api_key": base64.b64encode(public).decode(),
        "secret_key": base64.b64encode(SEED).decode(),
    }


def exchange(venue: str, **options: Any) -> Any:
    """The venue's object, without a market and without a network."""
    module, name = CLASSES[venue]
    return getattr(import_module(module), name)(**credentials(venue), **options)


def market(dex: Any) -> Market:
    """The one market, as the venue's own translation reads its listing."""
    answer = {"result": [INSTRUMENT]} if dex.name == "grvt" else [LISTING]
    found: Market = dex.decode_markets([answer])[0]
    return found


def order(venue: str, client_id: int) -> OrderRequest:
    """What a hedge sends: an immediate limit order."""
    return OrderRequest(
        symbol=SYMBOLS[venue],
        side="sell",
        size=Decimal("0.05"),
        price=Decimal("2999.17"),
        client_id=str(client_id),
        time_in_force=TimeInForce.IOC,
    )


def first_id(venue: str) -> int:
    """The least client id that the venue takes."""
    return 2**63 if venue == "grvt" else 1
