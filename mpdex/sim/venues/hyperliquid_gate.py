"""Who may act on the simulated Hyperliquid: signers, agents, nonces, vaults, allowances.

Source: hyperliquid.gitbook.io, "Nonces and API wallets", "Rate limits", and live refusals; read
2026-11-21.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from mpdex.sim.records import ZERO
from mpdex.sim.venues import hyperliquid_crypto as crypto
from mpdex.sim.venues import hyperliquid_wire as wire
from mpdex.sim.venues.hyperliquid_exchange import HyperliquidExchange, owner_of
from mpdex.sim.venues.hyperliquid_wire import Envelope, Refused
from mpdex.utils.clock import Clock

KEPT = 100  # nonces of a signer
EDGE_MS = 120_000  # of the window, as measured
OLDEST_MS, NEWEST_MS = 2 * 86_400_000 - EDGE_MS, 86_400_000 - EDGE_MS
NAMED_AGENTS = 3
AGENT_LIFE_MS = 90 * 86_400_000  # UNVERIFIED: 90 days in one capture, 180 in another source
LONGEST_LIFE_MS = 180 * 86_400_000
FREE_REQUESTS = 10_000
MORE_CANCELS = 100_000
SLOW_MS = 10_000  # between two actions of an address that has used up its allowance
EXPIRED_COST = 5
CANCELS = frozenset({"cancel", "cancelByCloid"})


class NonceSet:
    """The highest nonces of one signer; a new one must be unused and above the lowest kept."""

    def __init__(self) -> None:
        self._kept: list[int] = []

    def take(self, nonce: int, now_ms: int) -> None:
        """Raises: Refused; the nonce is not used up then."""
        if nonce in self._kept:
            raise Refused(f"Invalid nonce: duplicate nonce {nonce}")
        lowest = self._kept[0] if len(self._kept) >= KEPT else 0
        oldest = max(lowest, now_ms - OLDEST_MS)
        if nonce <= oldest:
            raise Refused(f"Invalid nonce: nonce too low {nonce} < {oldest}")
        if nonce > now_ms + NEWEST_MS:
            raise Refused(f"Invalid nonce: nonce too high {nonce} > {now_ms + NEWEST_MS}")
        insort(self._kept, nonce)
        del self._kept[:-KEPT]


@dataclass(frozen=True, slots=True)
class Agent:
    """An API wallet; `name` "" is the unnamed one."""

    address: str
    master: str
    name: str
    valid_until_ms: int


@dataclass(slots=True)
class Allowance:
    """Requests of one address over its life.

    Attributes:
        volume: traded before the simulated world began, in USD.
        bought: requests bought.
    """

    volume: Decimal = ZERO
    used: int = 0
    bought: int = 0
    slow_ms: int = 0


@dataclass(slots=True)
class Signed:
    """An action that has come through: who signed, and the address it acts for."""

    envelope: Envelope
    signer: str
    master: str
    address: str


@dataclass(slots=True)
class Gate:
    """Everything that is checked before an action does anything.

    Attributes:
        sources: networks whose signatures are accepted, the first one's signer is named in
            refusals. The official SDK signs for "b" on any URL but mainnet's.
        vaults: sub-account or vault -> its leader.
        vault_names: vault -> its name; sub-accounts have theirs in `sub_names`.
        builders: (address, builder) -> highest fee approved, in tenths of a basis point.
    """

    exchange: HyperliquidExchange
    clock: Clock
    sources: tuple[str, ...] = tuple(crypto.SOURCES)
    agents: dict[str, Agent] = field(default_factory=dict)
    vaults: dict[str, str] = field(default_factory=dict)
    vault_names: dict[str, str] = field(default_factory=dict)
    sub_names: dict[str, str] = field(default_factory=dict)
    builders: dict[tuple[str, str], int] = field(default_factory=dict)
    allowances: dict[str, Allowance] = field(default_factory=lambda: defaultdict(Allowance))
    _nonces: dict[str, NonceSet] = field(default_factory=lambda: defaultdict(NonceSet))

    # ---------------------------------------------------------------- the way in

    def admit(self, envelope: Envelope) -> Signed:
        """Check signature, nonce, expiry, vault and allowance, in this order.

        Raises: Refused.
        """
        signer, master = self._signer(envelope)
        now = self.clock.now_ms()
        self._nonces[signer].take(envelope.nonce, now)
        address = self._acts_for(envelope, master)
        if envelope.expires_after is not None and envelope.expires_after < now:
            self.allowances[address].used += EXPIRED_COST
            raise Refused("Action already expired")
        self._spend(address, envelope, now)
        return Signed(envelope, signer, master, address)

    def _signer(self, envelope: Envelope) -> tuple[str, str]:
        """(signer, master) of an action."""
        if envelope.kind in crypto.USER_SIGNED:
            return self._user(envelope)
        vault = None if envelope.kind in wire.VAULTLESS else envelope.vault
        hashed = crypto.action_hash(envelope.action, envelope.nonce, vault, envelope.expires_after)
        found = [envelope.signature.signer(crypto.l1_digest(hashed, s)) for s in self.sources]
        for address in found:
            master = self.master_of(address) if address else ""
            if address and master:
                return address, master
        raise Refused(_unknown(wire.UNKNOWN_WALLET, found))

    def _user(self, envelope: Envelope) -> tuple[str, str]:
        """Only a master signs for itself; the inner nonce is the outer one."""
        action = envelope.action
        if action.get("nonce", action.get("time")) != envelope.nonce:
            raise Refused("Nonce mismatch.")
        if action["hyperliquidChain"] not in [crypto.SOURCES[s] for s in self.sources]:
            raise Refused("Mainnet and testnet require different signature.")
        address = envelope.signature.signer(crypto.user_digest(action))
        if address is None or not self.is_master(address):
            raise Refused(_unknown(wire.NO_DEPOSIT, [address]))
        return address, address

    def _acts_for(self, envelope: Envelope, master: str) -> str:
        vault = envelope.vault
        if vault is None or envelope.kind in wire.VAULTLESS | crypto.USER_SIGNED.keys():
            return master
        return self.own(master, vault)

    def own(self, master: str, address: str) -> str:
        """An address that a master may speak for: its own, or one that it leads.

        Raises: Refused.
        """
        if address != master and self.vaults.get(address) != master:
            raise Refused(f"Vault not registered: {address}")
        return address

    # ---------------------------------------------------------------- agents

    def is_master(self, address: str) -> bool:
        """Whether it is an account that can sign for itself."""
        known = address in self.exchange.accounts and owner_of(address) == address
        return known and address not in self.vaults

    def master_of(self, address: str) -> str:
        """Whose account a signer may trade: its own, or its master's; "" if nobody's."""
        if self.is_master(address):
            return address
        agent = self.agents.get(address)
        alive = agent is not None and agent.valid_until_ms > self.clock.now_ms()
        return agent.master if agent is not None and alive else ""

    def approve(self, master: str, address: str, name: str) -> None:
        """Make an agent; the master's old one of the same name is gone for good.

        Args:
            name: at most 16 characters, perhaps followed by ` valid_until <ms>`.

        Raises: Refused.
        """
        now = self.clock.now_ms()
        name, _, until = name.partition(" valid_until ")
        ends = int(until) if until.isdecimal() else now + AGENT_LIFE_MS
        if len(name) > 16 or not now < ends <= now + LONGEST_LIFE_MS:
            raise Refused("Invalid agent name")  # UNVERIFIED text
        if address in self.agents or self.is_master(address):
            raise Refused("Extra agent already used.")  # UNVERIFIED text
        named = [a for a in self.agents_of(master) if a.name and a.name != name]
        if name and len(named) >= NAMED_AGENTS:
            raise Refused("Too many extra agents.")  # UNVERIFIED text
        for old in self.agents_of(master):
            if old.name == name:
                del self.agents[old.address]
                self._nonces.pop(old.address, None)
        self.agents[address] = Agent(address, master, name, ends)

    def agents_of(self, master: str) -> list[Agent]:
        return [agent for agent in self.agents.values() if agent.master == master]

    # ---------------------------------------------------------------- allowance

    def volume(self, address: str) -> Decimal:
        """USD traded over the life of an address."""
        pools = {address, *self.exchange.pools_of(address)}
        traded = sum((self.exchange.accounts[pool].volume for pool in pools), ZERO)
        return self.allowances[address].volume + traded

    def cap(self, address: str) -> int:
        """Requests that an address may make over its life."""
        return FREE_REQUESTS + int(self.volume(address)) + self.allowances[address].bought

    def _spend(self, address: str, envelope: Envelope, now_ms: int) -> None:
        allowance, cap = self.allowances[address], self.cap(address)
        if envelope.kind in CANCELS:
            cap = min(cap + MORE_CANCELS, 2 * cap)
        if envelope.kind == "reserveRequestWeight":
            return
        used = allowance.used + envelope.count
        if used > cap and now_ms < allowance.slow_ms + SLOW_MS:
            raise Refused(self.over(address, used, cap))
        if used > cap:
            allowance.slow_ms = now_ms
        allowance.used = used

    def over(self, address: str, used: int, cap: int) -> str:
        """The refusal of an address over its allowance."""
        return (
            f"Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded "
            f"${self.volume(address):.2f}. Place taker orders to free up 1 request per USDC traded."
        )


def _unknown(text: str, found: Iterable[str | None]) -> str:
    """With the address that the signature leads to, known to nobody."""
    address = next(iter(found), None)
    return text.format(address=address) if address else wire.NO_SIGNER
