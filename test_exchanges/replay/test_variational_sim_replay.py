"""The simulated Variational against every recorded payload: the same keys, kinds and words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from replay.payload_shapes import kinds_that_differ, lacking, recordings, shape
from sim.variational_stage import BTC, INSTRUMENT, Stage, staged

from mpdex.sim.venues import variational_wire as wire

Maker = Callable[[Stage], Awaitable[Any]]
FLAT = {"underlying": BTC, "instrument_type": "perpetual_future"}
IN_BTC = {**INSTRUMENT, "underlying": BTC}
# Keys that only one side has.
MISSING: dict[str, set[str]] = {
    "http_supported_assets_response_trimmed": {"SHAZ"},  # equities are not simulated
}
MORE: dict[str, set[str]] = {
    # Of a page the author kept the count only.
    "http_orders_v2_pending_response": {"last_page", "next_page"},
    "http_supported_assets_response_trimmed": {"SOL"},
}


def got(path: str, **query: Any) -> Maker:
    async def make(stage: Stage) -> Any:
        return stage.get(path, **query)

    return make


async def assets(stage: Stage) -> Any:
    stage.quote("140.00", "140.01", symbols=("SOL",))
    return stage.get("/metadata/supported_assets")


async def quoted(stage: Stage) -> Any:
    return stage.post("/quotes/simple", {"instrument": IN_BTC, "qty": "0.001"})


async def pending(stage: Stage) -> Any:
    stage.rest()
    return stage.get("/orders/v2", status="pending")


async def isolated(stage: Stage) -> Any:
    await stage.trade("sell", "4")
    stage.post("/sub_accounts/isolate", {"instrument": INSTRUMENT})
    return stage.get("/portfolio", compute_margin="true")


async def held(stage: Stage) -> Any:
    await stage.trade("sell", "4")
    return stage.get("/positions")


async def refused(stage: Stage) -> Any:
    return wire.OI_LIMIT.body


async def beat(stage: Stage) -> Any:
    return stage.connect("/prices").take()[0]


async def price(stage: Stage) -> Any:
    socket = stage.connect("/prices")
    stage.say(socket, {"action": "subscribe", "instruments": [IN_BTC]})
    return socket.take()[-1]


async def unsupported(stage: Stage) -> Any:
    socket = stage.connect("/prices")
    wrong = {**INSTRUMENT, "underlying": "BADCOIN"}
    stage.say(socket, {"action": "subscribe", "instruments": [wrong]})
    return socket.take()[-1]


async def too_late(stage: Stage) -> Any:
    socket = stage.connect("/events")
    await asyncio.sleep(3)
    return socket.take()[-1]


async def malformed(stage: Stage) -> Any:
    socket = stage.connect("/events")
    stage.say(socket, {"claims": "none"})
    return socket.take()[-1]


ANSWERS: dict[str, Maker] = {
    "http_error_risk_check_422": refused,
    "http_ff_response": got("/ff"),
    "http_funding_v2_btc_response": got("/funding/v2", **FLAT),
    "http_metadata_config_response": got("/metadata/config"),
    "http_metadata_tiers_response": got("/metadata/tiers"),
    "http_open_interest_v2_btc_response": got("/metadata/v2/open_interest", **FLAT),
    "http_orders_v2_pending_response": pending,
    "http_portfolio_response": isolated,
    "http_positions_response": held,
    "http_quotes_simple_btc_response": quoted,
    "http_risk_limits_v2_btc_response": got("/metadata/v2/risk_limits", **FLAT),
    "http_supported_assets_response_trimmed": assets,
    "ws_heartbeat": beat,
    "ws_prices_btc": price,
    "ws_text_token_format_incorrect": malformed,
    "ws_text_token_timeout": too_late,
    "ws_text_unsupported_instrument": unsupported,
}
# Said word for word, whatever the market does.
SAME = (
    "http_ff_response",
    "http_metadata_config_response",
    "http_metadata_tiers_response",
    "ws_text_token_format_incorrect",
    "ws_text_token_timeout",
    "ws_text_unsupported_instrument",
)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_and_frames_are_shaped_as_recorded(name: str, shared: Path) -> None:
    recorded = shape(recordings(shared, "variational")[name])

    @staged
    async def check(stage: Stage) -> None:
        made = shape(await ANSWERS[name](stage))
        assert lacking(recorded, made, MISSING.get(name, set())) == []
        assert lacking(made, recorded, MORE.get(name, set())) == []
        assert kinds_that_differ(recorded, made) == []

    check()


@pytest.mark.parametrize("name", SAME)
def test_words_are_those_recorded(name: str, shared: Path) -> None:
    recorded = recordings(shared, "variational")[name]

    @staged
    async def check(stage: Stage) -> None:
        assert await ANSWERS[name](stage) == recorded

    check()


def test_every_recording_has_a_check(shared: Path) -> None:
    assert recordings(shared, "variational").keys() == ANSWERS.keys()
