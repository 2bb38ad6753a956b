"""Authentication and keys: AU-01 to AU-08 of the fault matrix."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

import pytest
from faults.moments import (
    SLOWLY,
    STILL,
    fills_of,
    journal,
    notes,
    resting,
    seconds_at,
    sent,
    to_hedge,
    until,
)

from exchange_factory import load

pytestmark = pytest.mark.adapter

SWAPPED = {"swapped": True}  # the second venue is the one with logins


def facing(row):
    """The pair with a venue as the hedge whose session can end."""
    return {} if row.logs_in("H") else SWAPPED


async def one_login(lab):
    """How many requests the first login took; none, where proofs are made here."""
    await resting(lab, 1)
    return lab.world.counts[lab.venue("H"), "rest", "auth"]


@pytest.mark.fault("AU-01", tier=1)
def test_au_01_a_session_that_ends_between_fill_and_hedge(row):
    """The hedge is refused for certain, a new login follows, and the hedge goes out once more.
    Where only reads need a session, it goes out once."""
    pair, took = facing(row), []
    row.need_login("H", **pair)

    async def during(lab):
        took.append(await one_login(lab))

    verdict = row("P.trade.maker.nth(2) -> H.expire", cycles=4, outcome="R", during=during, **pair)
    assert verdict.counts[verdict.scenario.hedge, "rest", "auth"] == 2 * took[0]
    assert not sent(verdict, "P", "unwind")
    assert max(to_hedge(verdict)) < 3.0
    made = sum(fill.size for fill in fills_of(verdict, "P", "maker"))
    assert sum(fill.size for fill in fills_of(verdict, "H", "hedge")) == made
    assert notes(verdict).count("hedge refused: session") == bool(took[0])


@pytest.mark.fault("AU-01", tier=1)
def test_au_01_one_login_serves_everybody_who_asks(row):
    """The session is gone for every request and socket at once. (That it is renewed before that, at
    70 % of its life, is WS-15.)"""
    pair, took = facing(row), []
    row.need_login("H", **pair)

    async def during(lab):
        took.append(await one_login(lab))
        await resting(lab, 2)
        lab.world.server.hosts[lab.venue("H")].venue.expire_sessions()

    verdict = row(cycles=4, outcome="R", during=during, **pair)
    assert verdict.counts[verdict.scenario.hedge, "rest", "auth"] == 2 * took[0]


@pytest.mark.fault("AU-02", tier=1)
def test_au_02_a_hedge_key_that_is_revoked_is_not_tried_again_and_again(row):
    async def during(lab):
        await resting(lab, 3)
        lab.faults.add('H.* -> http(401, \'{"code": "UNAUTHORIZED", "message": "key"}\')')
        lab.faults.add("P.fill(q).at(50ms)")

    verdict = row(cycles=8, outcome="HF/HE", during=during)
    counts, venue = verdict.counts, verdict.scenario.hedge
    placed = counts[venue, "rest", "place"] + counts[venue, "ws", "place"]
    assert placed <= 1 + 2 + 2, "no loop of retries"
    assert sent(verdict, "P", "unwind")
    assert max(to_hedge(verdict)) < 5.0
    assert "permission" in verdict.summary["reason"]
    assert not verdict.truth["P"].live


@pytest.mark.fault("AU-02", tier=1)
def test_au_02_a_primary_key_that_is_revoked(row):
    """The socket lives, the session does not, and no new one is to be had."""
    row.need_login("P")
    if not row.logs_in("P"):
        pytest.skip("declared: the venue gives no session")

    async def during(lab):
        await resting(lab, 3)
        lab.faults.add('P.auth -> http(401, \'{"status": "failure"}\')')
        lab.world.server.hosts[lab.venue("P")].venue.expire_sessions()

    verdict = row(cycles=8, outcome="HF/HE", during=during)
    assert verdict.counts[verdict.scenario.primary, "rest", "auth"] < 200, "no hammering"
    assert any(line["page"] for line in journal(verdict, "alarm"))


@pytest.mark.fault("AU-03", tier=2)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_au_03_a_missing_approval_is_found_before_the_first_quote(row, leg):
    """A venue that has no order which cannot fill tells it with the first hedge: not tried again,
    undone, and the end."""
    sounded = row.kind(leg).SPEC.canary == "full"
    rule = f"{leg}.place -> reject(PERMISSION)"
    verdict = row(rule, cycles=4, outcome=3 if sounded else "HF")
    if not sounded:
        assert [i["purpose"] for i in journal(verdict, "intent") if i["role"] == "hedge"] == [
            "hedge"
        ]
        assert len(sent(verdict, "P", "maker")) == 1
        assert "permission" in verdict.summary["reason"]
        return
    assert not verdict.fills("P")
    assert not verdict.fills("H")
    assert not sent(verdict, "P", "maker")
    assert "permission" in verdict.summary["reason"]
    assert "approved" in verdict.summary["reason"], "and what to do about it"


@pytest.mark.fault("AU-04", tier=1)
@pytest.mark.parametrize("skew", ["+3000", "-3000"])
def test_au_04_a_clock_that_is_wrong_from_the_start_starts_nothing(row, skew):
    verdict = row(f"clock.skew({skew})", cycles=4, outcome=3)
    assert not verdict.orders("P")
    assert not verdict.orders("H")
    assert "clock" in verdict.summary["reason"]


@pytest.mark.fault("AU-04", tier=1)
@pytest.mark.parametrize(("step", "outcome"), [("+700", "D"), ("-700", "D"), ("+3000", "HF")])
def test_au_04_a_clock_that_goes_wrong_is_noticed_within_a_minute(row, step, outcome):
    wrong = {}

    async def during(lab):
        await resting(lab, 3)
        await until(lambda: lab.clock.monotonic() > 30)
        lab.bot_clock.skew_ns += int(step) * 1_000_000
        wrong["at"] = lab.clock.monotonic()
        await asyncio.sleep(120)
        lab.bot_clock.skew_ns = 0
        wrong["right"] = lab.clock.monotonic()

    verdict = row(SLOWLY, source=STILL, cycles=30, outcome=outcome, during=during)
    began = wrong["at"] + min(int(step), 0) / 1000  # by the journal's clock, which is the bot's
    noticed = min(at for at, phase in verdict.phases if at > began and phase in STOPPED)
    assert noticed - wrong["at"] <= 61.0
    quotes = [seconds_at(order.created_ns) for order in sent(verdict, "P", "maker")]
    on_the_way = 1.0  # and the journal's own clock is off
    assert not [
        at for at in quotes if noticed + on_the_way < at < wrong.get("right", verdict.seconds)
    ]


STOPPED = ("paused", "draining")


@pytest.fixture
def cookies(monkeypatch):
    """The second venue becomes one whose login comes from a browser: nothing here can renew it."""
    kind = load("grvt")
    monkeypatch.setattr(kind, "SPEC", dataclasses.replace(kind.SPEC, fragile=True))
    return lambda seconds: monkeypatch.setattr("mpdex.sim.venues.grvt.SESSION_SECONDS", seconds)


@pytest.mark.fault("AU-05", tier=2)
@pytest.mark.first_pair
def test_au_05_a_login_that_is_about_to_end_starts_nothing(row, cookies):
    cookies(500)
    verdict = row(cycles=4, outcome=3, **SWAPPED)
    assert not verdict.orders("P")
    assert "log in anew" in verdict.summary["reason"]


@pytest.mark.fault("AU-05", tier=2)
@pytest.mark.first_pair
def test_au_05_quoting_ends_ten_minutes_before_the_login_does(row, cookies):
    """The pair is closed in time; then nothing is quoted any more."""
    cookies(700)
    verdict = row(
        SLOWLY, source=STILL, cycles=40, outcome=6, timeout=250, allow=("END",), **SWAPPED
    )
    paused = max(at for at, phase in verdict.phases if phase == "paused")
    assert 80 < paused < 160
    assert "the login on hedge ends in" in notes(verdict)
    quotes = [seconds_at(order.created_ns) for order in sent(verdict, "P", "maker")]
    assert max(quotes) < paused
    assert not verdict.position("P")


@pytest.mark.fault("AU-06", tier=1)
def test_au_06_no_key_is_ever_written(row, caplog):
    """Every way to fail, at the finest level of logging; keys, sessions and signatures."""
    caplog.set_level(logging.DEBUG)
    secrets = set()

    async def during(lab):
        venues = lab.world.venues
        for venue in venues:
            keys = lab.world.credentials[venue]
            secrets.update(keys[name] for name in keys if is_secret(name))
        await resting(lab, 2)
        secrets.update(token for venue in venues.values() for token in venue.issued())
        for rule in EVERY_FAILURE:
            lab.faults.add(rule)
            await asyncio.sleep(3)
        secrets.update(token for venue in venues.values() for token in venue.issued())
        lab.faults.clear()

    verdict = row(cycles=40, outcome=["R", "D", "HF", "HE"], during=during, idle=True)
    assert len(secrets) >= 3
    assert caplog.text
    for where, text in [("log", caplog.text), ("summary", str(verdict.summary))]:
        assert not [secret for secret in secrets if secret in text], where
    for file in verdict.trail.file.parent.rglob("*"):
        text = file.read_text(errors="replace") if file.is_file() else ""
        assert not [secret for secret in secrets if secret in text], file.name


def is_secret(name):
    """Of a credential."""
    words = ("key", "secret", "phrase", "token", "session")
    return any(word in name for word in words) and "index" not in name


EVERY_FAILURE = (
    "X.place.nth(1) -> http(500, '<html>oops</html>')",
    "H.place.nth(1) -> http(200, '{\"code\": 5}')",
    'X.query_positions.nth(1) -> http(400, \'{"code": "INVALID", "message": "bad"}\')',
    'H.query_open.nth(1) -> http(401, \'{"code": "UNAUTHORIZED", "message": "bad"}\')',
    "P.ws_private.order.nth(1) -> corrupt(1)",
    "P.ws_private.disconnect(0s)",
    "P.auth -> http(403, '<html>wall</html>') x 2",
    "P.expire",
    "H.ws_private.disconnect(1s)",
    "X.place.nth(1) -> drop_response(reset)",
)


@pytest.mark.fault("AU-07", tier=2)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_au_07_orders_that_no_query_shows_start_nothing(row, leg):
    """Acknowledged and told by the stream, but another account is being read."""
    row.need(leg, "canary")
    verdict = row(f"{leg}.query_order -> not_found", cycles=4, outcome=3)
    assert not sent(verdict, "P", "maker")
    assert not verdict.fills("H")
    assert "another account" in verdict.summary["reason"]


# Kinds of frames that tell of an account.
ACCOUNT = ("order", "fill", "position", "balance")


@pytest.mark.fault("AU-07", tier=2)
@pytest.mark.parametrize("leg", ["P", "H"])
def test_au_07_orders_that_the_stream_does_not_show_start_nothing(row, leg):
    """Acknowledged and found by a query, but the private stream is of another account."""
    row.need(leg, "orders")

    async def during(lab):
        host = lab.world.server.hosts[lab.venue(leg)]
        push = host._before_send

        def about_others(conn, payload, kind):
            return [] if kind in ACCOUNT else push(conn, payload, kind)

        host._before_send = about_others

    verdict = row(cycles=4, outcome=3, during=during)
    assert not sent(verdict, "P", "maker")
    assert not verdict.fills("H")
    assert "another account" in verdict.summary["reason"]


@pytest.mark.fault("AU-08", tier=2)
@pytest.mark.parametrize("leg", ["P", "H"])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_au_08_a_signer_that_breaks_on_one_side_starts_nothing(row, monkeypatch, leg, side):
    kind = row.kind(leg)
    encode = kind.encode_order

    def encode_order(self, order, market, now_ns):
        if order.side == side:
            raise OSError("libsecp256k1: symbol not found")
        return encode(self, order, market, now_ns)

    monkeypatch.setattr(kind, "encode_order", encode_order)
    verdict = row(cycles=4, outcome=3)
    assert not verdict.orders("P")
    assert not verdict.orders("H")
    assert f"a {side} order cannot be signed" in verdict.summary["reason"]
