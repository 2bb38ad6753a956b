"""Money that moves on the simulated Hyperliquid: transfers, sends, withdrawals.

Source: hyperliquid.gitbook.io, "Exchange endpoint"; the kinds of ledger entries as recorded; read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

from mpdex.sim.records import ZERO
from mpdex.sim.venues import hyperliquid_render as render
from mpdex.sim.venues import hyperliquid_wire as wire
from mpdex.sim.venues.hyperliquid_exchange import DEXS, USDC, HyperliquidExchange
from mpdex.sim.venues.hyperliquid_gate import Gate, Signed
from mpdex.sim.venues.hyperliquid_market import MarketData
from mpdex.sim.venues.hyperliquid_wire import Refused
from mpdex.types import Json

DEFAULT: Json = {"type": "default"}
MILLION = Decimal(10**6)
WITHDRAWAL_FEE = Decimal(1)
NO_MONEY = "Insufficient balance for withdrawal."  # UNVERIFIED


class MoneyDesk:
    """Moves money of addresses of one venue.

    Attributes:
        on_entry: told of each entry of a ledger: (address, delta).

    Raises: Refused from all actions; nothing has moved then.
    """

    def __init__(self, exchange: HyperliquidExchange, market: MarketData, gate: Gate) -> None:
        self._exchange = exchange
        self._market = market
        self._gate = gate
        self.on_entry: Callable[[str, dict[str, Json]], None] = lambda _address, _delta: None
        self.acts: Mapping[str, Callable[[Signed], Json]] = {
            "usdSend": self._usd_send,
            "spotSend": self._spot_send,
            "withdraw3": self._withdraw,
            "usdClassTransfer": self._class_transfer,
            "sendAsset": self._send_asset,
            "subAccountTransfer": self._sub_transfer,
            "subAccountSpotTransfer": self._sub_spot_transfer,
            "vaultTransfer": self._vault_transfer,
        }

    def _usd_send(self, signed: Signed) -> Json:
        action, amount = signed.envelope.action, amount_of(signed.envelope.action["amount"])
        target = self._address(action["destination"])
        self.take_cash(signed.master, amount)
        self._exchange.accounts[target].cash += amount
        delta = {
            "type": "internalTransfer",
            "usdc": render.number(amount),
            "user": signed.master,
            "destination": target,
            "fee": "0.0",
        }
        self._enter_both(signed.master, target, delta)
        return DEFAULT

    def _withdraw(self, signed: Signed) -> Json:
        amount = amount_of(signed.envelope.action["amount"])
        if amount <= WITHDRAWAL_FEE:
            raise Refused(NO_MONEY)
        self.take_cash(signed.master, amount)
        delta = {
            "type": "withdraw",
            "usdc": render.number(amount - WITHDRAWAL_FEE),
            "nonce": signed.envelope.nonce,
            "fee": render.number(WITHDRAWAL_FEE),
        }
        self.on_entry(signed.master, delta)
        return DEFAULT

    def _class_transfer(self, signed: Signed) -> Json:
        """Between perps and spot, of the master or of a sub-account that the amount names."""
        action = signed.envelope.action
        text, _, sub = action["amount"].partition(" subaccount:")
        user = self._gate.own(signed.master, sub.lower()) if sub else signed.master
        if user in self._exchange.unified:
            raise Refused(wire.UNIFIED)
        amount, to_perp = amount_of(text), action["toPerp"]
        self._take("spot" if to_perp else "", user, USDC, amount)
        self._give("" if to_perp else "spot", user, USDC, amount)
        delta = {"type": "accountClassTransfer", "usdc": render.number(amount), "toPerp": to_perp}
        self.on_entry(user, delta)
        return DEFAULT

    def _send_asset(self, signed: Signed) -> Json:
        """Between dexs, spot and addresses."""
        action = signed.envelope.action
        user = signed.master
        if action["fromSubAccount"]:
            user = self._gate.own(signed.master, action["fromSubAccount"].lower())
        coin, amount = self._coin(action["token"]), amount_of(action["amount"])
        source, target = action["sourceDex"], action["destinationDex"]
        if {source, target} - {"spot", *DEXS} or (coin != USDC and {source, target} != {"spot"}):
            raise Refused("Invalid send")
        other = self._address(action["destination"])
        self._take(source, user, coin, amount)
        self._give(target, other, coin, amount)
        delta = {
            "type": "send",
            "user": user,
            "destination": other,
            "sourceDex": source,
            "destinationDex": target,
            "token": action["token"].partition(":")[0],
            "amount": render.number(amount),
            "usdcValue": render.number(amount),
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": signed.envelope.nonce,
            "feeToken": "",
        }
        self._enter_both(user, other, delta)
        return DEFAULT

    def _spot_send(self, signed: Signed) -> Json:
        action = signed.envelope.action
        coin, amount = self._coin(action["token"]), amount_of(action["amount"])
        target = self._address(action["destination"])
        self._move_spot((signed.master, target), coin, amount, action["token"])
        return DEFAULT

    def _sub_spot_transfer(self, signed: Signed) -> Json:
        action = signed.envelope.action
        sub = self._gate.own(signed.master, action["subAccountUser"])
        coin, amount = self._coin(action["token"]), Decimal(action["amount"])
        ends = (signed.master, sub) if action["isDeposit"] else (sub, signed.master)
        self._move_spot(ends, coin, amount, action["token"])
        return DEFAULT

    def _move_spot(self, ends: tuple[str, str], coin: str, amount: Decimal, token: str) -> None:
        source, target = ends
        self._take("spot", source, coin, amount)
        self._give("spot", target, coin, amount)
        delta = {
            "type": "spotTransfer",
            "token": token.partition(":")[0],
            "amount": render.number(amount),
            "usdcValue": render.number(amount),
            "user": source,
            "destination": target,
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": None,
            "feeToken": "",
        }
        self._enter_both(source, target, delta)

    def _sub_transfer(self, signed: Signed) -> Json:
        action = signed.envelope.action
        sub = self._gate.own(signed.master, action["subAccountUser"])
        ends = (signed.master, sub) if action["isDeposit"] else (sub, signed.master)
        self._move_cash(ends, action["usd"] / MILLION, "subAccountTransfer")
        return DEFAULT

    def _vault_transfer(self, signed: Signed) -> Json:
        action = signed.envelope.action
        vault = action["vaultAddress"]
        if vault not in self._gate.vault_names:
            raise Refused(f"Vault not registered: {vault}")
        ends = (signed.master, vault) if action["isDeposit"] else (vault, signed.master)
        word = "vaultDeposit" if action["isDeposit"] else "vaultWithdraw"
        self._move_cash(ends, action["usd"] / MILLION, word)
        return DEFAULT

    def _move_cash(self, ends: tuple[str, str], amount: Decimal, word: str) -> None:
        source, target = ends
        self.take_cash(source, amount)
        self._exchange.accounts[target].cash += amount
        delta = {
            "type": word,
            "usdc": render.number(amount),
            "user": source,
            "destination": target,
        }
        self._enter_both(source, target, delta)

    def _enter_both(self, source: str, target: str, delta: dict[str, Json]) -> None:
        for address in dict.fromkeys((source, target)):
            self.on_entry(address, delta)

    def take_cash(self, address: str, amount: Decimal) -> None:
        """Perp USDC that goes elsewhere."""
        self._take("", address, USDC, amount)

    def _take(self, place: str, address: str, coin: str, amount: Decimal) -> None:
        exchange = self._exchange
        if place == "spot" and not (address in exchange.unified and coin == USDC):
            if exchange.balance(address, coin) - exchange.held(address, coin) < amount:
                raise Refused(NO_MONEY)
            exchange.accounts[address].coins[coin] -= amount
            return
        pool = exchange.pool_of(address, "" if place == "spot" else place)
        if exchange.free(pool) < amount:
            raise Refused(NO_MONEY)
        exchange.accounts[pool].cash -= amount

    def _give(self, place: str, address: str, coin: str, amount: Decimal) -> None:
        exchange = self._exchange
        if place == "spot" and not (address in exchange.unified and coin == USDC):
            coins = exchange.accounts[address].coins
            coins[coin] = coins.get(coin, ZERO) + amount
        else:
            pool = exchange.pool_of(address, "" if place == "spot" else place)
            exchange.accounts[pool].cash += amount

    def _address(self, text: str) -> str:
        """An account to send to; it is opened by what it is sent."""
        try:
            address = str(wire.address(text))
        except wire.Malformed as error:
            raise Refused("Invalid send") from error
        if address not in self._exchange.accounts:
            self._exchange.open_pools(address, ZERO)
        return address

    def _coin(self, token: str) -> str:
        """The exchange's name of a token that is given as NAME or NAME:0xid."""
        name = token.partition(":")[0]
        if name == USDC:
            return USDC
        for market in self._market.spots():
            if market.info["token"] == name:
                return market.coin
        raise Refused("Invalid send")


def amount_of(text: str) -> Decimal:
    """Decimal text, at most six decimals."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise Refused("Invalid send") from error
    if not value.is_finite() or value <= 0 or value != value.quantize(Decimal("0.000001")):
        raise Refused("Invalid send")
    return value
