"""What anybody may ask the simulated Paradex: markets, prices, book, trades, funding, the system.

Not simulated: spot, options, candles, vaults, insurance; the retail book equals the ordinary one.

Source: docs.paradex.trade, API 1.132.1; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from mpdex.sim.numerals import number
from mpdex.sim.recent import Recent
from mpdex.sim.records import ZERO, Level, SimMarket
from mpdex.sim.venues import paradex_crypto as crypto
from mpdex.sim.venues import paradex_render as render
from mpdex.sim.venues.paradex_truth import ParadexTruth
from mpdex.sim.venues.paradex_wire import Refusal
from mpdex.types import Json

Query = Mapping[str, str]
RECENT = 100
USUAL_DEPTH, DEEPEST = 20, 100
STATES = {"": "ok", "post_only": "post_only", "cancel_only": "cancel_only"}

CONFIG: Mapping[str, Json] = {
    "starknet_gateway_url": "https://gateway.invalid",
    "starknet_fullnode_rpc_url": "https://node.invalid/rpc/v0.8",
    "starknet_fullnode_rpc_base_url": "https://node.invalid",
    "starknet_chain_id": crypto.CHAIN_ID,
    "block_explorer_url": "https://explorer.invalid/",
    "paraclear_address": "0x3ca9388f8d4e04adecbd7b06b9b24a33030a593522248a7bddd87afc0b61a0c",
    "paraclear_decimals": crypto.SCALE,
    "paraclear_account_proxy_hash": hex(crypto.PROXY_CLASS),
    "paraclear_account_hash": hex(crypto.ACCOUNT_CLASS),
    "oracle_address": "0x47cfa1d4c8ea6fd8a1f1a3a8cb0ed4f0c3bd4a7a9db57e5d3ffbd4d8ad2bf8c",
    "bridged_tokens": [
        {
            "name": "USDC",
            "symbol": "USDC",
            "decimals": 6,
            "l1_token_address": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
            "l1_bridge_address": "0x0000000000000000000000000000000000000001",
            "l2_token_address": "0x1",
            "l2_bridge_address": "0x2",
        }
    ],
    "l1_core_contract_address": "0x0000000000000000000000000000000000000002",
    "l1_operator_address": "0x0000000000000000000000000000000000000003",
    "l1_chain_id": "1",
    "liquidation_fee": "0.2",
}


class MarketData:
    """One venue's public side: remembers trades and index prices; answers queries.

    Raises: Refusal from all answers.
    """

    def __init__(self, exchange: ParadexTruth) -> None:
        self._exchange = exchange
        self.recent = Recent(RECENT)
        self.answers: dict[str, Callable[[Query], Json]] = {
            "/system/config": lambda _: CONFIG,
            "/system/time": lambda _: {"server_time": str(exchange.clock.now_ms())},
            "/system/state": lambda _: {"status": STATES.get(exchange.halted, "maintenance")},
            "/markets": self.answer_markets,
            "/markets/summary": self.answer_summaries,
            "/trades": self.answer_trades,
            "/funding/data": self.answer_funding,
        }
        # The last part of the path is the market.
        self.of_market: dict[str, Callable[[SimMarket, Query], Json]] = {
            "/orderbook": self.answer_book,
            "/bbo": lambda market, _: self.render_bbo(market.symbol),
        }

    def market(self, symbol: Json) -> SimMarket:
        """A market. Raises: Refusal MARKET_NOT_FOUND."""
        found = self._exchange.markets.get(symbol) if isinstance(symbol, str) else None
        if found is None:
            raise Refusal("MARKET_NOT_FOUND")
        return found

    def chosen(self, name: str) -> list[SimMarket]:
        """All markets, or the one that is named."""
        every = list(self._exchange.markets.values())
        return every if name in ("", "ALL") else [self.market(name)]

    # ---------------------------------------------------------------- answers

    def answer_markets(self, query: Query) -> Json:
        fees = self._exchange.fees
        markets = self.chosen(query.get("market", ""))
        return {"results": [render.render_market(m, fees.maker, fees.taker) for m in markets]}

    def answer_summaries(self, query: Query) -> Json:
        if "market" not in query:
            raise Refusal("INVALID_REQUEST_PARAMETER", "market: required")
        markets = self.chosen(query["market"])
        return {"results": [self.render_summary(market.symbol) for market in markets]}

    def answer_trades(self, query: Query) -> Json:
        """Newest first; one page."""
        market = self.market(query.get("market"))
        newest = reversed(self.recent.trades[market.symbol])
        return {"next": None, "prev": None, "results": [render.render_trade(t) for t in newest]}

    def answer_funding(self, query: Query) -> Json:
        """Only the last rate: the simulator keeps no history of them."""
        rows = [self.render_funding(self.market(query.get("market")).symbol)]
        return {"next": None, "prev": None, "results": rows}

    def answer_book(self, market: SimMarket, query: Query) -> Json:
        depth = query.get("depth", str(USUAL_DEPTH))
        if not depth.isdigit() or not 0 < int(depth) <= DEEPEST:
            raise Refusal("INVALID_REQUEST_PARAMETER", "depth: invalid value")
        bids, asks, seq = self._exchange.book(market.symbol, int(depth))
        return render.render_book(market.symbol, bids, asks, seq, self._exchange.clock.now_ms())

    # ---------------------------------------------------------------- objects

    def top(self, symbol: str) -> tuple[Level | None, Level | None]:
        """Best bid and ask with their sizes."""
        bids, asks, _ = self._exchange.book(symbol, 1)
        return (bids[0] if bids else None), (asks[0] if asks else None)

    def index(self, symbol: str) -> Decimal:
        return self.recent.index.get(symbol) or self._exchange.mark(symbol)

    def render_bbo(self, symbol: str) -> dict[str, Json]:
        seq, now = self._exchange.boards[symbol].seq, self._exchange.clock.now_ms()
        return render.render_bbo(symbol, *self.top(symbol), seq, now)

    def render_funding(self, symbol: str) -> dict[str, Json]:
        rate, now = self._exchange.funding_rate(symbol), self._exchange.clock.now_ms()
        return render.render_funding(
            self._exchange.markets[symbol], rate, self.index(symbol) * rate, now
        )

    def render_summary(self, symbol: str) -> dict[str, Json]:
        """Volume is that of the trades remembered, where the venue takes a day's."""
        exchange, trades = self._exchange, self.recent.trades[symbol]
        mark, now = number(exchange.mark(symbol)), exchange.clock.now_ms()
        best = render.render_bbo(symbol, *self.top(symbol), 0, now)
        held = (abs(account.size(symbol)) for account in exchange.accounts.values())
        volume = number(sum((t.price * t.size for t in trades), ZERO))
        return {
            "symbol": symbol,
            "oracle_price": mark,
            "mark_price": mark,
            "last_traded_price": number(trades[-1].price) if trades else mark,
            **{name: best[name] for name in ("bid", "ask", "bid_size", "ask_size")},
            "volume_24h": volume,
            "total_volume": volume,
            "created_at": now,
            "underlying_price": number(self.index(symbol)),
            "open_interest": number(sum(held, ZERO)),
            "funding_rate": number(exchange.funding_rate(symbol)),
            "price_change_rate_24h": "0",
        }
