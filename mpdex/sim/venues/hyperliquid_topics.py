"""What can be subscribed to on the simulated Hyperliquid, in the form in which it is confirmed.

Not simulated: candles, TWAPs, outcomes, notifications and `fastAssetCtxs`.

Source: hyperliquid.gitbook.io, "Subscriptions", and live confirmations; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mpdex.sim.venues import hyperliquid_wire as wire
from mpdex.sim.venues.hyperliquid_exchange import DEXS
from mpdex.sim.venues.hyperliquid_wire import Malformed, Shape
from mpdex.types import Json


def _nullable(shape: Shape) -> Shape:
    return lambda value: None if value is None else shape(value)


def _default(shape: Shape, usual: Json) -> Shape:
    return lambda value: usual if value is None else shape(value)


def _digits(value: Json) -> Json:
    if value not in (2, 3, 4, 5):
        raise Malformed
    return value


def _mantissa(value: Json) -> Json:
    if value not in (2, 5):
        raise Malformed
    return value


_DEX = _default(wire.one_of(*DEXS), "")
_USER = {"user": wire.address}

SHAPES: Mapping[str, dict[str, Shape]] = {
    "bbo": {"coin": wire.word},
    "l2Book": {
        "coin": wire.word,
        "nSigFigs": _nullable(_digits),
        "mantissa": _nullable(_mantissa),
        "fast": _default(wire.flag, False),
    },
    "trades": {"coin": wire.word},
    "activeAssetCtx": {"coin": wire.word},
    "allMids": {"dex": wire.optional(_DEX)},
    "allDexsAssetCtxs": {},
    "orderUpdates": _USER,
    "userEvents": _USER,
    "userFills": {**_USER, "aggregateByTime": _default(wire.flag, False)},
    "userFundings": _USER,
    "userNonFundingLedgerUpdates": _USER,
    "clearinghouseState": {**_USER, "dex": _DEX},
    "allDexsClearinghouseState": _USER,
    "openOrders": {**_USER, "dex": _DEX},
    "spotState": {**_USER, "ignorePortfolioMargin": _default(wire.flag, False)},
    "activeAssetData": {**_USER, "coin": wire.word},
    "twapStates": {**_USER, "dex": _DEX},
    "webData3": _USER,
}


def parse_subscription(raw: Json) -> dict[str, Json]:
    """The subscription as it is confirmed: users in lower case, defaults filled in.

    Raises: Malformed.
    """
    kind = str(raw.get("type")) if isinstance(raw, dict) else ""
    if kind not in SHAPES:
        raise Malformed
    read: dict[str, Json] = wire.record(type=wire.word, **SHAPES[kind])(raw)
    return read


def key_of(**subscription: Json) -> str:
    """What a subscription is found by."""
    return msgspec.json.encode(subscription).decode()
