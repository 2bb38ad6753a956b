"""Signing against literal cases made by the venues' own clients, and the cost in calls."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpdex.errors import MissingDependency, UsageError
from mpdex.utils.signing import eip712, own_signer
from mpdex.utils.signing.ed25519 import Ed25519Signer
from mpdex.utils.signing.eip712 import (
    EvmSigner,
    StructType,
    address_word,
    array_word,
    bool_word,
    btclib,
    bytes32_word,
    checksum_address,
    coincurve,
    digest,
    domain_separator,
    int_word,
    keccak256,
    personal_digest,
    pycryptodome_keccak,
    pysha3_keccak,
    string_word,
    uint_word,
)
from mpdex.utils.signing.hmac import hmac_sha256_base64, hmac_sha256_hex

KEY = "0x" + "01" * 32
LEG = "OrderLeg(uint256 assetID,uint64 contractSize,uint64 limitPrice,bool isBuyingContract)"
ORDER = (
    "Order(uint64 subAccountID,bool isMarket,uint8 timeInForce,bool postOnly,bool reduceOnly,"
    "OrderLeg[] legs,uint32 nonce,int64 expiration)" + LEG
)
# Signed by a venue's own Python client, key 01..01: buying or selling 1.013 at 64170.7.
CASES = [
    pytest.param(
        True,
        828700936,
        1730800479321350000,
        "7e8bfc79778fc5bb3e12a8f629e3cfb069cf5308a07c0c34cdad8af9d1ea1b32",
        "89ca306aec258b8dac2be7b7f5a584b63729a437aeca3eb4f5e10fad59079bf3"
        "1b95e9ff80c4a92e973558b3b28edbfe38e6d6d55ddfbec686bd9ec06a9db0c4"
        "1c",
        id="buy",
    ),
    pytest.param(
        False,
        890514289,
        1800832307046402733,
        "5f90e8203b94ca1a9f1a22cbb30b6a1d5adb68a6832b7fd508d012be07185d05",
        "c6908d6db00ec62c44199cce4ce307f40696cf8f03ca14bdfabbb1d455ec2cbf"
        "0616a04f66272a2bacc50f75c4c3a79b846eb6e383b7f07d96149ca570203144"
        "1b",
        id="sell",
    ),
]


class TypedOrder:
    """The layout those cases have, as a venue would keep it: constant parts hashed once."""

    def __init__(self) -> None:
        self.domain = domain_separator("GRVT Exchange", "0", 326)
        self.order, self.leg = StructType(ORDER), StructType(LEG)
        self.asset, self.account = uint_word(0x030501), uint_word(8289849667772468, 64)

    def digest(self, buy: bool, nonce: int, expiration: int) -> bytes:
        leg = self.leg.hash(
            self.asset,
            uint_word(1_013_000_000, 64),
            uint_word(64_170_700_000_000, 64),
            bool_word(buy),
        )
        order = self.order.hash(
            self.account,
            bool_word(False),
            uint_word(1, 8),
            bool_word(False),
            bool_word(False),
            array_word([leg]),
            uint_word(nonce, 32),
            int_word(expiration, 64),
        )
        return digest(self.domain, order)


@pytest.mark.parametrize("curve", [coincurve, btclib])
@pytest.mark.parametrize(("buy", "nonce", "expiration", "hashed", "signed"), CASES)
def test_typed_order(
    curve: eip712.Curve, buy: bool, nonce: int, expiration: int, hashed: str, signed: str
) -> None:
    signer = EvmSigner(KEY, (curve,))
    message = TypedOrder().digest(buy, nonce, expiration)
    signature = signer.sign(message)
    assert message.hex() == hashed
    assert signer.address == "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"
    assert signature.hex == "0x" + signed
    assert (signature.r_hex, signature.s_hex) == ("0x" + signed[:64], "0x" + signed[64:128])
    assert signature.v == int(signed[128:], 16)


def test_one_order_costs_four_hashes_and_one_curve_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"keccak": 0, "curve": 0, "key": 0}

    def curve(secret: bytes) -> tuple[eip712.Sign, bytes]:
        calls["key"] += 1
        sign, public_key = coincurve(secret)

        def counted_sign(message: bytes) -> bytes:
            calls["curve"] += 1
            return sign(message)

        return counted_sign, public_key

    def counted_keccak(data: bytes) -> bytes:
        calls["keccak"] += 1
        return keccak256(data)

    signer, layout = EvmSigner(KEY, (curve,)), TypedOrder()
    monkeypatch.setattr(eip712, "keccak256", counted_keccak)
    for nonce in range(3):
        signer.sign(layout.digest(True, nonce, 1))
    assert calls == {"keccak": 4 * 3, "curve": 3, "key": 1}


@given(st.integers(1, 2**255), st.binary(min_size=32, max_size=32))
def test_both_curves_give_the_same_bytes(secret: int, message: bytes) -> None:
    key = secret.to_bytes(32, "big").hex()
    one, two = EvmSigner(key, (coincurve,)), EvmSigner(key, (btclib,))
    assert one.address == two.address
    assert one.sign(message) == two.sign(message)


@given(st.binary(max_size=400))
def test_both_hashes_give_the_same_bytes(data: bytes) -> None:
    assert pysha3_keccak()(data) == pycryptodome_keccak()(data)


def test_keccak_is_not_sha3() -> None:
    # The hash of nothing, as every Ethereum client has it.
    assert keccak256(b"").hex() == (
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )


@given(st.sampled_from([8, 32, 64, 256]), st.integers(-(2**256), 2**257))
def test_integer_words_are_exact_or_refused(bits: int, value: int) -> None:
    for word, low, high in (
        (uint_word, 0, 2**bits),
        (int_word, -(2 ** (bits - 1)), 2 ** (bits - 1)),
    ):
        if low <= value < high:
            assert int.from_bytes(word(value, bits), "big", signed=low < 0) == value
        else:
            with pytest.raises(UsageError, match=f"int{bits}"):
                word(value, bits)


@pytest.mark.parametrize("value", [-(2**63), -1, 0, 1, 2**63 - 1])
def test_a_signed_word_is_sign_extended(value: int) -> None:
    assert int_word(value, 64) == (value % 2**256).to_bytes(32, "big")


def test_other_words() -> None:
    assert bool_word(True) == uint_word(1)
    assert bool_word(False) == uint_word(0)
    assert address_word("0x" + "ab" * 20) == bytes(12) + b"\xab" * 20
    assert bytes32_word("0x" + "cd" * 32) == bytes32_word(b"\xcd" * 32) == b"\xcd" * 32
    assert string_word("USD") == keccak256(b"USD")


@pytest.mark.parametrize(
    "make",
    [
        lambda: address_word("0x12"),
        lambda: address_word("0x" + "zz" * 20),
        lambda: bytes32_word("0x12"),
        lambda: bytes32_word(b"short"),
        lambda: StructType(LEG).hash(uint_word(1)),
        lambda: StructType(LEG).hash(*[uint_word(1)] * 5),
        lambda: StructType(LEG).hash(b"x", *[uint_word(1)] * 3),
    ],
)
def test_what_is_not_a_word_is_refused(make: object) -> None:
    with pytest.raises(UsageError):
        make()  # type: ignore[operator]


def test_domain_with_a_contract() -> None:
    # The example of EIP-712 itself ("Ether Mail").
    separator = domain_separator("Ether Mail", "1", 1, "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC")
    assert separator.hex() == "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"


def test_typed_data_of_the_standard() -> None:
    # EIP-712's own example: struct, digest, and the signature by the key keccak256("cow").
    person = StructType("Person(string name,address wallet)")
    mail = StructType(
        "Mail(Person from,Person to,string contents)Person(string name,address wallet)"
    )
    cow = person.hash(
        string_word("Cow"), address_word("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826")
    )
    bob = person.hash(
        string_word("Bob"), address_word("0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB")
    )
    struct = mail.hash(cow, bob, string_word("Hello, Bob!"))
    separator = domain_separator("Ether Mail", "1", 1, "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC")
    signer = EvmSigner(keccak256(b"cow").hex())
    signature = signer.sign(digest(separator, struct))
    assert struct.hex() == "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"
    assert signer.address == "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"
    assert signature.hex == (
        "0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
        "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c"
    )


@pytest.mark.parametrize(
    "address",  # of EIP-55
    [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    ],
)
def test_checksum_address(address: str) -> None:
    assert checksum_address(bytes.fromhex(address[2:])) == address


def test_personal_digest() -> None:
    # web3.js documentation, accounts.hashMessage("Hello World").
    assert personal_digest("Hello World").hex() == (
        "a1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2"
    )


@pytest.mark.parametrize("key", ["", "0x12", "zz" * 32, "00" * 32, "ff" * 32])
@pytest.mark.parametrize("curve", [coincurve, btclib])
def test_a_bad_key_is_refused_and_not_repeated(key: str, curve: eip712.Curve) -> None:
    with pytest.raises(UsageError) as caught:
        EvmSigner(key, (curve,))
    assert not key or key not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_next_provider_serves_when_one_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = EvmSigner(KEY).sign(bytes(32))
    monkeypatch.setitem(sys.modules, "coincurve", None)
    assert EvmSigner(KEY).sign(bytes(32)) == expected
    monkeypatch.setitem(sys.modules, "btclib_libsecp256k1", None)
    with pytest.raises(MissingDependency, match="pip install coincurve"):
        EvmSigner(KEY)


def test_the_next_hash_serves_when_one_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sha3", None)
    assert eip712.choose_keccak()(b"x") == keccak256(b"x")
    monkeypatch.setitem(sys.modules, "Crypto.Hash", None)
    with pytest.raises(MissingDependency, match="pip install"):
        eip712.choose_keccak()


def test_a_bad_key_is_named_as_its_user_knows_it() -> None:
    with pytest.raises(UsageError, match=r"acme: api_secret is wrong: ") as caught:
        own_signer(EvmSigner, "0xnone", "api_secret", "acme")
    assert "0xnone" not in str(caught.value)


def test_a_missing_library_is_no_fault_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("coincurve", "btclib_libsecp256k1"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match="acme: no secp256k1 here: pip install") as caught:
        own_signer(EvmSigner, KEY, "api_secret", "acme")
    assert "wrong" not in str(caught.value)


def test_signers_do_not_show_their_key() -> None:
    assert "0101" not in repr(EvmSigner(KEY))
    assert "0101" not in repr(Ed25519Signer(b"\x01" * 32))


def test_a_digest_is_32_bytes() -> None:
    with pytest.raises(ValueError, match="32"):
        EvmSigner(KEY).sign(b"short")


# A request signed by a venue's own Python client, seed 01..01.
ED_MESSAGE = (
    b"instruction=orderExecute&orderType=Limit&price=182.35&quantity=0.5&side=Bid"
    b"&symbol=SOL_USDC_PERP&timeInForce=GTC&timestamp=1761587499447&window=5000"
)


def test_ed25519_of_a_seed_in_each_form() -> None:
    seed = b"\x01" * 32
    signer = Ed25519Signer(seed)
    signature = signer.sign(ED_MESSAGE)
    assert signature.hex() == (
        "0f8fa4562fefbf108a8a649397ab670b5c05140c0a8374ea6c2eb68ef9984c33"
        "d209a13ba519c478f3d40fca38d8210efb5e00d72b9c98732c753ae119acb10e"
    )
    assert Ed25519Signer(seed + signer.public_key).sign(ED_MESSAGE) == signature
    by_text = Ed25519Signer.from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
    assert by_text.sign(ED_MESSAGE) == signature


def test_ed25519_of_the_standard() -> None:
    # RFC 8032, section 7.1, test 1.
    signer = Ed25519Signer(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert signer.public_key.hex() == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert signer.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
        "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )


@pytest.mark.parametrize("secret", [b"", b"\x01" * 31, b"\x01" * 64])
def test_ed25519_refuses_a_bad_secret(secret: bytes) -> None:
    with pytest.raises(UsageError):
        Ed25519Signer(secret)


def test_ed25519_refuses_text_that_is_not_base64() -> None:
    with pytest.raises(UsageError) as caught:
        Ed25519Signer.from_base64("not base64!")
    assert "not base64!" not in str(caught.value)


def test_hmac() -> None:
    # RFC 4231, test case 2.
    assert hmac_sha256_hex(b"Jefe", b"what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    assert hmac_sha256_base64(b"Jefe", b"what do ya want for nothing?") == (
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
    )
