"""`mpdex login`: from a venue's challenge over the page to a session, on a simulated venue."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from unittest.mock import patch

import aiohttp
import pytest
from typer.testing import CliRunner

from mpdex.cli import app
from mpdex.errors import AuthError, Unsupported
from mpdex.login import log_in
from mpdex.sim.run import serve
from mpdex.utils.treadfi_base import sign_text

VENUE = "treadfi.hyperliquid"


async def signed_in(folder: Path, secret: str = "") -> dict[str, str]:
    """What the command tells, with a wallet that signs at once."""
    async with await serve([VENUE]) as running:
        keys = dict(running.credentials[VENUE])
        key = keys.pop("login_private_key")
        known = {"credentials": keys, "endpoints": running.endpoints[VENUE]}
        file = folder / "venues.json"
        file.write_text(json.dumps({"venues": {VENUE: known}}))
        invited: asyncio.Queue[str] = asyncio.Queue()

        async def wallet() -> None:
            url = (await invited.get()).split()[1]
            async with aiohttp.ClientSession() as http:
                async with http.get(url) as page:
                    text = (await page.text()).partition('<pre id="text">')[2].partition("<")[0]
                proof = sign_text(secret or key, text)
                body = json.dumps([keys["login_address"], proof.signature]).encode()
                headers = {"Content-Type": "application/json"}
                async with http.post(f"{url}proof", data=body, headers=headers) as taken:
                    assert taken.status == 200

        async with asyncio.TaskGroup() as group:
            group.create_task(wallet())
            done = group.create_task(
                log_in(VENUE, port=0, browser=False, at=file, announce=invited.put_nowait)
            )
        return done.result()


async def test_a_wallet_signs_in(tmp_path: Path) -> None:
    told = await signed_in(tmp_path)
    assert told["venue"] == VENUE
    assert "not kept: the venue is simulated" in told["session"]


async def test_a_signature_of_another_wallet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as failed:
        await signed_in(tmp_path, secret="0x" + "11" * 32)
    assert failed.group_contains(AuthError, match="Invalid signature")


async def test_the_browser_is_opened_unless_that_is_not_wanted(tmp_path: Path) -> None:
    async with await serve([VENUE]) as running:
        known = {
            "credentials": running.credentials[VENUE],
            "endpoints": running.endpoints[VENUE],
        }
        file = tmp_path / "venues.json"
        file.write_text(json.dumps({"venues": {VENUE: known}}))
        said: list[str] = []

        def stop(url: str) -> None:
            raise LookupError(url)

        with (
            patch("mpdex.login.webbrowser.open", stop),
            pytest.raises(LookupError, match=r"http://127\.0\.0\.1:\d+/"),
        ):
            await log_in(VENUE, port=0, browser=True, at=file, announce=said.append)
        assert len(said) == 1


async def test_a_venue_without_such_a_login_says_so(tmp_path: Path) -> None:
    async with await serve(["grvt"]) as running:
        known = {"credentials": running.credentials["grvt"], "endpoints": running.endpoints["grvt"]}
        file = tmp_path / "venues.json"
        file.write_text(json.dumps({"venues": {"grvt": known}}))
        with pytest.raises(Unsupported, match="a login by wallet"):
            await log_in("grvt", port=0, browser=False, at=file, announce=print)


def test_the_command_needs_the_accounts_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPDEX_KEYS_DIR", str(tmp_path))
    result = CliRunner().invoke(app, ["login", VENUE, "--no-browser"])
    assert result.exit_code == 2
    assert "account_name" in result.output
