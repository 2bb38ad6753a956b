"""The tables of venues in the READMEs, made from what the venues declare.

    python tools/venue_table.py            writes them
    python tools/venue_table.py --check    exit code 1 if a file has another one

A cell is a declaration: markets and order flags from `SPEC.supports`, the route of orders from
`SPEC.order_route`, streams from the clients' `CHANNELS` and the poller, keys from `SPEC`, the extra
from the factory, the currency from the simulated venue, what is missing from wrappers/quality.toml.
test_exchanges/acceptance/test_venue_table.py holds the text against the wire.
"""

from __future__ import annotations

import random
import sys
import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from exchange_factory import VENUES, load  # noqa: E402
from mpdex.sim.models import LatencyModel  # noqa: E402
from mpdex.sim.venues import load_venue  # noqa: E402
from mpdex.utils.clock import SystemClock  # noqa: E402
from mpdex.utils.translation import Translation  # noqa: E402

BEGIN, END = "<!-- venues: made by tools/venue_table.py -->", "<!-- end of venues -->"
CHANNELS = ("book", "bbo", "mark", "orders", "fills", "positions")
FLAGS = {
    "post_only": "post-only",
    "reduce_only": "reduce-only",
    "market": "market",
    "ioc": "IOC",
    "fok": "FOK",
    "slippage_bps": "slippage",
}
QUALITY: dict[str, Any] = tomllib.loads((ROOT / "wrappers" / "quality.toml").read_text())

Row = tuple[str, ...]


class Words(NamedTuple):
    """What the table of a README says in one language."""

    head: Row
    perp: str
    both: str
    hop: str
    quoted: str
    polled: str
    hedge_only: str
    no_live: str


ENGLISH = Words(
    ("venue", "markets", "orders by", "order flags", "streams", "extra", "note"),
    "perpetuals",
    "perpetuals, spot",
    "signed elsewhere first",
    "market orders quoted first",
    "polled quotes",
    "fragile: hedge leg only",
    "not yet tried live",
)
KOREAN = Words(
    ("거래소", "시장", "주문 경로", "주문 옵션", "스트림", "extra", "비고"),
    "무기한",
    "무기한, 현물",
    "외부 서명 후",
    "시장가는 견적 후",
    "견적 폴링",
    "취약: 헤지 전용",
    "실거래 미검증",
)


# --------------------------------------------------------------------------- cells


def _markets(venue: str, words: Words) -> str:
    kinds = words.both if "spot" in load(venue).SPEC.supports else words.perp
    return f"{kinds}; {_quote(venue)}"


@cache
def _quote(venue: str) -> str:
    """The currency of its perpetuals."""
    exchange = load_venue(venue).make_exchange(SystemClock(), random.Random(1), LatencyModel())
    [quote] = {market.quote for market in exchange.markets.values() if market.kind == "perp"}
    return quote


def _route(venue: str, words: Words) -> str:
    spec = load(venue).SPEC
    route = "WebSocket" if spec.order_route == "ws" else "REST"
    if not spec.countersigner:
        return route
    return f"{route}, {words.quoted if spec.indicative_books else words.hop}"


def _flags(venue: str) -> str:
    supports = load(venue).SPEC.supports
    return ", ".join(text for flag, text in FLAGS.items() if flag in supports)


def _streams(venue: str, words: Words) -> str:
    kind = load(venue)
    pushed = {channel for stream in kind.streams() for channel in stream.CHANNELS}
    told = [channel for channel in CHANNELS if channel in pushed]
    if kind.poller() is not None:
        told.insert(0, f"book ({words.polled})")
    return ", ".join(told)


def _note(venue: str, words: Words) -> str:
    notes = [words.hedge_only] if load(venue).SPEC.fragile else []
    if QUALITY[venue]["live"] != "done":
        notes.append(words.no_live)
    return "; ".join(notes)


def _choices(venue: str) -> str:
    kind = load(venue)
    choices = [_names(names, " + ") for names in kind.SPEC.key_choices]
    if choices and kind.encode_challenge is not Translation.encode_challenge:
        choices.append("`mpdex login`")
    return " or ".join(choices)


def _optional(venue: str) -> str:
    spec = load(venue).SPEC
    chosen = {name for names in spec.key_choices for name in names}
    return _names(name for name in spec.optional_credentials if name not in chosen)


def _names(names: Iterable[str], between: str = ", ") -> str:
    return between.join(f"`{name}`" for name in names)


def _page(venue: str) -> str:
    return VENUES[venue].where.partition(":")[0].rpartition(".")[2] + ".md"


# --------------------------------------------------------------------------- tables


def readme(words: Words) -> list[Row]:
    """What a user of the hedge wants to know."""
    rows = [
        (
            f"[`{venue}`](docs/venues/{_page(venue)})",
            _markets(venue, words),
            _route(venue, words),
            _flags(venue),
            _streams(venue, words),
            f"`mpdex[{VENUES[venue].extra}]`",
            _note(venue, words),
        )
        for venue in VENUES
    ]
    return [words.head, *rows]


def pages() -> list[Row]:
    """Where to read on, and who shares a book with whom."""
    rows = [
        (
            f"`{venue}`",
            _markets(venue, ENGLISH),
            _route(venue, ENGLISH),
            load(venue).SPEC.order_book or "its own",
            f"[{_page(venue)}]({_page(venue)})",
        )
        for venue in VENUES
    ]
    return [("venue", "markets", "orders by", "book", "page"), *rows]


def keys() -> list[Row]:
    """Which keys each venue takes."""
    rows = [
        (
            f"`{venue}`",
            _names(load(venue).SPEC.credentials),
            _choices(venue),
            _optional(venue),
        )
        for venue in VENUES
    ]
    return [("venue", "needed", "and one of", "optional"), *rows]


TABLES: dict[str, Callable[[], list[Row]]] = {
    "README.md": lambda: readme(ENGLISH),
    "README.ko.md": lambda: readme(KOREAN),
    "docs/venues/README.md": pages,
    "keys/README.md": keys,
}


def table(rows: list[Row]) -> str:
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main(arguments: list[str]) -> int:
    stale = []
    for name, make in TABLES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        wanted = f"{before}{BEGIN}\n\n{table(make())}\n\n{END}{after}"
        if wanted == text:
            continue
        if arguments == ["--check"]:
            stale.append(name)
        else:
            (ROOT / name).write_text(wanted, encoding="utf-8")
    if stale:
        sys.stderr.write(f"{', '.join(stale)}: run python tools/venue_table.py\n")
    return int(bool(stale))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
