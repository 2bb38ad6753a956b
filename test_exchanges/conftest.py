"""The stage every test stands on: recorded data, the virtual clock, and no way to a real venue."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# What is too slow on one machine is not wrong; time is judged by benchmarks alone.
settings.register_profile(
    "untimed", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = ("127.", "::1", "localhost")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        metavar="DIR",
        default=None,
        help="also run every *.json signing-vector file in DIR",
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of recorded payloads and tapes; tests that need it are skipped elsewhere."""
    folder = Path(os.environ.get("MPDEX_SHARED", ROOT.parent / "shared"))
    if not (folder / "recorded").is_dir():
        pytest.skip(f"no recorded payloads at {folder}; set MPDEX_SHARED")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _no_way_out() -> Iterator[None]:
    """Any connection that is not to this machine fails the test that made it."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else str(address)
        if self.family != socket.AF_UNIX and not str(host).startswith(LOOPBACK):
            raise AssertionError(f"a test tried to reach {host}")
        real(self, address)

    socket.socket.connect = connect  # type: ignore[method-assign]
    yield
    socket.socket.connect = real  # type: ignore[method-assign]


@pytest.fixture(autouse=True, scope="session")
def _nothing_kept_at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sessions, and what is noted of orders, go to a folder of the run."""
    folder = str(tmp_path_factory.mktemp("sessions"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPDEX_SESSIONS_DIR", folder)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_secret_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No key of any simulated world is in any file or warning of the whole run."""
    from artefacts import Artefacts, watched

    artefacts = Artefacts()
    with watched(artefacts):
        yield
    artefacts.search(tmp_path_factory.getbasetemp())
    assert artefacts.found == [], "secrets stand in these"
