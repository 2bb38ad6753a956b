"""The suite itself: it finds what is wrong, skips what is declared, and takes classes by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mpdex.conformance.shapes import fits, shaped
from mpdex.errors import (
    InsufficientMargin,
    MpdexError,
    OrderNotFound,
    OrderRejected,
    PostOnlyWouldCross,
)
from mpdex.sim.venues.backpack import BackpackSim
from mpdex.testing import VenueConformance
from mpdex.types import BBO, Fees, Json, Market, Order, OrderStatus, Position, Request, TimeInForce
from wrappers.backpack import BackpackExchange

Failed: tuple[type[BaseException], ...] = (AssertionError, MpdexError, pytest.fail.Exception)


def suite(**changes: Any) -> VenueConformance:
    """The suite on Backpack's wire, with classes given by hand."""
    given = {"exchange_class": BackpackExchange, "sim_class": BackpackSim, **changes}
    return type("Given", (VenueConformance,), given)()


def broken(**methods: Any) -> type[BackpackExchange]:
    """Backpack, with a mistake in it."""
    return type("Broken", (BackpackExchange,), methods)


# --------------------------------------------------------------------------- mistakes to find

_real = BackpackExchange


def _sign_lost(self: Any, answer: Json) -> list[Position]:
    return [{**p, "side": "long"} for p in _real.decode_positions(self, answer)]


def _flat_when_unknown(self: Any, answer: Json) -> list[Position]:
    return []


def _float_mark(self: Any, answer: Json, market: Market) -> Any:
    return float(_real.decode_mark(self, answer, market))


def _extra_key(self: Any, answer: Json, market: Market) -> Any:
    return {**_real.decode_fees(self, answer, market), "tier": 1}


def _worst_first(self: Any, answer: Json, market: Market) -> Any:
    book = _real.decode_book(self, answer, market)
    return book._replace(first=book.first, bids=book.asks, asks=book.bids)


def _not_reduce_only(self: Any, order: Any, market: Market, now_ns: int) -> Request:
    return _real.encode_order(self, replace(order, reduce_only=False), market, now_ns)


def _resting_ioc(self: Any, order: Any, market: Market, now_ns: int) -> Request:
    if order.price is not None:
        order = replace(order, time_in_force=TimeInForce.GTC)
    return _real.encode_order(self, order, market, now_ns)


def _all_alike(self: Any, status: int, answer: Json, request: Request) -> MpdexError | None:
    error = _real.decode_error(self, status, answer, request)
    return OrderRejected("no", venue="backpack", code="1") if error else None


def _retried(self: Any, order: Any, market: Market, now_ns: int) -> Request:
    """Not marked as a command: the transport takes it for a read, and repeats it."""
    return replace(_real.encode_order(self, order, market, now_ns), command=False)


def _one_page(self: Any, answer: Json, cursor: str | None) -> Any:
    return _real.decode_fills(self, answer, cursor)._replace(cursor=None)


def _always_open(self: Any, answer: Json) -> Order:
    return {**_real.decode_order(self, answer), "status": OrderStatus.OPEN}


def _any_order(self: Any, answer: Json, query: Any) -> Order | None:
    orders = answer if isinstance(answer, list) else [answer]
    return self.decode_order(orders[0]) if orders else None


def _telling_repr(self: Any) -> str:
    return f"<Backpack {dict(self.keys)}>"


def _wrong_leverage(self: Any, answer: Json, market: Market) -> Any:
    return {**_real.decode_leverage_info(self, answer, market), "leverage": Decimal(1)}


_HONEST = BackpackExchange.SPEC
_DEAF = {"streams": staticmethod(tuple), "SPEC": replace(_HONEST, order_route="ws")}
MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("sign_lost", {"decode_positions": _sign_lost}, "a_position_has_a_side_and_a_positive_size"),
    ("flat", {"decode_positions": _flat_when_unknown}, "taking_moves_the_position_and_closing"),
    ("float", {"decode_mark": _float_mark}, "the_mark_price_is_the_venues"),
    ("key", {"decode_fees": _extra_key}, "fees_are_fractions"),
    ("book", {"decode_book": _worst_first}, "the_book_is_best_first"),
    ("reduce", {"encode_order": _not_reduce_only}, "reduce_only_reduces"),
    ("ioc", {"encode_order": _resting_ioc}, "an_ioc_order_takes_what_there_is"),
    ("cross", {"decode_error": _all_alike}, "post_only_that_would_cross"),
    ("unknown", {"decode_error": _all_alike}, "an_order_that_never_was"),
    ("auth", {"decode_error": _all_alike}, "keys_the_venue_does_not_know"),
    ("twice", {"encode_order": _retried}, "accepted_but_the_answer_is_lost"),
    ("page", {"decode_fills": _one_page}, "all_fills_since_a_time"),
    ("open", {"decode_order": _always_open}, "a_resting_order_is_found"),
    ("other", {"decode_order_query": _any_order}, "an_order_that_never_was"),
    ("repr", {"__repr__": _telling_repr}, "no_text_shows_a_secret"),
    ("clock", {"decode_server_time": lambda *_: 0}, "the_venues_clock"),
    ("signer", {"prove_signing": lambda *_: None}, "signing_is_proven"),
    ("leverage", {"decode_leverage_info": _wrong_leverage}, "leverage_is_set"),
    ("flag", {"_refuse_unsupported": lambda *_: None}, "flags_not_supported_are_refused"),
    ("name", {"SPEC": replace(_HONEST, name="other")}, "the_spec_is_complete"),
    ("http", {"SPEC": replace(_HONEST, endpoints={"rest": "http://x"})}, "the_spec_is_complete"),
    ("word", {"SPEC": replace(_HONEST, supports=frozenset({"hidden"}))}, "the_spec_is_complete"),
    (
        "route",
        _DEAF,
        "the_streams_are",
    ),
]


