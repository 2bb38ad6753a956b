"""Whether a result has the one shape it has on all venues: the keys and types of its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mpdex.types import BBO, OrderBook

T = TypeVar("T")


def shaped(value: T, kind: type) -> T:
    """The value, which has exactly the keys of the `TypedDict` and the right type under each."""
    assert isinstance(value, Mapping), f"a {kind.__name__} is a dict, not {value!r}"
    hints = _hints(kind)
    missing, unknown = hints.keys() - value.keys(), value.keys() - hints.keys()
    assert not missing, f"{kind.__name__} has no {', '.join(sorted(missing))}"
    assert not unknown, f"{kind.__name__} knows no {', '.join(sorted(unknown))}; it belongs in raw"
    for key, hint in hints.items():
        assert fits(value[key], hint), f"{kind.__name__}[{key!r}] is {value[key]!r}, not {hint}"
    return value


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of an annotation, as far as public results use them."""
    if hint is Any:
        return True
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is None:
        return _is_a(value, hint)
    return _CONTAINERS[origin](value, arguments)


def check_book(book: OrderBook, depth: int) -> None:
    """Best first on both sides, not crossed, no empty level, no more than asked for."""
    shaped(book, OrderBook)
    bids, asks = [price for price, _ in book["bids"]], [price for price, _ in book["asks"]]
    assert bids, "no bids"
    assert asks, "no asks"
    assert bids == sorted(bids, reverse=True), f"bids are not best first: {bids}"
    assert asks == sorted(asks), f"asks are not best first: {asks}"
    assert bids[0] < asks[0], f"crossed: bid {bids[0]}, ask {asks[0]}"
    assert all(size > 0 for _, size in [*book["bids"], *book["asks"]]), "a level without size"
    assert max(len(bids), len(asks)) <= depth, f"more than {depth} levels"


def check_bbo(bbo: BBO) -> None:
    """Both sides are there, and not crossed."""
    shaped(bbo, BBO)
    bid, ask = bbo["bid"], bbo["ask"]
    assert bid is not None, "no bid"
    assert ask is not None, "no ask"
    assert bid < ask, f"crossed: bid {bid}, ask {ask}"


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _is_a(value: object, kind: type) -> bool:
    """A bool is no int here, and a float is nothing at all."""
    if kind is None or kind is NoneType:
        return value is None
    if kind in (int, Decimal) and isinstance(value, bool):
        return False
    return isinstance(value, kind)


_CONTAINERS: dict[Any, Callable[[Any, tuple[Any, ...]], bool]] = {
    Literal: lambda value, choices: value in choices,
    Union: lambda value, kinds: any(fits(value, kind) for kind in kinds),
    UnionType: lambda value, kinds: any(fits(value, kind) for kind in kinds),
    list: lambda value, kinds: (
        isinstance(value, list) and all(fits(item, kinds[0]) for item in value)
    ),
    tuple: lambda value, kinds: (
        isinstance(value, tuple)
        and len(value) == len(kinds)
        and all(fits(item, kind) for item, kind in zip(value, kinds, strict=True))
    ),
}
