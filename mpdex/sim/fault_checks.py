"""What may stand in a fault rule: which actions on what, and which arguments they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from mpdex.sim.fault_parts import Action, Rule, is_span, phase_of
from mpdex.sim.fault_words import (
    CONNECTION_ACTIONS,
    FOREVER,
    HALTS,
    PHASES,
    POINTS,
    PROCESS_ACTIONS,
    REQUEST_ACTIONS,
    SIGNALS,
    STREAM_ACTIONS,
    TRUTH_ACTIONS,
    BadRule,
    parse_bps,
    parse_rate,
    parse_signed_ms,
    parse_size,
)
from mpdex.types import OrderStatus


def check_rule(rule: Rule) -> None:
    """Raises: BadRule says what does not belong."""
    if rule.process:
        known = PROCESS_ACTIONS
    elif rule.op in ("truth", "trade"):
        known = TRUTH_ACTIONS | CONNECTION_ACTIONS
    elif rule.op.startswith("ws"):
        known = STREAM_ACTIONS | TRUTH_ACTIONS
    else:
        known = REQUEST_ACTIONS | TRUTH_ACTIONS
    for action in rule.actions:
        elsewhere = action.venue and action.name in TRUTH_ACTIONS | CONNECTION_ACTIONS
        if action.name not in known and rule.op != "*" and not elsewhere:
            raise BadRule(f"{action.name!r} is not an action of {rule.op or rule.venue}")
        check = _CHECKS.get(action.name)
        if check is not None:
            check(action)
    for test in rule.filters:
        _FILTER_CHECKS[test.name](test)


def _one_of(at: int, name: str, known: frozenset[str]) -> Callable[[Action], object]:
    def check(action: Action) -> None:
        word = action.get(at, name)
        if word and word not in known:
            raise BadRule(f"{action.name} takes {', '.join(sorted(known))}, not {word!r}")

    return check


def _check_fill(action: Action) -> None:
    parse_size(action.get(0, "qty", "q"), Decimal(1))
    phase = phase_of(action)
    if phase not in PHASES and phase != "now":
        raise BadRule(f"no such phase {phase!r}; there are {', '.join(PHASES)}")
    action.seconds(9, "report_delay")
    action.seconds(2, "after")


def _check_halt(action: Action) -> None:
    if not is_span(action.get(0, "mode")):
        _one_of(0, "mode", HALTS)(action)


def _check_ack_then(action: Action) -> None:
    event = action.get(0, "event", "rejected").lower()
    if event != "none" and event not in [status.value for status in OrderStatus]:
        raise BadRule(f"no such event {event!r}")
    action.seconds(1, "ms")


def _whole(at: int, name: str, default: str = "1") -> Callable[[Action], object]:
    def check(action: Action) -> None:
        text = action.get(at, name, default)
        if not text.isdecimal():
            raise BadRule(f"{action.name} takes a whole number, not {text!r}")

    return check


def _check_process(action: Action) -> None:
    for word in (*action.args, *action.named.values()):
        if not word.isalpha() and word not in POINTS:
            raise BadRule(f"no such point {word!r}; there are {', '.join(sorted(POINTS))}")


def _check_signal(action: Action) -> None:
    _one_of(0, "name", SIGNALS)(action)
    _check_process(action)


def _time(action: Action) -> object:
    return action.seconds()


def _size(action: Action) -> object:
    return parse_size(action.get(0, "qty", "all"), Decimal(1))


_CHECKS: Mapping[str, Callable[[Action], object]] = {
    **dict.fromkeys(
        ("disconnect", "silence", "delay", "stale", "stale_snapshot", "suspend"), _time
    ),
    **dict.fromkeys(("liquidate", "adl", "manual_trade", "thin"), _size),
    **dict.fromkeys(("step", "skew"), lambda action: parse_signed_ms(action.get(0, "ms", "0"))),
    **dict.fromkeys(("lose", "duplicate", "gap", "corrupt", "page", "tear"), _whole(0, "n")),
    "handshake": _whole(0, "status", "429"),
    "http": _whole(0, "status", "500"),
    "reorder": _whole(0, "window", "2"),
    "replay": _whole(0, "n"),
    "move": lambda action: parse_bps(action.get(0, "bps", "0")),
    "fund": lambda action: parse_rate(action.get(0, "rate", "0")),
    "withdraw": lambda action: parse_rate(action.get(0, "part", "0")),
    "set_leverage": lambda action: action.number(0, "x", "1"),
    "fill": _check_fill,
    "halt": _check_halt,
    "ack_then": _check_ack_then,
    "crash": _check_process,
    "signal": _check_signal,
}


def _check_between(test: Action) -> None:
    if test.seconds(0, "t0") > test.seconds(1, "t1", f"{FOREVER:.0f}s"):
        raise BadRule("the window ends before it begins")


_FILTER_CHECKS: Mapping[str, Callable[[Action], object]] = {
    "nth": _whole(0, "n"),
    "every": _whole(0, "n"),
    "prob": lambda test: test.number(0, "p", "0"),
    "between": _check_between,
    "at": _time,
    "side": _one_of(0, "side", frozenset({"buy", "sell"})),
    "transport": _one_of(0, "transport", frozenset({"rest", "ws"})),
    "when": lambda test: test,
}
