"""The venue table of both READMEs, made from what the venues declare.

    python tools/venue_table.py            writes it
    python tools/venue_table.py --check    exit code 1 if a README has another one

A column is a declaration: markets and flags from `SPEC.supports`, the route of orders from
`SPEC.order_route`, streams from the clients' `CHANNELS`, keys from `SPEC`, the extra from the
factory, what is missing from wrappers/quality.toml.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from exchange_factory import VENUES, load  # noqa: E402

BEGIN, END = "<!-- venues: made by tools/venue_table.py -->", "<!-- end of venues -->"
CHANNELS = ("book", "bbo", "mark", "orders", "fills", "positions")
QUALITY: dict[str, Any] = tomllib.loads((ROOT / "wrappers" / "quality.toml").read_text())


class Words(NamedTuple):
    """What the table says in one language."""

    file: str
    head: tuple[str, ...]
    perp: str
    both: str
    socket: str
    hop: str
    hedge_only: str
    no_live: str


ENGLISH = Words(
    "README.md",
    ("venue", "markets", "orders by", "streams", "keys", "extra", "note"),
    "perpetuals",
    "perpetuals, spot",
    "WebSocket",
    "signed elsewhere first",
    "fragile: hedge leg only",
    "not yet tried live",
)
KOREAN = Words(
    "README.ko.md",
    ("거래소", "시장", "주문 경로", "스트림", "키", "extra", "비고"),
    "무기한",
    "무기한·현물",
    "WebSocket",
    "외부 서명 후",
    "취약: 헤지 전용",
    "실거래 미검증",
)


def rows(words: Words) -> list[tuple[str, ...]]:
    return [_row(venue, words) for venue in VENUES]


def _row(venue: str, words: Words) -> tuple[str, ...]:
    kind = load(venue)
    spec = kind.SPEC
    streamed = {channel for stream in kind.streams() for channel in stream.CHANNELS}
    route = words.socket if spec.order_route == "ws" else "REST"
    if spec.countersigner:
        route += f", {words.hop}"
    keys = [*(f"`{name}`" for name in spec.credentials)]
    keys += [f"(`{name}`)" for name in spec.optional_credentials]
    notes = [words.hedge_only] if spec.fragile else []
    if QUALITY[venue]["live"] != "done":
        notes.append(words.no_live)
    return (
        f"[`{venue}`](docs/venues/{_page(venue)}.md)",
        words.both if "spot" in spec.supports else words.perp,
        route,
        ", ".join(channel for channel in CHANNELS if channel in streamed),
        " ".join(keys),
        f"`mpdex[{VENUES[venue].extra}]`",
        "; ".join(notes),
    )


def _page(venue: str) -> str:
    return VENUES[venue].where.partition(":")[0].rpartition(".")[2]


def table(words: Words) -> str:
    lines = [words.head, ("---",) * len(words.head), *rows(words)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(arguments: list[str]) -> int:
    stale = 0
    for words in (ENGLISH, KOREAN):
        path = ROOT / words.file
        before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        wanted = f"{before}{BEGIN}\n\n{table(words)}\n\n{END}{after}"
        if arguments == ["--check"]:
            stale |= wanted != path.read_text(encoding="utf-8")
        else:
            path.write_text(wanted, encoding="utf-8")
    if stale:
        sys.stderr.write("a README has another venue table: run python tools/venue_table.py\n")
    return int(stale)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
