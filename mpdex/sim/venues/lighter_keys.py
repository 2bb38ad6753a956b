"""Who may act on the simulated Lighter: API keys, their nonces, and the tokens made with them.

A nonce is taken by the front the moment it accepts a transaction, and told to others once the
sequencer has executed it.

Source: apidocs.lighter.xyz, "API keys", "Nonce management"; lighter-sdk 1.1.8; read 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpdex.sim.venues import lighter_crypto as crypto
from mpdex.sim.venues.lighter_wire import SKIP_NONCE, Refusal, Token, Transaction, parse_token
from mpdex.types import Json
from mpdex.utils.clock import Clock, SystemClock

LONGEST_MS = 600_000  # UNVERIFIED: the official signer always writes 599,000
LONGEST_TOKEN = 8 * 3600  # seconds
LAST_SKIPPED = 2**47 - 1
EVERY_KEY = 255


@dataclass(slots=True)
class ApiKey:
    """One key of an account.

    Attributes:
        nonce: of the next transaction.
        told: the same, as far as the sequencer has come.
    """

    account: str
    index: int
    public: bytes
    nonce: int
    told: int
    used_us: int = 0

    def rendered(self) -> dict[str, Json]:
        return {
            "account_index": int(self.account),
            "api_key_index": self.index,
            "nonce": self.told,
            "public_key": self.public.hex(),
            "transaction_time": self.used_us,
        }


class KeyRing:
    """All keys of one venue.

    Args:
        chain: the chain id in every hash.
        proves: whether signatures are checked, or only their form.
    """

    def __init__(self, clock: Clock, chain: int, proves: bool) -> None:
        self._clock = clock
        # The native signer stamps with the machine's clock and takes no other.
        self._clocks: tuple[Clock, ...] = (clock, SystemClock())
        self._chain = chain
        self._proves = proves
        self._keys: dict[tuple[str, int], ApiKey] = {}
        self._seen: set[str] = set()
        self._revoked: set[str] = set()

    def register(self, account: str, index: int, public: bytes, nonce: int = 0) -> ApiKey:
        key = self._keys[account, index] = ApiKey(account, index, public, nonce, nonce)
        return key

    def find(self, account: str, index: int) -> ApiKey:
        """Raises: Refusal 21109."""
        key = self._keys.get((account, index))
        if key is None:
            raise Refusal(21109)
        return key

    def of(self, account: str, index: int = EVERY_KEY) -> list[ApiKey]:
        """Keys of an account; 255 stands for all of them."""
        own = [key for key in self._keys.values() if key.account == account]
        return [key for key in own if index in (EVERY_KEY, key.index)]

    # ---------------------------------------------------------------- transactions

    def check(self, sent: Transaction, nonce: int) -> bytes:
        """Whether a transaction may be executed with this nonce next.

        Returns: its hash.
        Raises: Refusal.
        """
        key = self.find(str(sent.account), sent.key)
        if not any(0 < sent.expires_ms - c.now_ms() <= LONGEST_MS for c in self._clocks):
            raise Refusal(21711)  # UNVERIFIED code
        skips = sent.attributes.get(SKIP_NONCE) == 1
        if sent.nonce != nonce and not (skips and nonce < sent.nonce < LAST_SKIPPED):
            raise Refusal(21104)
        hashed = sent.hash(self._chain)
        if not self._signed(key, hashed, sent.signature):
            raise Refusal(21120)
        return hashed

    def _signed(self, key: ApiKey, hashed: bytes, signature: bytes) -> bool:
        if not self._proves:
            return crypto.well_formed(signature)
        return crypto.verify(key.public, hashed, signature)

    # ---------------------------------------------------------------- tokens

    def account_of(self, text: str) -> str:
        """The account that a token speaks for.

        Raises: Refusal.
        """
        token = parse_token(text)
        left = token.deadline - self._clock.now_ms() // 1000
        if left <= 0 or text in self._revoked:
            raise Refusal(20013, ": auth deadline is over")
        if left > LONGEST_TOKEN:
            raise Refusal(20013, ": auth deadline is too far")
        self._prove(token)
        self._seen.add(text)
        return token.account

    def _prove(self, token: Token) -> None:
        key = self._keys.get((token.account, token.key))
        if key is None or not self._signed(key, token.hash(), token.signature):
            raise Refusal(20013, ": invalid signature")

    def revoke_tokens(self) -> None:
        """Every token that has been used is worth nothing from now on."""
        self._revoked |= self._seen

    @property
    def seen(self) -> frozenset[str]:
        return frozenset(self._seen)
