"""mpdex.errors"""

from __future__ import annotations

import pytest

from mpdex import errors
from mpdex.errors import (
    AuthError,
    BadOrder,
    MissingDependency,
    MpdexError,
    NotSynced,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    ProtocolError,
    RateLimited,
    TransportError,
    UsageError,
    VenueError,
)

ALL = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and kind.__module__ == errors.__name__
]
ANSWERS = (UsageError, VenueError, TransportError, ProtocolError, OutcomeUnknown)


def test_every_error_is_ours_and_answers_one_question_one_way() -> None:
    for kind in (k for k in ALL if k is not MpdexError and not k.__name__.startswith("_")):
        assert issubclass(kind, MpdexError)
        assert sum(issubclass(kind, answer) for answer in ANSWERS) == 1, kind


def test_an_unknown_outcome_is_no_refusal_and_no_plain_loss() -> None:
    assert not issubclass(OutcomeUnknown, VenueError | TransportError)
    assert issubclass(NotSynced, TransportError)
    assert issubclass(PostOnlyWouldCross, OrderRejected)
    assert not issubclass(OrderNotFound, OrderRejected)


def test_a_missing_extra_is_an_import_error_too() -> None:
    with pytest.raises(ImportError, match=r"mpdex\[grvt\]"):
        raise MissingDependency("run: pip install 'mpdex[grvt]'", venue="grvt")


def test_the_text_has_venue_detail_code_and_request() -> None:
    error = AuthError(
        "key refused", venue="acme", code="1000", request="POST /orders", raw={"a": 1}
    )
    assert str(error) == "acme: key refused (code 1000) [POST /orders]"
    assert error.venue == "acme"
    assert error.code == "1000"
    assert error.request == "POST /orders"
    assert error.raw == {"a": 1}


def test_the_venues_answer_is_kept_but_not_printed() -> None:
    error = VenueError("no", venue="acme", raw={"token": "hidden"})
    assert "hidden" not in f"{error} {error!r}"


@pytest.mark.parametrize("kind", [TransportError, ProtocolError, OutcomeUnknown, NotSynced])
def test_what_had_no_answer_names_its_request(kind: type[TransportError]) -> None:
    error = kind("connection lost", venue="acme", request="POST /orders")
    assert str(error) == "acme: connection lost [POST /orders]"
    assert error.request == "POST /orders"


def test_a_usage_error_stands_without_a_venue() -> None:
    assert str(BadOrder("size 0 is below the minimum")) == "size 0 is below the minimum"


def test_a_rate_limit_says_how_long_if_the_venue_did() -> None:
    assert RateLimited("slow down", venue="acme", retry_after=2.5).retry_after == 2.5
    assert RateLimited("slow down", venue="acme", code="1006").retry_after is None
