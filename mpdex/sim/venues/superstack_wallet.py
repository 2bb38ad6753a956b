"""The simulated wallet service of Superstack: API keys with permissions, and the keys that sign.

A client sends an action without nonce and signature and gets the body that Hyperliquid takes; what
the service signs is verified there like anybody's. No recorded answer exists: the shape is that of
Superstack's published Rust client, and the wording of every refusal but two is assumed.

Sources: docs.superstack.xyz, "Exchange Endpoint" and "Info Endpoint"; Superstack's Rust SDK
(November 2025); read 2026-11-21.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from string import ascii_letters, digits
from typing import NamedTuple, Protocol

import msgspec

from mpdex.sim.venue import SimReply, SimRequest
from mpdex.types import Json
from mpdex.utils.clock import Clock

VIEW, TRADING, TRANSFER = 1, 2, 4
SIGN, INFO = "/api/exchange", "/api/info"
CHAIN_ID = "0x66eee"  # of user-signed actions; any is accepted where they are sent
PERMISSIONS = {VIEW: "view", TRADING: "trading", TRANSFER: "transfer"}


class Form(NamedTuple):
    """What an action has beside its type, and what a key must be allowed for it.

    Attributes:
        number: name under which the service adds its nonce; "" for L1 actions, which have none.
    """

    permission: int
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    number: str = ""


def _trade(*required: str, optional: str = "") -> Form:
    return Form(TRADING, frozenset(required), frozenset(optional.split()))


def _transfer(number: str, *required: str) -> Form:
    return Form(TRANSFER, frozenset(required), number=number)


ACTIONS: Mapping[str, Form] = {
    "order": _trade("orders", "grouping", optional="builder"),
    "cancel": _trade("cancels"),
    "cancelByCloid": _trade("cancels"),
    "scheduleCancel": _trade(optional="time"),
    "batchModify": _trade("modifies"),
    "updateLeverage": _trade("asset", "isCross", "leverage"),
    "updateIsolatedMargin": _trade("asset", "isBuy", "ntli"),
    "usdSend": _transfer("time", "destination", "amount"),
    "spotSend": _transfer("time", "destination", "token", "amount"),
    "usdClassTransfer": _transfer("nonce", "amount", "toPerp"),
}


class Denied(Exception):
    """An answer of 4xx, with the service's one form of body."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.reply = SimReply({"error": error}, status)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of one user. `allowed_from`: the addresses it may come from; None: any."""

    id: str
    account: str
    permissions: int = VIEW | TRADING
    allowed_from: tuple[str, ...] | None = None
    created_s: int = 0


class Sign(Protocol):
    """The proof of an action, made with the wallet of `account`, as JSON."""

    def __call__(
        self, account: str, action: Json, nonce: int, vault: str | None, expires_ms: int | None, /
    ) -> Json: ...


