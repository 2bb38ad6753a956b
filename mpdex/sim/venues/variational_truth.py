"""The markets of the simulated Variational, and its one counterparty.

No book takes orders. The provider behind the venue quotes a price for a size, made of an outside
book that nobody sees, and trades whole quantities at it or not at all. An order that is
acknowledged is judged a moment later.

Source: docs.variational.io, "Trading"; what public clients saw live (Magicianhax/
variational-trading-api 635b894, shancheng884/Repository-name-variational-v1 f1659c9); read
2026-11-21.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Unpack

from mpdex.sim import evm
from mpdex.sim.board import Board, Quote
from mpdex.sim.engine_behind import EngineBehind
from mpdex.sim.exchange_state import Surroundings
from mpdex.sim.models import FeeModel
from mpdex.sim.records import ZERO, OrderChanged, SimMarket, SimOrder
from mpdex.types import OrderStatus, Side

BALANCE = Decimal(100_000)
FIRST_LEVERAGE, MOST_LEVERAGE = Decimal(10), Decimal(50)
LEAST_VALUE = Decimal("0.1")
QUOTE = "USDC"
# The identity of a contract says one hour, whatever the market's own interval is.
IDENTITY_SECONDS, INTERVAL_SECONDS = 3600, 28_800


def _market(coin: str, name: str, tick: str, step: str, least: str, most: str) -> SimMarket:
    """Grid and minimum follow from the price that the market starts at, as the venue's SDK has it:
    a lot is worth less than the least value, and a price has six digits."""
    return SimMarket(
        symbol=coin,
        coin=coin,
        quote=QUOTE,
        tick=Decimal(tick),
        step=Decimal(step),
        min_size=Decimal(least),
        min_notional=LEAST_VALUE,
        max_size=Decimal(most),
        max_leverage=MOST_LEVERAGE,
        maintenance=Decimal("0.01"),
        funding_hours=INTERVAL_SECONDS // 3600,
        info={"name": name, "closing": False},
    )


MARKETS = (
    _market("ETH", "Ethereum", "0.01", "0.00001", "0.00004", "1000000"),
    _market("BTC", "Bitcoin", "0.01", "0.000001", "0.000002", "100000"),
    _market("SOL", "Solana", "0.001", "0.0001", "0.0008", "10000000"),
)


class VariationalTruth(EngineBehind):
    """The truth of Variational. Accounts are named by the address of their wallet, lower case.

    Attributes:
        wallets: private key of each account that was there from the start.
        isolated: (account, symbol) whose margin is called isolated. The margin of all positions is
            shared in truth: this is a label.
    """

    behind = 0.3  # 0.1 to 3 s live

    def __init__(self, name: str, **given: Unpack[Surroundings]) -> None:
        super().__init__(
            name,
            markets=MARKETS,
            fees=FeeModel(maker=ZERO, taker=ZERO),
            order_ids=self.new_id,
            **given,
        )
        self.wallets: dict[str, int] = {}
        self.isolated: set[tuple[str, str]] = set()

    def new_id(self) -> str:
        """A version 4 UUID, as requests for quotes and quotes are called."""
        text = f"{self.rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def open_wallet(self, number: int) -> str:
        """A funded account of a new throwaway wallet."""
        key = int.from_bytes(evm.keccak(b"simulated variational %d" % number), "big") % evm.N
        name = evm.address_of(key)
        self.wallets[name] = key
        self.add_account(name, BALANCE, FIRST_LEVERAGE)
        return name

    # ---------------------------------------------------------------- the provider

    def price_of(self, symbol: str, side: Side, size: Decimal) -> Decimal | None:
        """What one who buys (sells) so many coins pays (gets) for each; None: it quotes none."""
        bids, asks, _ = self.book(symbol)
        left, cost = size, ZERO
        for price, there in asks if side == "buy" else bids:
            part = min(left, there)
            left, cost = left - part, cost + part * price
            if not left:
                tick = self.markets[symbol].tick
                rounding = ROUND_CEILING if side == "buy" else ROUND_FLOOR
                return (cost / size / tick).to_integral_value(rounding) * tick
        return None

    def refuse(self, order: SimOrder, reason: str) -> None:
        """An order that was acknowledged, and will not be cleared."""
        self._take_in(order)
        self._end(order, self.refused, reason)

    def verdict(self, order: SimOrder) -> str:
        reason = super().verdict(order)
        if not reason and order.reduce_only and order.size > self._reducible(order):
            return "reduce_only"
        return reason

    def _let_in(self, order: SimOrder) -> None:
        """There is no book: it is the provider who trades, now or when the price is good."""
        order.status = OrderStatus.OPEN
        self._emit(OrderChanged(order, "accepted", self.clock.now_ns()))
        self._offer(order)

    def _offer(self, order: SimOrder) -> None:
        """Trades the whole order where the provider's price is good enough.

        A market order has a worst price, and no second chance. UNVERIFIED: that a price which is
        better than the one that was quoted is given.
        """
        price = self.price_of(order.symbol, order.side, order.remaining)
        worst: Decimal = order.raw["worst"] if order.price is None else order.price
        if price is not None and (price <= worst if order.side == "buy" else price >= worst):
            self._execute(order, price, order.remaining, "taker")
        elif order.price is None:
            self._end(order, OrderStatus.REJECTED, "last_look")

    def on_quote(self, symbol: str, quote: Quote) -> None:
        super().on_quote(symbol, quote)
        self._offer_again(symbol)

    def _reapply(self, board: Board) -> None:
        super()._reapply(board)
        self._offer_again(board.market.symbol)

    def _offer_again(self, symbol: str) -> None:
        """Limit orders that wait for the provider's price."""
        waiting = [
            order
            for orders in self._live.values()
            for order in orders.values()
            if order.symbol == symbol and order.status is OrderStatus.OPEN
        ]
        for order in waiting:
            if order.live:
                self._offer(order)
