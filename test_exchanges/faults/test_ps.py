"""Precision and symbols: PS-01 to PS-12 of the fault matrix.

Quantities in contracts, which no venue here has yet, are tested at the mechanism they will use: the
metadata of a market, and what is done with it.
"""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from faults.moments import (
    EACH_FILLS,
    FIRST_FILLS,
    STILL,
    fills_of,
    journal,
    notes,
    resting,
    sent,
    until,
)
from faults.telling import CALM, SWAPPED, began, hedges, quotes

from exchange_factory import create_exchange
from mpdex.sim.run import EPOCH_NS, start
from mpdex.sim.venues import SIM_VENUES
from mpdex.types import Market, OrderRequest, OrderStatus, TimeInForce
from mpdex.utils.precision import snap_price
from mpdex.utils.virtual_loop import run_virtual

D = Decimal
LEGS = pytest.mark.parametrize("leg", ["P", "H"])
PAIRS = pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["first", "swapped"])


def nothing_placed(verdict):
    return verdict.orders("P") == [] and verdict.orders("H") == []


# --------------------------------------------------------------------------- symbols


@pytest.mark.fault("PS-01", tier=1)
def test_ps_01_a_symbol_from_a_template_is_refused_with_near_ones(row):
    """The exit code is 3, not 2: symbols are resolved in the preflight, which tells everything that
    is wrong at once (HEDGE, section 5)."""
    verdict = row(hedge_symbol="ETH-PERP", outcome=3)
    assert nothing_placed(verdict)
    assert "no market 'ETH-PERP'" in verdict.summary["reason"]
    assert "nearest: ETH_USDC_PERP" in verdict.summary["reason"]


@pytest.mark.fault("PS-01", tier=1)
def test_ps_01_both_symbols_are_told_at_once(row):
    verdict = row(primary_symbol="ETH-PERP", hedge_symbol="ETHPERP", outcome=3)
    assert nothing_placed(verdict)
    assert "ETH_USDT_Perp" in verdict.summary["reason"]
    assert "ETH_USDC_PERP" in verdict.summary["reason"]


@pytest.mark.fault("PS-01", tier=1)
def test_ps_01_a_coin_with_two_markets_is_ambiguous(row):
    async def during(lab):
        exchange = lab.truth["H"].exchange
        market = exchange.markets["ETH_USDC_PERP"]
        exchange.markets["ETH_USDT_PERP"] = replace(market, symbol="ETH_USDT_PERP")

    verdict = row(during=during, outcome=3)
    assert nothing_placed(verdict)
    assert "ambiguous: ETH_USDC_PERP, ETH_USDT_PERP" in verdict.summary["reason"]


@pytest.mark.fault("PS-02", tier=1)
@pytest.mark.parametrize("times", [1000, "0.001"])
def test_ps_02_a_contract_of_a_thousand_coins_is_not_one_coin(row, times):
    """The hedge quotes a thousand coins as one, or the primary does: their prices tell. Sizes in
    contracts come with a venue that has them; until then such a pair is refused."""
    verdict = row(basis_bps=(D(times) - 1) * 10_000, outcome=3)
    assert nothing_placed(verdict)
    assert "not the same asset" in verdict.summary["reason"]


@pytest.mark.fault("PS-03", tier=1)
@pytest.mark.parametrize("times", [3, "0.33", "1.06", "0.94"])
def test_ps_03_another_asset_under_the_same_ticker_is_refused(row, times):
    verdict = row(basis_bps=(D(times) - 1) * 10_000, outcome=3)
    assert nothing_placed(verdict)
    assert "not the same asset" in verdict.summary["reason"]


@pytest.mark.fault("PS-03", tier=1)
def test_ps_03_prices_that_part_in_mid_run_end_the_quoting(row):
    """One of the two was redenominated: what rests is pulled, nothing is quoted any more, and the
    loss that the books now show ends the run."""
    seen = {}

    async def during(lab):
        quote = await resting(lab, 2)
        lab.faults.add("H.move(20000)")
        await until(lambda: not quote.live)
        seen["gone"] = lab.clock.monotonic()

    verdict = row(FIRST_FILLS, source=STILL, cycles=3, outcome="HF", during=during)
    assert [order for order in quotes(verdict) if began(order) > seen["gone"]] == []


