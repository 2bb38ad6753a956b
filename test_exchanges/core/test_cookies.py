"""Cookies out of joined headers: each with its own end."""

from __future__ import annotations

from mpdex.utils.cookies import Cookie, find_cookies

NOW_MS = 1_700_000_000_000


def test_each_cookie_keeps_its_own_attributes() -> None:
    header = (
        "cf=abc; Path=/; Max-Age=5, csrftoken=one; Path=/; SameSite=Lax, "
        "sessionid=two; expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly; Path=/"
    )
    assert find_cookies(header, NOW_MS) == {
        "cf": Cookie("abc", NOW_MS + 5000),
        "csrftoken": Cookie("one", None),
        "sessionid": Cookie("two", 1_792_567_680_000),
    }


def test_max_age_goes_before_expires_and_counts_from_now() -> None:
    header = "sid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; max-age=1209600"
    assert find_cookies(header, NOW_MS)["sid"].expires_ms == NOW_MS + 1_209_600_000


def test_an_emptied_cookie_is_none() -> None:
    assert find_cookies('sid=""; Max-Age=0, other=; Path=/', NOW_MS) == {}
    assert find_cookies("", NOW_MS) == {}


def test_a_value_may_be_quoted_and_have_signs_in_it() -> None:
    assert find_cookies('sid="a-b.c:d=="; Secure', NOW_MS)["sid"].value == "a-b.c:d=="
