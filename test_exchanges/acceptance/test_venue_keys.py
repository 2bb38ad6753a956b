"""The table of keys in keys/README.md: what is needed is asked for, and is enough."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from acceptance.venue_rows import KEYS, ROOT, keys_of, on_stage, table

from exchange_factory import VENUES, load
from mpdex.conformance.stage import Stage
from mpdex.errors import MissingCredentials, Unsupported, UsageError
from mpdex.types import Challenge, WalletProof


def per_row(of: Callable[[str], Iterable[Any]]) -> list[tuple[str, Any]]:
    return [(venue, one) for venue in VENUES if venue in table(KEYS) for one in of(venue)]


async def opened_with(stage: Stage, names: Iterable[str]) -> Any:
    """A client that was given these keys and no other, and has used them."""
    wanted = set(names)
    sets = (stage.keys, *stage.world.venues[stage.name].other_credentials())
    given = max(sets, key=lambda one: len(wanted & {*one}))
    assert wanted <= {*given}, f"nobody has {wanted - {*given}} there"
    nothing = dict.fromkeys(stage.keys, "")
    dex = await stage.open(None, **{**nothing, **{name: given[name] for name in wanted}})
    await dex.get_collateral()
    return dex


@pytest.mark.parametrize(("venue", "name"), per_row(lambda venue: keys_of(venue).needed))
def test_a_needed_key_is_asked_for_before_anything_is_sent(venue: str, name: str) -> None:
    async def prove(stage: Stage) -> None:
        with stage.nothing_sent(), pytest.raises(MissingCredentials, match=name):
            stage.make(None, **{name: ""})

    on_stage(venue, prove)


@pytest.mark.parametrize(("venue", "names"), per_row(lambda venue: keys_of(venue).least), ids=str)
def test_the_needed_keys_are_enough_for_an_order(venue: str, names: tuple[str, ...]) -> None:
    async def prove(stage: Stage) -> None:
        dex = await opened_with(stage, names)
        await stage.rest(dex)
        assert stage.count("place") == 1
        resting = await dex.read_open_orders(stage.symbol)
        assert len(resting) == 1, "nobody took the order"

    on_stage(venue, prove)


@pytest.mark.parametrize("venue", VENUES)
def test_every_way_in_is_told(venue: str) -> None:
    async def prove(stage: Stage) -> None:
        for given in (stage.keys, *stage.world.venues[stage.name].other_credentials()):
            assert any({*names} <= {*given} for names in keys_of(venue).least), set(given)

    on_stage(venue, prove)


def too_few(venue: str) -> Iterator[tuple[str, ...]]:
    """Key sets that lack one of a choice."""
    keys = keys_of(venue)
    for choice in keys.choices:
        for left_out in choice:
            yield (*keys.needed, *(name for name in choice if name != left_out))


@pytest.mark.parametrize(
    ("venue", "names"), per_row(lambda venue: sorted({*too_few(venue)})), ids=str
)
def test_a_choice_without_one_of_its_keys_is_not_enough(venue: str, names: tuple[str, ...]) -> None:
    async def prove(stage: Stage) -> None:
        with pytest.raises((MissingCredentials, UsageError)):
            await opened_with(stage, names)
        assert stage.count("place") == 0

    on_stage(venue, prove)


@pytest.mark.parametrize("venue", VENUES)
def test_a_wallet_signs_in_where_that_is_claimed(venue: str) -> None:
    class Asked(Exception):
        """The wallet has seen what it is to sign."""

    async def ask(challenge: Challenge) -> WalletProof:
        assert challenge.text
        raise Asked

    async def prove(stage: Stage) -> None:
        dex = await stage.open()
        if keys_of(venue).by_login:
            before = stage.counts
            with pytest.raises(Asked):
                await dex.sign_in(ask)
            assert stage.counts != before
        else:
            with stage.nothing_sent(), pytest.raises(Unsupported):
                await dex.sign_in(ask)

    on_stage(venue, prove)


@pytest.mark.parametrize("venue", VENUES)
def test_every_key_that_is_named_is_taken_and_no_other(venue: str) -> None:
    keys = keys_of(venue)
    named = {*keys.needed, *keys.optional, *itertools.chain(*keys.choices)}
    [statement] = ast.parse((ROOT / template_of(venue)).read_text(encoding="utf-8")).body
    assert isinstance(statement, ast.Assign)
    assert named == set(ast.literal_eval(statement.value)), "the template has other keys"
    kind: Any = load(venue)
    kind(read_only=True, **dict.fromkeys(named, ""))
    with pytest.raises(UsageError, match="unknown key"):
        kind(read_only=True, another_key="")


@pytest.mark.parametrize("venue", VENUES)
def test_a_key_that_was_broken_in_copying_is_refused_and_not_told(venue: str) -> None:
    """What goes into a header with a line break would begin another header."""
    kind: Any = load(venue)
    keys = keys_of(venue)
    for name in {*keys.needed, *keys.optional, *itertools.chain(*keys.choices)}:
        with pytest.raises(UsageError, match=f"{name} has letters that no key has") as caught:
            kind(read_only=True, **{name: "secret\r\nX-Admin: 1"})
        assert "Admin" not in str(caught.value)


def template_of(venue: str) -> str:
    return f"keys/copy.pk_{venue.replace('.', '_')}.py"
