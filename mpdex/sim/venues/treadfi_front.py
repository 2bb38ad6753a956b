"""TreadFi on the port of a simulated venue: which of the two a request is for.

Goes before the venue beneath among the bases of a simulated TreadFi.

Sources: those of `treadfi_app`; read 2026-11-21.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import ClassVar

from mpdex.sim import evm
from mpdex.sim.records import SimMarket, SimOrder
from mpdex.sim.venue import Handler, SimReply, SimRequest, SimVenue
from mpdex.sim.venues.treadfi_account import AccountCalls
from mpdex.sim.venues.treadfi_app import TreadfiApp
from mpdex.sim.venues.treadfi_desk import NO_PRICE, ParentDesk
from mpdex.sim.venues.treadfi_login import Account, Logins, User


class TreadfiFront(SimVenue):
    """What is TreadFi's goes to its app, everything else on to the venue beneath, the next base.

    Attributes:
        BENEATH: what TreadFi calls the venue. UNVERIFIED.
        TOKENS: whether this TreadFi knows the tokens of its API.
        BY_NAME: whether a session may name strategies.
    """

    BENEATH: ClassVar[str]
    TOKENS = False
    BY_NAME = False

    # ---------------------------------------------------------------- said by the venue

    @property
    @abstractmethod
    def linked(self) -> str:
        """The account beneath that is linked."""

    @abstractmethod
    def account_of(self, account: Account, market: SimMarket) -> str:
        """Name of the truth's account that trades a market."""

    @abstractmethod
    def set_leverage(
        self, account: Account, market: SimMarket, leverage: int, isolated: bool | None
    ) -> str:
        """Why not; "" where it is done. `isolated` None: as it was."""

    # ---------------------------------------------------------------- what there is

    @cached_property
    def login_key(self) -> int:
        """Of the wallet that logs in; it is another one than the account's."""
        return self.rng.randrange(1, evm.N)

    @cached_property
    def user(self) -> User:
        """Who has linked the account."""
        name, number = f"acct-{self.rng.randrange(10**6)}", self.rng.getrandbits(48)
        account = Account(name, f"11111111-2222-4333-8444-{number:012x}", self.linked)
        return User(evm.address_of(self.login_key), [account])

    @cached_property
    def app(self) -> TreadfiApp:
        logins = Logins(self.clock, self.rng)
        logins.users[self.user.address] = self.user
        perps = (market for market in self.exchange.markets.values() if market.kind == "perp")
        symbols = {_pair(market): market.symbol for market in perps}
        desk = ParentDesk(
            self.exchange,
            self.rng,
            symbols,
            self.account_of,
            by_name=self.BY_NAME,
            absent=NO_PRICE if self.TOKENS else None,
        )
        accounts = AccountCalls(self.exchange, desk, self.set_leverage, self.BENEATH)
        return TreadfiApp(logins, desk, accounts, tokens=self.TOKENS)

    def login_keys(self) -> dict[str, str]:
        """Credentials that are TreadFi's own."""
        return {
            "account_name": self.user.accounts[0].name,
            "login_private_key": f"0x{self.login_key:064x}",
            "login_address": self.user.address,
        }

    def other_credentials(self) -> Iterable[dict[str, str]]:
        """Each way in by itself; one is by cookies of a browser that has logged in."""
        keys = self.credentials()
        asked = [name for name in ("token", "login_private_key") if name in keys]
        ways: list[dict[str, str]] = [{name: keys.pop(name)} for name in asked]
        ways.append(self.app.logins.open_session(self.user))
        return [{**keys, **way} for way in ways]

    # ---------------------------------------------------------------- which of the two

    def endpoints(self, port: int) -> dict[str, str]:
        beneath = super().endpoints(port)  # type: ignore[safe-super]
        return {**beneath, "app": f"http://127.0.0.1:{port}"}

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        yield from super().routes()  # type: ignore[safe-super]
        yield from self.app.routes()

    def op_of(self, request: SimRequest) -> str:
        if self.app.serves(request.path):
            return self.app.op_of(request)
        return super().op_of(request)  # type: ignore[safe-super]

    def scope_of(self, request: SimRequest) -> tuple[str, str, int]:
        """No limit of TreadFi's is documented."""
        return ("", "", 1) if self.app.serves(request.path) else super().scope_of(request)

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        own = self.app.serves(request.path)
        return self.app.describe(request) if own else super().describe(request)

    def render_reject(self, request: SimRequest, kind: str, code: str) -> SimReply:
        if self.app.serves(request.path):
            return self.app.reject(kind, code)
        return super().render_reject(request, kind, code)  # type: ignore[safe-super]

    def render_rate_limited(self, request: SimRequest, retry_after: float) -> SimReply:
        if self.app.serves(request.path):
            return self.app.reject("RATE", "")
        return super().render_rate_limited(request, retry_after)  # type: ignore[safe-super]

    def render_not_found(self, request: SimRequest) -> SimReply:
        if self.app.serves(request.path):
            return self.app.answer_named(request)
        return super().render_not_found(request)

    def told_id(self, order: SimOrder) -> str:
        parent = self.app.desk.of_child(order)
        return super().told_id(order) if parent is None else parent.id

    def issued(self) -> Iterable[str]:
        return (*super().issued(), *self.app.logins.issued())

    def expire_sessions(self) -> None:
        self.app.logins.expire()


def _pair(market: SimMarket) -> str:
    """As TreadFi spells a perpetual; the first underscore parts a builder's dex from its coin."""
    return f"{market.symbol.replace(':', '_', 1)}:PERP-{market.quote}"
