"""mpdex.types"""

from __future__ import annotations

import typing
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from mpdex import types
from mpdex.types import Lane, OrderRequest, OrderStatus, Request, Session, Topic

RESULTS = [kind for kind in vars(types).values() if typing.is_typeddict(kind)]
INSIDE = [kind for kind in vars(types).values() if isinstance(kind, type) and is_dataclass(kind)]
# Only what comes straight out of one answer of a venue carries that answer.
DERIVED = {"OrderBook", "BBO", "Symbols"}


def test_urgency_is_an_order() -> None:
    assert sorted(Lane) == [Lane.CANCEL, Lane.HEDGE, Lane.QUERY, Lane.QUOTE]


def test_an_order_that_rests_or_waits_is_not_over() -> None:
    over = {status for status in OrderStatus if status.terminal}
    assert over == set(OrderStatus) - {OrderStatus.PENDING, OrderStatus.OPEN}


@pytest.mark.parametrize("kind", RESULTS, ids=lambda kind: kind.__name__)
def test_results_have_one_shape(kind: type) -> None:
    assert not kind.__optional_keys__  # type: ignore[attr-defined]
    assert ("raw" in kind.__annotations__) == (kind.__name__ not in DERIVED)


@pytest.mark.parametrize("kind", RESULTS, ids=lambda kind: kind.__name__)
def test_no_result_holds_a_float(kind: type) -> None:
    assert all(hint is not float for hint in typing.get_type_hints(kind).values())


@pytest.mark.parametrize("kind", INSIDE, ids=lambda kind: kind.__name__)
def test_what_travels_inside_is_frozen_and_slotted(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert set(kind.__slots__) == {field.name for field in fields(kind)}  # type: ignore[attr-defined, arg-type]


def test_a_request_prints_as_its_method_and_path_alone() -> None:
    request = Request("POST", "/orders", json={"secret": 1}, query={"sig": "x"})
    assert str(request) == "POST /orders"


def test_headers_are_added_to_a_copy() -> None:
    first = Request("GET", "/a", headers={"A": "1"})
    second = first.with_headers(B="2", A="3")
    assert first.headers == {"A": "1"}
    assert second.headers == {"A": "3", "B": "2"}
    with pytest.raises(FrozenInstanceError):
        first.path = "/b"  # type: ignore[misc]


def test_a_read_is_the_default_and_a_command_is_said() -> None:
    assert not Request("GET", "/a").command
    assert Request("GET", "/a").lane is Lane.QUERY


def test_an_order_request_takes_names_only() -> None:
    with pytest.raises(TypeError):
        OrderRequest("ETH", "buy", 1)  # type: ignore[misc, arg-type]


def test_a_session_does_not_print_its_headers() -> None:
    assert "token" not in repr(Session({"Cookie": "token"}, 5))


def test_topics_are_keys() -> None:
    assert {Topic("book", "ETH"): 1}[Topic("book", "ETH")] == 1
    assert Topic("orders") == ("orders", "")
