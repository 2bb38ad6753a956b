"""Make (once) the environment in which a venue's own SDK judges our simulated venue.

    python tools/reference_env.py grvt        prints the path of that environment's python

The SDKs pin what the project cannot live with (websockets 13, cryptography below 44), so each gets
an environment of its own under `MPDEX_REFERENCE_DIR`, or `~/.cache/mpdex/reference`. An
environment is made again when its pins change; a half-made one is never used. A pin that begins
with `--no-deps` is installed without what it depends on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

PINS: dict[str, tuple[str, ...]] = {
    # coincurve: eth-account signs with it where it is installed, 50 times faster than without
    "grvt": ("grvt-pysdk==0.2.1", "coincurve>=21"),
    "backpack": ("bpx-py==2.0.11",),
    "hyperliquid": ("hyperliquid-python-sdk==0.24.0", "ccxt==4.5.90", "coincurve>=21"),
    # two environments: the SDK needs urllib3 below 2.1, ccxt one of 2026
    "lighter": ("lighter-sdk==1.1.8",),
    "lighter_ccxt": ("ccxt==4.5.90",),
    # the client forgets to name requests
    "treadfi_pc": ("taas-api-client==1.2.9", "requests==2.32.5"),
    "pacifica": ("pacifica-python-sdk==0.1.0a2", "ccxt==4.5.90"),
    # with newer websockets the SDK's streams raise TypeError
    "extended": ("x10-python-trading-starknet==2.6.0", "websockets<14", "ccxt==4.5.90"),
    # one package name, two generations that have nothing in common; the older one imports requests
    # without asking for it
    "edgex": ("edgex-python-sdk==2.0.1",),
    "edgex_v1": ("edgex-python-sdk==0.3.0", "requests"),
    # the curve's authors: judge both sides of every Stark venue
    "stark": ("cairo-lang==0.14.0.1",),
    # its own crypto library has wheels for Python 3.10 only: installed without what it asks for,
    # and with a stand-in for that library beside the script that uses it
    "paradex": (
        "--no-deps paradex-py==0.8.2",
        "starknet-py==0.30.*",
        "poseidon-py==0.2.*",
        "httpx==0.27.*",
        "websockets==15.*",
        "pydantic>=2.12",
        "pyjwt",
        "eth-account>=0.13.6",
        "ledgereth>=0.10",
        "marshmallow-dataclass>=8.6.1",
        "ccxt==4.5.90",
    ),
}


def cache_dir() -> Path:
    """Where the environments live."""
    chosen = os.environ.get("MPDEX_REFERENCE_DIR")
    return Path(chosen) if chosen else Path.home() / ".cache" / "mpdex" / "reference"


def python_of(folder: Path) -> Path:
    """The interpreter of the environment in `folder`."""
    windows = sys.platform == "win32"
    return folder / ("Scripts/python.exe" if windows else "bin/python")


def ensure(venue: str) -> Path:
    """The python of the venue's reference environment, made now if it is not there.

    Raises: KeyError for a venue without a reference client; CalledProcessError when pip fails.
    """
    pins = PINS[venue]
    folder = cache_dir() / venue
    python, stamp = python_of(folder), folder / "pins.txt"
    wanted = "\n".join((*pins, sys.version.split()[0], ""))
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return python
    stamp.unlink(missing_ok=True)
    venv.create(folder, with_pip=True, clear=folder.is_dir())
    alone = [pin.split() for pin in pins if pin.startswith("--no-deps ")]
    for wishes in (*alone, [pin for pin in pins if " " not in pin]):
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *wishes], check=True, stdout=sys.stderr)
    stamp.write_text(wanted)
    return python


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in PINS:
        sys.stderr.write(f"usage: reference_env.py {'|'.join(PINS)}\n")
        return 2
    sys.stdout.write(f"{ensure(arguments[0])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
