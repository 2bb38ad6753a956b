"""The commands as a user runs them: processes, exit codes, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAN = "--primary grvt --hedge backpack --ticker ETH --size 0.01"
SECONDS = 120  # of any command here, on a busy machine


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**clean_environment(), **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MPDEX_")}
    return {**kept, "PYTHONWARNINGS": "error"}


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """`mpdex sim` as a process; what it printed, and the file that `--at` wants."""
    with subprocess.Popen(
        [sys.executable, "-m", "mpdex", "sim", "--venues", "grvt,backpack"],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        file = tmp_path / "venues.json"
        file.write_text(line)
        yield {**json.loads(line), "file": str(file)}
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


def fetch(url: str, method: str = "GET", body: str = "") -> Any:
    data = body.encode() if body else None
    request = urllib.request.Request(url, data=data, method=method)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


def test_the_plan_s_command(tmp_path: Path) -> None:
    done = run("hedge_mode.py", *PLAN.split(), "--iter", "10", "--logs", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["cycles"] == 10
    assert summary["position_primary"] == summary["position_hedge"] == "0"
    assert (tmp_path / "2dex_grvt_backpack_ETH_trades.csv").exists()


def test_fill_timeout_as_the_plan_has_it(tmp_path: Path) -> None:
    words = "--primary grvt --hedge backpack --ticker ETH --size 0.16 --iter 3 --fill-timeout 10"
    done = run("hedge_mode.py", *words.split(), "--logs", str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_real_time_on_the_loop_that_is_installed(tmp_path: Path) -> None:
    words = [*PLAN.split(), "--iter", "2", "--pace", "real", "--logs", str(tmp_path), "--json"]
    done = run("hedge_mode.py", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verified"] is True


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (PLAN.replace("backpack", "bakpack"), 2, "did you mean 'backpack'?"),
        (PLAN + " --hedge-symbol ETH-PERP", 3, "ETH_USDC_PERP"),
        (PLAN.replace("0.01", "0.001"), 3, "0.01"),
        (PLAN.replace("ETH", "NOPE"), 3, "NOPE"),
        (PLAN + " --mode live --confirm live", 2, "MPDEX_GRVT_API_KEY"),
        (PLAN + " --mode live", 2, "--confirm live"),
        (PLAN.replace("backpack", "grvt"), 2, "two different venues"),
    ],
)
def test_a_mistake_is_one_sentence_and_its_exit_code(
    tmp_path: Path, words: str, code: int, sentence: str
) -> None:
    folder = str(tmp_path)
    done = run("hedge_mode.py", *words.split(), "--logs", folder, MPDEX_KEYS_DIR=folder)
    assert done.returncode == code, done.stdout + done.stderr
    told = done.stderr.strip()
    assert sentence in told
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1
    assert list(tmp_path.glob("*trades.csv")) == []


def test_accounts_on_a_running_simulator(simulator: dict[str, Any]) -> None:
    at = ["--at", simulator["file"], "--json"]
    placed = run("main.py", "--module", "order", "--coin", "ETH", "--size", "0.02", *at)
    assert placed.returncode == 0, placed.stderr
    assert len(json.loads(placed.stdout)) == 2
    checked = run("main.py", "--module", "check", *at)
    accounts = {account["venue"]: account for account in json.loads(checked.stdout)}
    assert set(accounts) == {"grvt", "backpack"}
    for account in accounts.values():
        assert [position["size"].rstrip("0") for position in account["positions"]] == ["0.02"]
        assert account["unrealized_pnl"] is not None
    resting = ["--price", "1000", "--post-only"]
    price_band = run("main.py", "--module", "order", "--venues", "backpack", *resting, *at)
    assert price_band.returncode == 1  # far outside the band: the venue refuses
    assert run("main.py", "--module", "cancel", *at).returncode == 0
    assert run("main.py", "--module", "close", *at).returncode == 0
    pnl = {row["venue"]: row for row in json.loads(run("main.py", "--module", "pnl", *at).stdout)}
    assert pnl["backpack"]["fills"] >= 2
    after = json.loads(run("main.py", "--module", "check", *at).stdout)
    assert all(account["positions"] == [] for account in after)


def test_the_control_port_takes_faults_and_tells_the_truth(simulator: dict[str, Any]) -> None:
    control = simulator["control"]
    assert set(fetch(f"{control}/venues")) == {"grvt", "backpack"}
    rules = fetch(f"{control}/faults", "POST", "H.place -> reject(MARGIN)")
    assert rules == ["H.place -> reject(MARGIN)"]
    words = ["main.py", "--module", "order", "--venues", "backpack", "--at", simulator["file"]]
    refused = run(*words)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert fetch(f"{control}/faults", "DELETE") == []
    assert run(*words).returncode == 0
    truth = fetch(f"{control}/truth")["venues"]["backpack"]
    assert sum(len(account["fills"]) for account in truth.values()) >= 1


def test_dry_mode_sends_no_order(simulator: dict[str, Any], tmp_path: Path) -> None:
    words = [*PLAN.split(), "--iter", "1", "--mode", "dry", "--at", simulator["file"]]
    done = run("hedge_mode.py", *words, "--logs", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mode"] == "dry"
    for accounts in fetch(f"{simulator['control']}/truth")["venues"].values():
        assert all(account["orders"] == [] for account in accounts.values())


def test_ctrl_c_drains_and_exits_with_six(simulator: dict[str, Any], tmp_path: Path) -> None:
    words = [*PLAN.split(), "--iter", "100000", "--at", simulator["file"], "--logs", str(tmp_path)]
    words.append("--no-canary")  # so that the first order is a quote
    process = subprocess.Popen(
        [sys.executable, "hedge_mode.py", *words, "--json"],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for_order(simulator["control"])
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 6
    assert json.loads(output)["verified"] is True
    held = fetch(f"{simulator['control']}/truth")["venues"]
    sizes = [p["size"] for a in held.values() for x in a.values() for p in x["positions"]]
    assert sum(float(size) for size in sizes) == pytest.approx(0)


def wait_for_order(control: str) -> None:
    """Ask until the hedge has placed something: the process tells nothing else."""
    for _ in range(100_000):
        truth = fetch(f"{control}/truth")["venues"]["grvt"]
        if any(account["orders"] for account in truth.values()):
            return
    raise AssertionError("no order was placed")
