"""A scenario: what happens to a hedge run, and how it should end. Read from and written to TOML.

    name = "hedge answer lost"
    rules = ["H.place.nth(1) -> drop_response"]
    cycles = 6
    expect = "R"

    [config]
    fill_timeout = 5

The rules are those of `mpdex.sim.fault_rules`; every key is described at `Scenario`.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_type_hints

from mpdex.errors import UsageError
from mpdex.lab.source import read_market
from mpdex.sim.fault_rules import BadRule, Rule, parse_rule
from mpdex.sim.records import SimMarket
from strategies.config import HedgeConfig

TAGS = frozenset({"contradiction", "external"})
CLASSES = ("R", "D", "HF", "HE")
MARKET_FIELDS = frozenset(
    f.name for f in dataclasses.fields(SimMarket) if f.name not in ("symbol", "info")
)
_CONFIG = {
    name: hint
    for name, hint in get_type_hints(HedgeConfig).items()
    if name not in ("primary", "hedge", "ticker", "size", "iterations", "logs", "mode")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run of the hedge, what befalls it, and what it should come to.

    Attributes:
        rules: fault rules, one a string.
        source: of the market: "quick" (calm, quotes fill within a second), "brisk" (the same for
            very many runs), "walk", "still", "trend:BPS_PER_SECOND", "jitter", "pair:FILE,FILE" or
            "tape:FILE[,bps[,ms]]".
        size: of one clip; by default ten lots of the coarser venue, so that quotes fill in parts.
        cycles: iterations of the hedge.
        timeout: simulated seconds after which the run must have ended; 0: by the cycles.
        tags: "contradiction" (a venue reports less than it did), "external" (somebody else trades
            on the account): the oracle then allows twice the size, and no more.
        config: options of `HedgeConfig`, by name.
        expect: outcome classes (R, D, HF, HE) or exit codes, any of which is right; empty: any.
        markets: by role ("P", "H"): fields of the simulated market to change (tick, step,
            min_size, min_notional, max_size, max_leverage, band, maintenance).
        credentials: by role: keys to use instead of the right ones.
        planted: strings that must never appear in any output, beside the keys.
        baseline: by role: signed coins held before the start.
        restart_after: seconds between a crash and the next start.
        restarts: how often the bot is started again.
        basis_bps, lag_ms: how the hedge venue sees the primary's market.
    """

    name: str = ""
    rules: tuple[str, ...] = ()
    primary: str = "grvt"
    hedge: str = "backpack"
    ticker: str = "ETH"
    size: Decimal = Decimal("0.1")
    cycles: int = 10
    source: str = "quick"
    seed: int = 1
    timeout: float = 0.0
    tags: frozenset[str] = frozenset()
    config: Mapping[str, Any] = field(default_factory=dict)
    expect: tuple[str, ...] = ()
    markets: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    planted: tuple[str, ...] = ()
    baseline: Mapping[str, Decimal] = field(default_factory=dict)
    restart_after: float = 1.0
    restarts: int = 10
    basis_bps: Decimal = Decimal(-4)
    lag_ms: int = 80

    def __post_init__(self) -> None:
        for broken, sentence in (
            (self.cycles < 1, f"cycles {self.cycles}: give 1 or more"),
            (self.size <= 0, f"size {self.size} is not positive"),
            (self.timeout < 0, f"timeout {self.timeout}: give simulated seconds"),
            (self.restart_after < 0, f"restart_after {self.restart_after}: give seconds"),
        ):
            if broken:
                raise UsageError(sentence)

    @property
    def roles(self) -> dict[str, str]:
        return {"P": self.primary, "H": self.hedge}

    @property
    def limit(self) -> float:
        """Simulated seconds within which the run must end: half a minute a cycle, and a slack that
        covers every recovery the specification knows."""
        return self.timeout or 600.0 + 30.0 * self.cycles

    def parsed(self) -> list[Rule]:
        """The rules, read anew. Raises: BadRule."""
        return [parse_rule(line) for line in self.rules]

    def options(self, logs: Path) -> HedgeConfig:
        """The hedge's own options."""
        return HedgeConfig(
            primary=self.primary,
            hedge=self.hedge,
            ticker=self.ticker,
            size=self.size,
            iterations=self.cycles,
            mode="sim",
            logs=logs,
            **self.config,
        )


_FIELDS = {f.name: f for f in dataclasses.fields(Scenario)}
_HINTS = get_type_hints(Scenario)


def make(**values: Any) -> Scenario:
    """A scenario of plain values: text for decimals, lists for tuples.

    Raises: UsageError names the one key that is wrong.
    """
    scenario = Scenario(**{key: _checked(key, value) for key, value in values.items()})
    for key, names, known in (
        ("tags", scenario.tags, TAGS),
        ("markets", scenario.markets, {"P", "H"}),
        ("credentials", scenario.credentials, {"P", "H"}),
        ("baseline", scenario.baseline, {"P", "H"}),
    ):
        for name in names:
            if name not in known:
                raise UsageError(f"{key}: no such {name!r}; there are {', '.join(sorted(known))}")
    _check_config(scenario)
    return scenario


def loads(text: str) -> Scenario:
    """Reads TOML. Raises: UsageError names the one key that is wrong."""
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not TOML: {error}") from error
    return make(**values)


