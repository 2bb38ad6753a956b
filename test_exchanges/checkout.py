"""What a venue's test file needs of the checkout, so that it also runs as a script, uninstalled."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def recorded(venue: str) -> str:
    """Folder of a venue's recorded payloads, whether it is there or not."""
    return str(Path(os.environ.get("MPDEX_SHARED", ROOT.parent / "shared")) / "recorded" / venue)


def run_as_script(file: str) -> int:
    """See `mpdex.testing.run_as_script`."""
    from mpdex.testing import run_as_script as run

    return run(file)
