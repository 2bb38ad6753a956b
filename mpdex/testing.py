"""The suite that every venue passes, ours and yours, against its simulated end.

    from mpdex.testing import VenueConformance

    class TestAcme(VenueConformance):
        venue = "acme"
        coin = "ETH"

A test class says which venue it is and what it does not have; see `mpdex.conformance.stage.Suite`
for the attributes. Each test gets a world of its own: the simulated venue on a loopback port with
throwaway keys, in virtual time, so that ten seconds without an answer take none.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mpdex.conformance.doubts import Doubts
from mpdex.conformance.facts import Facts
from mpdex.conformance.orders import Orders
from mpdex.conformance.streams import Streams

__all__ = ["VenueConformance", "run_as_script"]


class VenueConformance(Facts, Orders, Streams, Doubts):
    """One interface, one shape, three answers."""


def run_as_script(file: str | Path) -> int:
    """Runs a venue's test file, `test_<venue>.py`, and its signing vectors; an exit code."""
    path = Path(file).resolve()
    vectors = path.with_name("test_vectors.py")
    files = [str(one) for one in (path, vectors) if one.exists()]
    return pytest.main(["-q", "-k", path.stem.removeprefix("test_"), *files])
