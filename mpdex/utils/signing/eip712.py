"""EIP-712 digests and their signatures, for venues whose orders are typed data.

A venue hashes what never changes once (its domain, its types, the words of an asset) and joins
32-byte words for the rest; there is no generic walk over typed data. One curve call per signature,
one keccak per struct and one for the digest; the key is prepared once, when the signer is made.

Sources: EIP-712 (encodeType, encodeData, domain separator), EIP-191 (version 0x45), EIP-55
(address spelling), RFC 6979 (nonces: signatures are deterministic, s is low). Read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from mpdex.errors import MissingDependency, UsageError

Word: TypeAlias = bytes  # always 32 of them
Sign: TypeAlias = Callable[[bytes], bytes]  # digest -> r, s, recovery id: 65 bytes
Curve: TypeAlias = Callable[[bytes], tuple[Sign, bytes]]  # secret -> sign, public key (65 bytes)

WORD = 32
TRUE: Word = (1).to_bytes(WORD, "big")
FALSE: Word = bytes(WORD)


# --------------------------------------------------------------------------- hash


def pysha3_keccak() -> Callable[[bytes], bytes]:
    """Keccak-256 of safe-pysha3: the fastest, with wheels for Linux only."""
    from sha3 import keccak_256

    def keccak(data: bytes) -> bytes:
        digest: bytes = keccak_256(data).digest()
        return digest

    return keccak


def pycryptodome_keccak() -> Callable[[bytes], bytes]:
    """Keccak-256 of pycryptodome: wheels everywhere, some 4 us more per hash."""
    from Crypto.Hash import keccak as module

    def keccak(data: bytes) -> bytes:
        digest: bytes = module.new(digest_bits=256, data=data).digest()
        return digest

    return keccak


def choose_keccak() -> Callable[[bytes], bytes]:
    """Raises: MissingDependency."""
    for provider in (pysha3_keccak, pycryptodome_keccak):
        try:
            return provider()
        except ImportError:
            continue
    raise MissingDependency(
        "no Keccak-256 here: pip install safe-pysha3 (Linux) or pip install pycryptodome"
    )


keccak256 = choose_keccak()


# --------------------------------------------------------------------------- words


def uint_word(value: int, bits: int = 256) -> Word:
    """Raises: UsageError when `value` is not a `uint<bits>`."""
    if value < 0 or value >> bits:
        raise UsageError(f"{value} does not fit uint{bits}")
    return value.to_bytes(WORD, "big")


def int_word(value: int, bits: int = 256) -> Word:
    """Sign-extended. Raises: UsageError when `value` is not an `int<bits>`."""
    if (value if value >= 0 else ~value) >> (bits - 1):
        raise UsageError(f"{value} does not fit int{bits}")
    return value.to_bytes(WORD, "big", signed=True)


def bool_word(value: bool) -> Word:
    return TRUE if value else FALSE


def address_word(address: str) -> Word:
    """Of 20 bytes in hex, 0x or not. Raises: UsageError."""
    return _hex(address, 20, "address").rjust(WORD, b"\0")


def bytes32_word(value: str | bytes) -> Word:
    """Of exactly 32 bytes, raw or in hex. Raises: UsageError."""
    raw = _hex(value, WORD, "bytes32") if isinstance(value, str) else value
    if len(raw) != WORD:
        raise UsageError(f"bytes32 is 32 bytes, not {len(raw)}")
    return raw


def string_word(text: str) -> Word:
    """A `string` stands in a struct as its hash."""
    return keccak256(text.encode())


def array_word(words: list[Word]) -> Word:
    """An array stands in a struct as the hash of its elements' words, structs as their hashes."""
    return keccak256(b"".join(words))


# --------------------------------------------------------------------------- structs


def type_hash(encoded_type: str) -> Word:
    """Of `Order(uint64 id,Leg[] legs)Leg(bool buy)`: referenced types appended in name order."""
    return keccak256(encoded_type.encode())


class StructType:
    """One fixed layout: a type hashed once, then a join of words for each value."""

    def __init__(self, encoded_type: str) -> None:
        self.encoded_type = encoded_type
        self.type_hash = type_hash(encoded_type)
        own = encoded_type[encoded_type.index("(") + 1 : encoded_type.index(")")]
        self._length = WORD * (1 + len(own.split(",")))

    def hash(self, *words: Word) -> Word:
        """`hashStruct`: one word for each member, in the order of the type.

        Raises: UsageError on a member too many or too few, or one that is not a word.
        """
        data = self.type_hash + b"".join(words)
        if len(data) != self._length:
            raise UsageError(f"wrong number of 32-byte words for {self.encoded_type}")
        return keccak256(data)


