"""From the hedge to the operator's phone and back: the run, and the command line."""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mpdex.alerts import AlertConfig, Alerts
from mpdex.alerts.sender import FLUSH
from mpdex.cli import app
from mpdex.stage import HedgeRun, World, _channels
from mpdex.utils.virtual_loop import run_virtual
from strategies.config import HedgeConfig
from strategies.driver import HedgeResult, Status
from strategies.hedge import run_hedge
from strategies.status_file import StatusFile
from test_exchanges.alerts.service_double import TOKEN, clock, make, served, telegram
from test_exchanges.alerts.test_control import ME, Bot
from test_exchanges.strategies.fake_dex import FakeDex, market
from test_exchanges.strategies.test_hedge import fills_whole

D = Decimal


def play(
    folder: Path, *talk: tuple[float, str], iterations: int = 4, **options: Any
) -> tuple[HedgeResult, Bot]:
    """A hedge on venues in memory, with an operator who says his lines at his times."""

    async def main() -> tuple[HedgeResult, Bot]:
        config = HedgeConfig(
            primary="p",
            hedge="h",
            ticker="ETH",
            size=D("0.5"),
            iterations=iterations,
            logs=folder,
            canary=False,  # these venues trade every order that may not wait
            **options,
        )
        time = clock()
        primary = FakeDex("p", time, auto_fill=fills_whole)
        hedge = FakeDex("h", time, "rest", market(step=D("0.0001"), min_size=D("0.0001")))
        primary.beat()
        hedge.beat()
        bot = Bot()
        async with served(bot.handle) as url, asyncio.timeout(3600):
            alerts = make(
                telegram(url, allow=frozenset({ME})), clock=time, file=folder / "alerts.jsonl"
            )
            for at, text in talk:
                asyncio.get_running_loop().call_later(at, bot.say, text)
            result = await run_hedge(
                config, primary, hedge, clock=time, rng=random.Random(1), alerts=alerts
            )
            await alerts.close()
        assert not primary.live()
        assert not hedge.live()
        assert primary.position + hedge.position == 0
        return result, bot

    return run_virtual(main())


def test_a_run_tells_its_beginning_and_its_end(tmp_path: Path) -> None:
    result, bot = play(tmp_path)
    assert result.exit_code == 0
    assert [text.partition(":")[0] for text in bot.texts] == ["[p/h ETH] start", "[p/h ETH] stop"]
    journal = (tmp_path / "2dex_p_h_ETH_events.jsonl").read_text().splitlines()
    alarms = [one for one in map(json.loads, journal) if one["kind"] == "alarm"]
    noted = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [one["topic"] for one in alarms] == [one["topic"] for one in noted] == ["start", "stop"]


def test_the_operator_drains_a_run(tmp_path: Path) -> None:
    """PR-13: a word in the chat is a drain, never a kill."""
    result, bot = play(tmp_path, (5.0, "/status"), (6.0, "/drain"), iterations=1000)
    assert result.exit_code == 6
    assert result.summary["attempts"] < 20
    assert re.match(r"\w+ \d+/1000 \(\d+ filled\) \| ", bot.texts[1])
    assert any(text.startswith("draining") for text in bot.texts)
    assert "stop" in bot.texts[-1]


def test_the_operator_pauses_and_resumes(tmp_path: Path) -> None:
    result, bot = play(tmp_path, (3.0, "/pause"), (203.0, "/resume"), iterations=30)
    assert result.exit_code == 0
    assert result.summary["seconds"] > 200
    assert len([text for text in bot.texts if "] pause:" in text]) == 1


def test_the_operator_flattens_after_a_word(tmp_path: Path) -> None:
    async def main() -> tuple[HedgeResult, FakeDex]:
        time = clock()
        primary = FakeDex("p", time, auto_fill=fills_whole)
        hedge = FakeDex("h", time, "rest", market(step=D("0.0001"), min_size=D("0.0001")))
        primary.beat()
        hedge.beat()
        bot = Bot()

        def confirm() -> None:
            assert primary.position + hedge.position == 0
            bot.say(f"/flatten {bot.texts[-1].split()[-1]}")

        loop = asyncio.get_running_loop()
        loop.call_later(5.0, bot.say, "/flatten")
        loop.call_later(8.0, confirm)
        config = HedgeConfig(
            primary="p",
            hedge="h",
            ticker="ETH",
            size=D("0.5"),
            iterations=1000,
            logs=tmp_path,
            canary=False,
        )
        async with served(bot.handle) as url, asyncio.timeout(3600):
            alerts = make(telegram(url, allow=frozenset({ME})), clock=time)
            result = await run_hedge(
                config, primary, hedge, clock=time, rng=random.Random(1), alerts=alerts
            )
        return result, primary

    result, primary = run_virtual(main())
    assert result.exit_code == 6
    assert primary.position == 0


def test_a_dead_service_changes_nothing_but_the_last_seconds(tmp_path: Path) -> None:
    """PR-17: the same run, with every channel down."""

    async def main(alerts_of: Any) -> HedgeResult:
        time = clock()
        primary = FakeDex("p", time, auto_fill=fills_whole)
        hedge = FakeDex("h", time, "rest", market(step=D("0.0001"), min_size=D("0.0001")))
        primary.beat()
        hedge.beat()
        config = HedgeConfig(
            primary="p",
            hedge="h",
            ticker="ETH",
            size=D("0.5"),
            iterations=4,
            logs=tmp_path,
            canary=False,
        )
        return await run_hedge(
            config, primary, hedge, clock=time, rng=random.Random(1), alerts=alerts_of()
        )

    dead = telegram("http://127.0.0.1:1", allow=frozenset({ME}))
    well = run_virtual(main(lambda: None))
    ill = run_virtual(main(lambda: make(dead, file=tmp_path / "alerts.jsonl")))
    assert (well.exit_code, ill.exit_code) == (0, 0)
    assert ill.summary["volume"] == well.summary["volume"]
    assert 0 <= ill.summary["seconds"] - well.summary["seconds"] <= FLUSH + 0.1
    noted = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["topic"] for line in noted] == ["start", "stop"]
    assert "alarms do not reach telegram" in (tmp_path / "2dex_p_h_ETH_log.txt").read_text()


