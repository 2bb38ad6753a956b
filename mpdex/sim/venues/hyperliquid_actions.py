"""What the simulated Hyperliquid does for signed actions, orders and transfers included.

Source: hyperliquid.gitbook.io, "Exchange endpoint"; read 2026-11-21. Texts of refusals that no
source gives are marked UNVERIFIED.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from mpdex.sim import evm
from mpdex.sim.records import ZERO
from mpdex.sim.venues import hyperliquid_wire as wire
from mpdex.sim.venues.hyperliquid_exchange import (
    DEXS,
    HyperliquidExchange,
    pool_name,
)
from mpdex.sim.venues.hyperliquid_gate import Gate, Signed
from mpdex.sim.venues.hyperliquid_market import MarketData
from mpdex.sim.venues.hyperliquid_money import DEFAULT, MILLION, MoneyDesk, amount_of
from mpdex.sim.venues.hyperliquid_orders import OrderDesk
from mpdex.sim.venues.hyperliquid_wire import Refused
from mpdex.types import Json

EARLIEST_MS = 5_000  # of a scheduled cancel
TRIGGERS_A_DAY = 10
SCHEDULE_VOLUME = SUB_VOLUME = Decimal(1_000_000)  # USD traded before it may be used
MODES = {"u": "unifiedAccount", "p": "portfolioMargin", "i": "disabled"}
ONE_POOL = ("unifiedAccount", "portfolioMargin")
REQUEST_PRICE = Decimal("0.0005")  # USDC for one more request
Act = Callable[[Signed], Json]


class ActionDesk:
    """Performs actions that have come through the gate.

    Attributes:
        modes: address -> account mode, where it was ever set.
        isolated: (address, symbol) -> margin put aside; no entry: cross.

    Raises: Refused from all actions; nothing has changed then.
    """

    def __init__(
        self,
        exchange: HyperliquidExchange,
        market: MarketData,
        gate: Gate,
        desk: OrderDesk,
        money: MoneyDesk,
    ) -> None:
        self.exchange = exchange
        self.desk = desk
        self._market = market
        self._gate = gate
        self._money = money
        self._due: dict[str, int] = {}
        self._triggered: dict[tuple[str, int], int] = defaultdict(int)
        self.modes: dict[str, str] = {}
        self.isolated: dict[tuple[str, str], Decimal] = {}
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
            "agentSetAbstraction": lambda s: self._set_mode(
                s.address, MODES[s.envelope.action["abstraction"]]
            ),
            "agentEnableDexAbstraction": lambda s: self._set_mode(s.address, "dexAbstraction"),
            "userSetAbstraction": self._user_mode,
            "userDexAbstraction": self._user_dex_mode,
            "approveAgent": self._approve_agent,
            "approveBuilderFee": self._approve_builder,
            "tokenDelegate": self._delegate,
            **money.acts,
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
            "order", self.desk.place(signed.address, action["orders"], action.get("builder"))
        )

    def _cancel(self, signed: Signed) -> Json:
        asked = signed.envelope.action["cancels"]
        return _statuses(
            "cancel", [self.desk.cancel(signed.address, one["a"], one["o"]) for one in asked]
        )

    def _cancel_by_cloid(self, signed: Signed) -> Json:
        asked = signed.envelope.action["cancels"]
        return _statuses(
            "cancel",
            [self.desk.cancel(signed.address, one["asset"], one["cloid"]) for one in asked],
        )

    def _modify(self, signed: Signed) -> Json:
        """One order: success has no status, a refusal is the whole action's."""
        action = signed.envelope.action
        status = self.desk.modify(
            signed.address, action["oid"], action["order"], always="a" in action
        )
        if isinstance(status, dict) and "error" in status:
            raise Refused(status["error"])
        return DEFAULT

    def _batch_modify(self, signed: Signed) -> Json:
        action = signed.envelope.action
        statuses = [
            self.desk.modify(signed.address, one["oid"], one["order"], always="a" in action)
            for one in action["modifies"]
        ]
        return _statuses("order", statuses)

    def _schedule(self, signed: Signed) -> Json:
        """Cancel everything at a time; without one, never mind."""
        address, at = signed.address, signed.envelope.action.get("time")
        traded, now = self._gate.volume(address), self.exchange.clock.now_ms()
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
        self.exchange.timers.after(float(wait), lambda: self._trigger(address, at))  # seconds
        return DEFAULT

    def _trigger(self, address: str, at: int) -> None:
        if self._due.get(address) != at:
            return
        del self._due[address]
        day = address, at // 86_400_000
        if self._triggered[day] < TRIGGERS_A_DAY:
            self._triggered[day] += 1
            self.desk.end_all(address, "scheduled")

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
        account = self.exchange.pool(address, market)
        key = address, market.symbol
        cross = key not in self.isolated and not market.info["dex"]
        if cross != action["isCross"] and self.exchange.accounts[account].size(market.symbol):
            raise Refused("Cannot switch leverage type with open position.")
        if not self.exchange.twist.keep_leverage:
            if action["isCross"]:
                self.isolated.pop(key, None)
            else:
                self.isolated.setdefault(key, ZERO)
            self.exchange.set_leverage(account, market.symbol, Decimal(action["leverage"]))
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
        self._money.take_cash(signed.address, weight * REQUEST_PRICE)
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
        self.exchange.open_pools(address, balance)
        self._gate.vaults[address] = leader
        return address

    def _approve_agent(self, signed: Signed) -> Json:
        action = signed.envelope.action
        self._gate.approve(signed.master, action["agentAddress"], action["agentName"])
        return DEFAULT

    def _approve_builder(self, signed: Signed) -> Json:
        action = signed.envelope.action
        percent = amount_of(action["maxFeeRate"].removesuffix("%"))
        if not action["maxFeeRate"].endswith("%") or percent > 1:
            raise Refused("Builder fee is too high.")  # UNVERIFIED text
        self._gate.builders[signed.master, action["builder"]] = int(percent * 1000)
        return DEFAULT

    def _delegate(self, _: Signed) -> Json:
        raise Refused("Insufficient staking balance.")  # UNVERIFIED text; nothing is staked here

    def _user_mode(self, signed: Signed) -> Json:
        action = signed.envelope.action
        user = self._gate.own(signed.master, action["user"])
        if action["abstraction"] not in MODES.values():
            raise Refused("Invalid abstraction.")  # UNVERIFIED text
        return self._set_mode(user, action["abstraction"])

    def _user_dex_mode(self, signed: Signed) -> Json:
        action = signed.envelope.action
        user = self._gate.own(signed.master, action["user"])
        return self._set_mode(user, "dexAbstraction" if action["enabled"] else "disabled")

    def _set_mode(self, address: str, mode: str) -> Json:
        """UNVERIFIED: open orders, and positions of builder dexs, must be gone."""
        others = [pool_name(address, dex) for dex in DEXS[1:]]
        if self.desk.live(address) or any(self.exchange.positions(name) for name in others):
            raise Refused("Cannot change abstraction with open orders or positions.")
        if mode in ONE_POOL and address not in self.exchange.unified:
            self.exchange.unify(address)
        elif mode not in ONE_POOL:
            self.exchange.separate(address)
        self.modes[address] = mode
        return DEFAULT


def _statuses(kind: str, statuses: list[Json]) -> Json:
    return {"type": kind, "data": {"statuses": statuses}}