@pytest.mark.parametrize(
    ("methods", "wanted"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_mistake_is_found(methods: dict[str, Any], wanted: str) -> None:
    test, arguments = _find(suite(exchange_class=broken(**methods), venue="backpack"), wanted)
    with pytest.raises(Failed):
        test(**arguments)


@pytest.mark.parametrize("wanted", sorted({mistake[2] for mistake in MISTAKES}))
def test_what_is_right_passes_with_classes_given_by_hand(wanted: str) -> None:
    test, arguments = _find(suite(), wanted)
    test(**arguments)


def _find(of: VenueConformance, words: str) -> tuple[Callable[..., None], dict[str, Any]]:
    """The test whose name begins so, and what it has to be called with."""
    [name] = [name for name in dir(of) if name.startswith(f"test_{words}")]
    test = getattr(of, name)
    marks = getattr(test, "pytestmark", [])
    return test, {mark.args[0]: mark.args[1][0] for mark in marks if mark.name == "parametrize"}


# --------------------------------------------------------------------------- what is declared


def test_a_declared_gap_is_skipped() -> None:
    test, _ = _find(suite(unsupported=frozenset({"get_fees"})), "fees_are_fractions")
    with pytest.raises(pytest.skip.Exception, match="declared: no get_fees"):
        test()


def test_a_gap_that_is_none_is_found() -> None:
    test, _ = _find(suite(unsupported=frozenset({"get_fees"})), "declared_gaps_are_refused")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test()


def test_a_flag_not_in_the_spec_is_skipped() -> None:
    bare = broken(SPEC=replace(_HONEST, supports=frozenset({"market"})))
    test, _ = _find(suite(exchange_class=bare), "a_fok_order")
    with pytest.raises(pytest.skip.Exception, match="declared: no fok"):
        test()


# --------------------------------------------------------------------------- shapes

QUOTE: dict[str, Any] = {
    "symbol": "ETH",
    "bid": Decimal(1),
    "bid_size": None,
    "ask": None,
    "ask_size": None,
    "timestamp_ms": 5,
}


def test_a_shape_is_its_keys_and_their_types() -> None:
    assert shaped(QUOTE, BBO) is QUOTE
    with pytest.raises(AssertionError, match="BBO has no ask, bid"):
        shaped({k: v for k, v in QUOTE.items() if k not in ("bid", "ask")}, BBO)
    with pytest.raises(AssertionError, match="knows no mid; it belongs in raw"):
        shaped({**QUOTE, "mid": 1}, BBO)
    for key, wrong in (("bid", 1.0), ("bid", 1), ("symbol", None), ("timestamp_ms", "5")):
        with pytest.raises(AssertionError, match=rf"BBO\['{key}'\]"):
            shaped({**QUOTE, key: wrong}, BBO)
    with pytest.raises(AssertionError, match="a Fees is a dict"):
        shaped(None, Fees)


@pytest.mark.parametrize(
    ("value", "hint", "fitting"),
    [
        (True, int, False),
        (True, bool, True),
        (1, Decimal, False),
        ([(Decimal(1), Decimal(2))], list[tuple[Decimal, Decimal]], True),
        ([(Decimal(1),)], list[tuple[Decimal, Decimal]], False),
        ([[Decimal(1), Decimal(2)]], list[tuple[Decimal, Decimal]], False),
        ("GTC", TimeInForce, False),
        (TimeInForce.GTC, TimeInForce, True),
        (None, str | None, True),
        (object(), Any, True),
    ],
)
def test_types_are_exact(value: object, hint: Any, fitting: bool) -> None:
    assert fits(value, hint) is fitting


def test_the_errors_named_here_are_different_classes() -> None:
    """What the suite tells apart must not be one another's subclass."""
    kinds = (InsufficientMargin, PostOnlyWouldCross, OrderNotFound)
    assert not any(a is not b and issubclass(a, b) for a in kinds for b in kinds)
