"""Who trades in the benchmarks: throwaway keys, one market of each venue, one order to sign.

The listings are the smallest that the wrappers read, with the names and spellings that the venues
document (api-docs.grvt.io, "Get Instruments"; docs.backpack.exchange, "Get markets";
hyperliquid.gitbook.io, "Perpetuals"; apidocs.lighter.xyz, "orderBookDetails"; docs.pacifica.fi,
"Get market info"; docs.paradex.trade, "Markets"; api.docs.extended.exchange, "Get markets";
docs.standx.com, "Query Symbol Info"; edgex-1.gitbook.io, "Get Meta Data" of both generations;
Magicianhax/variational-trading-api c1f63b9, `test/fixtures`; read 2026-11-21). The keys count from
1 to 32 and belong to nobody.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from exchange_factory import load, symbol_create
from mpdex.types import Json, Market, OrderRequest, TimeInForce
from mpdex.utils.client_ids import uuid_text

SEED = bytes(range(1, 33))
ACCOUNT = "2147050003876484"
ADDRESS = "0x" + "a7" * 20
# The seed and its public key, in base58.
PACIFICA_SEED = "4wBqpZM9xaSheZzJSMawUKKwhdpChKbZ5eu5ky4Vigw"
PACIFICA_ACCOUNT = "9C6hybhQ6Aycep9jaUnP6uL9ZYvDjUp1aSkFWPUFJtpj"
COIN = "ETH"
# In the order in which they were finished; the first two are the pair that hedges.
VENUES = (
    *("grvt", "backpack", "hyperliquid", "superstack", "treadfi.hyperliquid"),
    *("lighter", "pacifica", "treadfi.pacifica", "paradex", "extended", "standx", "edgex"),
    "variational",
)
SYMBOLS = {venue: symbol_create(venue, COIN) for venue in VENUES}

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
PERPS = {"universe": [{"name": "ETH", "szDecimals": 4, "maxLeverage": 25}], "collateralToken": 0}
SPOTS = {"tokens": [{"name": "USDC", "szDecimals": 8, "index": 0}], "universe": []}
DETAILS = {
    "symbol": "ETH",
    "market_id": 0,
    "market_type": "perp",
    "status": "active",
    "min_base_amount": "0.0050",
    "min_quote_amount": "10.000000",
    "price_decimals": 2,
    "size_decimals": 4,
    "min_initial_margin_fraction": 200,
}
INFO = {
    "symbol": "ETH",
    "tick_size": "0.1",
    "lot_size": "0.0001",
    "min_order_size": "10",
    "max_leverage": 50,
}
CHAIN = {"starknet_chain_id": "PRIVATE_SN_PARACLEAR_MAINNET"}
PERPETUAL = {
    "symbol": SYMBOLS["paradex"],
    "base_currency": "ETH",
    "quote_currency": "USD",
    "asset_kind": "PERP",
    "order_size_increment": "0.001",
    "price_tick_size": "0.01",
    "min_notional": "10",
}
ETH_USD = {
    "name": SYMBOLS["extended"],
    "type": "PERPETUAL",
    "assetName": "ETH",
    "collateralAssetName": "USD",
    "active": True,
    "isRfq": False,
    "status": "ACTIVE",
    "tradingConfig": {
        "minOrderSize": "0.01",
        "minOrderSizeChange": "0.001",
        "minPriceChange": "0.1",
        "maxLeverage": "50.00",
        "limitPriceCap": "0.05",
        "limitPriceFloor": "0.05",
    },
    "l2Config": {
        "type": "STARKX",
        "collateralId": "0x1",
        "syntheticId": "0x4554482d3800000000000000000000",
        "syntheticResolution": 100_000_000,
        "collateralResolution": 1_000_000,
    },
}
ETH_RATES = {"market": SYMBOLS["extended"], "makerFeeRate": "0", "takerFeeRate": "0.00025"}
SYMBOL_INFO = {
    "symbol": SYMBOLS["standx"],
    "base_asset": "ETH",
    "quote_asset": "DUSD",
    "price_tick_decimals": 1,
    "qty_tick_decimals": 3,
    "min_order_qty": "0.002",
    "maker_fee": "0.0001",
    "taker_fee": "0.0004",
    "enabled": True,
}
CONTRACT = {
    "contractId": "30000002",
    "contractName": "ETHUSDC",
    "baseCoinId": "1002",
    "quoteCoinId": "1000",
    "tickSize": "0.01",
    "stepSize": "0.01",
    "minOrderSize": "0.01",
    "defaultTakerFeeRate": "0.00038",
    "defaultMakerFeeRate": "0.00018",
    "enableTrade": True,
    "resolution": "1000000000",
    "starkExSyntheticAssetId": "0x4554482d39",
    "starkExResolution": "0x3b9aca00",
}
METADATA = {
    "global": {
        "nativeChainId": "3343",
        "contractAddress": "0x" + "11" * 20,
        "starkExCollateralCoin": {"starkExAssetId": "0x29", "starkExResolution": "0xf4240"},
    },
    "coinList": [{"coinId": "1000", "coinName": "USDC", "resolution": "1000000"}],
    "contractList": [CONTRACT],
}
ASSET = {
    "asset": "ETH",
    "instrument_type": "perpetual_future",
    "price": "3000.0",
    "has_perp": True,
    "is_close_only_mode": False,
}
CONFIG = {
    "min_order_notional": "0.1",
    "default_precision_requirements": {
        "max_significant_figures": 5,
        "max_decimal_only_figures": 5,
        "min_decimal_figures": 2,
    },
}
_HYPERLIQUID: list[Json] = [PERPS, SPOTS]
_PACIFICA: list[Json] = [{"success": True, "data": [INFO]}]
# venue -> what its requests for markets are answered with
ANSWERS: dict[str, list[Json]] = {
    "grvt": [{"result": [INSTRUMENT]}],
    "backpack": [[LISTING]],
    "hyperliquid": _HYPERLIQUID,
    "superstack": _HYPERLIQUID,
    "treadfi.hyperliquid": _HYPERLIQUID,
    "lighter": [{"order_book_details": [DETAILS]}],
    "pacifica": _PACIFICA,
    "treadfi.pacifica": _PACIFICA,
    "paradex": [CHAIN, {"results": [PERPETUAL]}],
    "extended": [{"status": "OK", "data": [entry]} for entry in (ETH_USD, ETH_RATES)],
    "standx": [[SYMBOL_INFO]],
    "edgex": [{"code": "SUCCESS", "data": METADATA}],
    "variational": [{"ETH": [ASSET]}, CONFIG],
}


def _grvt() -> dict[str, str]:
    return {"api_key": "bench", "private_key": "0x" + SEED.hex(), "sub_account_id": ACCOUNT}


def _backpack() -> dict[str, str]:
    from nacl.bindings import crypto_sign_seed_keypair

    public, _ = crypto_sign_seed_keypair(SEED)
    return {
        "api_key": base64.b64encode(public).decode(),
        "secret_key": base64.b64encode(SEED).decode(),
    }


def _extended() -> dict[str, str]:
    from fast_stark_crypto import get_public_key

    key = int(SEED.hex(), 16)
    return {
        "api_key": "bench",
        "private_key": hex(key),
        "public_key": hex(get_public_key(key)),
        "vault": "10001",
    }


_KEYS: dict[str, Callable[[], dict[str, str]]] = {
    "grvt": _grvt,
    "backpack": _backpack,
    "hyperliquid": lambda: {"private_key": "0x" + SEED.hex()},
    "superstack": lambda: {"api_key": "bench", "account_address": ADDRESS},
    "treadfi.hyperliquid": lambda: {"account_name": "bench", "account_address": ADDRESS},
    "lighter": lambda: {
        "account_index": "1",
        "api_key_index": "2",
        "private_key": (SEED + SEED[:8]).hex(),
    },
    "pacifica": lambda: {"account": PACIFICA_ACCOUNT, "private_key": PACIFICA_SEED},
    "treadfi.pacifica": lambda: {"account_name": "bench", "account": PACIFICA_ACCOUNT},
    "paradex": lambda: {"account_address": "0x" + SEED[1:].hex(), "private_key": SEED.hex()},
    "extended": _extended,
    "standx": lambda: {"token": "bench", "request_private_key": PACIFICA_SEED},
    "edgex": lambda: {
        "account_id": ACCOUNT,
        "api_key": "bench",
        "passphrase": "bench",
        "secret": "bench",
        "signer_private_key": SEED.hex(),
    },
    "variational": lambda: {"wallet_address": ADDRESS, "vr_token": "bench"},
}
# Of an account of before v2.
EDGEX_V1_KEYS = {"account_id": ACCOUNT, "stark_private_key": SEED.hex()}


def credentials(venue: str) -> dict[str, str]:
    """By the names the venue's class takes."""
    return _KEYS[venue]()