def domain_separator(
    name: str, version: str, chain_id: int, verifying_contract: str | None = None
) -> Word:
    """Of a domain with these members and no others; without a contract the type lacks it too."""
    members = "string name,string version,uint256 chainId"
    words = [string_word(name), string_word(version), uint_word(chain_id)]
    if verifying_contract is not None:
        members += ",address verifyingContract"
        words.append(address_word(verifying_contract))
    return StructType(f"EIP712Domain({members})").hash(*words)


def digest(domain: Word, struct_hash: Word) -> bytes:
    """What is signed: of a domain separator and the hash of a struct."""
    return keccak256(b"\x19\x01" + domain + struct_hash)


def personal_digest(text: str) -> bytes:
    """What `personal_sign` signs."""
    data = text.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n%d%s" % (len(data), data))


# --------------------------------------------------------------------------- signatures


class Signature(NamedTuple):
    """`v` is 27 or 28; `r` and `s` are 32 bytes each."""

    r: bytes
    s: bytes
    v: int

    @property
    def r_hex(self) -> str:
        """0x and 64 digits."""
        return "0x" + self.r.hex()

    @property
    def s_hex(self) -> str:
        """0x and 64 digits."""
        return "0x" + self.s.hex()

    @property
    def hex(self) -> str:
        """r, s, v in one: 0x and 130 digits."""
        return f"0x{self.r.hex()}{self.s.hex()}{self.v:02x}"


def coincurve(secret: bytes) -> tuple[Sign, bytes]:
    """libsecp256k1 by coincurve; no wheels for Python 3.14 yet.

    Its public call costs the same as the C function below it (measured 1.00 and 0.95 of one bare
    call with one hash), so nothing of its inside is used.
    """
    from coincurve import PrivateKey

    key = PrivateKey(secret)
    sign_recoverable = key.sign_recoverable

    def sign(message: bytes) -> bytes:
        signature: bytes = sign_recoverable(message, None)
        return signature

    return sign, key.public_key.format(compressed=False)


def btclib(secret: bytes) -> tuple[Sign, bytes]:
    """The same C library by btclib-libsecp256k1, which has wheels for every Python."""
    from btclib_libsecp256k1 import keys, recovery

    recoverable = recovery.sign

    def sign(message: bytes) -> bytes:
        compact: bytes
        compact, recovery_id = recoverable(message, secret)
        return compact + bytes((recovery_id,))

    return sign, keys.pubkey_from_prvkey(secret, compressed=False)


class EvmSigner:
    """Signs digests with one Ethereum key, prepared once.

    Args:
        private_key: 32 bytes in hex, 0x or not.
        curves: providers in order of preference; the first one installed is used.

    Attributes:
        address: in EIP-55 spelling.

    Raises:
        UsageError: not a private key (its text is not repeated).
        MissingDependency: no provider is installed.
    """

    __slots__ = ("_sign", "address")

    def __init__(self, private_key: str, curves: tuple[Curve, ...] = (coincurve, btclib)) -> None:
        secret = _hex(private_key, WORD, "private key")
        self._sign, public_key = _prepare(secret, curves)
        self.address = checksum_address(keccak256(public_key[1:])[-20:])

    def sign(self, message_digest: bytes) -> Signature:
        """One curve call. Raises: ValueError unless the digest is 32 bytes."""
        signature = self._sign(message_digest)
        return Signature(signature[:32], signature[32:64], 27 + signature[64])

    def __repr__(self) -> str:
        return f"EvmSigner({self.address})"


def checksum_address(address: bytes) -> str:
    """EIP-55: a digit is upper case where the hash of the lower case text has 8 or more."""
    text = address.hex()
    marks = keccak256(text.encode()).hex()
    return "0x" + "".join(c.upper() if m >= "8" else c for c, m in zip(text, marks, strict=False))


def _prepare(secret: bytes, curves: tuple[Curve, ...]) -> tuple[Sign, bytes]:
    for curve in curves:
        try:
            return curve(secret)
        except ImportError:
            continue
        except ValueError:
            break
    else:
        raise MissingDependency(
            "no secp256k1 here: pip install coincurve, on Python 3.14 btclib-libsecp256k1"
        )
    # Outside the handler: the provider's exception may hold the key in its frames.
    raise UsageError("the private key is not a secp256k1 key (zero, or above the curve's order)")


def _hex(text: str, length: int, what: str) -> bytes:
    """Raises: UsageError, without the text, which may be secret."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x").removeprefix("0X"))
    except ValueError:
        raw = b""
    if len(raw) != length:
        raise UsageError(f"{what}: {length} bytes in hex expected")
    return raw
