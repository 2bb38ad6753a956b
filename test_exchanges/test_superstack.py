"""Superstack passes what every venue passes; run as a script, its signing vectors too.

Besides, both hops of a command on the simulated venue, and what a failure of the first one means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from checkout import recorded, run_as_script

from exchange_factory import create_exchange
from mpdex.errors import AuthError, OutcomeUnknown, TransportError
from mpdex.sim.run import Running, start
from mpdex.testing import VenueConformance
from mpdex.types import OrderStatus
from mpdex.utils.virtual_loop import run_virtual

VENUE, ETH = "superstack", "ETH"
Scene = Callable[[Any, Running], Awaitable[None]]


class TestSuperstack(VenueConformance):
    venue = VENUE
    recorded = recorded(VENUE)
    untold = frozenset({"average_price"})
    whole_books = True
    spot_coin = "UETH"  # the bridged coin


def play(scene: Scene) -> None:
    """A scene with one object on the simulated venue, in virtual time."""

    async def run() -> None:
        async with await start([VENUE], coins=(ETH,)) as world:
            options = {"endpoints": world.endpoints[VENUE], "clock": world.clock}
            dex = await create_exchange(VENUE, {**world.credentials[VENUE], **options})
            async with dex:
                await scene(dex, world)

    run_virtual(run())


def quote(dex: Any) -> Awaitable[Any]:
    """A bid that rests."""
    order: Awaitable[Any] = dex.create_order(ETH, "buy", "0.1", 2800, post_only=True)
    return order


def sent(world: Running, op: str, route: str = "rest") -> int:
    return world.counts[VENUE, route, op]


def test_an_order_is_signed_there_and_sent_here() -> None:
    async def scene(dex: Any, world: Running) -> None:
        sim: Any = world.venues[VENUE]
        order = await quote(dex)
        assert order["status"] is OrderStatus.OPEN
        assert (sent(world, "auth"), sent(world, "place", "ws"), sent(world, "place")) == (2, 1, 0)
        assert dex.keys["account_address"] == sim.address

    play(scene)


def test_without_the_socket_both_hops_go_by_rest() -> None:
    async def scene(dex: Any, world: Running) -> None:
        await quote(dex)
        world.faults.add("P.ws_* -> disconnect(60s)")
        stream = dex._command_stream()
        stream._drop("cut by the test")
        order = await quote(dex)
        assert order["status"] is OrderStatus.OPEN
        assert (sent(world, "place", "ws"), sent(world, "place")) == (1, 1)

    play(scene)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("http(503)", TransportError),
        ("http(200, 'signed, I think')", TransportError),
        ("http(200, '{\"more\": 1}')", TransportError),
        ("drop_request(reset)", TransportError),
        ("drop_response(silence)", TransportError),
        ("drop_response(reset)", TransportError),
        ("reject(AUTH)", AuthError),
        ("reject(PERMISSION)", AuthError),
    ],
)
def test_a_first_hop_that_fails_has_sent_nothing(fault: str, kind: type[Exception]) -> None:
    async def scene(dex: Any, world: Running) -> None:
        asked = sent(world, "auth")
        world.faults.add(f"P.auth.nth(1) -> {fault}")
        with pytest.raises(kind):
            await quote(dex)
        assert sent(world, "auth") == asked + 1, "asked once"
        assert sent(world, "place") == sent(world, "place", "ws") == 0
        world.faults.clear()
        assert (await quote(dex))["status"] is OrderStatus.OPEN

    play(scene)


def test_a_signature_that_takes_too_long_is_not_used() -> None:
    async def scene(dex: Any, world: Running) -> None:
        world.faults.add("P.auth.nth(1) -> delay(8s)")
        with pytest.raises(TransportError, match="too late"):
            await quote(dex)
        assert sent(world, "place") == sent(world, "place", "ws") == 0

    play(scene)


def test_doubt_begins_with_the_second_hop() -> None:
    async def scene(dex: Any, world: Running) -> None:
        world.faults.add("P.place.nth(1) -> drop_response(silence)")
        with pytest.raises(OutcomeUnknown) as caught:
            await quote(dex)
        own = caught.value.client_order_id
        found = await dex.get_order(ETH, client_order_id=own)
        assert found["status"] is OrderStatus.OPEN

    play(scene)


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
