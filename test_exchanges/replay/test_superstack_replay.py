"""Every recorded payload of Superstack through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite. What follows the
first hop is Hyperliquid's, and in its replay.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import AuthError
from mpdex.types import Request
from wrappers.superstack import SuperstackExchange

VENUE = SuperstackExchange(read_only=True)
INFO = Request("GET", "/api/info", host="wallet", signed=True)


def info_ok(told: Any) -> None:
    assert VENUE.decode_error(200, told, INFO) is None
    assert VENUE.decode_account(told) == "0x111ff6433fcf757e1b2324bb5eed3f6973bcfc11"


def error_401_invalid_api_key(told: Any) -> None:
    error = VENUE.decode_error(401, told, INFO)
    assert isinstance(error, AuthError)
    assert error.detail.startswith("the wallet API: Authentication failed, invalid API key")


def error_403_no_view_permission(told: Any) -> None:
    error = VENUE.decode_error(403, told, INFO)
    assert isinstance(error, AuthError)
    assert "does not have view permission" in error.detail


CHECKS = {
    f"http_{check.__name__}": check
    for check in (info_ok, error_401_invalid_api_key, error_403_no_view_permission)
}


@pytest.mark.parametrize("name", CHECKS)
def test_recording(shared: Path, name: str) -> None:
    folder = shared / "recorded" / "superstack"
    CHECKS[name](json.loads((folder / f"{name}.json").read_text()))


def test_every_recording_has_a_check(shared: Path) -> None:
    assert {file.stem for file in (shared / "recorded" / "superstack").glob("*.json")} == set(
        CHECKS
    )