# --------------------------------------------------------------------------- sizes


@pytest.mark.fault("PS-04", tier=1)
def test_ps_04_a_clip_worth_less_than_the_minimum_is_refused_with_one_that_is_not(row):
    markets = {"H": {"min_notional": D(100)}}
    verdict = row(size="0.03", markets=markets, outcome=3, **SWAPPED)
    assert nothing_placed(verdict)
    assert "less than the minimum of 100 USDT; use 0.04" in verdict.summary["reason"]


@pytest.mark.fault("PS-04", tier=1)
def test_ps_04_a_rest_that_cannot_be_closed_is_carried_and_netted(row):
    """A tenth of the quote fills, worth 6 where the minimum is 10: no order is made of it alone,
    the next quote brings it back to nothing, and what is left at the end is told."""
    markets = {"H": {"step": D("0.001"), "min_size": D("0.001"), "min_notional": D(10)}}
    calm = {**CALM, "size": "0.02", "markets": markets, **SWAPPED}
    part = "P.place.maker.nth(1) -> fill(0.002, at=resting, after=300ms)"
    carried = row(part, outcome="R", **calm)
    assert hedges(carried) == []
    assert carried.summary["imbalance"] == "0.002"
    rest = "P.place.maker.nth(2) -> fill(q, at=resting, after=300ms)"
    netted = row(part, rest, outcome="R", **calm)
    assert netted.position("P") + netted.position("H") == 0
    assert [order.reason for order in hedges(netted) if order.status is OrderStatus.REJECTED] == []


@pytest.mark.fault("PS-05", tier=1)
def test_ps_05_a_size_off_the_common_lattice_is_refused_with_those_on_it(row):
    markets = {"P": {"step": D("0.01")}, "H": {"step": D("0.004"), "min_size": D("0.004")}}
    verdict = row(size="0.03", markets=markets, outcome=3)
    assert nothing_placed(verdict)
    assert "use 0.02 or 0.04" in verdict.summary["reason"]


@pytest.mark.fault("PS-05", tier=1)
def test_ps_05_lots_that_do_not_divide_leave_nothing_behind(row):
    """Lots of 0.01 and 0.004 meet every 0.02. Quotes fill in parts, so that rests arise within a
    cycle; at its end there is none. Forty cycles stand for a thousand: a rest would show in one."""
    markets = {"P": {"step": D("0.01")}, "H": {"step": D("0.004"), "min_size": D("0.004")}}
    verdict = row(size="0.04", markets=markets, cycles=40, outcome="R")
    assert verdict.position("P") + verdict.position("H") == 0
    for cycle in journal(verdict, "cycle"):
        assert D(cycle["filled"]) == D(cycle["hedged"]) + D(cycle["unwound"])
    assert {order.size % D("0.004") for order in hedges(verdict)} == {0}


# --------------------------------------------------------------------------- prices


# Venues whose tick can be any number. Elsewhere it is a power of ten, or follows from the step.
ANY_TICK = frozenset({"grvt", "backpack", "pacifica", "treadfi.pacifica", "edgex"})
TENTHS = frozenset({"standx"})  # told as a number of decimals


@pytest.mark.fault("PS-06", tier=1)
@pytest.mark.adapter
@PAIRS
def test_ps_06_a_quote_is_rounded_away_and_a_hedge_toward_the_market(row, pair):
    """On a grid of half a dollar, where a venue can have one; else on its own."""
    names = {leg: row.kind(leg, **pair).SPEC.name for leg in ("P", "H")}
    row.need("H", "ioc")
    coarse = {leg: {"tick": D("0.5")} for leg, name in names.items() if name in ANY_TICK}
    verdict = row(markets=coarse, cycles=6, outcome="R", gate="off", **pair)
    assert {order.reason for order in quotes(verdict)} <= {"", "client"}, "none crossed"
    for leg in names:
        grid = verdict.truth[leg].market.grid(D(3000))
        assert grid == D("0.5") or leg not in coarse
        assert {order.price % grid for order in verdict.orders(leg)} == {0}
    sent_ = [line for line in journal(verdict, "intent") if line["purpose"] == "hedge"]
    for line in sent_:
        price, least = D(line["price"]), D(line["decision"]) * D("0.002")
        beyond = price - D(line["decision"])
        assert (beyond if line["side"] == "buy" else -beyond) >= least
    assert len(sent_) == len(fills_of(verdict, "H", "hedge")), "each reached the other side"


