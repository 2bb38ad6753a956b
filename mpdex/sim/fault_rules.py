"""The fault language: one rule a line, `V.op.filter -> action, action`.

V is a role (`P` primary, `H` hedge, `X` both), a venue's name, or `proc`, `disk`, `clock`. Thus:

    P.place.nth(3) -> drop_response
    H.place.side(buy).between(0, 4s) -> reject(MARGIN)
    P.ws_private.fill -> lose(1)
    P.cancel -> fill(0.5q, at=after_cancel_send)
    H.halt(down).between(10s, 70s)

Times are milliseconds unless they say `s` or `m`, counted from the moment the rule was added.
Sizes are coins, `0.4q` (a part of the order or position at hand) or `all`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase

from mpdex.errors import UsageError

OPS = (
    "place",
    "cancel",
    "amend",
    "query_order",
    "query_open",
    "query_fills",
    "query_positions",
    "query_balance",
    "meta",
    "auth",
    "ws_private",
    "ws_public",
)
FILTERS = frozenset({"nth", "every", "prob", "between", "side", "when", "transport"})
REQUEST_ACTIONS = frozenset(
    """
    reject http drop_request drop_response delay ack_then ack_ok keep mutate
    not_found stale page fill drop_order
    """.split()  # noqa: SIM905  (a list of words reads best as words)
)
STREAM_ACTIONS = frozenset(
    """
    disconnect silence lose duplicate reorder gap stale_snapshot
    handshake mutate
    """.split()  # noqa: SIM905  (a list of words reads best as words)
)
TRUTH_ACTIONS = frozenset(
    """
    fill move thin halt liquidate adl manual_trade fund drop_order
    set_leverage
    """.split()  # noqa: SIM905  (a list of words reads best as words)
)
PROCESS = ("proc", "disk", "clock")
PROCESS_ACTIONS = frozenset(("crash", "signal", "suspend", "step", "skew", "full", "readonly"))
COUNTED = frozenset({"lose", "duplicate", "gap", "handshake"})
CONNECTION_ACTIONS = frozenset({"disconnect", "silence"})
POINTS = frozenset(
    """
    before_journal after_journal after_send after_ack after_fill_recv
    after_hedge_send in_recovery
    """.split()  # noqa: SIM905  (a list of words reads best as words)
)
PHASES = {
    "before_place_ack": "place",
    "resting": "place",
    "after_cancel_send": "cancel",
    "after_cancel_ack": "cancel",
    "after_restart": "truth",
}
# Actions whose arguments are times for which, or after which, they act.
LASTING = frozenset(
    """
    disconnect silence delay ack_then stale stale_snapshot halt fill suspend thin
    """.split()  # noqa: SIM905  (a list of words reads best as words)
)
ALIASES = {"truth keep": "keep", "truth_keep": "keep"}

_CALL = re.compile(r"(?P<name>[\w*?]+)\s*(?:\((?P<args>.*)\))?", re.DOTALL)
_SECONDS = {"": 0.001, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class BadRule(UsageError):
    """A fault rule that cannot be read; the message quotes it."""


@dataclass(frozen=True, slots=True)
class Action:
    """A word with arguments; filters have the same form."""

    name: str
    args: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)

    def get(self, at: int, name: str, default: str = "") -> str:
        """An argument by name, else by place."""
        if name in self.named:
            return self.named[name]
        return self.args[at] if at < len(self.args) else default

    def seconds(self, at: int = 0, name: str = "ms", default: str = "0") -> float:
        return parse_seconds(self.get(at, name, default))

    def number(self, at: int, name: str, default: str) -> Decimal:
        return parse_number(self.get(at, name, default))

    @property
    def lasts(self) -> float:
        """Seconds for which it acts once it has begun, as far as it says so."""
        if self.name not in LASTING:
            return 0.0
        texts = [*self.args, *self.named.values()]
        return max((_seconds_or_none(text) or 0.0 for text in texts), default=0.0)


@dataclass(slots=True, eq=False)
class Rule:
    """One line. `flags` are further words that the situation must have (`fill`, `reduce_only`)."""

    text: str
    venue: str
    op: str
    filters: tuple[Action, ...]
    flags: tuple[str, ...]
    actions: tuple[Action, ...]
    added: float = 0.0
    seen: int = 0
    spent: int = 0
    fired: int = 0
    dice: dict[str, random.Random] = field(default_factory=dict)
    times: int | None = None  # fires so often at most; None: for ever
    timed: bool = False  # acted at its time, not on requests or frames

    @property
    def process(self) -> bool:
        return self.venue in PROCESS


# --------------------------------------------------------------------------- reading


def parse_seconds(text: str) -> float:
    """`4s`, `500ms`, `5m`; a bare number is milliseconds."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|)\s*", text)
    if not found:
        raise BadRule(f"not a time: {text!r}")
    return float(found[1]) * _SECONDS[found[2]]  # seconds


def _seconds_or_none(text: str) -> float | None:
    try:
        return parse_seconds(text)
    except BadRule:
        return None