class WalletApi:
    """Answers the two calls of the service.

    Args:
        accounts: addresses of the Main Ethereum wallets, one for each user.
        chain: "Mainnet" or "Testnet", as user-signed actions name it.

    Attributes:
        keys: by the secret that a client sends; replace an entry to change what it may.
    """

    def __init__(
        self, accounts: list[str], *, clock: Clock, rng: random.Random, sign: Sign, chain: str
    ) -> None:
        self.keys = {_secret(rng): self._new_key(rng, account, clock) for account in accounts}
        self._clock = clock
        self._sign = sign
        self._chain = chain
        self._users = {account: (_uuid(rng), _others(rng)) for account in accounts}
        self._last: dict[str, int] = {}

    @staticmethod
    def _new_key(rng: random.Random, account: str, clock: Clock) -> ApiKey:
        return ApiKey(_uuid(rng), account, created_s=clock.now_ms() // 1000)

    def secret_of(self, account: str) -> str:
        """The API key of an account."""
        return next(secret for secret, key in self.keys.items() if key.account == account)

    def allow(self, account: str, permissions: int, *, only_from: tuple[str, ...] | None) -> None:
        """From now on the account's key may do this, from there."""
        secret = self.secret_of(account)
        self.keys[secret] = replace(
            self.keys[secret], permissions=permissions, allowed_from=only_from
        )

    # ---------------------------------------------------------------- the two calls

    def info(self, request: SimRequest) -> SimReply:
        return self._guarded(lambda: self._info(self._key(request, VIEW)))

    def exchange(self, request: SimRequest) -> SimReply:
        return self._guarded(lambda: self._signed(request))

    def _info(self, key: ApiKey) -> Json:
        """The Main Ethereum wallet comes last: the account is not simply the first one."""
        user, others = self._users[key.account]
        main = {"address": key.account, "network": "Ethereum", "wallet_set": "Main"}
        return {
            "user_info": {"id": user, "wallets": [*others, main]},
            "api_info": {
                "id": key.id,
                "created_at": key.created_s,
                "ip_whitelist": key.allowed_from,
                "permissions": key.permissions,
            },
        }

    def _signed(self, request: SimRequest) -> Json:
        body = _object(request)
        action = body.get("action")
        form = ACTIONS.get(str(action.get("type"))) if isinstance(action, dict) else None
        key = self._key(request, form.permission if form else 0)
        if form is None or not isinstance(action, dict):
            raise Denied(400, "Unsupported action")
        _check_names(body, action, form)
        vault, expires_ms = body.get("vaultAddress"), body.get("expiresAfter")
        nonce = self._nonce(key.account)
        if form.number:
            action = self._completed(action, form.number, nonce)
        signature = self._sign(key.account, action, nonce, vault, expires_ms)
        payload = {"action": action, "nonce": nonce, "signature": signature}
        given = {"vaultAddress": vault, "expiresAfter": expires_ms}
        payload |= {name: value for name, value in given.items() if value is not None}
        return {"payload": payload}

    def _completed(self, action: dict[str, Json], number: str, nonce: int) -> dict[str, Json]:
        where = {"signatureChainId": CHAIN_ID, "hyperliquidChain": self._chain}
        return {**action, number: nonce, **where}

    def _nonce(self, account: str) -> int:
        nonce = max(self._clock.now_ms(), self._last.get(account, 0) + 1)
        self._last[account] = nonce
        return nonce

    # ---------------------------------------------------------------- who asks

    def _key(self, request: SimRequest, permission: int) -> ApiKey:
        """Raises: Denied."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        key = self.keys.get(secret) if scheme == "Bearer" else None
        if key is None:
            raise Denied(401, "Authentication failed, invalid API key")
        if key.allowed_from is not None and request.remote not in key.allowed_from:
            raise Denied(403, "IP address is not in the whitelist")
        if permission & ~key.permissions:
            raise Denied(403, f"API key does not have {PERMISSIONS[permission]} permission")
        return key

    @staticmethod
    def _guarded(answer: Callable[[], Json]) -> SimReply:
        try:
            return SimReply(answer())
        except Denied as denied:
            return denied.reply


def _object(request: SimRequest) -> dict[str, Json]:
    """Raises: Denied."""
    try:
        body = request.json
    except msgspec.DecodeError as error:
        raise Denied(400, "Invalid JSON body") from error
    if not isinstance(body, dict):
        raise Denied(400, "Invalid JSON body")
    return body


def _check_names(body: dict[str, Json], action: dict[str, Json], form: Form) -> None:
    """A nonce or a signature of the client's own is refused like any other stranger.

    Raises: Denied.
    """
    strange = sorted(body.keys() - {"action", "vaultAddress", "expiresAfter"})
    strange += sorted(action.keys() - {"type", *form.required, *form.optional})
    missing = sorted(form.required - action.keys())
    if strange:
        raise Denied(400, f"unknown field `{strange[0]}`")
    if missing:
        raise Denied(400, f"missing field `{missing[0]}`")


def _others(rng: random.Random) -> list[Json]:
    """Wallets of the same user that do not trade."""
    return [
        {"address": _solana(rng), "network": "Solana", "wallet_set": "Main"},
        {"address": _evm(rng), "network": "Ethereum", "wallet_set": {"Secondary": 1}},
    ]


def _solana(rng: random.Random) -> str:
    alphabet = sorted(set(digits + ascii_letters) - set("0OIl"))
    return "".join(rng.choice(alphabet) for _ in range(44))


def _evm(rng: random.Random) -> str:
    return f"0x{rng.getrandbits(160):040x}"


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _secret(rng: random.Random) -> str:
    return f"sim{rng.getrandbits(192):048x}"
