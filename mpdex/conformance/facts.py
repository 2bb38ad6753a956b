"""What a venue says about itself, its markets and the account, without trading."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from traceback import format_exception
from typing import Any

import msgspec
import pytest

from exchange_factory import symbol_create
from mpdex.conformance.shapes import check_book, shaped
from mpdex.conformance.stage import PRIVATE, Stage, Suite, staged
from mpdex.errors import (
    AuthError,
    BadOrder,
    MissingCredentials,
    MpdexError,
    UnknownSymbol,
    UnknownVenue,
    Unsupported,
    UsageError,
    VenueError,
)
from mpdex.sim.run import start
from mpdex.types import (
    Collateral,
    Fees,
    FundingRate,
    LeverageInfo,
    Market,
    OrderRequest,
    Position,
    Request,
    Symbols,
    Topic,
)
from mpdex.utils.clock import LoopClock

FLAGS = {"post_only", "reduce_only", "market", "ioc", "fok", "slippage_bps", "client_order_id"}
KNOWN = FLAGS | {"spot"}
CHANNELS = {"book", "bbo", "mark", "trades", "commands", *PRIVATE}
# How each declared gap is called.
CALLS: dict[str, Callable[[Any, str], Any]] = {
    "get_mark_price": lambda dex, s: dex.get_mark_price(s),
    "get_orderbook": lambda dex, s: dex.get_orderbook(s),
    "get_funding_rate": lambda dex, s: dex.get_funding_rate(s),
    "get_clock_skew": lambda dex, s: dex.get_clock_skew(),
    "get_fees": lambda dex, s: dex.get_fees(s),
    "get_fills": lambda dex, s: dex.get_fills(s),
    "get_order": lambda dex, s: dex.get_order(s, "1"),
    "get_open_orders": lambda dex, s: dex.get_open_orders(s),
    "get_position": lambda dex, s: dex.get_position(s),
    "get_collateral": lambda dex, s: dex.get_collateral(),
    "get_leverage_info": lambda dex, s: dex.get_leverage_info(s),
    "update_leverage": lambda dex, s: dex.update_leverage(s, 2),
    "cancel_order": lambda dex, s: dex.cancel_order(s, "1"),
}
_CENT = Decimal("0.01")


class Facts(Suite):
    """Specification, keys, markets, account."""

    # ---------------------------------------------------------------- the specification

    def test_the_spec_is_complete(self) -> None:
        spec = self.kind().SPEC
        assert spec.name == (self.venue or spec.name), "SPEC.name is not what the factory calls it"
        assert spec.endpoints, "no endpoint"
        for host, url in spec.endpoints.items():
            assert url.startswith(("https://", "wss://")), f"endpoint {host} is not encrypted"
        assert spec.credentials or spec.optional_credentials, "no credential is named"
        assert spec.supports <= KNOWN, f"unknown words in supports: {spec.supports - KNOWN}"
        assert all(limit.count > 0 and limit.seconds > 0 for limit in spec.limits.values())
        assert all(issubclass(kind, MpdexError) for kind in spec.errors.values())
        assert spec.client_id.high - spec.client_id.low >= 2**16, "too few client ids to be unique"

    def test_the_streams_are_declared(self) -> None:
        kind = self.kind()
        seen: set[str] = set()
        for stream in kind.streams():
            assert stream.HOST in kind.SPEC.endpoints, f"{stream.__name__}.HOST has no endpoint"
            assert stream.CHANNELS, f"{stream.__name__} serves no channel"
            assert stream.CHANNELS <= CHANNELS, stream.CHANNELS - CHANNELS
            assert not seen & stream.CHANNELS, "two streams serve one channel"
            private = bool(stream.CHANNELS & {"commands", *PRIVATE})
            assert private is stream.PRIVATE, f"{stream.__name__}.PRIVATE is wrong"
            seen |= stream.CHANNELS
        if kind.SPEC.order_route == "ws":
            assert seen & {"commands", "orders"}, "orders go over a socket that no stream makes"

    @staged()
    async def test_ws_supported_says_what_the_streams_carry(self, stage: Stage) -> None:
        dex = await stage.open()
        commands = stage.kind.SPEC.order_route == "ws"
        assert dex.ws_supported == {
            "get_mark_price": stage.has("mark"),
            "get_position": stage.has("positions"),
            "get_open_orders": stage.has("orders"),
            "get_collateral": False,
            "get_orderbook": stage.has("book"),
            "create_order": commands,
            "cancel_orders": commands,
            "update_leverage": False,
        }
        assert dex.has_spot == ("spot" in stage.kind.SPEC.supports)

    @staged()
    async def test_declared_gaps_are_refused_before_sending(self, stage: Stage) -> None:
        dex = await stage.open()
        for method in self.unsupported:
            with stage.nothing_sent(), pytest.raises(Unsupported):
                await CALLS[method](dex, stage.symbol)

    @staged()
    async def test_flags_not_supported_are_refused_before_sending(self, stage: Stage) -> None:
        spec = stage.kind.SPEC
        bare = type("Bare", (stage.kind,), {"SPEC": replace(spec, supports=frozenset())})
        for kind, flags in ((stage.kind, FLAGS - spec.supports), (bare, FLAGS)):
            dex = await stage.open(kind)
            for flag in flags:
                with stage.nothing_sent(), pytest.raises(Unsupported, match=flag):
                    await _order_with(dex, stage, flag)

    def test_recorded_frames_are_understood(self) -> None:
        if not self.recorded or not Path(self.recorded).is_dir():
            pytest.skip("declared: no recorded payloads here")
        keys = dict.fromkeys(self.kind().SPEC.credentials, "1")
        streams = [stream(keys=keys, rng=random.Random(1)) for stream in self.kind().streams()]
        for path in sorted(Path(self.recorded).glob("ws_*.json")):
            if "request" not in path.name:
                frame = msgspec.json.encode(msgspec.json.decode(path.read_bytes()))
                for stream in streams:
                    list(stream.decode(frame))  # raises where the frame is not understood

    # ---------------------------------------------------------------- keys

    @staged()
    async def test_a_missing_key_is_named_with_its_template(self, stage: Stage) -> None:
        template = f"keys/copy.pk_{stage.kind.SPEC.name.replace('.', '_')}.py"
        for name in stage.kind.SPEC.credentials:
            with stage.nothing_sent(), pytest.raises(MissingCredentials) as caught:
                stage.make(None, **{name: ""})
            assert name in str(caught.value), f"the error does not name {name}"
            assert template in str(caught.value), f"the error does not name {template}"
            stage.check_clean(caught.value)

    @staged()
    async def test_keys_the_venue_does_not_know_are_an_auth_error(self, stage: Stage) -> None:
        async with await start([self.sim()], seed=99, coins=(self.coin,)) as elsewhere:
            strange = elsewhere.credentials[stage.name]
        assert strange != stage.keys, "the simulated venue gives everybody the same keys"

        async def ask() -> None:
            dex = await stage.open(None, **strange)
            await dex.get_collateral()

        with pytest.raises(AuthError) as caught:  # by whichever asks first
            await ask()
        stage.check_clean(caught.value, repr(caught.value), *strange.values())
        for secret in strange.values():
            assert len(secret) < 16 or secret not in f"{caught.value!r} {caught.value.raw}"
        assert stage.count("place") == 0

    @staged()
    async def test_without_keys_public_data_is_read_and_nothing_else(self, stage: Stage) -> None:
        dex = await stage.open(read_only=True)
        assert await dex.get_mark_price(stage.symbol) > 0
        with stage.nothing_sent(), pytest.raises(MissingCredentials):
            await dex.get_collateral()

    @staged()
    async def test_no_text_shows_a_secret(self, stage: Stage) -> None:
        dex = await stage.open()
        await stage.hear(dex)
        stage.check_clean(dex, repr(dex), f"{dex.SPEC!r}", f"{dex.feeds!r}")
        stage.faults("P.place -> reject(PRECISION)")
        with pytest.raises(VenueError) as refused:
            await stage.rest(dex)
        stage.faults("P.query_* -> reject(PERMISSION)")  # one call may tell all of an account
        with pytest.raises(VenueError) as forbidden:
            await dex.get_collateral()
        for error in (refused.value, forbidden.value):
            stage.check_clean(error, repr(error), error.raw, error.request, vars(error))

    # ---------------------------------------------------------------- markets

    @staged()
    async def test_symbols_are_listed_and_found(self, stage: Stage) -> None:
        dex = await stage.open()
        symbols = shaped(await dex.get_available_symbols(), Symbols)
        assert stage.symbol in symbols["perp"]
        assert dex.available_symbols[self.coin] == stage.symbol
        assert bool(symbols["spot"]) <= dex.has_spot, "spot markets, but no spot in supports"
        with suppress(UnknownVenue):  # not installed: the classes were given by hand
            assert symbol_create(stage.name, self.coin) == stage.symbol

    @staged()
    async def test_a_market_has_the_venues_own_grid(self, stage: Stage) -> None:
        dex = await stage.open()
        market, truth = shaped(await dex.get_market(stage.symbol), Market), stage.truth
        told = truth.markets[stage.true_symbol]
        assert (market["coin"], market["kind"], market["active"]) == (self.coin, "perp", True)
        assert (market["tick"], market["step"]) == (told.tick, told.step)
        assert (market["min_size"], market["quote"]) == (told.min_size, told.quote)
        assert market["min_notional"] in (told.min_notional, None)
        assert market["max_leverage"] in (told.max_leverage, None)
        assert market["multiplier"] == 1
        assert await dex.get_contract_attributes(stage.symbol) == market

    @staged()
    async def test_an_unknown_symbol_names_the_nearest_and_sends_nothing(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        wrong = stage.symbol[:-1] + ("x" if stage.symbol[-1] != "x" else "y")
        calls: tuple[Callable[[], Any], ...] = (
            lambda: dex.get_market(wrong),
            lambda: dex.get_mark_price(wrong),
            lambda: dex.get_orderbook(wrong),
            lambda: dex.get_position(wrong),
            lambda: dex.get_open_orders(wrong),
            lambda: dex.create_order(wrong, "buy", stage.unit),
            lambda: dex.cancel_orders(wrong),
            lambda: dex.cancel_order(wrong, "1"),
            lambda: dex.start_streams([Topic("book", wrong)]),
        )
        for call in calls:
            with stage.nothing_sent(), pytest.raises(UnknownSymbol, match=stage.symbol):
                await call()

    @staged()
    async def test_the_mark_price_is_the_venues(self, stage: Stage) -> None:
        self.need("get_mark_price")
        dex = await stage.open()
        mark = await dex.get_mark_price(stage.symbol)
        assert isinstance(mark, Decimal)
        assert abs(mark - stage.truth.mark(stage.true_symbol)) <= stage.market["tick"]

    @staged()
    async def test_the_book_is_best_first_and_the_venues(self, stage: Stage) -> None:
        self.need("get_orderbook")
        dex = await stage.open()
        for depth in (1, 5):
            book = await dex.get_orderbook(stage.symbol, depth)
            check_book(book, depth)
            bids, asks, _ = stage.truth.book(stage.true_symbol, depth)
            assert (book["bids"], book["asks"]) == (bids, asks)

    @staged()
    async def test_the_funding_rate_is_a_fraction_of_one_interval(self, stage: Stage) -> None:
        self.need("get_funding_rate")
        dex = await stage.open()
        for rate in (Decimal("0.0001"), Decimal("-0.00025")):
            stage.truth.fund(rate, stage.true_symbol)
            told = shaped(await dex.get_funding_rate(stage.symbol), FundingRate)
            assert told["rate"] == rate
            hours = stage.truth.markets[stage.true_symbol].funding_hours
            assert told["interval_hours"] in (hours, None)

    # ---------------------------------------------------------------- account

    @staged()
    async def test_fees_are_fractions_and_rebates_negative(self, stage: Stage) -> None:
        self.need("get_fees")
        dex = await stage.open()
        fees, true = shaped(await dex.get_fees(stage.symbol), Fees), stage.truth.fees
        assert fees["assumed"] or (fees["maker"], fees["taker"]) == (true.maker, true.taker)

    @staged()
    async def test_the_venues_clock_is_compared_with_ours(self, stage: Stage) -> None:
        """To what the way there and back leaves open, and never more than it is."""
        self.need("get_clock_skew")
        loop = asyncio.get_running_loop()
        pinned = stage.world.clock.now_ns() - int(loop.time() * 1e9)
        for ahead_ms in (0, 3000, -3000):
            dex = await stage.open(clock=LoopClock(loop, pinned - ahead_ms * 1_000_000))
            skew = await dex.get_clock_skew()
            assert skew * ahead_ms >= 0, f"{skew} ms has the wrong sign"
            open_ms = 499 + dex.SERVER_TIME_STEP_MS
            assert abs(ahead_ms) - open_ms < abs(skew) <= abs(ahead_ms) + 1

    @staged()
    async def test_signing_is_proven_without_sending(self, stage: Stage) -> None:
        dex = await stage.open()
        price = stage.truth.mark(stage.true_symbol)
        with stage.nothing_sent():
            dex.prove_signing(stage.symbol, price)
        for side in ("buy", "sell"):
            mute = await stage.open(_mute(stage.kind, side))
            with pytest.raises(UsageError, match=f"a {side} order cannot be signed") as refused:
                mute.prove_signing(stage.symbol, price)
            stage.check_clean(*format_exception(refused.value))

    @staged()
    async def test_collateral_is_equity(self, stage: Stage) -> None:
        self.need("get_collateral")
        dex = await stage.open()
        for trade in (False, True):
            if trade:
                stage.truth.manual_trade(stage.account, stage.true_symbol, stage.unit * 5)
            told = shaped(await dex.get_collateral(), Collateral)
            assert abs(told["total"] - stage.truth.equity(stage.account)) < _CENT
            assert told["available"] <= told["total"]

    @staged()
    async def test_leverage_is_set_and_read_back(self, stage: Stage) -> None:
        self.need("update_leverage", "get_leverage_info")
        dex = await stage.open()
        for leverage in (5, "3"):
            told = shaped(await dex.update_leverage(stage.symbol, leverage), LeverageInfo)
            assert told["leverage"] == Decimal(leverage)
            assert await dex.get_leverage_info(stage.symbol) == told
            true = stage.truth.ledger.leverage(stage.account, stage.true_symbol)
            assert abs(true - Decimal(leverage)) < Decimal("0.001")  # kept as a margin somewhere

    @staged()
    async def test_a_flat_market_has_no_position(self, stage: Stage) -> None:
        dex = await stage.open()
        assert await dex.get_position(stage.symbol) is None
        assert await dex.get_positions() == []
        assert await dex.get_open_orders(stage.symbol) == []
        assert await dex.close_position(stage.symbol) is None
        assert stage.count("place") == 0, "closing nothing sent an order"

    @staged()
    async def test_a_position_has_a_side_and_a_positive_size(self, stage: Stage) -> None:
        dex = await stage.open()
        for signed, side in ((2, "long"), (-5, "short")):
            stage.truth.manual_trade(stage.account, stage.true_symbol, stage.unit * signed)
            position = shaped(await dex.get_position(stage.symbol), Position)
            assert (position["side"], position["size"]) == (side, abs(stage.net()))
            assert position["symbol"] == stage.symbol
            assert abs(position["entry_price"] - stage.truth.mark(stage.true_symbol)) <= 1
            [again] = await dex.get_positions()
            assert {**again, "raw": None} == {**position, "raw": None}  # some tell when they answer


def _mute(kind: type[Any], side: str) -> type[Any]:
    """The venue with a signer that breaks on one side only, and says more than it should."""

    def encode_order(self: Any, order: OrderRequest, market: Market, now_ns: int) -> Request:
        if order.side == side:
            raise RuntimeError(" ".join(self.keys.values()))
        request: Request = kind.encode_order(self, order, market, now_ns)
        return request

    return type("Mute", (kind,), {"encode_order": encode_order})


async def _order_with(dex: Any, stage: Stage, flag: str) -> None:
    """Asks for one flag and, as far as it goes, for no other."""
    price = stage.price("buy", Decimal("0.01"))
    options: dict[str, dict[str, Any]] = {
        "post_only": {"price": price, "post_only": True},
        "reduce_only": {"price": price, "is_reduce_only": True},
        "market": {},
        "ioc": {"price": price, "time_in_force": "IOC"},
        "fok": {"price": price, "time_in_force": "FOK"},
        "slippage_bps": {"price": price, "slippage_bps": 10},
        "client_order_id": {"price": price, "client_order_id": dex.new_client_id()},
    }
    try:
        await dex.create_order(stage.symbol, "buy", stage.unit, **options[flag])
    except BadOrder as error:
        pytest.fail(f"{flag} is refused for another reason: {error}")
