"""What both venues behind TreadFi pass besides what every venue passes.

One line of the common suite does not hold here: fills of the account that are no parent's are not
told. `OwnFills` puts the parents' in its place.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.conformance.shapes import shaped
from mpdex.conformance.stage import FAR, Stage, Suite, staged, until
from mpdex.errors import (
    AuthError,
    MissingCredentials,
    OrderNotFound,
    OutcomeUnknown,
    SessionEnded,
    UsageError,
)
from mpdex.sim.venues.treadfi_front import TreadfiFront
from mpdex.types import Challenge, Fill, OrderStatus, Position, WalletProof
from mpdex.utils.session_store import SessionStore
from mpdex.utils.treadfi_base import sign_text


def far_end(stage: Stage) -> TreadfiFront:
    venue = stage.world.venues[stage.name]
    assert isinstance(venue, TreadfiFront)
    return venue


class OwnFills(Suite):
    """Fills are those of parents that have ended."""

    test_all_fills_since_a_time_are_read_once_over_all_pages = None

    @staged()
    async def test_every_ended_parent_is_one_fill_over_all_pages(self, stage: Stage) -> None:
        dex = await stage.open()
        for number in range(130):
            await dex.create_order(stage.symbol, "sell" if number % 2 else "buy", stage.unit)
        resting = await stage.rest(dex)
        await until(lambda: len(stage.truth.fills(stage.account)) == 130, "all have filled")
        true = stage.truth.fills(stage.account)
        start = true[40].time_ns // 1_000_000
        for since, first in ((0, 0), (start, 40)):
            fills = [shaped(fill, Fill) for fill in await dex.get_fills(stage.symbol, since)]
            told = [(fill["timestamp_ms"], fill["side"], fill["size"]) for fill in fills]
            facts = [(f.time_ns // 1_000_000, f.order.side, f.size) for f in true]
            assert told == facts[first:]
            assert all(dex.owns(fill["client_order_id"]) for fill in fills)
        assert resting["id"] not in {fill["id"] for fill in fills}

    @staged()
    async def test_what_a_live_parent_has_filled_its_order_tells(self, stage: Stage) -> None:
        dex = await stage.open()
        placed = await stage.rest(dex, units=3)
        await until(lambda: stage.truth.open_orders(stage.account), "the order rests")
        stage.truth.fill(stage.true_order(placed), stage.unit)
        assert await dex.get_fills(stage.symbol) == []
        order = await dex.get_order(stage.symbol, client_order_id=placed["client_order_id"])
        assert (order["status"], order["filled"]) == (OrderStatus.OPEN, stage.unit)
        await dex.cancel_order(stage.symbol, client_order_id=placed["client_order_id"])
        [fill] = await dex.get_fills(stage.symbol)
        assert (fill["order_id"], fill["size"]) == (placed["id"], stage.unit)
        assert fill["client_order_id"] == placed["client_order_id"]

    @staged()
    async def test_positions_are_heard_whoever_moved_them(self, stage: Stage) -> None:
        dex = await stage.open()
        heard = await stage.hear(dex)
        await dex.create_order(stage.symbol, "buy", stage.unit)
        await until(lambda: heard.positions, "the position is heard")
        with stage.nothing_sent():
            position = shaped(await dex.get_position(stage.symbol), Position)
        assert (position["side"], position["size"]) == ("long", stage.unit)
        assert heard.orders == heard.fills == []

    @staged()
    async def test_an_account_that_is_not_linked_is_an_auth_error(self, stage: Stage) -> None:
        dex = await stage.open(account_name="nobody")
        with pytest.raises(AuthError, match="no account 'nobody'"):
            await dex.get_collateral()

    @staged()
    async def test_a_scheduled_cancel_is_refused_before_sending(self, stage: Stage) -> None:
        dex = await stage.open()
        with stage.nothing_sent(), pytest.raises(UsageError, match="schedule_cancel"):
            await dex.schedule_cancel(30)

    @staged()
    async def test_what_is_shown_to_treadfi_is_shown_to_nobody_else(self, stage: Stage) -> None:
        dex = await stage.open()
        told = stage.requests()
        await stage.hear(dex)
        await stage.take(dex, "buy", time_in_force=None)
        await dex.get_collateral()
        await dex.get_positions()
        served = far_end(stage).app.serves
        proofs = {"cookie", "authorization", "x-csrftoken"}
        assert any(proofs & set(one.headers) for one in told if served(one.path))
        beneath = [one for one in told if not served(one.path)]
        assert beneath
        assert not [one.path for one in beneath if proofs & set(one.headers)]


class BySession(OwnFills):
    """Logged in as a browser is."""

    def kept(self, folder: Path) -> type[Any]:
        """The class, keeping its sessions in a folder although the venue is simulated."""
        store = SessionStore(self.kind().SPEC.name, folder)
        return type("Kept", (self.kind(),), {"_kept": store})

    # ---------------------------------------------------------------- login

    @staged()
    async def test_one_login_serves_everything(self, stage: Stage) -> None:
        dex = await stage.open()
        told = stage.requests()
        await asyncio.gather(*(dex.read_open_orders(stage.symbol) for _ in range(3)))
        await stage.rest(dex)
        await dex.get_collateral()
        paths = [one.path for one in told if one.path.startswith("/internal/account/")]
        assert [path.split("/")[3] for path in paths] == [
            "get_nonce",
            "wallet_auth",
            "user_metadata",
        ]
        assert dex.session_expires_ms == pytest.approx(
            dex.clock.now_ms() + 14 * 86_400_000, abs=60_000
        )

    @staged()
    async def test_a_kept_session_is_verified_and_used(self, stage: Stage, tmp_path: Path) -> None:
        kind = self.kept(tmp_path / "sessions")
        await (await stage.open(kind)).read_open_orders()
        told = stage.requests()
        again = await stage.open(kind)
        await again.read_open_orders()
        assert [one.path for one in told if "account/" in one.path] == [
            "/internal/account/user_metadata/"
        ]
        far_end(stage).expire_sessions()
        told.clear()
        await again.read_open_orders()
        paths = [one.path.split("/")[3] for one in told if "account/" in one.path]
        assert paths == ["user_metadata", "get_nonce", "wallet_auth", "user_metadata"]

    @staged()
    async def test_cookies_of_a_browser_are_enough(self, stage: Stage) -> None:
        dex = await stage.open()
        await dex.read_open_orders()
        words = dex._session.current.headers["Cookie"].split("; ")
        cookies = dict(word.split("=") for word in words)
        other = await stage.open(login_private_key="", login_address="", **cookies)
        await stage.rest(other)
        far_end(stage).expire_sessions()
        with pytest.raises(SessionEnded):
            await other.read_open_orders()

    @staged()
    async def test_cookies_that_are_over_give_way_to_the_key(self, stage: Stage) -> None:
        dex = await stage.open(csrftoken="old-token", sessionid="old-session")
        assert await dex.read_open_orders() == []

    @staged()
    async def test_without_a_key_a_person_is_asked_for(self, stage: Stage) -> None:
        dex = await stage.open(login_private_key="")
        with pytest.raises(MissingCredentials, match=f"mpdex login {stage.name}"):
            await dex.read_open_orders()
        assert await dex.get_mark_price(stage.symbol) > 0

    @staged()
    async def test_a_wallet_signs_in_a_person(self, stage: Stage, tmp_path: Path) -> None:
        key = stage.keys["login_private_key"]
        asked: list[Challenge] = []

        async def prove(challenge: Challenge) -> WalletProof:
            asked.append(challenge)
            return sign_text(key, challenge.text)

        kind = self.kept(tmp_path / "sessions")
        await (await stage.open(kind, login_private_key="")).sign_in(prove)
        dex = await stage.open(kind, login_private_key="")
        await stage.rest(dex)
        [challenge] = asked
        assert challenge.text == f"Sign in to Tread with nonce: {challenge.nonce}"
        assert challenge.address == stage.keys["login_address"]

    @staged()
    async def test_a_signature_of_somebody_else_is_refused(self, stage: Stage) -> None:
        async def prove(challenge: Challenge) -> WalletProof:
            return WalletProof("0x" + "22" * 20, sign_text("0x" + "11" * 32, "other").signature)

        dex = await stage.open(login_private_key="")
        with pytest.raises(AuthError, match="Invalid signature"):
            await dex.sign_in(prove)

    @staged()
    async def test_a_key_that_is_not_the_named_wallets_sends_nothing(self, stage: Stage) -> None:
        dex = await stage.open(login_address="0x" + "22" * 20)
        with pytest.raises(UsageError, match="not of login_address"):
            await dex.read_open_orders()
        assert stage.count("auth") == 1, "more than the nonce was asked for"

    @staged()
    async def test_a_session_that_ends_is_renewed_and_the_order_is_not_repeated(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        await dex.read_open_orders()
        far_end(stage).expire_sessions()
        with pytest.raises(SessionEnded):
            await stage.rest(dex)
        assert stage.truth.order_history(stage.account) == []
        placed = await stage.rest(dex)
        assert placed["status"] is OrderStatus.OPEN

    @staged()
    async def test_a_forgery_token_that_is_refused_is_a_session_that_ended(
        self, stage: Stage
    ) -> None:
        class Forgetful(self.kind()):  # type: ignore[misc]
            def sign(self, request: Any, now_ms: int) -> Any:
                signed = super().sign(request, now_ms)
                return signed.with_headers(**{"X-CSRFToken": "wrong"})

        dex = await stage.open(Forgetful)
        with pytest.raises(SessionEnded, match="CSRF"):
            await stage.rest(dex)
        assert stage.truth.order_history(stage.account) == []

    # ---------------------------------------------------------------- orders without a client id

    @staged()
    async def test_two_orders_that_one_row_could_be_are_not_told_apart(self, stage: Stage) -> None:
        dex = await stage.open()
        ids = []
        for fault in ("drop_response(reset)", "drop_request(reset)"):
            stage.faults(f"P.place.nth(1) -> {fault}")
            with pytest.raises(OutcomeUnknown) as caught:
                await stage.rest(dex)
            ids.append(caught.value.client_order_id)
            stage.world.faults.clear()
        for own in ids:
            with pytest.raises(OutcomeUnknown, match="may be one of") as caught:
                await dex.get_order(stage.symbol, client_order_id=own)
            assert caught.value.client_order_id == own
            with pytest.raises(OutcomeUnknown):
                await dex.cancel_order(stage.symbol, client_order_id=own)
        assert len(stage.truth.open_orders(stage.account)) == 1

    @staged()
    async def test_an_order_of_somebody_else_that_looks_alike_is_not_taken_for_ours(
        self, stage: Stage
    ) -> None:
        dex, other = await stage.open(), await stage.open()
        early = await stage.rest(other)
        await asyncio.sleep(30)
        stage.faults("P.place.nth(1) -> drop_request(reset)")
        with pytest.raises(OutcomeUnknown) as caught:
            await stage.rest(dex)
        own = caught.value.client_order_id
        with pytest.raises(OrderNotFound):
            await dex.get_order(stage.symbol, client_order_id=own)
        found = await dex.get_order(stage.symbol, early["id"])
        assert found["client_order_id"] is None

    @staged()
    async def test_a_lost_order_is_found_canceled_and_named_from_then_on(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        known = await stage.rest(dex, "sell")
        stage.faults("P.place.nth(1) -> drop_response(reset)")
        with pytest.raises(OutcomeUnknown) as caught:
            await stage.rest(dex)
        own = caught.value.client_order_id
        await dex.cancel_order(stage.symbol, client_order_id=own)
        order = await dex.get_order(stage.symbol, client_order_id=own)
        assert (order["status"], order["client_order_id"]) == (OrderStatus.CANCELED, own)
        left = await dex.read_open_orders(stage.symbol)
        assert [one["client_order_id"] for one in left] == [known["client_order_id"]]

    @staged()
    async def test_an_order_of_an_earlier_run_is_found_by_its_id_and_not_guessed(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        placed = await stage.rest(dex)
        await asyncio.sleep(200)
        never = dex.new_client_id()
        later = await stage.open()
        found = await later.get_order(stage.symbol, placed["id"])
        assert found["status"] is OrderStatus.OPEN
        with pytest.raises(OutcomeUnknown, match=placed["id"]):
            await later.get_order(stage.symbol, client_order_id=placed["client_order_id"])
        with pytest.raises(OrderNotFound):
            await later.get_order(stage.symbol, client_order_id=never)

    @staged()
    async def test_what_an_earlier_run_has_noted_the_next_one_knows(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        kind = self.kept(tmp_path / "sessions")
        dex = await stage.open(kind)
        placed = await stage.rest(dex)
        stage.faults("P.place.nth(1) -> drop_response(reset)")
        with pytest.raises(OutcomeUnknown) as caught:
            await stage.rest(dex, "sell")
        own = caught.value.client_order_id
        await dex.close()
        later = await stage.open(kind)
        for client_id in (placed["client_order_id"], own):
            order = await later.get_order(stage.symbol, client_order_id=client_id)
            assert (order["status"], order["client_order_id"]) == (OrderStatus.OPEN, client_id)
        files = {file.suffix: file for file in (tmp_path / "sessions").iterdir()}
        assert set(files) == {".json", ".orders"}
        assert files[".orders"].stat().st_mode & 0o077 == 0
        stage.check_clean(files[".orders"].read_text())

    @staged()
    async def test_an_order_that_filled_and_whose_answer_was_lost_is_found(
        self, stage: Stage
    ) -> None:
        dex = await stage.open()
        stage.faults("P.place.nth(1) -> drop_response(silence)")
        with pytest.raises(OutcomeUnknown) as caught:
            await dex.create_order(stage.symbol, "buy", stage.unit)
        own = caught.value.client_order_id
        order = await dex.get_order(stage.symbol, client_order_id=own)
        assert (order["status"], order["filled"]) == (OrderStatus.FILLED, stage.unit)

    @staged()
    async def test_a_client_id_of_ones_own_is_refused_before_sending(self, stage: Stage) -> None:
        dex = await stage.open()
        price: Decimal = stage.price("buy", FAR)
        with stage.nothing_sent(), pytest.raises(UsageError, match="client_order_id"):
            await dex.create_order(
                stage.symbol, "buy", stage.unit, price, client_order_id=dex.new_client_id()
            )
