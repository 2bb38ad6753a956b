"""What anybody may ask the simulated EdgeX, of either generation: contracts, tickers, books, rates.

Not simulated: candles, the state of stock markets, histories of rates.

Source: edgex-1.gitbook.io, "Metadata API", "Quote API", "Funding API"; live v2 frames; read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from mpdex.sim.numerals import number
from mpdex.sim.recent import Recent
from mpdex.sim.records import ZERO, Level, PublicTrade, SimMarket
from mpdex.sim.venues import edgex_crypto as crypto
from mpdex.sim.venues import edgex_truth as truth
from mpdex.sim.venues.edgex_generations import COLLATERAL_ID, V1, Generation
from mpdex.sim.venues.edgex_render import time
from mpdex.sim.venues.edgex_truth import EdgexTruth
from mpdex.sim.venues.edgex_wire import Refusal, names_of, no_contract
from mpdex.types import Json

Query = Mapping[str, str]
RECENT = 50  # trades that are kept
DEPTHS = (15, 200)
STRIDE = 16  # versions that one change takes: they do not count frames
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
QUARTER_MS = 900_000
EIGHT = Decimal("1e-8")
STARK_COLLATERAL = 0x2893294412A4C8F915F75892B395EBBF6859EC246EC365C3B1F56F47C3A0A5D
FEE_KEY = "0x1e240"


class MarketData:
    """One venue's public side: remembers trades; answers queries; renders records of streams.

    Raises: Refusal from all answers.
    """

    def __init__(self, exchange: EdgexTruth) -> None:
        self._exchange = exchange
        self.recent = Recent(RECENT)
        self.answers: dict[str, Callable[[Generation, Query], Json]] = {
            "/meta/getMetaData": lambda generation, _: self.render_metadata(generation),
            "/meta/getServerTime": lambda *_: {"timeMillis": str(exchange.clock.now_ms())},
            "/quote/getTicker": self.answer_tickers,
            "/quote/getDepth": self.answer_depth,
            "/funding/getLatestFundingRate": self.answer_rates,
            "/funding/getFundingRatePage": lambda generation, query: {
                "dataList": self.answer_rates(generation, query),
                "nextPageOffsetData": "",
            },
        }

    def market(self, generation: Generation, contract_id: Json) -> SimMarket:
        """Raises: Refusal INVALID_CONTRACT_ID."""
        found = self._exchange.market_of(generation, contract_id)
        if found is None:
            raise no_contract(str(contract_id))
        return found

    def chosen(self, generation: Generation, ids: list[str]) -> list[SimMarket]:
        """The markets that are named, or all."""
        return [self.market(generation, name) for name in ids] or [*self._exchange.markets.values()]

    def symbols(self, generation: Generation, query: Query) -> set[str]:
        """Those that the filter of a private query lets through."""
        markets = self.chosen(generation, names_of(query, "filterContractIdList"))
        return {market.symbol for market in markets}

    # ---------------------------------------------------------------- answers

    def answer_tickers(self, generation: Generation, query: Query) -> Json:
        markets = self.chosen(generation, names_of(query, "contractId"))
        return [self.render_ticker(generation, market) for market in markets]

    def answer_depth(self, generation: Generation, query: Query) -> Json:
        market = self.market(generation, query.get("contractId"))
        level = query.get("level", "15")
        if level not in map(str, DEPTHS):
            raise Refusal("INVALID_PARAMETER", "invalid level", name="level")
        bids, asks, seq = self._exchange.book(market.symbol, int(level))
        sides, numbers = (bids, asks), versions(generation, seq - 1, seq)
        return [render_depth(generation, market, int(level), numbers, sides, "SNAPSHOT")]

    def answer_rates(self, generation: Generation, query: Query) -> list[Json]:
        markets = self.chosen(generation, names_of(query, "contractId"))
        return [self.render_rate(generation, market) for market in markets]

    # ---------------------------------------------------------------- metadata

    def render_metadata(self, generation: Generation) -> dict[str, Json]:
        markets = self._exchange.markets.values()
        return {
            "global": _render_global(generation),
            "coinList": [_collateral(generation), *(_render_coin(generation, m) for m in markets)],
            "contractList": [self.render_contract(generation, market) for market in markets],
            "multiChain": {
                "coinId": COLLATERAL_ID,
                "maxWithdraw": "100000",
                "minWithdraw": "0",
                "minDeposit": "10",
                "chainList": [],
            },
        }

    def render_contract(self, generation: Generation, market: SimMarket) -> dict[str, Json]:
        halted, fees = self._exchange.halted, self._exchange.fees
        contract: dict[str, Json] = {
            "contractId": generation.contract_id(market),
            "contractName": generation.contract_name(market),
            "baseCoinId": _coin_id(market),
            "quoteCoinId": COLLATERAL_ID,
            "tickSize": str(market.tick),
            "stepSize": str(market.step),
            "minOrderSize": str(market.min_size),
            "maxOrderSize": str(market.max_size),
            "maxOrderBuyPriceRatio": str(truth.MOST_AWAY),
            "minOrderSellPriceRatio": str(truth.MOST_AWAY),
            "maxPositionSize": number(market.info["max_position"]),
            "riskTierList": [_render_tier(generation, market)],
            "defaultTakerFeeRate": str(fees.taker),
            "defaultMakerFeeRate": str(fees.maker),
            "defaultLeverage": number(market.max_leverage),
            "liquidateFeeRate": "0.01",
            "enableTrade": halted not in ("market", "cancel_only"),
            "enableDisplay": True,
            "enableOpenPosition": halted != "reduce_only",
            "fundingInterestRate": "0.0003",
            "fundingImpactMarginNotional": "100",
            "fundingMaxRate": "0.000234",
            "fundingMinRate": "-0.000234",
            "fundingRateIntervalMin": str(market.funding_hours * 60),
            "displayDigitMerge": ",".join(str(market.tick * n) for n in (1, 2, 5, 10)),
            "displayMaxLeverage": number(market.max_leverage),
            "displayMinLeverage": "1",
            "displayNewIcon": False,
            "displayHotIcon": False,
            "matchServerName": "edgex-match-server",
        }
        resolution = 10 ** market.info["digits"]
        if not generation.stark:
            return {**contract, "resolution": str(resolution), "isStock": False, "isFx": False}
        return {
            **contract,
            "starkExSyntheticAssetId": hex(market.info["synthetic"]),
            "starkExResolution": hex(resolution),
            "starkExOraclePriceQuorum": "0x1",
            "starkExOraclePriceSignedAssetId": [hex(market.info["synthetic"])],
            "starkExOraclePriceSigner": [FEE_KEY],
        }

    # ---------------------------------------------------------------- records

    def render_ticker(self, generation: Generation, market: SimMarket) -> dict[str, Json]:
        """Of the trades remembered, where the venue takes a day's; no best prices of no book."""
        symbol, exchange = market.symbol, self._exchange
        trades, mark = self.recent.trades[symbol], exchange.mark(symbol)
        now, interval = exchange.clock.now_ms(), market.funding_hours * HOUR_MS
        bid, ask = exchange.best(symbol)
        prices = [trade.price for trade in trades] or [ZERO]
        change = prices[-1] - prices[0]
        held = sum((abs(a.size(symbol)) for a in exchange.accounts.values()), ZERO)
        ticker = {
            "contractId": generation.contract_id(market),
            "contractName": generation.contract_name(market),
            "priceChange": number(change),
            "priceChangePercent": _fraction(change, prices[0]),
            "trades": str(len(trades)),
            "size": number(sum((t.size for t in trades), ZERO)),
            "value": number(sum((t.price * t.size for t in trades), ZERO)),
            "high": number(max(prices)),
            "low": number(min(prices)),
            "open": number(prices[0]),
            "close": number(prices[-1]),
            "highTime": str(now),
            "lowTime": str(now),
            "startTime": str((now - DAY_MS) // QUARTER_MS * QUARTER_MS),
            "endTime": str(now // QUARTER_MS * QUARTER_MS),
            "lastPrice": number(prices[-1]),
            "indexPrice": number(self.recent.index.get(symbol, mark)),
            "oraclePrice": number(mark),
            "markPrice": number(mark),
            "openInterest": number(held),
            "fundingRate": _rate(exchange.funding_rate(symbol)),
            "fundingTime": str(now // interval * interval),
            "nextFundingTime": str((now // interval + 1) * interval),
            "marketOpen": True,
        }
        best = {"bestAskPrice": ask, "bestBidPrice": bid}
        return ticker | {name: number(p) for name, p in best.items() if p is not None}

    def render_best(self, generation: Generation, market: SimMarket) -> dict[str, Json]:
        bids, asks, _ = self._exchange.book(market.symbol, 1)
        (bid, bid_size), (ask, ask_size) = (
            side[0] if side else (ZERO, ZERO) for side in (bids, asks)
        )
        return {
            "contractId": generation.contract_id(market),
            "contractName": generation.contract_name(market),
            "bestBidPrice": number(bid),
            "bestBidSize": number(bid_size),
            "bestAskPrice": number(ask),
            "bestAskSize": number(ask_size),
        }

    def render_rate(self, generation: Generation, market: SimMarket) -> dict[str, Json]:
        """Of the interval in force; the next one's is expected to be the same."""
        exchange, symbol = self._exchange, market.symbol
        rate, mark = _rate(exchange.funding_rate(symbol)), number(exchange.mark(symbol))
        now, interval = exchange.clock.now_ms(), market.funding_hours * HOUR_MS
        bid, ask = (number(best or ZERO) for best in exchange.best(symbol))
        minute = str(now // 60_000 * 60_000)
        return {
            "contractId": generation.contract_id(market),
            "fundingTime": str(now // interval * interval),
            "fundingTimestamp": minute,
            "oraclePrice": mark,
            "markPrice": mark,
            "indexPrice": number(self.recent.index.get(symbol, exchange.mark(symbol))),
            "fundingRate": rate,
            "isSettlement": False,
            "forecastFundingRate": rate,
            "previousFundingRate": rate,
            "previousFundingTimestamp": minute,
            "premiumIndex": rate,
            "avgPremiumIndex": rate,
            "premiumIndexTimestamp": minute,
            "impactMarginNotional": "100",
            "impactAskPrice": ask,
            "impactBidPrice": bid,
            "interestRate": "0.0003",
            "predictedFundingRate": rate,
            "fundingRateIntervalMin": str(market.funding_hours * 60),
            "starkExFundingIndex" if generation.stark else "fundingIndex": mark,
        }


def versions(generation: Generation, before: int, seq: int) -> tuple[int, int]:
    """(start, end): in v2 a change starts where the last one ended, in v1 one after."""
    return before * STRIDE + generation.gap, seq * STRIDE


def render_depth(
    generation: Generation,
    market: SimMarket,
    level: int,
    versions: tuple[int, int],
    sides: tuple[list[Level], list[Level]],
    kind: str,
) -> dict[str, Json]:
    """A book or a change of one; a size of 0 takes a level away."""
    bids, asks = ([_render_level(entry) for entry in side] for side in sides)
    return {
        "startVersion": str(versions[0]),
        "endVersion": str(versions[1]),
        "level": level,
        "contractId": generation.contract_id(market),
        "contractName": generation.contract_name(market),
        "asks": asks,
        "bids": bids,
        "depthType": kind,
    }


def render_trade(generation: Generation, market: SimMarket, trade: PublicTrade) -> dict[str, Json]:
    """`isBuyerMaker`: the taker sold."""
    number_of = truth.FIRST_ID + trade.trade_id
    return {
        "ticketId": f"20a536e6-98eb-4bb4-927a-{trade.trade_id:012x}",
        "time": time(trade.time_ns),
        "price": number(trade.price),
        "size": number(trade.size),
        "value": number(trade.price * trade.size),
        "takerOrderId": str(number_of),
        "makerOrderId": str(number_of + 1),
        "takerAccountId": "676063439174411159",
        "makerAccountId": "684354441117031794",
        "contractId": generation.contract_id(market),
        "contractName": generation.contract_name(market),
        "isBestMatch": True,
        "isBuyerMaker": trade.taker_side == "sell",
    }


def _render_level(level: Level) -> dict[str, str]:
    price, size = level
    return {"price": number(price), "size": number(size)}


def _fraction(part: Decimal, whole: Decimal) -> str:
    return format((part / whole if whole else ZERO).quantize(Decimal("1e-6")), "f")


def _rate(rate: Decimal) -> str:
    return format(rate.quantize(EIGHT), "f")


def _coin_id(market: SimMarket) -> str:
    return str(int(COLLATERAL_ID) + market.info["number"])


# --------------------------------------------------------------------------- settings of a chain


def _render_global(generation: Generation) -> dict[str, Json]:
    common: dict[str, Json] = {
        "appName": "edgeX",
        "appEnv": "mainnet",
        "appOnlySignOn": "https://pro.edgex.exchange",
        "feeAccountId": "123456",
        "poolAccountId": "542076087396467085",
        "fastWithdrawAccountId": "542076087396467085",
        "fastWithdrawMaxAmount": "100000",
        "maintenanceReason": "",
    }
    if not generation.stark:
        chain, address = str(crypto.CHAIN_ID), f"0x{crypto.CONTRACT:040x}"
        own = {"chainId": chain, "nativeChainId": chain, "contractAddress": address}
        return {**common, **own, "collateralCoin": _collateral(generation)}
    return {
        **common,
        "feeAccountL2Key": FEE_KEY,
        "poolAccountL2Key": FEE_KEY,
        "fastWithdrawAccountL2Key": FEE_KEY,
        "fastWithdrawRegistryAddress": f"0x{crypto.CONTRACT:040x}",
        "starkExChainId": "0x1",
        "starkExContractAddress": f"0x{crypto.CONTRACT:040x}",
        "starkExCollateralCoin": _collateral(generation),
        "starkExMaxFundingRate": 1120,
        "starkExOrdersTreeHeight": 64,
        "starkExPositionsTreeHeight": 64,
        "starkExFundingValidityPeriod": 604_800,
        "starkExPriceValidityPeriod": 31_536_000,
    }


def _collateral(generation: Generation) -> dict[str, Json]:
    own = {"starkExAssetId": hex(STARK_COLLATERAL)} if generation is V1 else {}
    return {
        "coinId": COLLATERAL_ID,
        "coinName": generation.collateral,
        "stepSize": "0.000001",
        "showStepSize": "0.0001",
        "iconUrl": "",
        **own,
        _resolution(generation): hex(truth.COLLATERAL_SCALE),
    }


def _render_coin(generation: Generation, market: SimMarket) -> dict[str, Json]:
    """A coin that only contracts are about has neither asset nor resolution."""
    own = {"starkExAssetId": None} if generation.stark else {}
    return {
        "coinId": _coin_id(market),
        "coinName": market.coin,
        "stepSize": str(market.step),
        "showStepSize": str(market.step),
        "iconUrl": "",
        **own,
        _resolution(generation): None,
    }


def _resolution(generation: Generation) -> str:
    return "starkExResolution" if generation.stark else "resolution"


def _render_tier(generation: Generation, market: SimMarket) -> dict[str, Json]:
    tier: dict[str, Json] = {
        "tier": 1,
        "positionValueUpperBound": "79228162514264337593543",
        "maxLeverage": number(market.max_leverage),
        "maintenanceMarginRate": number(market.maintenance),
    }
    if generation.stark:
        tier |= {"starkExRisk": "21474837", "starkExUpperBound": str(2**128 - 1)}
    return tier