def exchange(venue: str, **options: Any) -> Any:
    """The venue's object, without a market and without a network."""
    kind: Any = load(venue)
    return kind(**credentials(venue), **options)


def market(dex: Any) -> Market:
    """The one market, as the venue's own translation reads its listing."""
    found: Market = dex.decode_markets(ANSWERS[dex.name])[0]
    return found


def market_list(dex: Any) -> Any:
    """The object's own list, with that market in it."""
    dex._markets.replace([market(dex)])
    return dex._markets


def sign_one(venue: str) -> None:
    """One order encoded and signed by the venue's object; nothing is sent."""
    dex = exchange(venue)
    market_list(dex)
    dex._sign_unsent(order(venue, first_id(venue)))


def order(venue: str, client_id: int) -> OrderRequest:
    """What a hedge sends: an immediate limit order, where the venue has such."""
    kind: Any = load(venue)
    immediate = "ioc" in kind.SPEC.supports
    return OrderRequest(
        symbol=SYMBOLS[venue],
        side="sell",
        size=Decimal("0.05"),
        price=Decimal("2999.1"),
        client_id=_text(venue, client_id),
        time_in_force=TimeInForce.IOC if immediate else TimeInForce.GTC,
    )


def first_id(venue: str) -> int:
    """The least client id that the venue takes, above zero."""
    kind: Any = load(venue)
    return max(int(kind.SPEC.client_id.low), 1)


def _text(venue: str, number: int) -> str:
    match _form(venue):
        case "hex":
            return f"0x{number:032x}"
        case "uuid":
            return uuid_text(number)
    return str(number)


@cache
def _form(venue: str) -> str:
    kind: Any = load(venue)
    return str(kind.SPEC.client_id.text)