def load(file: Path) -> Scenario:
    """Reads a file. Raises: UsageError names the file and the key."""
    try:
        scenario = loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except UsageError as error:
        raise UsageError(f"{file}: {error.detail}") from error
    return scenario if scenario.name else dataclasses.replace(scenario, name=file.stem)


def dumps(scenario: Scenario) -> str:
    """TOML that `loads` reads back to an equal scenario; defaults are left out."""
    plain, tables = [], []
    for name, declared in _FIELDS.items():
        value = getattr(scenario, name)
        if value == _default(declared):
            continue
        if isinstance(value, Mapping):
            tables += _table(name, value)
        else:
            plain.append(f"{name} = {_toml(value)}")
    return "\n".join([*plain, *tables]) + "\n"


# --------------------------------------------------------------------------- reading


def _checked(key: str, value: Any) -> Any:
    if key not in _FIELDS:
        raise UsageError(f"no such key {key!r}; there are {', '.join(_FIELDS)}")
    try:
        return _READERS[key](value) if key in _READERS else _plain(_HINTS[key], value)
    except UsageError as error:
        raise UsageError(f"{key}: {error.detail}") from error
    except (TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise UsageError(f"{key}: cannot be {value!r}") from error


def _plain(hint: Any, value: Any) -> Any:
    """A value of a simple type; text is what it says."""
    if hint is Decimal:
        return Decimal(str(value))
    if hint is float:
        return float(value)  # seconds
    if hint is int and isinstance(value, bool):
        raise ValueError(value)
    if hint in (int, str) and not isinstance(value, hint):
        raise ValueError(value)
    return value


def _strings(value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str | int) else list(value)
    return tuple(str(item) for item in items)


def _rules(value: Any) -> tuple[str, ...]:
    texts = value.splitlines() if isinstance(value, str) else list(value)
    lines = [text.strip() for text in texts if text.strip() and not text.strip().startswith("#")]
    for line in lines:
        try:
            parse_rule(line)
        except BadRule as error:
            raise UsageError(error.detail) from error
    return tuple(lines)


def _expected(value: Any) -> tuple[str, ...]:
    words = tuple(part for item in _strings(value) for part in item.replace("/", " ").split())
    for word in words:
        if word not in CLASSES and not word.isdecimal():
            raise UsageError(f"{word!r} is neither an exit code nor one of {', '.join(CLASSES)}")
    return words


def _market_fields(value: Any) -> dict[str, dict[str, Decimal]]:
    for changes in value.values():
        for name in changes:
            if name not in MARKET_FIELDS:
                known = ", ".join(sorted(MARKET_FIELDS))
                raise UsageError(f"a market has no {name!r}; it has {known}")
    return {
        role: {n: _market_value(n, v) for n, v in changes.items()}
        for role, changes in value.items()
    }


def _market_value(name: str, value: Any) -> Any:
    if name in ("coin", "quote", "kind"):
        return str(value)
    return int(value) if name == "funding_hours" else Decimal(str(value))


def _amounts(value: Any) -> dict[str, Decimal]:
    return {role: Decimal(str(size)) for role, size in value.items()}


def _texts(value: Any) -> dict[str, dict[str, str]]:
    return {role: {k: str(v) for k, v in keys.items()} for role, keys in value.items()}


def _source(value: Any) -> str:
    read_market(str(value), seed=1, ticker="ETH")
    return str(value)


def _config(value: Any) -> dict[str, Any]:
    return {name: _option(name, given) for name, given in value.items()}


def _option(name: str, given: Any) -> Any:
    """An option of the hedge in its own type."""
    if name not in _CONFIG:
        raise UsageError(f"the hedge has no option {name!r} to set here")
    hint = str(_CONFIG[name])
    try:
        if "tuple" in hint:
            return tuple(Decimal(str(item)) for item in given)
        if "Decimal" in hint and given is not None:
            return Decimal(str(given))
        if _CONFIG[name] is float:
            return float(given)  # seconds
    except (TypeError, ValueError, InvalidOperation) as error:
        raise UsageError(f"{name} cannot be {given!r}") from error
    return int(given) if _CONFIG[name] is int else given


def _check_config(scenario: Scenario) -> None:
    try:
        scenario.options(Path("logs"))
    except UsageError as error:
        raise UsageError(f"config: {error.detail}") from error


_READERS: dict[str, Any] = {
    "rules": _rules,
    "tags": lambda value: frozenset(_strings(value)),
    "config": _config,
    "expect": _expected,
    "markets": _market_fields,
    "credentials": _texts,
    "planted": _strings,
    "baseline": _amounts,
    "source": _source,
}


# --------------------------------------------------------------------------- writing


def _default(declared: dataclasses.Field[Any]) -> Any:
    if declared.default_factory is not dataclasses.MISSING:
        return declared.default_factory()
    return declared.default


def _table(name: str, values: Mapping[str, Any]) -> list[str]:
    inner = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if key not in inner]
    head = [f"\n[{name}]", *lines] if lines else []
    return head + [line for key, value in inner.items() for line in _table(f"{name}.{key}", value)]


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case Decimal():
            return f'"{value}"'
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case frozenset():
            return _toml(tuple(sorted(value)))
        case _:
            return "[" + ", ".join(_toml(item) for item in value) + "]"