def market_of(tick, figures=None):
    return Market(
        symbol="X",
        coin="X",
        quote="USD",
        kind="perp",
        tick=D(tick),
        step=D(1),
        min_size=D(1),
        min_notional=None,
        max_size=None,
        multiplier=D(1),
        max_leverage=None,
        significant_figures=figures,
        price_band=None,
        active=True,
        raw=None,
    )


@pytest.mark.fault("PS-06", tier=1)
@pytest.mark.parametrize("tick", ["0.5", "0.01", "0.00025", "3"])
def test_ps_06_every_price_is_rounded_to_the_side_it_is_meant_for(tick):
    market, rng = market_of(tick), random.Random(6)
    for _ in range(500):
        price = D(rng.randrange(10**7, 10**9)) / 10**5
        down, up = snap_price(price, market, "buy"), snap_price(price, market, "sell")
        assert price - D(tick) < down <= price <= up < price + D(tick)
        assert down % D(tick) == up % D(tick) == 0
        assert snap_price(price, market, "buy", toward=True) == up
        assert snap_price(price, market, "sell", toward=True) == down
        assert snap_price(down, market, "sell") == down, "a price on the grid stays"


# What each venue calls the price and the size of an order.
CALLED = {
    "grvt": ("limit_price", "size"),
    "backpack": ("price", "quantity"),
    "hyperliquid": ("p", "s"),
    "superstack": ("p", "s"),
    "treadfi.hyperliquid": ("limit_price", "base_asset_qty"),
    "lighter": ("Price", "BaseAmount"),
    "pacifica": ("price", "amount"),
    "treadfi.pacifica": ("limit_price", "base_asset_qty"),
    "standx": ("price", "qty"),
    "variational": ("limit_price", "qty"),
    "edgex": ("price", "size"),
    "paradex": ("price", "size"),
    "extended": ("price", "qty"),
}


def sweep(venue, check):
    """Calls `check(dex, market, truth)` for every perpetual that a venue lists."""

    async def scenario():
        async with await start([venue]) as world:
            params = {**world.credentials[venue], "endpoints": world.endpoints[venue]}
            dex = await create_exchange(venue, params, clock=world.clock)
            for symbol in (await dex.get_available_symbols())["perp"]:
                market = await dex.get_market(symbol)
                check(dex, market, perpetual(world.exchanges[venue], market["coin"]))
            await dex.close()

    run_virtual(scenario())


def perpetual(exchange, coin):
    """The market of a coin as the venue's truth has it, whatever its client calls it."""
    return next(m for m in exchange.markets.values() if (m.coin, m.kind) == (coin, "perp"))


def sent_out(dex, market, size, price, side="buy"):
    """The numbers of an order as they stand in what goes out, as text: (price, size)."""
    order = OrderRequest(
        symbol=market["symbol"],
        side=side,
        size=size,
        price=price,
        client_id=dex.new_client_id(),
        time_in_force=TimeInForce.IOC if "ioc" in dex.SPEC.supports else TimeInForce.GTC,
    )
    request = dex.encode_order(order, market, EPOCH_NS)
    body = request.body or msgspec.json.encode(request.json)
    told = dict(leaves(_read(body)))
    return tuple(str(told[name]) for name in CALLED[dex.name])


_read = msgspec.json.Decoder(float_hook=str).decode


def leaves(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, name)
    else:
        yield name, value


def worth(dex, market, told):
    """What they mean: numbers as they stand, or whole units of a venue that counts those."""
    numbers = [D(text) for text in told]
    raw = market["raw"]
    if dex.name == "lighter":
        places = (raw["price_decimals"], raw["size_decimals"])
        return [n.scaleb(-d) for n, d in zip(numbers, places, strict=True)]
    return numbers


