"""Stark hashes and signatures of simulated venues, against what the venues' own SDKs made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mpdex.sim import stark
from mpdex.sim.stark_curve import G, Multiples, N, P, add, affine, opposite, point_of

VECTORS = Path(__file__).parents[1] / "vectors" / "paradex.json"
SIGNED = [
    case for case in json.loads(VECTORS.read_text())["cases"] if "message_hash" in case["expected"]
]
KEY = 0x101010101010101010101010101010101010101010101010101010101010101
PUBLIC = 0x697E33D2B86A47567DE8EFB17C1BF83B735FEA5E769DF38A44600F186A3F366
RAW = [  # x10-python-trading-starknet 2.6.0, by fast-stark-crypto
    (
        0x2ABC1234567890ABCDEF,
        0x67A270B32E945991C536B52F809214F728116506276FA514934569F952864A7,
        0x6C373C65B76062A6B0218B84DDA3C68CF1C6F1C2714FD4CAD259AFE628BE609,
    ),
    (
        0x5AB2EC1C9B3B0A1D5A6B0F3F0A8F2C7D1E4B5A6978877665544332211009988,
        0x7780BE6FC5BEE8B44B0F3CAC49CE589C8C92B452B802CAA2C7EE7A5E6937DE9,
        0x7B8BCBDE4ED96718BF08262F6B0985B94ECA0AD8E7F48AF8E433B0633CE1360,
    ),
]


def value(text: str | int) -> int:
    """A member of typed data as the felt that is hashed (SNIP-12, revision 0)."""
    if isinstance(text, int) or not text:
        return int(text or 0)
    try:
        return int(text, 0)
    except ValueError:
        return stark.short_string(text)


@pytest.mark.parametrize("case", SIGNED, ids=lambda case: case["name"])
def test_a_message_hashes_and_verifies_as_the_sdk_made_it(case: dict[str, Any]) -> None:
    made = case["expected"]
    typed = made["typed_data"]
    members = [member["name"] for member in typed["types"][typed["primaryType"]]]
    text = f"{typed['primaryType']}({','.join(f'{member}:felt' for member in members)})"
    assert stark.starknet_keccak(text.encode()) == int(made["type_hash"], 16)
    domain = [
        stark.starknet_keccak(b"StarkNetDomain(name:felt,chainId:felt,version:felt)"),
        *(value(typed["domain"][name]) for name in ("name", "chainId", "version")),
    ]
    assert stark.pedersen_many(domain) == int(made["domain_hash"], 16)
    struct = [int(made["type_hash"], 16), *(value(typed["message"][name]) for name in members)]
    assert stark.pedersen_many(struct) == int(made["struct_hash"], 16)
    message = [
        stark.short_string("StarkNet Message"),
        stark.pedersen_many(domain),
        int(case["input"]["account_address"], 16),
        stark.pedersen_many(struct),
    ]
    hashed = stark.pedersen_many(message)
    assert hashed == int(made["message_hash"], 16)
    signature = made.get("signature") or made["headers"]["PARADEX-STARKNET-SIGNATURE"]
    r, s = (int(number) for number in json.loads(signature))
    key = int(made["l2_public_key"], 16)
    assert stark.public_key_of(int(case["input"]["l2_private_key"], 16)) == key
    assert stark.verify(key, hashed, r, s)
    assert not stark.verify(key, hashed ^ 1, r, s)
    assert not stark.verify(key, hashed, r ^ 1, s)
    assert not stark.verify(PUBLIC if key != PUBLIC else G[0], hashed, r, s)


@pytest.mark.parametrize(("hashed", "r", "s"), RAW)
def test_a_hash_signed_without_extra_entropy_verifies(hashed: int, r: int, s: int) -> None:
    assert stark.public_key_of(KEY) == PUBLIC
    assert stark.verify(PUBLIC, hashed, r, s)
    assert stark.verify(PUBLIC, hashed, r, N - s)  # either half of s, as in Starkware's verifier


@pytest.mark.parametrize("hashed", [0, 1, 2**251 - 1, RAW[1][0]])
def test_what_is_signed_here_verifies_here(hashed: int) -> None:
    r, s = stark.sign(KEY, hashed)
    assert stark.verify(PUBLIC, hashed, r, s)
    assert stark.sign(KEY, hashed) == (r, s)


@pytest.mark.parametrize(
    ("hashed", "r", "s"), [(2**251, 1, 1), (1, 0, 1), (1, 2**251, 1), (1, 1, 0), (1, 1, N)]
)
def test_numbers_out_of_range_are_no_signature(hashed: int, r: int, s: int) -> None:
    assert not stark.verify(PUBLIC, hashed, r, s)


def test_a_key_that_is_no_x_of_the_curve_verifies_nothing() -> None:
    stranger = next(x for x in range(1, 100) if point_of(x) is None)
    assert not stark.verify(stranger, *RAW[0])
    assert not stark.verify(P, *RAW[0])
    assert not stark.verify(0, *RAW[0])


def test_pedersen_of_one_and_two() -> None:
    known = 0x5BB9440E27889A364BCB678B1F679ECD1347ACDEDCBF36E83494F857CC58026
    assert stark.pedersen(1, 2) == known
    assert stark.pedersen(0, 0) == stark.SHIFT[0]


def test_poseidon_permutes_as_the_reference_parameters_do() -> None:
    assert stark.poseidon_many([]) == stark._permuted(1, 0, 0)[0]
    assert stark.poseidon_many([5]) == stark._permuted(5, 1, 0)[0]
    known = 3446325744004048536138401612021367625846492093718951375866996507163446763827
    assert stark._permuted(0, 0, 0)[0] == known  # github.com/starkware-industries/poseidon


def test_a_short_string_is_its_bytes() -> None:
    assert stark.short_string("BTC-USD-PERP") == int.from_bytes(b"BTC-USD-PERP", "big")
    assert stark.short_string("") == 0
    with pytest.raises(ValueError, match="31"):
        stark.short_string("x" * 32)


@pytest.mark.parametrize("factor", [1, 2, 15, 16, 17, 2**128 + 3, N - 1])
def test_multiples_are_what_adding_gives(factor: int) -> None:
    by_table = Multiples(G).add(None, factor)
    assert by_table is not None
    before = Multiples(G).add(None, factor - 1)
    by_step = add(before, G)
    assert by_step is not None
    assert affine(by_table) == affine(by_step)


def test_a_point_and_its_opposite_are_nothing_together() -> None:
    minus = opposite((*G, 1))
    assert minus is not None
    assert add(minus, G) is None
    assert Multiples(G).add(None, N) is None
    assert point_of(G[0]) in (G, affine(minus))
