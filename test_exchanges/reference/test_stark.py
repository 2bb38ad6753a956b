"""cairo-lang, StarkWare's own code, judges the Stark curve of the client and of the simulators.

It is asked for hashes, keys and signatures, and whether ours verify. Unseeded it draws the same k
as the client's library, so those signatures are the same; the seeded ones are another k.
"""

from __future__ import annotations

import json
import random
import subprocess
from functools import cache
from typing import Any

import pytest
from reference.sdk import FOLDER, interpreter

from mpdex.sim import stark as simulated
from mpdex.utils.signing import stark

pytestmark = pytest.mark.reference

DRAW = random.Random(20261121)
KEYS = [1, stark.ORDER - 1, *(DRAW.randrange(1, stark.ORDER) for _ in range(4))]


def felt() -> int:
    return DRAW.randrange(stark.P)


PAIRS = [(0, 0), (0, 1), (stark.P - 1, stark.P - 1), *((felt(), felt()) for _ in range(8))]
LISTS = [[felt() for _ in range(length)] for length in range(10)]
MESSAGES = [(key, DRAW.randrange(2**251)) for key in KEYS for _ in range(2)]


@cache
def judged() -> dict[str, Any]:
    """cairo-lang's report, on our signatures too."""
    ours = [stark.StarkSigner(key).sign(hashed) for key, hashed in MESSAGES]
    theirs = [simulated.sign(key, hashed) for key, hashed in MESSAGES]
    signatures = [
        (stark.StarkSigner(key).public_key, hashed, r, s)
        for made in (ours, theirs)
        for (key, hashed), (r, s) in zip(MESSAGES, made, strict=True)
    ]
    given = {
        "pairs": PAIRS,
        "lists": LISTS,
        "keys": KEYS,
        "messages": MESSAGES,
        "signatures": signatures,
    }
    done = subprocess.run(
        [interpreter("stark"), str(FOLDER / "stark_client.py")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_pedersen() -> None:
    assert [stark.pedersen(*pair) for pair in PAIRS] == judged()["pedersen"]
    assert [simulated.pedersen(*pair) for pair in PAIRS] == judged()["pedersen"]


def test_poseidon() -> None:
    assert [stark.poseidon_many(values) for values in LISTS] == judged()["poseidon"]
    assert [simulated.poseidon_many(values) for values in LISTS] == judged()["poseidon"]


def test_public_keys() -> None:
    assert [stark.StarkSigner(key).public_key for key in KEYS] == judged()["public"]
    assert [simulated.public_key_of(key) for key in KEYS] == judged()["public"]


def test_every_signature_of_ours_verifies() -> None:
    assert judged()["verified"] == [True] * (2 * len(MESSAGES))


def test_the_client_draws_the_same_k() -> None:
    ours = [list(stark.StarkSigner(key).sign(hashed)) for key, hashed in MESSAGES]
    assert ours == judged()["signed"]
    assert ours != judged()["seeded"]


@pytest.mark.parametrize("kind", ["signed", "seeded"])
def test_the_simulated_side_takes_its_signatures_and_no_other(kind: str) -> None:
    for (key, hashed), (r, s) in zip(MESSAGES, judged()[kind], strict=True):
        public = simulated.public_key_of(key)
        assert simulated.verify(public, hashed, r, s)
        assert not simulated.verify(public, hashed ^ 1, r, s)
        assert not simulated.verify(public, hashed, r, s ^ 1)
