"""Variational passes what every venue passes; run as a script, its vectors too.

Three lines of the common suite do not hold here. What is called a book is a quote for one size; an
order is filled whole or not at all; and the venue tells no time.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from checkout import recorded, run_as_script

from mpdex.conformance.shapes import check_book, shaped
from mpdex.conformance.stage import FAR, Stage, staged, until
from mpdex.errors import (
    AuthError,
    InsufficientMargin,
    MissingCredentials,
    NoImmediateMatch,
    OrderNotFound,
    OutcomeUnknown,
    ProtocolError,
    SessionEnded,
    TransportError,
    Unsupported,
    UsageError,
)
from mpdex.sim.venue import SimReply, SimRequest
from mpdex.sim.venues import variational_wire as wire
from mpdex.sim.venues.variational import VariationalSim
from mpdex.testing import VenueConformance
from mpdex.types import (
    Challenge,
    Fill,
    OrderStatus,
    Position,
    StreamDown,
    StreamUp,
    Topic,
    WalletProof,
)
from mpdex.utils.session_store import SessionStore
from mpdex.utils.signing.eip712 import EvmSigner, personal_digest

ZERO = Decimal(0)
INDICATIVE, PLACE = "/api/quotes/indicative", "/api/orders/new/market"


def far_end(stage: Stage) -> VariationalSim:
    venue = stage.world.venues[stage.name]
    assert isinstance(venue, VariationalSim)
    return venue


def paths(told: list[SimRequest]) -> list[str]:
    return [one.path.removeprefix("/api") for one in told]


def answer(stage: Stage, method: str, path: str, body: Any) -> None:
    """From now on the venue says something else there."""
    stage.world.server.hosts[stage.name]._routes[method, f"/api{path}"] = lambda _: SimReply(body)


class TestVariational(VenueConformance):
    venue = "variational"
    unsupported = frozenset({"get_clock_skew"})
    late = frozenset({"MARGIN", "REDUCE_ONLY"})
    recorded = recorded("variational")

    # ---------------------------------------------------------------- in place of the common ones

    @staged()
    async def test_the_book_is_best_first_and_the_venues(self, stage: Stage) -> None:
        """The quote for one size, and marked as that."""
        dex = await stage.open()
        for size in (None, "0.5", "3"):
            if size is not None:
                dex.size_book(stage.symbol, size)
            book = await dex.get_orderbook(stage.symbol, 5)
            check_book(book, 1)
            assert book["indicative"]
            [(bid, asked)], [(ask, _)] = book["bids"], book["asks"]
            assert asked == Decimal(size or "0.4")  # about 1000 USDC
            assert bid == far_end(stage).exchange.price_of(stage.symbol, "sell", asked)
            assert ask == far_end(stage).exchange.price_of(stage.symbol, "buy", asked)

    @staged()
    async def test_a_partly_filled_order_keeps_what_it_filled(self, stage: Stage) -> None:
        """There is no part: what waits has filled nothing, and is filled whole."""
        dex = await stage.open()
        placed = await stage.rest(dex, units=4)
        waiting = await stage.found(dex, placed)
        assert (waiting["filled"], waiting["average_price"]) == (ZERO, None)
        stage.truth.fill(stage.true_order(placed), stage.unit * 4)
        ended = await stage.ended(dex, placed)
        assert (ended["status"], ended["filled"]) == (OrderStatus.FILLED, stage.unit * 4)
        assert ended["average_price"] == placed["price"]

    # ---------------------------------------------------------------- orders

    @staged()
    async def test_taking_turns_the_position_and_closing_ends_it(self, stage: Stage) -> None:
        dex = await stage.open()
        for side, units, expected in (("buy", 3, "long"), ("sell", 5, "short")):
            placed = await dex.create_order(stage.symbol, side, stage.unit * units)
            assert placed["status"] is OrderStatus.PENDING, "the answer is no fill"
            ended = await stage.ended(dex, placed)
            assert (ended["status"], ended["filled"]) == (OrderStatus.FILLED, placed["size"])
            assert ended["client_order_id"] == placed["client_order_id"]
            position = shaped(await dex.get_position(stage.symbol), Position)
            assert (position["side"], position["size"]) == (expected, abs(stage.net()))
            [fill] = [f for f in await dex.get_fills(stage.symbol) if f["order_id"] == ended["id"]]
            shaped(fill, Fill)
            assert (fill["price"], fill["size"]) == (ended["average_price"], ended["filled"])
            assert (fill["fee"], fill["liquidity"]) == (ZERO, "taker")
            assert fill["client_order_id"] == placed["client_order_id"]
        closing = await dex.close_position(stage.symbol, position)
        assert (await stage.ended(dex, closing))["reduce_only"]
        assert stage.net() == 0

    @staged()
    async def test_a_market_order_is_a_quote_and_its_acceptance(self, stage: Stage) -> None:
        dex = await stage.open()
        told = stage.requests()
        await dex.create_order(stage.symbol, "buy", stage.unit, slippage_bps=30)
        asked, accepted = told
        assert (asked.path, accepted.path) == (INDICATIVE, PLACE)
        assert asked.json["qty"] == f"{stage.unit.normalize():f}"
        assert Decimal("0.0029") < Decimal(accepted.json["max_slippage"]) <= Decimal("0.003")
        for one in told:
            assert one.headers["cookie"].startswith("vr-token=")
            assert one.headers["vr-connected-address"].lower() == stage.keys["wallet_address"]
            assert "Chrome" in one.headers["user-agent"]

    @staged()
    async def test_a_price_that_got_worse_is_not_taken(self, stage: Stage) -> None:
        dex = await stage.open()
        placed = await dex.create_order(stage.symbol, "buy", stage.unit, slippage_bps=10)
        stage.truth.move(Decimal(20))
        ended = await stage.ended(dex, placed)
        assert (ended["status"], ended["filled"]) == (OrderStatus.REJECTED, ZERO)
        assert dex.decode_reason(ended["reason"]) is NoImmediateMatch
        assert stage.net() == 0

    @staged()
    async def test_a_quote_far_from_the_mark_is_not_accepted(self, stage: Stage) -> None:
        dex = await stage.open()
        told = stage.requests()
        far_end(stage).market.spread = Decimal("0.01")
        with pytest.raises(NoImmediateMatch, match="from the mark"):
            await dex.create_order(stage.symbol, "sell", stage.unit)
        assert paths(told) == ["/quotes/indicative"]

    @staged()
    async def test_a_quote_that_came_too_late_is_not_accepted(self, stage: Stage) -> None:
        dex = await stage.open()
        stage.faults("P.meta.nth(1) -> delay(950ms)")
        with pytest.raises(TransportError, match="too late to be sent"):
            await dex.create_order(stage.symbol, "buy", stage.unit)
        assert stage.truth.order_history(stage.account) == []
        assert stage.count("place") == 0

    @pytest.mark.parametrize("how", ["drop_request(reset)", "drop_response(silence)", "http(502)"])
    @staged()
    async def test_without_a_quote_nothing_is_in_doubt(self, stage: Stage, how: str) -> None:
        dex = await stage.open()
        stage.faults(f"P.meta.nth(1) -> {how}")
        with pytest.raises(TransportError, match="not countersigned, so not sent"):
            await dex.create_order(stage.symbol, "buy", stage.unit)
        assert stage.count("place") == 0

    @staged()
    async def test_a_quote_for_something_else_is_not_accepted(self, stage: Stage) -> None:
        dex = await stage.open()
        quote = far_end(stage).desk.quote(
            {"instrument": stage.market["raw"]["instrument"], "qty": "1"}, stage.account
        )
        answer(stage, "POST", "/quotes/indicative", far_end(stage).market.indicative(quote))
        with pytest.raises(TransportError, match="something else was quoted"):
            await dex.create_order(stage.symbol, "buy", stage.unit)
        assert stage.count("place") == 0

    @staged()
    async def test_a_limit_order_waits_for_the_price(self, stage: Stage) -> None:
        dex = await stage.open()
        placed = await stage.rest(dex)
        await stage.found(dex, placed, lambda o: o["status"] is OrderStatus.OPEN)
        stage.truth.move(Decimal(-200))
        ended = await stage.ended(dex, placed)
        assert (ended["status"], stage.net()) == (OrderStatus.FILLED, placed["size"])
        assert ended["average_price"] <= placed["price"]

    @pytest.mark.parametrize("body", [b"null", b""])
    @staged()
    async def test_a_cancel_is_answered_with_nothing(self, stage: Stage, body: bytes) -> None:
        dex = await stage.open()
        placed = await stage.rest(dex)
        answer(stage, "POST", "/orders/cancel", body)
        assert await dex.cancel_order(stage.symbol, placed["id"]) is None

    @staged()
    async def test_an_order_is_not_answered_with_nothing(self, stage: Stage) -> None:
        dex = await stage.open()
        answer(stage, "POST", "/orders/new/market", b"")
        with pytest.raises(OutcomeUnknown):
            await dex.create_order(stage.symbol, "buy", stage.unit)

    @staged()
    async def test_more_open_orders_than_a_page_holds_are_all_listed(self, stage: Stage) -> None:
        dex = await stage.open()
        placed = [await stage.rest(dex) for _ in range(103)]
        listed = await dex.get_open_orders(stage.symbol)
        assert {one["id"] for one in listed} == {one["id"] for one in placed}

    @staged()
    async def test_reduce_only_is_refused_where_there_is_nothing_to_reduce(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        placed = await dex.create_order(stage.symbol, "sell", stage.unit, is_reduce_only=True)
        ended = await stage.ended(dex, placed)
        assert (ended["status"], stage.net()) == (OrderStatus.REJECTED, ZERO)

    # ---------------------------------------------------------------- orders without a client id

    @staged()
    async def test_a_market_order_whose_answer_was_lost_is_found(self, stage: Stage) -> None:
        dex = await stage.open()
        stage.faults("P.place.nth(1) -> drop_response(silence)")
        with pytest.raises(OutcomeUnknown) as caught:
            await dex.create_order(stage.symbol, "buy", stage.unit)
        asked: Any = {"symbol": stage.symbol, "client_order_id": caught.value.client_order_id}
        ended = await stage.ended(dex, asked)
        assert (ended["status"], ended["filled"]) == (OrderStatus.FILLED, stage.unit)
        again = await dex.get_order(stage.symbol, ended["id"])
        assert again["client_order_id"] == caught.value.client_order_id

    @staged()
    async def test_two_orders_that_one_row_could_be_are_not_told_apart(self, stage: Stage) -> None:
        dex = await stage.open()
        own = []
        for fault in ("drop_response(reset)", "drop_request(reset)"):
            stage.faults(f"P.place.nth(1) -> {fault}")
            with pytest.raises(OutcomeUnknown) as caught:
                await stage.rest(dex)
            own.append(caught.value.client_order_id)
            stage.world.faults.clear()
        for client_id in own:
            with pytest.raises(OutcomeUnknown, match="may be one of"):
                await dex.get_order(stage.symbol, client_order_id=client_id)

    @staged()
    async def test_an_order_of_an_earlier_run_is_found_by_its_id_and_not_guessed(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        placed = await stage.rest(dex)
        await asyncio.sleep(200)
        later = await stage.open()
        found = await later.get_order(
            stage.symbol, placed["id"], client_order_id=placed["client_order_id"]
        )
        assert found["status"] is OrderStatus.OPEN
        with pytest.raises(OutcomeUnknown, match=placed["id"]):
            await later.get_order(stage.symbol, client_order_id=placed["client_order_id"])
        with pytest.raises(OrderNotFound):
            await later.get_order(stage.symbol, client_order_id=later.new_client_id())

    @staged()
    async def test_a_lost_order_is_found_and_canceled(self, stage: Stage) -> None:
        dex = await stage.open()
        stage.faults("P.place.nth(1) -> drop_response(reset)")
        with pytest.raises(OutcomeUnknown) as caught:
            await stage.rest(dex)
        own = caught.value.client_order_id
        await dex.cancel_order(stage.symbol, client_order_id=own)
        order = await dex.get_order(stage.symbol, client_order_id=own)
        assert order["status"] is OrderStatus.CANCELED

    # ---------------------------------------------------------------- sessions

    @staged()
    async def test_one_sign_in_serves_everything(self, stage: Stage) -> None:
        told = stage.requests()
        dex = await stage.open()
        await asyncio.gather(*(dex.get_collateral() for _ in range(3)))
        signing = [path for path in paths(told) if path.startswith("/auth") or path == "/me"]
        assert signing == ["/auth/generate_signing_data", "/auth/login"]
        week = dex.clock.now_ms() + 7 * 86_400_000
        assert dex.session_expires_ms == pytest.approx(week, abs=60_000)

    @staged()
    async def test_the_text_to_sign_may_come_as_json(self, stage: Stage) -> None:
        far_end(stage).logins.quoted = True
        assert await (await stage.open()).get_positions() == []

    @staged()
    async def test_a_token_of_a_browser_is_enough_until_it_is_over(self, stage: Stage) -> None:
        keys = far_end(stage).token_credentials()
        told = stage.requests()
        dex = await stage.open(wallet_private_key="", **keys)
        assert [path for path in paths(told) if "/auth" in path] == []
        await stage.rest(dex)
        far_end(stage).expire_sessions()
        with pytest.raises(SessionEnded, match="copy the cookie again"):
            await dex.get_positions()
        stage.check_clean(*stage.secrets()[:0], repr(dex._auth))

    @staged()
    async def test_a_token_that_is_over_gives_way_to_the_key(self, stage: Stage) -> None:
        dex = await stage.open(vr_token="old.vr.token")  # noqa: S106  (nobody gave it)
        assert await dex.get_positions() == []

    @staged()
    async def test_without_key_and_token_a_person_is_asked_for(self, stage: Stage) -> None:
        with pytest.raises(MissingCredentials, match="mpdex login variational"):
            await stage.open(wallet_private_key="")

    @staged()
    async def test_a_wallet_signs_in_a_person(self, stage: Stage, tmp_path: Any) -> None:
        signer = EvmSigner(stage.keys["wallet_private_key"])

        async def prove(challenge: Challenge) -> WalletProof:
            signature = signer.sign(personal_digest(challenge.text)).hex
            return WalletProof(challenge.address, signature)

        store = SessionStore("variational", tmp_path / "sessions")
        kind = type("Kept", (self.kind(),), {"_kept": store})
        await stage.make(kind, wallet_private_key="").sign_in(prove)
        told = stage.requests()
        dex = await stage.open(kind, wallet_private_key="")
        await stage.rest(dex)
        assert [path for path in paths(told) if "/auth" in path] == []
        assert "/me" in paths(told)

    @staged()
    async def test_a_session_that_ends_is_renewed_and_the_order_is_not_repeated(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        far_end(stage).expire_sessions()
        with pytest.raises(SessionEnded):
            await dex.create_order(stage.symbol, "buy", stage.unit)
        assert stage.truth.order_history(stage.account) == []
        placed = await dex.create_order(stage.symbol, "buy", stage.unit)
        assert (await stage.ended(dex, placed))["status"] is OrderStatus.FILLED

    @staged()
    async def test_a_key_of_another_wallet_sends_no_signature(self, stage: Stage) -> None:
        told = stage.requests()
        with pytest.raises(UsageError, match="not of wallet_address"):
            await stage.open(wallet_private_key="0x" + "11" * 32)
        assert "/auth/login" not in paths(told)

    @staged()
    async def test_a_wallet_that_nobody_knows_is_refused(self, stage: Stage) -> None:
        signer = EvmSigner("0x" + "11" * 32)
        with pytest.raises(AuthError, match="Captcha"):
            await stage.open(wallet_address=signer.address, wallet_private_key="0x" + "11" * 32)

    @staged()
    async def test_a_challenge_is_no_refusal_of_keys(self, stage: Stage) -> None:
        dex = await stage.open()
        told = stage.requests()
        wall = wire.wall()
        hosts = stage.world.server.hosts[stage.name]
        for key in list(hosts._routes):
            hosts._routes[key] = lambda _: wall
        with pytest.raises(TransportError, match="a challenge, not a refusal of your keys"):
            await dex.get_collateral()
        with pytest.raises(TransportError, match="a challenge"):
            await stage.rest(dex)
        assert not [path for path in paths(told) if "/auth" in path]
        assert dex.session_expires_ms is not None, "the session was thrown away"

    # ---------------------------------------------------------------- books without a stream

    @staged(lively=True)
    async def test_the_quote_is_watched_like_a_book(self, stage: Stage) -> None:
        dex = await stage.open()
        with pytest.raises(Unsupported):
            await dex.start_streams([Topic("mark", stage.symbol)])
        told = stage.requests()
        heard: list[Any] = []
        dex.on_orderbook(stage.symbol, heard.append)
        dex.size_book(stage.symbol, "0.3")
        await dex.start_streams([Topic("book", stage.symbol)])
        book = dex.book(stage.symbol)
        assert not book.stale
        await asyncio.sleep(10)
        assert 9 <= len(heard) <= 12
        assert dex.clock.monotonic() - book.received < 1.1
        assert {one.json["qty"] for one in told} == {"0.3"}
        with stage.nothing_sent():
            assert (await dex.get_orderbook(stage.symbol))["indicative"]
        await dex.close()
        count = len(told)
        await asyncio.sleep(5)
        assert len(told) == count, "asked for after it was closed"

    @staged(lively=True)
    async def test_a_book_that_cannot_be_read_is_a_stream_that_is_down(self, stage: Stage) -> None:
        dex = await stage.open()
        heard: list[Any] = []
        dex.on_stream(heard.append)
        await dex.start_streams([Topic("book", stage.symbol)])
        book = dex.book(stage.symbol)
        stage.faults("P.meta -> http(503)")
        await until(lambda: heard, "the loss is heard")
        assert isinstance(heard[0], StreamDown)
        assert book.stale
        stage.world.faults.clear()
        await until(lambda: len(heard) == 2 and not book.stale, "it is back")
        assert isinstance(heard[1], StreamUp)

    # ---------------------------------------------------------------- drift

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/portfolio", {"balances": []}),
            ("GET", "/positions", {"positions": []}),
            ("GET", "/orders/v2", {"orders": []}),
            ("GET", "/trades", {"rows": []}),
            ("GET", "/metadata/config", {}),
            ("GET", "/metadata/supported_assets", {"assets": {}}),
            ("GET", "/metadata/supported_assets", {}),
            ("POST", "/quotes/simple", {"bid": "1", "ask": "2"}),
            ("POST", "/quotes/indicative", {"quoteId": "1"}),
        ],
    )
    @staged()
    async def test_a_page_that_has_changed_is_told_at_the_start(
        self, stage: Stage, method: str, path: str, body: Any
    ) -> None:
        answer(stage, method, path, body)
        with pytest.raises(ProtocolError, match="web page of Variational has changed") as caught:
            await stage.make().init()
        assert "do not trade here" in str(caught.value)

    @staged()
    async def test_a_call_that_is_gone_is_told_at_the_start(self, stage: Stage) -> None:
        del stage.world.server.hosts[stage.name]._routes["GET", "/api/orders/v2"]
        with pytest.raises(ProtocolError, match="web page of Variational has changed"):
            await stage.make().init()

    @pytest.mark.parametrize(
        ("method", "path", "status", "words"),
        [
            ("POST", "/auth/generate_signing_data", 404, "no such call"),
            ("POST", "/auth/login", 405, "not with this method"),
            ("POST", "/quotes/simple", 422, "missing field"),
            ("GET", "/portfolio", 410, "gone"),
            ("GET", "/portfolio", 400, "unknown query"),
        ],
    )
    @staged()
    async def test_a_call_that_says_no_at_the_start_is_named(
        self, stage: Stage, method: str, path: str, status: int, words: str
    ) -> None:
        routes = stage.world.server.hosts[stage.name]._routes
        routes[method, f"/api{path}"] = lambda _: SimReply({"message": words}, status)
        with pytest.raises(ProtocolError, match="web page of Variational has changed") as caught:
            await stage.make().init()
        assert f"{method} {path}" in str(caught.value)

    @staged()
    async def test_a_refusal_that_is_understood_is_no_change(self, stage: Stage) -> None:
        routes = stage.world.server.hosts[stage.name]._routes
        refusal = SimReply({"message": "Insufficient margin"}, 422)
        routes["POST", "/api/quotes/indicative"] = lambda _: refusal
        with pytest.raises(InsufficientMargin):
            await stage.make().init()

    @staged()
    async def test_without_keys_only_what_is_public_is_looked_at(self, stage: Stage) -> None:
        told = stage.requests()
        dex = await stage.open(read_only=True)
        assert (await dex.get_orderbook(stage.symbol))["indicative"]
        assert {one.path.split("/")[2] for one in told} == {"metadata", "quotes"}

    # ---------------------------------------------------------------- limits

    @staged()
    async def test_a_ban_is_waited_for(self, stage: Stage) -> None:
        dex = await stage.open()
        before = dex.clock.monotonic()
        stage.faults("P.query_positions.nth(1) -> reject(RATE)")
        await dex.get_positions()
        assert dex.clock.monotonic() - before >= 1

    @staged()
    async def test_a_price_beyond_the_bounds_of_limits_is_refused(self, stage: Stage) -> None:
        dex = await stage.open()
        price = stage.price("buy", FAR) / 20 // stage.market["tick"] * stage.market["tick"]
        with pytest.raises(Exception, match="too far"):
            await dex.create_order(stage.symbol, "buy", stage.unit * 30, price)


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
