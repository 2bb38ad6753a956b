"""Which venues there are, how each spells a symbol, and how to open one.

    dex = await create_exchange("grvt", {"api_key": ..., "private_key": ..., "sub_account_id": ...})
    symbol = symbol_create("grvt", "ETH")

A venue of somebody else's is an entry point in the group `mpdex.venues` whose object is an `Entry`.
Nothing of a venue is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from mpdex.errors import MissingDependency, UnknownVenue, Unsupported

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from multi_perp_dex import Exchange

SymbolFormat = Callable[[str, str | None], str]
GROUP = "mpdex.venues"


class Entry(NamedTuple):
    """Where a venue's class is, and what it needs.

    Attributes:
        where: "module:Class".
        extra: the optional dependency set; "" for none.
        symbol, spot: spelling of a perpetual and of a spot market, where the venue has such.
    """

    where: str
    extra: str = ""
    symbol: SymbolFormat | None = None
    spot: SymbolFormat | None = None


VENUES: dict[str, Entry] = {
    "grvt": Entry("wrappers.grvt:GrvtExchange", extra="grvt"),
    "backpack": Entry("wrappers.backpack:BackpackExchange", extra="backpack"),
    "hyperliquid": Entry("wrappers.hyperliquid:HyperliquidExchange", extra="hyperliquid"),
    "superstack": Entry("wrappers.superstack:SuperstackExchange", extra="superstack"),
    "treadfi.hyperliquid": Entry("wrappers.treadfi_hl:TreadfiHlExchange", extra="treadfi"),
    "lighter": Entry("wrappers.lighter:LighterExchange", extra="lighter"),
    "pacifica": Entry("wrappers.pacifica:PacificaExchange", extra="pacifica"),
    "treadfi.pacifica": Entry(
        "wrappers.treadfi_pc:TreadfiPcExchange",
        extra="treadfi",
        symbol=lambda coin, _: f"{coin}:PERP-USDC",  # the guide has no row for it
    ),
    "standx": Entry("wrappers.standx:StandxExchange", extra="standx"),
    "variational": Entry("wrappers.variational:VariationalExchange", extra="variational"),
    "paradex": Entry("wrappers.paradex:ParadexExchange", extra="paradex"),
    "edgex": Entry("wrappers.edgex:EdgexExchange", extra="edgex"),
    "extended": Entry("wrappers.extended:ExtendedExchange", extra="extended"),
}

# The two tables below cover every venue of the developer guide; a spelling is only a spelling:
# whether the market exists is asked of the venue.
SYMBOL_FORMATS: dict[str, SymbolFormat] = {
    "lighter": lambda coin, _: coin,
    "grvt": lambda coin, _: f"{coin}_USDT_Perp",
    "paradex": lambda coin, _: f"{coin}-USD-PERP",
    "edgex": lambda coin, _: f"{coin}USD",
    "extended": lambda coin, _: f"{coin}-USD",
    "backpack": lambda coin, _: f"{coin}_USDC_PERP",
    "treadfi.hyperliquid": lambda coin, _: f"{coin}:PERP-USDC",
    "variational": lambda coin, _: coin,
    "pacifica": lambda coin, _: coin,
    "hyperliquid": lambda coin, _: coin,
    "superstack": lambda coin, _: coin,
    "standx": lambda coin, _: f"{coin}-USD",
}

SPOT_SYMBOL_FORMATS: dict[str, SymbolFormat] = {
    "backpack": lambda coin, quote: f"{coin}_{quote}",
    "lighter": lambda coin, quote: f"{coin}/{quote}",
    "hyperliquid": lambda coin, quote: f"{coin}/{quote}",
    "edgex": lambda coin, quote: f"{coin}/{quote}",
}


async def create_exchange(
    exchange_platform: str,
    key_params: Mapping[str, Any] | object | None = None,
    **options: Any,
) -> Exchange:
    """Opens a venue: the object is initialised, its markets are loaded.

    Args:
        exchange_platform: name in the table, or of an installed plug-in.
        key_params: a dict or an object with attributes: the credentials by name, and any option of
            the class (`endpoints`, `proxy`, ...). None: credentials come from the environment,
            the key file or the keyring, in that order.
        options: options of the class, over those in `key_params`.

    Raises: UnknownVenue, MissingDependency, MissingCredentials; TransportError if the venue does
        not answer.
    """
    kind = load(exchange_platform)
    params = {**_as_dict(key_params), **options}
    spec = getattr(kind, "SPEC", None)
    if key_params is None and spec is not None and not params.get("read_only"):
        from mpdex.utils.keys import load_credentials

        names, optional = spec.credentials, spec.optional_credentials
        params = {**load_credentials(exchange_platform, names, optional), **params}
    dex = kind(**params)
    try:
        return await dex.init()
    except BaseException:
        await dex.close()
        raise


def load(exchange_name: str) -> type[Exchange]:
    """The class of a venue. Raises: UnknownVenue, MissingDependency."""
    entry = find_entry(exchange_name)
    module, _, name = entry.where.partition(":")
    try:
        return getattr(import_module(module), name)  # type: ignore[no-any-return]
    except ImportError as error:
        if not entry.extra or (error.name or "").split(".")[0] in ("wrappers", "mpdex"):
            raise
        told = isinstance(error, MissingDependency)  # by whoever needs the library
        what = str(error) if told else f"{error.name} is not installed"
        raise MissingDependency(
            f"{what}; run: pip install 'mpdex[{entry.extra}]'", venue=exchange_name
        ) from error


def find_entry(exchange_name: str) -> Entry:
    """The row of a venue, ours or a plug-in's. Raises: UnknownVenue."""
    if exchange_name in VENUES:
        return VENUES[exchange_name]
    plugins = {point.name: point for point in _plugins()}
    if exchange_name in plugins:
        return Entry(*plugins[exchange_name].load())
    from difflib import get_close_matches

    known = sorted({*VENUES, *plugins})
    near = get_close_matches(exchange_name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise UnknownVenue(f"no venue {exchange_name!r}; {hint}")


def venue_names() -> list[str]:
    """Every venue that `create_exchange` can open, plug-ins included."""
    return sorted({*VENUES, *(point.name for point in _plugins())})


def symbol_create(
    exchange_platform: str, coin: str, *, is_spot: bool = False, quote: str | None = None
) -> str:
    """Spells the symbol of a coin as the venue does.

    Args:
        coin: "ETH"; for spot also "ETH/USDC", quote included.
        is_spot: the spot market instead of the perpetual.
        quote: quote currency of a spot market; USDC if left out.

    Raises: UnknownVenue; Unsupported for spot on a venue without it.
    """
    table = SPOT_SYMBOL_FORMATS if is_spot else SYMBOL_FORMATS
    spell = table.get(exchange_platform)
    if spell is None:
        if is_spot and exchange_platform in SYMBOL_FORMATS:
            raise Unsupported("no spot market here", venue=exchange_platform)
        entry = find_entry(exchange_platform)
        spell = entry.spot if is_spot else entry.symbol
        if spell is None:
            raise Unsupported("no such market kind here", venue=exchange_platform)
    base, _, given_quote = coin.partition("/")
    if is_spot:
        return spell(base, quote or given_quote or "USDC")
    return spell(base, quote)


def _plugins() -> Iterable[EntryPoint]:
    """Imported here: importlib.metadata takes half as long as asyncio, and most need no plug-in."""
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _as_dict(key_params: Mapping[str, Any] | object | None) -> dict[str, Any]:
    if key_params is None:
        return {}
    if isinstance(key_params, Mapping):
        return dict(key_params)
    values = {name: getattr(key_params, name) for name in dir(key_params) if name[0] != "_"}
    return {name: value for name, value in values.items() if not callable(value)}