def parse_number(text: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation as error:
        raise BadRule(f"not a number: {text!r}") from error


def parse_signed_ms(text: str) -> Decimal:
    """A time that may be negative, in milliseconds."""
    text = text.strip()
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.lstrip("+"))
    return sign * Decimal(str(round(parse_seconds(digits) * 1000, 3)))


def parse_size(text: str, whole: Decimal) -> Decimal:
    """Coins; `q`, `0.4q` and `all` are parts of `whole`, `size` is `whole`."""
    text = text.strip().lstrip("+")
    if text in ("all", "q", "size", ""):
        return whole
    if text in ("-q", "-size", "-all"):
        return -whole
    if text.endswith("q"):
        return parse_number(text[:-1]) * whole
    return parse_number(text)


def parse_rule(line: str) -> Rule:
    """Read one rule.

    Raises: BadRule quotes the line and says what is wrong with it.
    """
    text = line.strip()
    head, arrow, tail = text.partition("->")
    parts = [part.strip() for part in _split(head.replace("[", ".").replace("]", ""), ".")]
    try:
        words = [_parse_call(part) for part in parts if part]
        actions = [_parse_call(part) for part in _split(tail, ",+")] if arrow else []
        return _assemble(text, words, actions)
    except BadRule as error:
        raise BadRule(f"in fault rule {text!r}: {error.detail}") from error


def parse_rules(text: str) -> list[Rule]:
    """Every line that is neither empty nor a `#` comment."""
    lines = (line.strip() for line in text.splitlines())
    return [parse_rule(line) for line in lines if line and not line.startswith("#")]


def _assemble(text: str, words: list[Action], actions: list[Action]) -> Rule:
    venue = "P"
    if words and not words[0].args and words[0].name not in TRUTH_ACTIONS | PROCESS_ACTIONS:
        venue = words.pop(0).name
    elif words and words[0].name in PROCESS_ACTIONS:
        venue = "proc"
    op, filters, flags = "", [], []
    for word in words:
        if word.name in FILTERS:
            filters.append(word)
        elif not actions and word.name in TRUTH_ACTIONS | PROCESS_ACTIONS:
            actions = [word]
        elif not op and any(fnmatchcase(known, word.name) for known in OPS):
            op = word.name
        else:
            flags.append(word.name)
    if not actions:
        raise BadRule("there is no action")
    rule = Rule(text, venue, op, tuple(filters), tuple(flags), tuple(actions))
    if rule.process:
        _place_process(rule)
    rule.op = rule.op or _default_op(rule)
    _check(rule)
    return rule


def _place_process(rule: Rule) -> None:
    """A process rule acts at a point in the bot's course (its `op` then), else at a time.

    Further words say which order the point is about: `crash(after_send, hedge)`.
    """
    words = [word for action in rule.actions for word in (*action.args, *action.named.values())]
    rule.op = next((word for word in words if word in POINTS), "")
    if rule.op:
        rule.flags += tuple(word for word in words if word.isalpha() and word.islower())
    if not any(f.name in ("nth", "every") for f in rule.filters):
        rule.times = rule.times or 1


def _default_op(rule: Rule) -> str:
    action = rule.actions[0]
    if action.name == "fill":
        return PHASES.get(phase_of(action), "truth")
    return "truth"


def phase_of(action: Action) -> str:
    """When a `fill` happens."""
    return action.get(1, "at", "now")


def _check(rule: Rule) -> None:
    if rule.process:
        known = PROCESS_ACTIONS
    elif rule.op == "truth":
        known = TRUTH_ACTIONS
    elif rule.op.startswith("ws"):
        known = STREAM_ACTIONS | TRUTH_ACTIONS
    else:
        known = REQUEST_ACTIONS | TRUTH_ACTIONS
    for action in rule.actions:
        if action.name not in known and rule.op != "*":
            raise BadRule(f"{action.name!r} is not an action of {rule.op or rule.venue}")


def _parse_call(text: str) -> Action:
    text = text.strip()
    text = ALIASES.get(text, text)
    found = _CALL.fullmatch(text)
    if not found:
        raise BadRule(f"cannot read {text!r}")
    args, named = [], {}
    for piece in _split(found["args"], ",") if found["args"] else []:
        name, equals, value = piece.partition("=")
        if equals and name.strip().isidentifier() and not value.startswith("="):
            named[name.strip()] = _unquote(value)
        else:
            args.append(_unquote(piece))
    return Action(found["name"], tuple(args), named)


def _split(text: str, marks: str) -> list[str]:
    """Split outside of brackets and quotes; a dot between digits does not split."""
    pieces, depth, quote, start = [], 0, "", 0
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "({[":
            depth += 1
        elif char in ")}]":
            depth -= 1
        elif char in marks and not depth and not (char == "+" and not text[start:at].strip()):
            pieces.append(text[start:at])
            start = at + 1
    pieces.append(text[start:])
    return pieces


def _unquote(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text
