"""What may be asked about any address of the simulated Hyperliquid: nobody has to prove anything.

An address that nobody knows, an agent's too, has an empty account.

Source: hyperliquid.gitbook.io, "Info endpoint", and live answers; read 2026-11-21.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from mpdex.sim.payments import FundingTally
from mpdex.sim.records import ZERO, SimEvent, SimFill, SimOrder, SimPosition, Traded
from mpdex.sim.venues import hyperliquid_render as render
from mpdex.sim.venues import hyperliquid_wire as wire
from mpdex.sim.venues.hyperliquid_actions import ActionDesk
from mpdex.sim.venues.hyperliquid_exchange import (
    PERP_FEES,
    SPOT_FEES,
    owner_of,
    signed,
)
from mpdex.sim.venues.hyperliquid_gate import Gate
from mpdex.sim.venues.hyperliquid_market import MarketData
from mpdex.sim.venues.hyperliquid_render import money, number
from mpdex.sim.venues.hyperliquid_states import States
from mpdex.types import Json

Query = Mapping[str, Json]
MOST_ROWS = 2000
REFERRAL_FREE = "0.0"


class AccountData:
    """Answers about accounts.

    Raises: Malformed from all answers, where the venue answers 422.
    """

    def __init__(self, market: MarketData, gate: Gate, actions: ActionDesk) -> None:
        self._exchange, self._desk = actions.exchange, actions.desk
        self._market = market
        self._gate = gate
        self._actions = actions
        self.states = States(self._exchange, market, actions)
        self._told: dict[int, dict[str, Json]] = {}  # trade -> the fill as it is told
        self._tally = FundingTally()
        self.payments: dict[str, list[dict[str, Json]]] = defaultdict(list)
        self.entries: dict[str, list[dict[str, Json]]] = defaultdict(list)
        self.answers: dict[str, Callable[[Query], Json]] = {
            "clearinghouseState": self.answer_state,
            "spotClearinghouseState": lambda query: self.states.render_spot(self.user(query)),
            "activeAssetData": self.answer_asset,
            "openOrders": lambda query: self._open_orders(query, render.render_open_order),
            "frontendOpenOrders": lambda query: self._open_orders(query, render.render_full_order),
            "orderStatus": self.answer_order,
            "historicalOrders": self.answer_history,
            "userFills": self.answer_fills,
            "userFillsByTime": self.answer_fills_by_time,
            "userFunding": self.answer_funding,
            "userNonFundingLedgerUpdates": self.answer_ledger,
            "userFees": self.answer_fees,
            "userRateLimit": self.answer_limit,
            "userRole": self.answer_role,
            "userAbstraction": lambda query: self._actions.mode(self.user(query)),
            "userDexAbstraction": lambda query: (
                self._actions.mode(self.user(query)) == "dexAbstraction"
            ),
            "extraAgents": self.answer_agents,
            "subAccounts": self.answer_subs,
            "maxBuilderFee": self.answer_builder,
            "approvedBuilders": self.answer_builders,
            "userVaultEquities": self._nothing,
            "userTwapSliceFills": self._nothing,
        }

    # ---------------------------------------------------------------- heard from the truth

    def listen(self) -> None:
        """From now on executions are known."""
        self._exchange.witness(self._witness, Traded)

    def _witness(self, event: SimEvent) -> None:
        """An execution, the moment it happens: what was held before it is still known."""
        if isinstance(event, Traded):
            self._note(event.fill)

    def _note(self, fill: SimFill) -> None:
        order, market = fill.order, self._exchange.markets[fill.order.symbol]
        account = self._exchange.accounts[order.account]
        change = signed(fill)
        if market.kind == "spot" and order.side == "buy":
            change -= fill.fee / fill.price
        now = account.coins.get(market.coin, ZERO) if market.kind == "spot" else None
        start = (account.size(order.symbol) if now is None else now) - change
        builder_fee = self._exchange.builder_fee(order, fill.price * fill.size)
        user = owner_of(order.account)
        self._told[fill.trade_id] = render.render_fill(fill, market, user, start, builder_fee)
        self.states.note(fill, start)

    def render_fill(self, fill: SimFill) -> dict[str, Json]:
        return self._told[fill.trade_id]

    def note_position(self, position: SimPosition) -> dict[str, Json] | None:
        """Remember a payment of funding, if the change was one; returns it."""
        received = self._tally.take(position)
        if not received:
            return None
        payment = {
            "time": render.milliseconds(position.updated_ns),
            "coin": position.symbol,
            "usdc": money(received),
            "szi": number(position.size),
            "fundingRate": number(self._exchange.funding_rate(position.symbol)),
            "nSamples": None,
        }
        self.payments[owner_of(position.account)].append(payment)
        return payment

    def note_entry(self, address: str, delta: dict[str, Json]) -> dict[str, Json]:
        """Remember an entry of a ledger; returns it."""
        now, number = self._exchange.clock.now_ms(), len(self.entries[address])
        entry = {"time": now, "hash": render.hash_of(address, number), "delta": delta}
        self.entries[address].append(entry)
        return entry

    # ---------------------------------------------------------------- who is asked about

    def user(self, query: Query) -> str:
        """The address of a query, in lower case."""
        return str(wire.address(query.get("user")))

    def _nothing(self, query: Query) -> Json:
        """Of what is not simulated, an account has none."""
        self.user(query)
        return []

    # ---------------------------------------------------------------- money and positions

    def answer_state(self, query: Query) -> Json:
        return self.states.render_state(self.user(query), self._market.dex(query))

    def answer_asset(self, query: Query) -> Json:
        return self.states.render_asset(self.user(query), self._market.market(query.get("coin")))

    # ---------------------------------------------------------------- orders and fills

    def _open_orders(self, query: Query, form: Callable[[SimOrder], dict[str, Json]]) -> Json:
        """Newest first, of one dex; spot goes with the first."""
        orders = self.open_orders(self.user(query), self._market.dex(query))
        return [form(order) for order in orders[: self._exchange.twist.page]]

    def open_orders(self, address: str, dex: str) -> list[SimOrder]:
        if not self.states.knows(address):
            return []
        markets = self._exchange.markets
        found = [
            o for o in self._desk.live(address) if markets[o.symbol].info.get("dex", "") == dex
        ]
        return found[::-1]

    def answer_order(self, query: Query) -> Json:
        """By number or by client id."""
        address, which = self.user(query), query.get("oid")
        if isinstance(which, bool) or not isinstance(which, int | str):
            raise wire.Malformed
        if isinstance(which, str):
            which = str(wire.cloid(which))
        order = self._desk.find(address, which) if self.states.knows(address) else None
        if order is None or order.reason == "dropped":
            return {"status": "unknownOid"}
        return {"status": "order", "order": render.render_status(order)}

    def answer_history(self, query: Query) -> Json:
        """Newest first; orders refused in the engine have a record, too."""
        address = self.user(query)
        pools = self._exchange.pools_of(address) if self.states.knows(address) else []
        orders = [o for name in pools for o in self._exchange.order_history(name)]
        orders.sort(key=lambda order: int(order.order_id), reverse=True)
        kept = [order for order in orders if order.reason != "dropped"]
        return [render.render_status(order) for order in kept[:MOST_ROWS]][
            : self._exchange.twist.page
        ]

    def fills(self, address: str) -> list[SimFill]:
        """Oldest first."""
        pools = self._exchange.pools_of(address) if self.states.knows(address) else []
        found = [fill for name in pools for fill in self._exchange.fills(name)]
        return sorted(found, key=lambda fill: fill.trade_id)

    def answer_fills(self, query: Query) -> Json:
        """Newest first."""
        newest = self.fills(self.user(query))[::-1][:MOST_ROWS][: self._exchange.twist.page]
        return [self.render_fill(fill) for fill in newest]

    def answer_fills_by_time(self, query: Query) -> Json:
        """Of a span, oldest first; the first rows of it where there are too many."""
        since, until = _span(query)
        rows = [self.render_fill(fill) for fill in self.fills(self.user(query))]
        within = [row for row in rows if since <= row["time"] <= until]
        return within[:MOST_ROWS][: self._exchange.twist.page]

    # ---------------------------------------------------------------- money

    def answer_funding(self, query: Query) -> Json:
        since, until = _span(query)
        rows = [
            {
                "time": payment["time"],
                "hash": "0x" + "0" * 64,
                "delta": {"type": "funding", **{k: v for k, v in payment.items() if k != "time"}},
            }
            for payment in self.payments[self.user(query)]
        ]
        return [row for row in rows if since <= row["time"] <= until]

    def answer_ledger(self, query: Query) -> Json:
        since, until = _span(query)
        return [row for row in self.entries[self.user(query)] if since <= row["time"] <= until]

    def answer_fees(self, query: Query) -> Json:
        """The base schedule; nobody has a volume that changes it."""
        self.user(query)
        rates = {
            "cross": number(PERP_FEES.taker),
            "add": number(PERP_FEES.maker),
            "spotCross": number(SPOT_FEES.taker),
            "spotAdd": number(SPOT_FEES.maker),
        }
        return {
            "dailyUserVlm": [],
            "feeSchedule": {
                **rates,
                "tiers": {"vip": [], "mm": []},
                "referralDiscount": "0.04",
                "stakingDiscountTiers": [],
            },
            "userCrossRate": rates["cross"],
            "userAddRate": rates["add"],
            "userSpotCrossRate": rates["spotCross"],
            "userSpotAddRate": rates["spotAdd"],
            "activeReferralDiscount": REFERRAL_FREE,
            "trial": None,
            "feeTrialReward": "0.0",
            "nextTrialAvailableTimestamp": None,
            "stakingLink": None,
            "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
        }

    def answer_limit(self, query: Query) -> Json:
        address = self.user(query)
        used = self._gate.allowances[address].used
        known = self.states.knows(address)
        cap = self._gate.cap(address) if known else 10_000
        return {
            "cumVlm": money(self._gate.volume(address)) if known else "0.0",
            "nRequestsUsed": used,
            "nRequestsCap": cap,
            "nRequestsSurplus": self._gate.allowances[address].bought,
        }

    # ---------------------------------------------------------------- roles

    def answer_role(self, query: Query) -> Json:
        address = self.user(query)
        if address in self._gate.agents:
            master = self._gate.master_of(address)
            return {"role": "agent", "data": {"user": master}} if master else {"role": "missing"}
        if address in self._gate.sub_names:
            return {"role": "subAccount", "data": {"master": self._gate.vaults[address]}}
        if address in self._gate.vault_names:
            return {"role": "vault"}
        return {"role": "user" if self.states.knows(address) else "missing"}

    def answer_agents(self, query: Query) -> Json:
        """The named ones."""
        return [
            {"name": agent.name, "address": agent.address, "validUntil": agent.valid_until_ms}
            for agent in self._gate.agents_of(self.user(query))
            if agent.name
        ]

    def answer_subs(self, query: Query) -> Json:
        """Null where there are none."""
        master = self.user(query)
        found = [
            {
                "name": name,
                "subAccountUser": sub,
                "master": master,
                "clearinghouseState": self.states.render_state(sub, ""),
                "spotState": self.states.render_spot(sub),
            }
            for sub, name in self._gate.sub_names.items()
            if self._gate.vaults[sub] == master
        ]
        return found or None

    def answer_builder(self, query: Query) -> Json:
        builder = str(wire.address(query.get("builder")))
        return self._gate.builders.get((self.user(query), builder), 0)

    def answer_builders(self, query: Query) -> Json:
        user = self.user(query)
        return [name for (owner, name), fee in self._gate.builders.items() if owner == user and fee]


def _span(query: Query) -> tuple[int, int]:
    since, until = query.get("startTime"), query.get("endTime")
    until = 1 << 62 if until is None else until
    if not isinstance(since, int) or not isinstance(until, int):
        raise wire.Malformed
    return since, until