# --------------------------------------------------------------------------- the command line


class Hook(BaseHTTPRequestHandler):
    """Takes every POST; says no where the path asks for it."""

    taken: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((self.path, json.loads(body)))
        self.send_response(404 if "no" in self.path else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    handler = type("OneHook", (Hook,), {"taken": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.taken
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MPDEX_KEYS_DIR", str(tmp_path))
    monkeypatch.delenv("MPDEX_ALERTS", raising=False)


def test_a_test_is_said_on_every_channel(
    hook: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, taken = hook
    monkeypatch.setenv("MPDEX_ALERTS_WEBHOOK_URL", f"{url}/yes")
    monkeypatch.setenv("MPDEX_ALERTS_DISCORD_URL", f"{url}/no/{'hushhush' * 4}")
    done = CliRunner().invoke(app, ["alert-test", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"discord": "HTTP 404", "webhook": "reached"}
    assert "hushhush" not in done.output
    assert [path for path, _ in taken] == [f"/no/{'hushhush' * 4}", "/yes"]


def test_a_test_needs_a_channel() -> None:
    done = CliRunner().invoke(app, ["alert-test"])
    assert done.exit_code == 2
    assert "no alert channel is configured; docs/alerts.md says how" in done.stderr


def test_a_run_in_real_time_tells_a_hook(
    hook: tuple[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, taken = hook
    monkeypatch.setenv("MPDEX_ALERTS_WEBHOOK_URL", f"{url}/yes")
    (tmp_path / "alerts.toml").write_text('label = "rig 1"\n[webhook]\n')
    words = "hedge --primary grvt --hedge backpack --ticker ETH --size 0.01 --iter 1 --pace real"
    places = ["--alerts", str(tmp_path / "alerts.toml"), "--logs", str(tmp_path / "logs")]
    done = CliRunner().invoke(app, [*words.split(), *places, "--json"])
    assert done.exit_code in (0, 4), done.output  # what the market costs is not asked here
    topics = [body["topic"] for _, body in taken]
    assert (topics[:2], topics[-1]) == (["test", "start"], "stop")
    assert {body["run"] for _, body in taken} == {"rig 1 grvt/backpack ETH sim"}
    told = CliRunner().invoke(app, ["status", "--json", "--logs", str(tmp_path / "logs")])
    (found,) = json.loads(told.stdout)
    assert (told.exit_code, found["state_of_file"]) == (0, "ended")
    assert found["exit_code"] == done.exit_code
    lines = (tmp_path / "logs" / "2dex_grvt_backpack_ETH_alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["topic"] for line in lines] == topics


def run_of(folder: Path, alerts: str, pace: str) -> HedgeRun:
    config = HedgeConfig(primary="p", hedge="h", ticker="ETH", size=D(1), logs=folder)
    return HedgeRun(config, World(), pace=pace, alerts=alerts)


def test_time_that_jumps_allows_no_channel_beyond_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPDEX_ALERTS_TELEGRAM_TOKEN", TOKEN)
    monkeypatch.setenv("MPDEX_ALERTS_TELEGRAM_CHAT", "7")
    words = "hedge --primary grvt --hedge backpack --ticker ETH --size 0.01 --alerts default"
    done = CliRunner().invoke(app, [*words.split(), "--logs", str(tmp_path)])
    assert done.exit_code == 2
    assert "add --pace real" in done.stderr
    assert _channels(run_of(tmp_path, "default", "real")).remote
    monkeypatch.setenv("MPDEX_ALERTS", "default")
    assert _channels(run_of(tmp_path, "", "real")).remote
    assert not _channels(run_of(tmp_path, "", "fast")).remote


def test_a_status_that_is_stale_is_an_exit_code(tmp_path: Path) -> None:
    class Yesterday:
        def monotonic(self) -> float:
            return 0.0

        def now_ns(self) -> int:
            return 0

        def now_ms(self) -> int:
            return 1_700_000_000_000

    config = HedgeConfig(primary="p", hedge="h", ticker="ETH", size=D(1), logs=tmp_path)
    status = Status(
        "running", "idle", 1, 2, 1, D(0), D(0), D(0), D(0), D(0), quote="", waiting_for="a book"
    )
    StatusFile(config, clock=Yesterday())(status)
    done = CliRunner().invoke(app, ["status", "--logs", str(tmp_path)])
    assert done.exit_code == 1
    assert "stale" in done.stdout
    assert "a book" in done.stdout


def test_no_status_is_a_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["status", "--logs", str(tmp_path)])
    assert done.exit_code == 2
    assert "no hedge has written its status" in done.stderr


def test_a_run_that_does_not_begin_is_told(tmp_path: Path) -> None:
    from mpdex.stage import _tell_refusal

    async def main() -> None:
        alerts = Alerts(
            AlertConfig(), clock=clock(), rng=random.Random(1), file=tmp_path / "alerts.jsonl"
        )
        await _tell_refusal(alerts, HedgeResult(0, {"reason": "done"}))
        await _tell_refusal(alerts, HedgeResult(3, {"reason": "no margin", "problems": ["x"]}))
        await alerts.close()

    run_virtual(main())
    (line,) = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == "did not begin: no margin"
