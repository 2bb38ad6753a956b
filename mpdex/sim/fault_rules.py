"""The fault language: one rule a line, `V.op.filter -> action, action`.

V is a role (`P` primary, `H` hedge, `X` both), a venue's name, or `proc`, `disk`, `clock`. Thus:

    P.place.nth(3) -> drop_response
    H.place.side(buy).between(0, 4s) -> reject(MARGIN)
    P.ws_private.fill -> lose(1)
    P.cancel -> fill(0.5q, at=after_cancel_send)
    H.halt(down).between(10s, 70s)
    P.trade.nth(2) -> H.halt(down, 60s)

Times are milliseconds unless they say `s` or `m`, counted from the moment the rule was added.
Sizes are coins, `0.4q` (a part of the order or position at hand) or `all`. After an action may
stand how often: `http(500) x 6`, `fill(q/10) x 10 at 5ms`, `http(401) once`.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from mpdex.sim.fault_checks import check_rule
from mpdex.sim.fault_parts import Action, Rule, phase_of
from mpdex.sim.fault_words import (
    ACTORS,
    CONNECTION_ACTIONS,
    COUNTED,
    FILTERS,
    OPS,
    PHASES,
    POINTS,
    PROCESS_ACTIONS,
    REQUEST_ACTIONS,
    STREAM_ACTIONS,
    TIME,
    TRUTH_ACTIONS,
    BadRule,
    parse_number,
    parse_seconds,
    parse_signed_ms,
    parse_size,
)

__all__ = [
    "CONNECTION_ACTIONS",
    "COUNTED",
    "TRUTH_ACTIONS",
    "Action",
    "BadRule",
    "Rule",
    "parse_number",
    "parse_rule",
    "parse_rules",
    "parse_seconds",
    "parse_signed_ms",
    "parse_size",
    "phase_of",
]

ALIASES = {"truth_keep": "keep", "truth_drop_order": "drop_order"}
_ACTIONS = REQUEST_ACTIONS | STREAM_ACTIONS | TRUTH_ACTIONS | PROCESS_ACTIONS
_NAME = re.compile(r"[\w*?]+")
_PREFIX = re.compile(r"([A-Za-z_*][\w*]*)\.(?=[A-Za-z_])")
_SUFFIX = re.compile(
    rf"\s*(?:x\s*(?P<times>\d+)|(?:at|every|each)\s+(?P<every>{TIME}|\d+)|(?P<once>once)"
    rf"|(?:for\s+)?(?P<lasts>{TIME})|(?P<number>\d+))(?=\s|$)"
)


# --------------------------------------------------------------------------- reading


def parse_rules(text: str) -> list[Rule]:
    """Every line that is neither empty nor a `#` comment."""
    lines = (line.strip() for line in text.splitlines())
    return [parse_rule(line) for line in lines if line and not line.startswith("#")]


def parse_rule(line: str) -> Rule:
    """Read one rule.

    Raises: BadRule quotes the line and says what is wrong with it.
    """
    text = line.strip()
    head, arrow, tail = text.partition("->")
    parts = [part.strip() for part in _split(head.replace("[", ".").replace("]", ""), ".")]
    try:
        words = [_parse_call(part) for part in parts if part]
        actions = [_parse_action(part) for part in _split(tail, ",+")] if arrow else []
        rule = _assemble(text, words, actions)
        check_rule(rule)
    except BadRule as error:
        raise BadRule(f"in fault rule {text!r}: {error.detail}") from error
    return rule


def _assemble(text: str, words: list[Action], actions: list[Action]) -> Rule:
    venue = _pop_venue(words, actions)
    op, filters, flags = "", [], []
    for word in words:
        if word.name in FILTERS:
            filters.append(word)
        elif not actions and word.name in _ACTIONS:
            actions = [word]
            op = "" if word.name in TRUTH_ACTIONS | PROCESS_ACTIONS else op
        elif not op and _is_op(word.name):
            op = word.name
        elif not op and word.name == "set_leverage":
            op = "leverage"
        else:
            flags.append(word.name)
    if not actions:
        raise BadRule("there is no action")
    actions = [_without_kind(action, flags) for action in actions]
    rule = Rule(text, venue, op, tuple(filters), tuple(flags), tuple(actions))
    _limit(rule)
    _aim(rule)
    if rule.process:
        _place_process(rule)
    rule.op = rule.op or _default_op(rule)
    if rule.op in ("meta", "auth", "query_balance") and _is_truth(rule.actions[0]):
        rule.op = "truth"
    return rule


def _pop_venue(words: list[Action], actions: list[Action]) -> str:
    """The first word, unless it is an op, a filter or an action: then P, or whose action it is."""
    named = words[0] if words else (actions[0] if actions else Action(""))
    if named.name in PROCESS_ACTIONS:
        return ACTORS.get(named.name, "proc")
    if not words or words[0].args or words[0].name in FILTERS | TRUTH_ACTIONS | STREAM_ACTIONS:
        return "P"
    alone = words[0].name != "*" and _is_op(words[0].name)
    return "P" if alone else words.pop(0).name


def _is_op(word: str) -> bool:
    return any(fnmatchcase(known, word) for known in OPS)


def _is_truth(action: Action) -> bool:
    return action.name in ("change", "expire", "limit", "withdraw")


def _without_kind(action: Action, flags: list[str]) -> Action:
    """`lose(fill)`: of frames that are `fill`; `duplicate(FILLED)`: of frames that say so."""
    kind = action.get(0, "kind")
    if action.name not in COUNTED or not kind.isidentifier():
        return action
    flags.append(kind)
    return Action(action.name, action.args[1:], {}, action.venue, action.op, action.times)


def _limit(rule: Rule) -> None:
    """`x N` bounds how often the rule fires, but for a fill and a cut, which are done N times."""
    for action in rule.actions:
        if action.times is not None and action.name not in ("fill", "disconnect"):
            rule.times = action.times


def _aim(rule: Rule) -> None:
    """What an action is about where the rule leaves it open."""
    name = rule.actions[0].name
    if name == "stale_snapshot" and rule.op in ("", "ws_private", "ws_public") and not rule.flags:
        rule.flags = ("snapshot",)  # frames, and the answers that stand for one on other venues
        rule.op = "*" if rule.op != "ws_public" else rule.op
    elif name == "mutate" and rule.actions[0].args and not rule.op:
        rule.op = "ws_public"


def _place_process(rule: Rule) -> None:
    """A process rule acts at a point in the bot's course (its `op` then), else at a time.

    Further words say which order the point is about: `crash(after_send, hedge)`.
    """
    words = [word for action in rule.actions for word in (*action.args, *action.named.values())]
    rule.op = next((word for word in words if word in POINTS), "")
    if rule.op:
        rule.flags += tuple(w for w in words if w.isalpha() and w.islower() and w not in POINTS)
    if not rule.counted:
        rule.times = rule.times or 1


def _default_op(rule: Rule) -> str:
    action = rule.actions[0]
    if action.name == "fill":
        return PHASES.get(phase_of(action), "truth")
    if action.name == "handshake":
        return "ws_*"
    return "ws_private" if action.name in STREAM_ACTIONS else "truth"


# --------------------------------------------------------------------------- words and brackets


def _parse_action(text: str) -> Action:
    """An action, perhaps of another venue or op: `H.halt(down)`, `H.ws_private.disconnect(4s)`."""
    text = text.strip()
    venue = op = ""
    while found := _PREFIX.match(text):
        if (_is_op(found[1]) and not venue + op) or (venue and not op):
            op = found[1]
        else:
            venue = found[1]
        text = text[found.end() :]
    action = _parse_call(text)
    return Action(action.name, action.args, action.named, venue, op, action.times, action.every)


def _parse_call(text: str) -> Action:
    text = text.strip()
    text = ALIASES.get("_".join(text.split()), text)
    found = _NAME.match(text)
    if not found:
        raise BadRule(f"cannot read {text!r}")
    inside, rest = _brackets(text[found.end() :].lstrip())
    args, named = [], {}
    for piece in _split(inside, ",") if inside.strip() else []:
        name, equals, value = piece.partition("=")
        if equals and name.strip().isidentifier() and not value.startswith("="):
            named[name.strip()] = _unquote(value)
        else:
            args.append(_unquote(piece))
    return _with_suffix(found[0], args, named, rest, text)


def _brackets(text: str) -> tuple[str, str]:
    """What stands in the brackets that open a text, and what follows them."""
    if not text.startswith("("):
        return "", text
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if not depth:
            return text[1:at], text[at + 1 :]
    raise BadRule(f"a bracket is not closed: {text!r}")


def _with_suffix(name: str, args: list[str], named: dict[str, str], rest: str, text: str) -> Action:
    times = int(named.pop("times")) if named.get("times", "").isdecimal() else None
    every = parse_seconds(named.pop("every", "50ms"))
    while rest.strip():
        found = _SUFFIX.match(rest)
        if not found:
            raise BadRule(f"cannot read {text!r}")
        if found["times"]:
            times = int(found["times"])
        elif found["every"]:
            every = parse_seconds(found["every"])
        elif found["once"]:
            times = 1
        else:
            args.append(found["lasts"] or found["number"])
        rest = rest[found.end() :]
    return Action(name, tuple(args), named, times=times, every=every)


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
