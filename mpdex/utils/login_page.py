"""A page on this machine that asks a browser's wallet for one signature, and then is gone.

It listens on 127.0.0.1 alone. What it shows is public, but whoever could answer in the user's place
would log in as somebody else, so: the address has a random token in it that no other page knows,
another Host (a name that was made to point here) or another Origin is refused, the answer must be
JSON, which a foreign page cannot send without asking first, and nothing from elsewhere is loaded.
The first usable answer ends the page.

Sources: EIP-1193 (`window.ethereum.request`), `personal_sign` as wallets have it, EIP-191; OWASP
cheat sheets on cross-site request forgery and on DNS rebinding; read 2026-11-21.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Final

import msgspec

from mpdex.errors import UsageError
from mpdex.types import Challenge, WalletProof

if TYPE_CHECKING:
    from aiohttp import web

HOST: Final = "127.0.0.1"
PATIENCE: Final = 300.0  # seconds that a person may take
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNATURE: Final = re.compile(r"(0x)?[0-9a-fA-F]{130}")
_LARGEST: Final = 4096  # bytes of an answer; a signature and an address take 300
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class LoginPage:
    """One challenge, one answer.

    Attributes:
        url: to be opened in the browser that has the wallet; known once started.

    Args:
        venue: shown to the user.
        port: 0 takes a free one.
    """

    def __init__(self, venue: str, challenge: Challenge, *, port: int = 0) -> None:
        self.url = ""
        self._venue = venue
        self._challenge = challenge
        self._port = port
        self._token = secrets.token_urlsafe(32)
        self._nonce = secrets.token_urlsafe(16)  # of the one script that may run
        self._answer: asyncio.Future[WalletProof] | None = None

    async def ask(self, announce: Callable[[str], None], seconds: float = PATIENCE) -> WalletProof:
        """Serves the page until the wallet has signed.

        Args:
            announce: told the address of the page, which is a secret while it lasts.

        Raises: UsageError if the port is taken, or nobody signed in time.
        """
        from aiohttp import web

        self._answer = asyncio.get_running_loop().create_future()
        runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=1.0)
        await runner.setup()
        try:
            await self._listen(runner)
            announce(self.url)
            async with asyncio.timeout(seconds):
                return await self._answer
        except TimeoutError:
            raise self._failed("nobody signed in time") from None
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.ServerRunner) -> None:
        from aiohttp import web

        try:
            await web.TCPSite(runner, HOST, self._port).start()
        except OSError:
            raise self._failed(f"port {self._port} is taken") from None
        self._port = runner.addresses[0][1]
        self.url = f"http://{HOST}:{self._port}/{self._token}/"

    def _failed(self, what: str) -> UsageError:
        return UsageError(f"login page: {what}; try again", venue=self._venue)

    # ----------------------------------------------------------------- requests

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        if not self._invited(request):
            return web.Response(status=403, text="not for you", headers=_HEADERS)
        match request.method, request.path.rpartition("/")[2]:
            case "GET", "":
                return web.Response(
                    text=self._page(), content_type="text/html", headers=_HEADERS | self._policy()
                )
            case "POST", "proof":
                return await self._take(request)
        return web.Response(status=404, text="not here", headers=_HEADERS)

    def _invited(self, request: web.BaseRequest) -> bool:
        """The right name, the right secret and no foreign page behind it."""
        own = f"http://{HOST}:{self._port}"
        token = request.path.strip("/").partition("/")[0]
        return (
            request.headers.get("Host") == own.removeprefix("http://")
            and request.headers.get("Origin", own) == own
            and hmac.compare_digest(token.encode(), self._token.encode())
        )

    @staticmethod
    async def _body(request: web.BaseRequest) -> bytes:
        """Empty where it is not JSON, or too much of it."""
        if request.content_type != "application/json":
            return b""
        body = await request.content.read(_LARGEST + 1)
        return body if len(body) <= _LARGEST else b""

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        try:
            proof = read_proof(await self._body(request), self._challenge.address)
        except UsageError as error:
            return web.Response(status=400, text=error.detail, headers=_HEADERS)
        said = web.Response(text="Signed. You can close this page.", headers=_HEADERS)
        await said.prepare(request)
        await said.write_eof()  # before the page is gone
        assert self._answer is not None, "served while it is asked only"
        if not self._answer.done():
            self._answer.set_result(proof)
        return said

    # ----------------------------------------------------------------- the page

    def _policy(self) -> dict[str, str]:
        allowed = f"script-src 'nonce-{self._nonce}'; connect-src 'self'"
        rest = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        return {"Content-Security-Policy": f"{rest}; {allowed}"}

    def _page(self) -> str:
        given = msgspec.json.encode(
            {"text": self._challenge.text, "address": self._challenge.address.lower()}
        ).decode()
        return _PAGE.format(
            venue=escape(self._venue),
            text=escape(self._challenge.text),
            given=escape(given),
            nonce=self._nonce,
        )


def read_proof(body: bytes, wanted: str) -> WalletProof:
    """What the page sends: address and signature.

    Args:
        wanted: address that has to sign; "": any.

    Raises: UsageError, its text for the user.
    """
    try:
        proof = msgspec.json.decode(body, type=WalletProof)
    except msgspec.MsgspecError:
        raise UsageError("address and signature are expected") from None
    if not (_ADDRESS.fullmatch(proof.address) and _SIGNATURE.fullmatch(proof.signature)):
        raise UsageError("that is no address, or no signature of 65 bytes")
    if wanted and proof.address.lower() != wanted.lower():
        raise UsageError(f"the wallet signed as {proof.address}, not as {wanted}")
    return proof


# The message is shown as it is signed. A wallet on another machine: sign there, paste here.
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Log in: {venue}</title></head>
<body>
<h1>Log in: {venue}</h1>
<p>Your wallet will be asked to sign this text. It moves nothing and allows nothing else.</p>
<pre id="text">{text}</pre>
<p><button id="sign">Sign with the wallet of this browser</button></p>
<details><summary>Or sign the text elsewhere and paste the result</summary>
<p><label>Address <input id="address" size="44"></label></p>
<p><label>Signature <input id="signature" size="70"></label></p>
<p><button id="send">Send</button></p></details>
<p id="said" role="status"></p>
<script nonce="{nonce}" data-given="{given}" id="script">
"use strict";
const given = JSON.parse(document.getElementById("script").dataset.given);
const field = (name) => document.getElementById(name);
const say = (text) => {{ field("said").textContent = text; }};
async function send(proof) {{
  const answer = await fetch("proof", {{
    method: "POST", headers: {{"Content-Type": "application/json"}}, body: JSON.stringify(proof),
  }});
  say(await answer.text());
}}
async function sign() {{
  if (!window.ethereum) {{ say("This browser has no wallet."); return; }}
  const accounts = await window.ethereum.request({{method: "eth_requestAccounts"}});
  const address = accounts.find((one) => one.toLowerCase() === given.address) || accounts[0];
  const bytes = new TextEncoder().encode(given.text);
  const hex = "0x" + Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
  const signature = await window.ethereum.request({{
    method: "personal_sign", params: [hex, address],
  }});
  await send([address, signature]);
}}
const tried = (act) => () => act().catch((error) => say(String(error.message || error)));
field("sign").addEventListener("click", tried(sign));
field("send").addEventListener("click", tried(() => send(
  [field("address").value.trim(), field("signature").value.trim()])));
</script>
</body></html>
"""


__all__ = ["LoginPage", "read_proof"]
