"""The simulated Superstack: Hyperliquid, and on the same port the wallet API that signs for it.

The wallets are those of Hyperliquid's accounts; a client has an API key and never sees one. What
the wallet API signs is checked on Hyperliquid's side like anybody's: it has no way around.

Sources: docs.superstack.xyz, "Exchange Endpoint" and "Info Endpoint"; Superstack's Rust SDK
(November 2025); read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from mpdex.sim import evm
from mpdex.sim.venue import Handler, SimReply, SimRequest
from mpdex.sim.venues import hyperliquid_crypto as crypto
from mpdex.sim.venues.hyperliquid import HyperliquidSim
from mpdex.sim.venues.hyperliquid_wire import Malformed, parse_action
from mpdex.sim.venues.superstack_wallet import INFO, SIGN, Denied, WalletApi
from mpdex.types import Json

SOURCE = "a"  # the service signs for mainnet; no testnet is documented
# Neutral refusal class -> status and text of the wallet API, for the fault `reject`.
REJECTS: Mapping[str, tuple[int, str]] = {
    "AUTH": (401, "Authentication failed, invalid API key"),
    "PERMISSION": (403, "API key does not have trading permission"),
    "RATE": (429, "Too many requests"),
}
INVALID = (400, "Invalid action")


class SuperstackSim(HyperliquidSim):
    """Hyperliquid's wire, and the wallet API's."""

    name = "superstack"

    @cached_property
    def wallet(self) -> WalletApi:
        return WalletApi(
            list(self.exchange.wallets),
            clock=self.clock,
            rng=self.rng,
            sign=self._sign,
            chain=crypto.SOURCES[SOURCE],
        )

    def endpoints(self, port: int) -> dict[str, str]:
        return {**super().endpoints(port), "wallet": f"http://127.0.0.1:{port}"}

    def credentials(self) -> dict[str, str]:
        """The address is not among them: the wallet API tells it."""
        return {"api_key": self.wallet.secret_of(self.address)}

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        yield from super().routes()
        yield "POST", SIGN, self.wallet.exchange
        yield "GET", INFO, self.wallet.info

    def op_of(self, request: SimRequest) -> str:
        return "auth" if _is_wallet(request) else super().op_of(request)

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """No limit of the wallet API is documented."""
        return ("", "", 1) if _is_wallet(request) else super().scope_of(request)

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        return {} if _is_wallet(request) else super().describe(request)

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        if not _is_wallet(request):
            return super().render_reject(request, kind, code)
        status, text = REJECTS.get(kind, INVALID)
        return SimReply({"error": text}, int(code) if code.isdigit() else status)

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        if not _is_wallet(request):
            return super().render_rate_limited(request, retry_after)
        return self.render_reject(request, "RATE", "")

    def _sign(
        self, account: str, action: Json, nonce: int, vault: str | None, expires_ms: int | None
    ) -> Json:
        """Raises: Denied for an action that Hyperliquid could not read."""
        try:
            read = parse_action(action)
        except Malformed as error:
            raise Denied(*INVALID) from error
        if action["type"] in crypto.USER_SIGNED:
            digest = crypto.user_digest(read)
        else:
            vault = vault and vault.lower()
            digest = crypto.l1_digest(crypto.action_hash(read, nonce, vault, expires_ms), SOURCE)
        r, s, v = evm.sign(self.exchange.wallets[account], digest)
        return {"r": hex(r), "s": hex(s), "v": v}


def _is_wallet(request: SimRequest) -> bool:
    return request.path in (SIGN, INFO)
