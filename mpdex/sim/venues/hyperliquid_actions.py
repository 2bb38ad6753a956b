"""What the simulated Hyperliquid does for signed actions, orders included.

Source: hyperliquid.gitbook.io, "Exchange endpoint"; the kinds of ledger entries as recorded; read
2026-11-21. Texts of refusals that no source gives are marked UNVERIFIED.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from mpdex.sim import evm
from mpdex.sim.models import Timers
from mpdex.sim.records import ZERO
from mpdex.sim.venues import hyperliquid_render as render
from mpdex.sim.venues import hyperliquid_wire as wire
from mpdex.sim.venues.hyperliquid_exchange import (
    DEXS,
    USDC,
    HyperliquidExchange,
    pool_name,
)
from mpdex.sim.venues.hyperliquid_gate import Gate, Signed
from mpdex.sim.venues.hyperliquid_market import MarketData
from mpdex.sim.venues.hyperliquid_orders import OrderDesk
from mpdex.sim.venues.hyperliquid_wire import Refused
from mpdex.types import Json

DEFAULT: Json = {"type": "default"}
MILLION = Decimal(10**6)
WITHDRAWAL_FEE = Decimal(1)
EARLIEST_MS = 5_000  # of a scheduled cancel
TRIGGERS_A_DAY = 10
SCHEDULE_VOLUME = SUB_VOLUME = Decimal(1_000_000)  # USD traded before it may be used
MODES = {"u": "unifiedAccount", "p": "portfolioMargin", "i": "disabled"}
ONE_POOL = ("unifiedAccount", "portfolioMargin")
REQUEST_PRICE = Decimal("0.0005")  # USDC for one more request
NO_MONEY = "Insufficient balance for withdrawal."  # UNVERIFIED
Act = Callable[[Signed], Json]


class ActionDesk:
    """Performs actions that have come through the gate.

    Attributes:
        modes: address -> account mode, where it was ever set.
        isolated: (address, symbol) -> margin put aside; no entry: cross.
        on_entry: told of each entry of a ledger: (address, delta).

    Raises: Refused from all actions; nothing has changed then.
    """

    def __init__(
        self,
        exchange: HyperliquidExchange,
        market: MarketData,
        gate: Gate,
        desk: OrderDesk,
        timers: Timers,
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._gate = gate
        self._desk = desk
        self._timers = timers
        self._due: dict[str, int] = {}
        self._triggered: dict[tuple[str, int], int] = defaultdict(int)
        self.modes: dict[str, str] = {}
        self.isolated: dict[tuple[str, str], Decimal] = {}
        self.on_entry: Callable[[str, dict[str, Json]], None] = lambda _address, _delta: None
        self._acts: dict[str, Act] = {
            "order": self._order,
            "cancel": self._cancel,
            "cancelByCloid": self._cancel_by_cloid,
            "modify": self._modify,
            "batchModify": self._batch_modify,
            "scheduleCancel": self._schedule,
            "updateLeverage": self._leverage,
            "updateIsolatedMargin": self._isolated_margin,
            "noop": lambda _: DEFAULT,
            "setReferrer": lambda _: DEFAULT,
            "reserveRequestWeight": self._reserve,
            "createSubAccount": self._create_sub,
            "subAccountTransfer": self._sub_transfer,
            "subAccountSpotTransfer": self._sub_spot_transfer,
            "vaultTransfer": self._vault_transfer,
            "agentSetAbstraction": lambda s: self._set_mode(
                s.address, MODES[s.envelope.action["abstraction"]]
            ),
            "agentEnableDexAbstraction": lambda s: self._set_mode(s.address, "dexAbstraction"),
            "userSetAbstraction": self._user_mode,
            "userDexAbstraction": self._user_dex_mode,
            "usdSend": self._usd_send,
            "spotSend": self._spot_send,
            "withdraw3": self._withdraw,
            "usdClassTransfer": self._class_transfer,
            "sendAsset": self._send_asset,
            "approveAgent": self._approve_agent,
            "approveBuilderFee": self._approve_builder,
            "tokenDelegate": self._delegate,
        }

    def perform(self, signed: Signed) -> Json:
        """What stands under `response` in the answer."""
        return self._acts[signed.envelope.kind](signed)

    def mode(self, address: str) -> str:
        return self.modes.get(address, "default")

    # ---------------------------------------------------------------- orders

    def _order(self, signed: Signed) -> Json:
        action = signed.envelope.action
        return _statuses(
            "order", self._desk.place(signed.address, action["orders"], action.get("builder"))
        )

    def _cancel(self, signed: Signed) -> Json:
        asked = signed.envelope.action["cancels"]
        return _statuses(
            "cancel", [self._desk.cancel(signed.address, one["a"], one["o"]) for one in asked]
        )

    def _cancel_by_cloid(self, signed: Signed) -> Json:
        asked = signed.envelope.action["cancels"]
        return _statuses(
            "cancel",
            [self._desk.cancel(signed.address, one["asset"], one["cloid"]) for one in asked],
        )

    def _modify(self, signed: Signed) -> Json:
        """One order: success has no status, a refusal is the whole action's."""
        action = signed.envelope.action
        status = self._desk.modify(
            signed.address, action["oid"], action["order"], always="a" in action
        )
        if isinstance(status, dict) and "error" in status:
            raise Refused(status["error"])
        return DEFAULT

    def _batch_modify(self, signed: Signed) -> Json:
        action = signed.envelope.action
        statuses = [
            self._desk.modify(signed.address, one["oid"], one["order"], always="a" in action)
            for one in action["modifies"]
        ]
        return _statuses("order", statuses)

    def _schedule(self, signed: Signed) -> Json:
        """Cancel everything at a time; without one, never mind."""
        address, at = signed.address, signed.envelope.action.get("time")
        traded, now = self._gate.volume(address), self._exchange.clock.now_ms()
        if at is None:
            self._due.pop(address, None)
            return DEFAULT
        if traded < SCHEDULE_VOLUME:  # UNVERIFIED text
            raise Refused(
                "Cannot set scheduled cancel time until enough volume traded. "
                f"Required: ${SCHEDULE_VOLUME}. Traded: ${traded:.2f}."
            )
        if at < now + EARLIEST_MS:  # UNVERIFIED text
            raise Refused("Scheduled cancel time too early, must be at least 5 seconds from now.")
        self._due[address] = at
        wait = Decimal(at - now) / 1000
        self._timers.after(float(wait), lambda: self._trigger(address, at))  # seconds
        return DEFAULT

    def _trigger(self, address: str, at: int) -> None:
        if self._due.get(address) != at:
            return
        del self._due[address]
        day = address, at // 86_400_000
        if self._triggered[day] < TRIGGERS_A_DAY:
            self._triggered[day] += 1
            self._desk.end_all(address, "scheduled")

    # ---------------------------------------------------------------- leverage

    def _leverage(self, signed: Signed) -> Json:
        action, address = signed.envelope.action, signed.address
        market = self._market.by_asset(action["asset"])
        if market is None or market.kind != "perp":
            raise Refused(wire.NO_ASSET.format(asset=action["asset"]))
        if not 1 <= action["leverage"] <= market.max_leverage:
            raise Refused("Invalid leverage value.")  # UNVERIFIED text
        if action["isCross"] and market.info["dex"]:
            raise Refused("Cross margin is not allowed for this asset.")  # UNVERIFIED text
        account = self._exchange.pool(address, market)
        key = address, market.symbol
        cross = key not in self.isolated and not market.info["dex"]
        if cross != action["isCross"] and self._exchange.accounts[account].size(market.symbol):
            raise Refused("Cannot switch leverage type with open position.")
        if not self._exchange.twist.keep_leverage:
            if action["isCross"]:
                self.isolated.pop(key, None)
            else:
                self.isolated.setdefault(key, ZERO)
            self._exchange.set_leverage(account, market.symbol, Decimal(action["leverage"]))
        return DEFAULT

    def _isolated_margin(self, signed: Signed) -> Json:
        action = signed.envelope.action
        market = self._market.by_asset(action["asset"])
        key = signed.address, market.symbol if market else ""
        if key not in self.isolated:
            raise Refused("Position does not use isolated margin.")
        self.isolated[key] += action["ntli"] / MILLION
        return DEFAULT

    # ---------------------------------------------------------------- accounts

    def _reserve(self, signed: Signed) -> Json:
        weight = signed.envelope.action["weight"]
        address = signed.envelope.action.get("destination", signed.address)
        self._take_cash(signed.address, weight * REQUEST_PRICE)
        self._gate.allowances[address].bought += weight
        return DEFAULT

    def _create_sub(self, signed: Signed) -> Json:
        if self._gate.volume(signed.address) < SUB_VOLUME:  # UNVERIFIED text
            raise Refused("Cannot create sub-accounts until enough volume traded.")
        return {
            "type": "createSubAccount",
            "data": self.open_sub(signed.address, signed.envelope.action["name"]),
        }

    def open_sub(self, master: str, name: str, balance: Decimal = ZERO) -> str:
        """A sub-account that the master, and its agents, may trade for."""
        address = self._open_led(master, balance)
        self._gate.sub_names[address] = name
        return address

    def open_vault(self, leader: str, name: str, balance: Decimal = ZERO) -> str:
        """A vault that the leader, and its agents, may trade for."""
        address = self._open_led(leader, balance)
        self._gate.vault_names[address] = name
        return address

    def _open_led(self, leader: str, balance: Decimal) -> str:
        seed = f"{leader} {len(self._gate.vaults)}"
        address = evm.address_of(int.from_bytes(evm.keccak(seed.encode()), "big") % evm.N)
        self._exchange.open_pools(address, balance)
        self._gate.vaults[address] = leader
        return address

    def _approve_agent(self, signed: Signed) -> Json:
        action = signed.envelope.action
        self._gate.approve(signed.master, action["agentAddress"], action["agentName"])
        return DEFAULT

    def _approve_builder(self, signed: Signed) -> Json:
        action = signed.envelope.action
        percent = _amount(action["maxFeeRate"].removesuffix("%"))
        if not action["maxFeeRate"].endswith("%") or percent > 1:
            raise Refused("Builder fee is too high.")  # UNVERIFIED text
        self._gate.builders[signed.master, action["builder"]] = int(percent * 1000)
        return DEFAULT

    def _delegate(self, _: Signed) -> Json:
        raise Refused("Insufficient staking balance.")  # UNVERIFIED text; nothing is staked here

    def _user_mode(self, signed: Signed) -> Json:
        action = signed.envelope.action
        user = self._own(signed, action["user"])
        if action["abstraction"] not in MODES.values():
            raise Refused("Invalid abstraction.")  # UNVERIFIED text
        return self._set_mode(user, action["abstraction"])

    def _user_dex_mode(self, signed: Signed) -> Json:
        action = signed.envelope.action
        user = self._own(signed, action["user"])
        return self._set_mode(user, "dexAbstraction" if action["enabled"] else "disabled")

    def _own(self, signed: Signed, user: str) -> str:
        """The master itself or one of its sub-accounts."""
        if user != signed.master and self._gate.vaults.get(user) != signed.master:
            raise Refused(f"Vault not registered: {user}")
        return user

    def _set_mode(self, address: str, mode: str) -> Json:
        """UNVERIFIED: open orders, and positions of builder dexs, must be gone."""
        others = [pool_name(address, dex) for dex in DEXS[1:]]
        if self._desk.live(address) or any(self._exchange.positions(name) for name in others):
            raise Refused("Cannot change abstraction with open orders or positions.")
        if mode in ONE_POOL and address not in self._exchange.unified:
            self._exchange.unify(address)
        elif mode not in ONE_POOL:
            self._exchange.separate(address)
        self.modes[address] = mode
        return DEFAULT

    # ---------------------------------------------------------------- money

    def _usd_send(self, signed: Signed) -> Json:
        action, amount = signed.envelope.action, _amount(signed.envelope.action["amount"])
        self._take_cash(signed.master, amount)
        target = self._address(action["destination"])
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
        amount = _amount(signed.envelope.action["amount"])
        if amount <= WITHDRAWAL_FEE:
            raise Refused(NO_MONEY)
        self._take_cash(signed.master, amount)
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
        user = self._own(signed, sub.lower()) if sub else signed.master
        if user in self._exchange.unified:
            raise Refused(wire.UNIFIED)
        amount, to_perp = _amount(text), action["toPerp"]
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
            user = self._own(signed, action["fromSubAccount"].lower())
        coin, amount = self._coin(action["token"]), _amount(action["amount"])
        source, target = action["sourceDex"], action["destinationDex"]
        if {source, target} - {"spot", *DEXS} or (coin != USDC and {source, target} != {"spot"}):
            raise Refused("Invalid send")
        self._take(source, user, coin, amount)
        other = self._address(action["destination"])
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
        coin, amount = self._coin(action["token"]), _amount(action["amount"])
        target = self._address(action["destination"])
        self._move_spot((signed.master, target), coin, amount, action["token"])
        return DEFAULT

    def _sub_spot_transfer(self, signed: Signed) -> Json:
        action = signed.envelope.action
        sub = self._own(signed, action["subAccountUser"])
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
        sub = self._own(signed, action["subAccountUser"])
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
        self._take_cash(source, amount)
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

    def _take_cash(self, address: str, amount: Decimal) -> None:
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


def _statuses(kind: str, statuses: list[Json]) -> Json:
    return {"type": kind, "data": {"statuses": statuses}}


def _amount(text: str) -> Decimal:
    """Decimal text, at most six decimals."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise Refused("Invalid send") from error
    if not value.is_finite() or value <= 0 or value != value.quantize(Decimal("0.000001")):
        raise Refused("Invalid send")
    return value