@pytest.mark.fault("PS-07", tier=1)
@pytest.mark.parametrize("venue", SIM_VENUES)
def test_ps_07_what_goes_out_is_the_number_that_was_meant(venue):
    """A sweep over prices and sizes of every market: on the wire are plain digits, equal to the
    last one, and the venue finds nothing wrong with them."""

    def check(dex, market, truth):
        for number in range(1, 400):
            ticks = number * 7919 // 3
            price = snap_price(ticks * market["tick"], market, "buy")
            size = (ticks + 1) * market["step"]
            told = sent_out(dex, market, size, price)
            assert worth(dex, market, told) == [price, size]
            assert all("e" not in text.lower() for text in told)
            assert truth.problem(size, price) not in ("step", "price", "tick")

    sweep(venue, check)


@pytest.mark.fault("PS-08", tier=1)
def test_ps_08_five_figures_and_no_more():
    """Hyperliquid's rule: five significant figures, so many decimals at most, any whole number."""
    rng = random.Random(8)
    for decimals in (1, 4, 6):
        market = market_of(D(1).scaleb(-decimals), figures=5)
        for _ in range(2000):
            price = D(rng.randrange(1, 10**6)).scaleb(rng.randrange(-11, 0))
            price = min(max(price, D("0.00001")), D(200_000))
            for side in ("buy", "sell"):
                for toward in (False, True):
                    told = snap_price(price, market, side, toward=toward)
                    figures = len(told.normalize().as_tuple().digits)
                    assert figures <= 5 or told == told.to_integral_value(), (price, told)
                    assert told % market["tick"] == 0
                    down = (side == "buy") != toward
                    assert (told <= price) if down else (told >= price)


@pytest.mark.fault("PS-08", tier=1)
@pytest.mark.parametrize("venue", ["hyperliquid", "superstack", "treadfi.hyperliquid"])
def test_ps_08_hyperliquid_takes_every_price_that_was_rounded_for_it(venue):
    """From 0.00001 to 200,000 in every market, judged by the venue's own reading of its rule."""
    rng = random.Random(8)

    def check(dex, market, truth):
        assert market["significant_figures"] == 5
        size = D(1000) * market["step"]
        for _ in range(400):
            meant = D(rng.randrange(1, 10**6)).scaleb(rng.randrange(-11, 0))
            meant = min(max(meant, D("0.00001")), D(200_000))
            for side in ("buy", "sell"):
                price = snap_price(meant, market, side)
                if not price:
                    continue  # below the smallest price that there is
                text, _ = sent_out(dex, market, size, price, side)
                assert D(text) == price
                assert len(D(text).normalize().as_tuple().digits) <= 5 or "." not in text
                assert truth.problem(size, D(text)) in ("", "notional")
                finer = price + (market["tick"] if price < 10_000 else D("0.1"))
                fits = len(finer.normalize().as_tuple().digits) <= 5
                assert fits or truth.problem(size, finer) == "tick", "and not many more"

    sweep(venue, check)


FIVE_FIGURES = [("hyperliquid", "backpack"), ("superstack", "backpack")]


@pytest.mark.fault("PS-08", tier=1)
@pytest.mark.parametrize("row", FIVE_FIGURES, indirect=True, ids="-".join)
@pytest.mark.parametrize("pair", [{}, SWAPPED], ids=["primary", "hedge"])
def test_ps_08_a_price_of_five_figures_moves_by_whole_dollars(row, pair):
    """A market whose own tick is a tenth: every price that is sent is on the coarser grid."""
    verdict = row(ticker="BTC", size="0.004", cycles=4, outcome="R", **pair)
    leg = "H" if pair else "P"
    ours = verdict.orders(leg)
    assert verdict.truth[leg].market.tick == D("0.1")
    assert {order.price % 1 for order in ours} == {0}
    assert {order.reason for order in ours} <= {"", "client", "ioc"}, "none was refused"
    assert len(fills_of(verdict, "P", "maker")) == 4


