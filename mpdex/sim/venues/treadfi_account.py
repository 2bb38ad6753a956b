"""Accounts at the simulated TreadFi: which are linked, what they hold, and their leverage.

What they hold is the truth of the venue beneath; the live cache lags behind it, here it does not.

Sources: docs.tread.fi, "Accounts"; taas-api-client 1.2.9 and its samples; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from mpdex.sim.exchange import SimExchange
from mpdex.sim.records import ZERO, SimMarket
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues.treadfi_desk import ParentDesk, Refused, plain
from mpdex.sim.venues.treadfi_login import Account, User
from mpdex.types import Json

LEVERAGE_SET = "Leverage changed successfully."
SetLeverage = Callable[[Account, SimMarket, int, bool | None], str]  # last: isolated


class AccountCalls:
    """What is asked about accounts.

    Args:
        set_leverage: on the venue beneath; the margin mode stays where none is named. Says why
            not, "" where it is done.
        name: of the venue beneath.
    """

    def __init__(
        self, exchange: SimExchange, desk: ParentDesk, set_leverage: SetLeverage, name: str
    ) -> None:
        self._exchange = exchange
        self._desk = desk
        self._set = set_leverage
        self._name = name

    def balance(self, request: SimRequest, user: User) -> SimReply:
        """A name that nobody has gives an empty list and no error."""
        rows = [
            {"account_name": one.name, "account_id": one.id, "equity": self._equity(one)}
            for one in named(user, request.query)
        ]
        return SimReply({"balances": rows})

    def names(self, _: SimRequest, user: User) -> SimReply:
        rows = [
            {"name": one.name, "id": one.id, "valid": True, "archived": False}
            for one in user.accounts
        ]
        return SimReply(rows)

    def balances(self, request: SimRequest, user: User) -> SimReply:
        told = {
            one.name: {"exchange": self._name, "assets": self._assets(one)}
            for one in named(user, request.query)
        }
        return SimReply(told)

    def _assets(self, account: Account) -> list[Json]:
        """The money, and what it stands for."""
        equity = self._exchange.equity(account.beneath)
        rows = [_asset("USDC", "token", equity, equity, ZERO)]
        for pair, size in self.positions(account):
            market = self._desk.market(pair)
            name = self._desk.account_of(account, market)
            pnl = self._exchange.ledger.unrealized(name, market.symbol)
            value = size * self._exchange.mark(market.symbol)
            rows.append(_asset(pair, "position", size, value, pnl))
        return rows

    def set_leverage(self, request: SimRequest, user: User) -> SimReply:
        """The page always names the margin mode, the API never does."""
        body = read_body(request)
        ids, market = body.get("account_ids"), self._desk.market(body.get("pair"))
        chosen = [one for one in user.accounts if isinstance(ids, list) and one.id in ids]
        if not chosen:
            raise Refused({"message": "Account not found."})
        text, mode = str(body.get("leverage")), body.get("margin_mode")
        if not text.isdecimal() or not 1 <= int(text) <= market.max_leverage:
            raise Refused({"message": f"Leverage must be between 1 and {market.max_leverage}."})
        if mode not in ("CROSS", "ISOLATED", None):
            raise Refused({"margin_mode": [f'"{mode}" is not a valid choice.']})
        isolated = None if mode is None else mode == "ISOLATED"
        for account in chosen:
            problem = self._set(account, market, int(text), isolated)
            if problem:
                raise Refused({"message": problem})
        return SimReply({"message": LEVERAGE_SET})

    def _equity(self, account: Account) -> str:
        return plain(self._exchange.equity(account.beneath))

    def positions(self, account: Account) -> list[tuple[str, Decimal]]:
        """By pair, signed; without those that are flat."""
        found = []
        for pair in self._desk.symbols:
            market = self._desk.market(pair)
            name = self._desk.account_of(account, market)
            found.append((pair, self._exchange.accounts[name].size(market.symbol)))
        return [(pair, size) for pair, size in found if size]


def _asset(symbol: str, kind: str, size: Decimal, value: Decimal, pnl: Decimal) -> Json:
    """Numbers are JSON numbers here. Margins are not simulated: they are the venue's beneath."""
    none = _number(ZERO)
    return {
        "symbol": symbol,
        "size": _number(size),
        "notional": _number(value),
        "market_type": "perp" if kind == "position" else "unified",
        "asset_type": kind,
        "unrealized_profit": _number(pnl),
        "initial_margin": none,
        "maint_margin": none,
        "margin_balance": _number(size if kind == "token" else ZERO),
        "leverage": None,
        "notional_pct_total": _number(Decimal(1)),
    }


def _number(value: Decimal) -> msgspec.Raw:
    return msgspec.Raw(f"{value:.8f}".encode())


def read_body(request: SimRequest) -> dict[str, Json]:
    """{} where it is no object."""
    try:
        said = request.json
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def named(user: User, query: Mapping[str, str]) -> list[Account]:
    """The user's accounts, those that a query names if it names any."""
    names = words(query, "account_names")
    return [one for one in user.accounts if not names or one.name in names]


def words(query: Mapping[str, str], name: str) -> list[str]:
    return [word for word in query.get(name, "").split(",") if word]
