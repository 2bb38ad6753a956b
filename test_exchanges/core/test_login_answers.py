"""What the answer to a login is: granted, refused, or nobody knows."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from mpdex.errors import AuthError, RateLimited, TransportError
from mpdex.utils.login_answers import granted, token_claims, token_expires_ms
from mpdex.utils.rest import Answer


def answer(status: int, body: bytes) -> Answer:
    return Answer(status, {}, body)


def token(claims: bytes) -> str:
    return f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


def test_a_granted_login_is_its_body() -> None:
    assert granted(answer(200, b'{"token":"t"}'), "acme") == {"token": "t"}


def test_a_refusal_has_the_venues_words() -> None:
    with pytest.raises(AuthError, match="NOT_ONBOARDED") as caught:
        granted(answer(400, b'{"error":"NOT_ONBOARDED"}'), "acme")
    assert caught.value.code == "400"


@pytest.mark.parametrize(
    ("status", "body"), [(503, b'{"error":"later"}'), (403, b"<html>"), (200, b""), (502, b"")]
)
def test_a_front_door_says_nothing_about_the_keys(status: int, body: bytes) -> None:
    with pytest.raises(TransportError, match=f"HTTP {status}"):
        granted(answer(status, body), "acme")


def test_too_many_logins() -> None:
    with pytest.raises(RateLimited):
        granted(answer(429, b"slow down"), "acme")


def test_a_token_says_when_it_ends() -> None:
    assert token_expires_ms(token(b'{"exp":1790000300,"sub":"x"}')) == 1790000300000
    assert token_expires_ms(token(b'{"exp":1790000300.5}')) == 1790000300500


@pytest.mark.parametrize(
    "text",
    ["", "opaque", "a.b.c", token(b"{}"), token(b'{"exp":"soon"}'), token(b"[]"), token(b"\xff")],
)
def test_a_token_that_does_not_say_is_no_error(text: str) -> None:
    assert token_expires_ms(text) is None


def test_a_token_is_read_for_what_it_claims() -> None:
    assert token_claims(token(b'{"message":"sign\\nthis","n":56}')) == {
        "message": "sign\nthis",
        "n": 56,
    }
    for text in ("", "opaque", "a.b.c", token(b"[]"), token(b"\xff")):
        assert token_claims(text) is None