# --------------------------------------------------------------------------- changes


# Venues that are told how many steps, not how much: what was meant with one step is ten times as
# much with the next. None of them changes that while it trades.
COUNTS_STEPS = frozenset({"lighter"})
GRIDS = pytest.mark.parametrize("name", ["tick", "step"])


def coarser(row, leg, name, pair):
    """A rule that makes a grid ten times as coarse as it is."""
    venue = row.kind(leg, **pair).SPEC.name
    if name == "tick" and venue not in ANY_TICK | TENTHS:
        pytest.skip(f"declared: {venue} has no tick that changes alone")
    if venue in COUNTS_STEPS:
        pytest.skip(f"declared: {venue} counts in steps; another step would be another language")
    return lambda lab: f"{leg}.change({name}={10 * getattr(lab.truth[leg].market, name)})"


def off_the(verdict, leg, name, orders):
    """Values that are not on a grid."""
    grid = getattr(verdict.truth[leg].market, name)
    values = [order.price if name == "tick" else order.size for order in orders]
    return [value for value in values if value % grid]


@pytest.mark.fault("PS-09", tier=2)
@pytest.mark.adapter
@PAIRS
@GRIDS
def test_ps_09_a_new_grid_of_the_primary_is_read_once_and_used(row, name, pair):
    rule = coarser(row, "P", name, pair)

    async def during(lab):
        await resting(lab, 2)
        lab.faults.add(rule(lab))

    verdict = row(cycles=6, outcome="D", during=during, **pair)
    late = quotes(verdict)[-1]
    assert late.status is not OrderStatus.REJECTED
    assert off_the(verdict, "P", name, [late]) == []
    assert notes(verdict).count("refused: precision") <= 1
    assert name != "tick" or "primary changed its market" in notes(verdict)


@pytest.mark.fault("PS-09", tier=2)
@pytest.mark.adapter
@PAIRS
def test_ps_09_a_size_below_the_new_minimum_is_not_sent_again_and_again(row, pair):
    async def during(lab):
        await resting(lab, 2)
        lab.faults.add("P.change(min_size=0.05)")

    verdict = row(cycles=6, outcome="D", during=during, **pair)
    assert quotes(verdict)[-1].status is not OrderStatus.REJECTED
    assert notes(verdict).count("refused: precision") <= 1


@pytest.mark.fault("PS-09", tier=2)
@pytest.mark.adapter
@PAIRS
@GRIDS
def test_ps_09_a_hedge_on_the_old_grid_is_sent_again_on_the_new(row, name, pair):
    rule = coarser(row, "H", name, pair)

    async def during(lab):
        await resting(lab, 2)
        lab.faults.add(rule(lab))
        lab.faults.add(EACH_FILLS)

    verdict = row(FIRST_FILLS, source=STILL, cycles=4, outcome="D", during=during, **pair)
    assert sent(verdict, "P", "unwind") == []
    assert notes(verdict).count("refused: precision") <= 1
    assert verdict.to_flat < 2.0
    assert off_the(verdict, "H", name, hedges(verdict)[-1:]) == []


UNKNOWN_WORD = "unknown order status"  # and which, where words are not numbers


@pytest.mark.fault("PS-10", tier=2)
@pytest.mark.adapter
@LEGS
def test_ps_10_a_status_that_nobody_knows_hides_no_order(row, leg, caplog):
    """Every report on an order says a new word, for some seconds. None is guessed at: the frames
    are put aside with a warning, after three the stream is no longer believed, and the venue is
    asked what became of the orders."""
    row.need(leg, "orders")
    word = f"{leg}.ws_private.order.between(0s, 5s) -> mutate(status=PENDING_TRIGGER)"

    async def during(lab):
        await resting(lab, 2)
        lab.faults.add(word)

    verdict = row(cycles=6, outcome="D", during=during)
    assert UNKNOWN_WORD in caplog.text
    assert "3 frames in 10 s could not be handled" in notes(verdict)
    assert "recovering" in verdict.visited
    assert verdict.to_flat < 1.0
    assert len(verdict.trail.trades) == len(verdict.fills("P")) + len(verdict.fills("H"))


