"""exchange_factory: names, symbols, plug-ins, keys, and what is missing."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

import exchange_factory as factory
from exchange_factory import SPOT_SYMBOL_FORMATS, SYMBOL_FORMATS, Entry, symbol_create
from mpdex.errors import MissingCredentials, MissingDependency, UnknownVenue, Unsupported
from mpdex.types import VenueSpec
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin

# Both tables of the developer guide, row by row.
PERPETUALS = [
    ("lighter", "BTC", "BTC"),
    ("grvt", "BTC", "BTC_USDT_Perp"),
    ("paradex", "BTC", "BTC-USD-PERP"),
    ("edgex", "BTC", "BTCUSD"),
    ("extended", "BTC", "BTC-USD"),
    ("backpack", "BTC", "BTC_USDC_PERP"),
    ("treadfi.hyperliquid", "BTC", "BTC:PERP-USDC"),
    ("variational", "BTC", "BTC"),
    ("pacifica", "BTC", "BTC"),
    ("hyperliquid", "BTC", "BTC"),
    ("superstack", "BTC", "BTC"),
    ("standx", "BTC", "BTC-USD"),
]
SPOT = [
    ("backpack", "BTC_USDC"),
    ("lighter", "BTC/USDC"),
    ("hyperliquid", "BTC/USDC"),
    ("edgex", "BTC/USDC"),
]


class Acme(MultiPerpDexMixin, MultiPerpDex):
    """A venue that remembers how it was made, and whether it was closed."""

    SPEC = VenueSpec(
        name="acme",
        endpoints={"rest": "https://api.acme.example"},
        credentials=("api_key", "secret_key"),
        optional_credentials=("account",),
    )
    made: Acme | None = None
    fails: bool = False

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.params = params
        self.ready = self.was_closed = False
        Acme.made = self

    async def init(self) -> Acme:
        if Acme.fails:
            raise ConnectionError("the venue is away")
        self.ready = True
        return self

    async def close(self) -> None:
        self.was_closed = True


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> type[Acme]:
    """Acme in the table."""
    monkeypatch.setitem(factory.VENUES, "acme", Entry(f"{__name__}:Acme"))
    monkeypatch.setitem(sys.modules, __name__, _module(Acme=Acme))
    monkeypatch.setattr(Acme, "fails", False)
    monkeypatch.setattr(Acme, "made", None)
    return Acme


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> dict[str, Entry]:
    """Entry points, as if packages were installed: name -> what the point loads."""
    installed: dict[str, Entry] = {}
    monkeypatch.setitem(sys.modules, "acme_plugin", _module(ENTRIES=installed, Acme=Acme))

    class Point(NamedTuple):
        name: str

        def load(self) -> Entry:
            return installed[self.name]

    def entry_points(*, group: str) -> list[Point]:
        assert group == "mpdex.venues"
        return [Point(name) for name in installed]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return installed


def _module(**names: Any) -> ModuleType:
    module = ModuleType("made_here")
    vars(module).update(names)
    return module


# --------------------------------------------------------------------------- symbols


@pytest.mark.parametrize(("venue", "coin", "symbol"), PERPETUALS)
def test_perpetuals_are_spelled_as_the_guide_says(venue: str, coin: str, symbol: str) -> None:
    assert symbol_create(venue, coin) == SYMBOL_FORMATS[venue](coin, None) == symbol


@pytest.mark.parametrize(("venue", "symbol"), SPOT)
def test_spot_is_spelled_as_the_guide_says(venue: str, symbol: str) -> None:
    assert symbol_create(venue, "BTC", is_spot=True, quote="USDC") == symbol
    assert symbol_create(venue, "BTC/USDC", is_spot=True) == symbol
    assert symbol_create(venue, "BTC", is_spot=True) == symbol, "USDC is the usual quote"
    assert SPOT_SYMBOL_FORMATS[venue]("BTC", "USDC") == symbol
    assert symbol_create(venue, "BTC", is_spot=True, quote="EUR") == symbol.replace("USDC", "EUR")


def test_the_tables_have_no_other_rows() -> None:
    assert set(SYMBOL_FORMATS) == {venue for venue, *_ in PERPETUALS}
    assert set(SPOT_SYMBOL_FORMATS) == {venue for venue, _ in SPOT}


def test_the_quote_of_a_pair_does_not_reach_a_perpetual() -> None:
    assert symbol_create("grvt", "ETH/USDC") == "ETH_USDT_Perp"


@pytest.mark.parametrize("venue", sorted({v for v, *_ in PERPETUALS} - {v for v, _ in SPOT}))
def test_spot_on_a_venue_without_it_is_unsupported(venue: str) -> None:
    with pytest.raises(Unsupported, match=f"{venue}: no spot"):
        symbol_create(venue, "ETH", is_spot=True)


def test_a_symbol_of_an_unknown_venue_names_the_nearest() -> None:
    with pytest.raises(UnknownVenue, match="did you mean 'backpack'"):
        symbol_create("bakpack", "ETH")


# --------------------------------------------------------------------------- finding


@pytest.mark.parametrize(("wrong", "right"), [("grvtt", "grvt"), ("Backpack", "backpack")])
def test_an_unknown_venue_names_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(UnknownVenue, match=f"did you mean '{right}'"):
        factory.load(wrong)


def test_where_nothing_is_near_all_are_named() -> None:
    with pytest.raises(UnknownVenue, match="known: backpack, "):
        factory.load("zzzzzz")


@pytest.mark.parametrize("venue", sorted(factory.VENUES))
def test_every_row_leads_to_its_class(venue: str) -> None:
    kind = factory.load(venue)
    assert issubclass(kind, MultiPerpDexMixin)
    assert issubclass(kind, MultiPerpDex)
    assert kind.SPEC.name == venue
    assert factory.VENUES[venue].extra, "its extra is named"
    assert venue in factory.venue_names()


def test_a_missing_dependency_is_an_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Entry("no_such_library_xyz.module:Class", extra="acme")
    monkeypatch.setitem(factory.VENUES, "acme", entry)
    with pytest.raises(MissingDependency, match=r"pip install 'mpdex\[acme\]'") as caught:
        factory.load("acme")
    assert isinstance(caught.value, ImportError)
    assert "no_such_library_xyz" in str(caught.value)
    assert caught.value.venue == "acme"


def test_what_a_library_says_of_itself_is_told_with_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def import_module(name: str) -> None:
        raise MissingDependency("no Ed25519 here: pip install PyNaCl")

    monkeypatch.setattr(factory, "import_module", import_module)
    with pytest.raises(MissingDependency, match=r"no Ed25519 here.*'mpdex\[backpack\]'"):
        factory.load("backpack")


@pytest.mark.parametrize("where", ["wrappers.no_such_venue:X", "no_such_library_xyz:X"])
def test_our_own_mistakes_stay_import_errors(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = "acme" if where.startswith("wrappers") else ""
    monkeypatch.setitem(factory.VENUES, "acme", Entry(where, extra=extra))
    with pytest.raises(ImportError) as caught:
        factory.load("acme")
    assert not isinstance(caught.value, MissingDependency)


# --------------------------------------------------------------------------- plug-ins


async def test_a_plug_in_is_opened_like_one_of_ours(plugins: dict[str, Entry]) -> None:
    plugins["acme"] = Entry("acme_plugin:Acme", symbol=lambda coin, _: f"{coin}-PERP")
    assert "acme" in factory.venue_names()
    dex = await factory.create_exchange("acme", {"api_key": "a", "secret_key": "b"})
    assert isinstance(dex, Acme)
    assert dex.ready
    assert symbol_create("acme", "ETH") == "ETH-PERP"
    with pytest.raises(Unsupported):
        symbol_create("acme", "ETH", is_spot=True)


def test_a_plug_in_may_be_a_plain_tuple_and_spell_spot(plugins: dict[str, Any]) -> None:
    plugins["acme"] = ("acme_plugin:Acme", "", None, lambda coin, quote: f"{coin}-{quote}")
    assert factory.load("acme") is Acme
    assert symbol_create("acme", "ETH", is_spot=True, quote="EUR") == "ETH-EUR"


def test_our_own_venues_win_over_plug_ins(plugins: dict[str, Entry]) -> None:
    plugins["grvt"] = Entry("acme_plugin:Acme")
    assert factory.find_entry("grvt") is factory.VENUES["grvt"]


def test_a_mistyped_plug_in_is_named(plugins: dict[str, Entry]) -> None:
    plugins["acme"] = Entry("acme_plugin:Acme")
    with pytest.raises(UnknownVenue, match="did you mean 'acme'"):
        factory.load("acne")


def test_entry_points_of_the_real_kind_work(monkeypatch: pytest.MonkeyPatch) -> None:
    module = _module(ENTRY=Entry("acme_plugin:Acme"), Acme=Acme)
    monkeypatch.setitem(sys.modules, "acme_plugin", module)
    point = EntryPoint("acme", "acme_plugin:ENTRY", "mpdex.venues")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    assert factory.load("acme") is Acme


# --------------------------------------------------------------------------- opening

KEYS: Mapping[str, str] = {"api_key": "a", "secret_key": "b"}


class Slotted:
    __slots__ = ("_hidden", "api_key", "secret_key")

    def __init__(self) -> None:
        self.api_key, self.secret_key, self._hidden = "a", "b", "c"


class ByClass:
    api_key = "a"
    secret_key = "b"  # noqa: S105  (the test's own)


class Inherited(ByClass):
    account = "c"


@pytest.mark.parametrize("params", [dict(KEYS), SimpleNamespace(**KEYS), Slotted()])
async def test_keys_come_as_a_dict_or_as_attributes(acme: type[Acme], params: object) -> None:
    dex = await factory.create_exchange("acme", params)
    assert isinstance(dex, acme)
    assert dex.params == KEYS
    assert dex.ready


async def test_keys_come_as_attributes_of_a_class(acme: type[Acme]) -> None:
    for params, account in ((ByClass, {}), (ByClass(), {}), (Inherited(), {"account": "c"})):
        dex = await factory.create_exchange("acme", params)
        assert isinstance(dex, acme)
        assert dex.params == {**KEYS, **account}


async def test_options_go_over_what_the_keys_say(acme: type[Acme]) -> None:
    params = {**KEYS, "endpoints": {"rest": "http://one"}}
    dex = await factory.create_exchange("acme", params, endpoints={"rest": "http://two"})
    assert isinstance(dex, acme)
    assert dex.endpoints["rest"] == "http://two"


async def test_keys_come_from_the_environment(
    acme: type[Acme], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**KEYS, "account": "c"}.items():
        monkeypatch.setenv(f"MPDEX_ACME_{name.upper()}", value)
    dex = await factory.create_exchange("acme")
    assert isinstance(dex, acme)
    assert dex.params == {**KEYS, "account": "c"}


async def test_missing_keys_are_named(acme: type[Acme], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPDEX_KEYS_DIR", "/nonexistent")
    with pytest.raises(MissingCredentials, match=r"secret_key.*copy\.pk_acme\.py"):
        await factory.create_exchange("acme")
    with pytest.raises(MissingCredentials, match=r"secret_key.*copy\.pk_acme\.py"):
        await factory.create_exchange("acme", {"api_key": "a"})
    assert acme.made is None


async def test_read_only_needs_no_keys(acme: type[Acme], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPDEX_KEYS_DIR", "/nonexistent")
    dex = await factory.create_exchange("acme", read_only=True)
    assert isinstance(dex, acme)
    assert dex.read_only


async def test_what_cannot_be_opened_is_closed(
    acme: type[Acme], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acme, "fails", True)
    with pytest.raises(ConnectionError):
        await factory.create_exchange("acme", dict(KEYS))
    assert acme.made is not None
    assert acme.made.was_closed
