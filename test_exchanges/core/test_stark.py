"""The Stark curve against the curve's published cases, venues' own clients and plain arithmetic."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpdex.errors import MissingDependency, UsageError
from mpdex.utils.signing import stark
from mpdex.utils.signing.stark import (
    ORDER,
    P,
    StarkSigner,
    pedersen,
    pedersen_fold,
    pedersen_many,
    poseidon_many,
    short_string,
    starknet_keccak,
)

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "paradex.json").read_text())["cases"]
SIGNED = [case for case in CASES if "message_hash" in case["expected"]]
KEY = 0x101010101010101010101010101010101010101010101010101010101010101
PUBLIC = 0x697E33D2B86A47567DE8EFB17C1BF83B735FEA5E769DF38A44600F186A3F366
BETA = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89
GENERATOR = (
    0x1EF15C18599971B7BECED415A40F0C7DEACFD9B0D1819E03D723D8BC943CFCA,
    0x5668060AA49730B7BE4801DF46EC62DE53ECD11ABE43A32873000C36E8DC1F,
)

DOMAIN_TYPE = starknet_keccak(
    '"StarknetDomain"("name":"shortstring","version":"shortstring","chainId":"shortstring",'
    '"revision":"shortstring")'
)
ORDER_TYPE = starknet_keccak(
    '"Order"("position_id":"felt","base_asset_id":"AssetId","base_amount":"i64",'
    '"quote_asset_id":"AssetId","quote_amount":"i64","fee_asset_id":"AssetId",'
    '"fee_amount":"u64","expiration":"Timestamp","salt":"felt")"PositionId"("value":"u32")'
    '"AssetId"("value":"felt")"Timestamp"("seconds":"u64")'
)

Point = tuple[int, int] | None
felts = st.integers(min_value=0, max_value=P - 1)


def added(one: Point, other: Point) -> Point:
    """On y^2 = x^3 + x + beta."""
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if one == other:
        slope = (3 * x1 * x1 + 1) * pow(2 * y1, -1, P)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def times(factor: int, point: Point) -> Point:
    result: Point = None
    while factor:
        if factor & 1:
            result = added(result, point)
        point = added(point, point)
        factor >>= 1
    return result


def valid(public: Point, message: int, r: int, s: int) -> bool:
    """Textbook ECDSA."""
    inverse = pow(s, -1, ORDER)
    found = added(times(message * inverse % ORDER, GENERATOR), times(r * inverse % ORDER, public))
    return found is not None and found[0] % ORDER == r


def published_form(typed: dict) -> list[int]:
    """The members of a message in their order, as numbers."""
    values = (typed["message"][part["name"]] for part in typed["types"][typed["primaryType"]])
    return [felt_of(value) for value in values]


def felt_of(value: str | int) -> int:
    text = str(value)
    if text.startswith("0x"):
        return int(text, 16)
    return int(text) if text.isdecimal() else short_string(text)


def test_pedersen_of_the_published_case() -> None:
    # starkware-libs/cairo-lang, signature_test_data.json, "hash_test"
    assert (
        pedersen(
            0x3D937C035C878245CAF64531A5756109C53068DA139362728FEB561405371CB,
            0x208A0A10250E382E1E4BBE2880906C2791BF6275695E02FBBC6AEFF9CD8B31A,
        )
        == 0x30E480BED5FE53FA909CC0F8C4D99B8F9F2C016BE4C41E13A4848797979C662
    )


def test_pedersen_of_a_list_ends_with_its_length() -> None:
    assert pedersen_many([7, 8]) == pedersen(pedersen(pedersen(0, 7), 8), 2)
    assert pedersen_many([]) == pedersen(0, 0)


@given(st.lists(felts, max_size=4), st.lists(felts, max_size=4))
@settings(max_examples=20, deadline=None)
def test_a_fold_can_start_anywhere(head: list[int], tail: list[int]) -> None:
    assert pedersen_fold(pedersen_fold(0, head), tail) == pedersen_fold(0, head + tail)


@pytest.mark.parametrize("case", SIGNED, ids=lambda case: case["name"])
def test_typed_data_is_pedersen_lists_of_keccaks_and_short_strings(case: dict) -> None:
    typed, expected = case["expected"]["typed_data"], case["expected"]
    members = ",".join(f"{part['name']}:felt" for part in typed["types"][typed["primaryType"]])
    type_hash = starknet_keccak(f"{typed['primaryType']}({members})")
    domain_type = starknet_keccak("StarkNetDomain(name:felt,chainId:felt,version:felt)")
    chain = int(typed["domain"]["chainId"], 16)
    domain = pedersen_many([domain_type, short_string("Paradex"), chain, 1])
    struct = pedersen_many([type_hash, *published_form(typed)])
    account = int(case["input"]["account_address"], 16)
    message = pedersen_many([short_string("StarkNet Message"), domain, account, struct])
    assert (type_hash, domain_type) == (
        int(expected["type_hash"], 16),
        int(expected["domain_type_hash"], 16),
    )
    assert (domain, struct, message) == (
        int(expected["domain_hash"], 16),
        int(expected["struct_hash"], 16),
        int(expected["message_hash"], 16),
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [  # by poseidon-py 0.2.0, the hash library of starknet-py
        ([], 0x2272BE0F580FD156823304800919530EAA97430E972D7213EE13F4FBF7A5DBC),
        ([1, 2], 0x371CB6995EA5E7EFFCD2E174DE264B5B407027A75A231A70C2C8D196107F0E7),
        ([1, 2, 3], 0x2F0D8840BCF3BC629598D8A6CC80CB7C0D9E52D93DAB244BBF9CD0DCA0AD082),
        ([P - 1], 0x63D090F35B5A95BA789DE1B45B310372AA6ACAA8B58D33713004FD9C334901C),
    ],
    ids=["nothing", "even", "odd", "greatest"],
)
def test_poseidon_of_a_list(values: list[int], expected: int) -> None:
    assert poseidon_many(values) == expected


def test_poseidon_of_a_whole_order_is_what_the_library_makes_of_it() -> None:
    """The library hashes one order layout whole (SNIP-12 revision 1): lists of Poseidon hashes."""
    import fast_stark_crypto

    order = [10001, 0x4254432D36, 1000, 1, -84077000, 1, 42039, 1791209600, 7]
    words = ("Perpetuals", "v0", "SN_MAIN")
    domain = poseidon_many([DOMAIN_TYPE, *map(short_string, words), 1])
    struct = poseidon_many([ORDER_TYPE, *(number % P for number in order)])
    assert poseidon_many(
        [short_string("StarkNet Message"), domain, PUBLIC, struct]
    ) == fast_stark_crypto.get_order_msg_hash(*order, PUBLIC, *words, "1")


@pytest.mark.parametrize("value", [-1, P], ids=["negative", "too great"])
def test_what_is_no_field_element_is_not_hashed(value: int) -> None:
    for hashed in (lambda: pedersen(value, 1), lambda: pedersen(1, value)):
        with pytest.raises(UsageError, match="field element"):
            hashed()
    with pytest.raises(UsageError, match="field element"):
        poseidon_many([1, value])


def test_short_strings() -> None:
    assert short_string("") == 0
    assert short_string("MAINNET") == 0x4D41494E4E4554
    assert short_string("x" * 31) == int("78" * 31, 16)
    for wrong in ("x" * 32, "ä"):
        with pytest.raises(UsageError, match="short string"):
            short_string(wrong)


def test_a_selector_is_the_low_250_bits() -> None:
    # docs.starknet.io, "Contract functions": the entry point `transfer`
    selector = 0x83AFD3F4CAEDC6EEBF44246FE54E38C95E3179A5EC9EA81740ECA5B482D12E
    assert starknet_keccak("transfer") == selector


def test_the_public_key_is_the_point_of_the_private_one() -> None:
    point = times(KEY, GENERATOR)
    assert point is not None
    assert point[0] == PUBLIC == StarkSigner(KEY).public_key
    assert (point[1] ** 2 - point[0] ** 3 - point[0] - BETA) % P == 0


@given(st.integers(1, ORDER - 1), st.integers(0, 2**251 - 1))
@settings(max_examples=15, deadline=None)
def test_signatures_verify(key: int, message: int) -> None:
    r, s = StarkSigner(key).sign(message)
    assert valid(times(key, GENERATOR), message, r, s)
    assert not valid(times(key, GENERATOR), message ^ 1, r, s)


def test_signatures_are_deterministic() -> None:
    message = int(SIGNED[0]["expected"]["message_hash"], 16)
    assert StarkSigner(KEY).sign(message) == StarkSigner(hex(KEY)).sign(message)


@pytest.mark.parametrize("text", [hex(KEY), f"{KEY:064x}", f"0x{KEY:064X}"])
def test_a_private_key_in_hex(text: str) -> None:
    assert StarkSigner(text).public_key == PUBLIC


@pytest.mark.parametrize("key", ["", "0x", "secret", "0x0", hex(ORDER), 0, -5, "-0x5"])
def test_what_is_no_private_key_is_refused_without_being_repeated(key: int | str) -> None:
    with pytest.raises(UsageError) as caught:
        StarkSigner(key)
    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)
    assert hex(ORDER) not in str(caught.value)


@pytest.mark.parametrize("message", [-1, 2**251])
def test_what_is_no_message_hash_is_not_signed(message: int) -> None:
    with pytest.raises(UsageError, match="2\\*\\*251"):
        StarkSigner(KEY).sign(message)


def test_the_key_is_not_shown() -> None:
    assert f"{KEY:x}" not in repr(StarkSigner(KEY))
    assert f"{PUBLIC:x}" in repr(StarkSigner(KEY))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fast_stark_crypto", None)
    stark._library.cache_clear()
    try:
        with pytest.raises(MissingDependency, match="pip install fast-stark-crypto"):
            StarkSigner(KEY)
    finally:
        stark._library.cache_clear()