@pytest.mark.fault("PS-10", tier=2)
@pytest.mark.adapter
@LEGS
def test_ps_10_one_such_report_of_a_fill_is_asked_about(row, leg, caplog):
    """The one frame that tells of a trade is the one with the new word in it."""
    row.need(leg, "orders")

    async def during(lab):
        lab.faults.add(EACH_FILLS)
        if leg == "H":
            lab.faults.add("H.ws_private.fill -> mutate(status=PENDING_TRIGGER) x 1")
            return
        quote = await resting(lab, 1)
        await until(lambda: quote.status is OrderStatus.OPEN)
        lab.faults.add("P.ws_private.order -> mutate(status=PENDING_TRIGGER) x 1")

    verdict = row(source=STILL, cycles=2, outcome="R", during=during)
    assert UNKNOWN_WORD in caplog.text
    assert verdict.to_flat < 1.0
    assert len(verdict.trail.trades) == len(verdict.fills("P")) + len(verdict.fills("H"))


# --------------------------------------------------------------------------- positions


@pytest.mark.fault("PS-11", tier=1)
@pytest.mark.adapter
@PAIRS
@pytest.mark.parametrize("direction", ["long-first", "short-first"])
def test_ps_11_long_and_short_have_their_sign_on_both_venues(row, pair, direction):
    """One open pair, each way round and on each venue: the venues' own words about it agree with
    the ledger, or the run could not end as verified."""
    verdict = row(cycles=1, direction=direction, on_complete="neutral", outcome="R", **pair)
    sign = 1 if direction == "long-first" else -1
    assert verdict.position("P") * sign > 0
    assert verdict.position("H") == -verdict.position("P")
    assert journal(verdict, "finish")[0]["verified"]
    assert "recovering" not in verdict.visited


@pytest.mark.fault("PS-11", tier=1)
@pytest.mark.parametrize("venue", SIM_VENUES)
@pytest.mark.parametrize("side", ["long", "short"])
def test_ps_11_a_position_is_positive_and_has_a_side(venue, side):
    async def scenario():
        async with await start([venue]) as world:
            params = {**world.credentials[venue], "endpoints": world.endpoints[venue]}
            dex = await create_exchange(venue, params, clock=world.clock)
            symbol = await dex.find_symbol("ETH")
            exchange = world.exchanges[venue]
            size = D("0.3") if side == "long" else D("-0.3")
            market = perpetual(exchange, "ETH")
            exchange.manual_trade(next(iter(exchange.accounts)), market.symbol, size)
            position = await dex.get_position(symbol)
            await dex.close()
            return position

    position = run_virtual(scenario())
    assert (position["side"], position["size"]) == (side, D("0.3"))


@pytest.mark.fault("PS-12", tier=2)
@LEGS
@pytest.mark.parametrize("mode", ["market", "reduce_only"])
@PAIRS
def test_ps_12_a_market_that_closes_ends_the_run(row, leg, mode, pair):
    """What is owed is unwound at once; then one order now and then finds out whether the market is
    back, and after a while the run gives up. A neutral pair stays and is reported: to close one leg
    while the other cannot be closed would make it naked."""
    halt = f"{leg}.halt({mode}).between(4s, 1h)"
    verdict = row(halt, cycles=40, outcome="HF", timeout=300, closed_limit=20, **pair)
    assert verdict.position("P") + verdict.position("H") == 0
    assert verdict.to_flat < 1.0
    tried = quotes(verdict) if leg == "P" else sent(verdict, "H", "canary")
    refused = [order for order in tried if order.reason in ("market", "reduce_only")]
    assert 1 < len(refused) <= 8, "every five seconds, not three times a second"
    assert "halt" in [alarm["topic"] for alarm in journal(verdict, "alarm") if alarm["page"]]


@pytest.mark.fault("PS-12", tier=2)
@LEGS
def test_ps_12_a_market_that_opens_again_is_used_again(row, leg):
    verdict = row(f"{leg}.halt(market).between(4s, 15s)", cycles=10, outcome="D", closed_limit=20)
    assert verdict.to_flat < 1.0
