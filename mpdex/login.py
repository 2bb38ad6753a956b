"""Signing in to a venue that knows its users by a browser's wallet: `mpdex login <venue>`."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from pathlib import Path

from mpdex.stage import opened
from mpdex.types import Challenge, WalletProof
from mpdex.utils.login_page import LoginPage


async def log_in(
    venue: str, *, port: int, browser: bool, at: Path | None, announce: Callable[[str], None]
) -> dict[str, str]:
    """Asks the venue what to sign and the wallet to sign it; the session is kept.

    Args:
        port: of the page on this machine; 0: any.
        browser: open the page, too.
        at: the simulator to sign in to, by the file with its JSON line.
        announce: told where the page is.

    Raises: MissingCredentials, Unsupported, AuthError; UsageError if nobody signed in time.
    """

    def invite(url: str) -> None:
        announce(f"Open {url} in the browser that has your wallet.")
        if browser:
            webbrowser.open(url)

    async def ask(challenge: Challenge) -> WalletProof:
        return await LoginPage(venue, challenge, port=port).ask(invite)

    async with opened([venue], "live" if at is None else "sim", at=at) as dexes:
        kept = await dexes[venue].sign_in(ask)
    return {"venue": venue, "session": kept or "good, and not kept: the venue is simulated"}
