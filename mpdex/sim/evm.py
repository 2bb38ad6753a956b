"""Ethereum's signatures for simulated venues: keccak, words, addresses, keys behind signatures.

Nothing here is shared with the code that signs for a client; only keccak and the curve come from
libraries, and where no curve library is installed the curve is computed here, in the open.

Source: EIP-191, EIP-712; SEC 1, section 4.1; SEC 2, section 2.4.1; read 2026-11-21.
"""

from __future__ import annotations

from functools import lru_cache

from Crypto.Hash import keccak as _keccak

try:
    import coincurve
except (
    ImportError
):  # no wheel for this Python: the arithmetic below, a few milliseconds a signature
    coincurve = None  # type: ignore[assignment, unused-ignore]

P = 2**256 - 2**32 - 977  # field of secp256k1 (SEC 2, section 2.4.1)
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Point = tuple[int, int]


def words(*numbers: int) -> bytes:
    """Each number as the 32 bytes EIP-712 encodes it in; negative ones in two's complement."""
    return b"".join(int(n).to_bytes(32, "big", signed=n < 0) for n in numbers)


def keccak(data: bytes) -> bytes:
    return _keccak.new(digest_bits=256, data=data).digest()


def typed_digest(domain_separator: bytes, struct: bytes) -> bytes:
    """What EIP-712 has signed: `struct` is the type hash and the encoded members."""
    return keccak(b"\x19\x01" + domain_separator + keccak(struct))


def personal_digest(message: bytes) -> bytes:
    """What EIP-191 `personal_sign` has signed."""
    return keccak(b"\x19Ethereum Signed Message:\n%d" % len(message) + message)


def sign(private_key: int, hashed: bytes) -> tuple[int, int, int]:
    """(r, s, v) by a throwaway key of a simulated account; not made to keep a real key safe."""
    nonce = int.from_bytes(keccak(words(private_key) + hashed), "big") % N
    point = _multiply(nonce, G)
    assert point is not None, "a nonce is below the order of the curve"
    r = point[0] % N
    s = pow(nonce, -1, N) * (int.from_bytes(hashed, "big") + r * private_key) % N
    odd = point[1] % 2
    return (r, N - s, 28 - odd) if s > N // 2 else (r, s, 27 + odd)


def recover(hashed: bytes, r: int, s: int, v: int) -> str | None:
    """Address (lower case) of the key that signed, or None where no key can have."""
    if not (0 < r < N and 0 < s < N):
        return None
    if coincurve is None:
        point = recover_point(hashed, r, s, v)
        return _address(words(*point)) if point else None
    compact = words(r, s) + bytes([v - 27])
    try:
        key = coincurve.PublicKey.from_signature_and_message(compact, hashed, hasher=None)
    except ValueError:
        return None
    return _address(key.format(compressed=False)[1:])


def personal_signer(text: str, signature: str) -> str | None:
    """Address (lower case) of the wallet that signed a text, with 0x before the signature or not.

    None: no wallet did.
    """
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        return None
    if len(raw) != 65 or raw[64] not in (27, 28):
        return None
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")
    return recover(personal_digest(text.encode()), r, s, raw[64])


def address_of(private_key: int) -> str:
    """Address (lower case) of a private key."""
    point = _multiply(private_key, G)
    assert point is not None, "a private key is below the order of the curve"
    return _address(words(*point))


@lru_cache(maxsize=64)
def _address(public_key: bytes) -> str:
    return "0x" + keccak(public_key)[-20:].hex()


def recover_point(hashed: bytes, r: int, s: int, v: int) -> Point | None:
    """Public key behind a signature: `(s*R - z*G) / r`. Source: SEC 1, section 4.1.6."""
    y = pow(pow(r, 3, P) + 7, (P + 1) // 4, P)
    if y * y % P != (pow(r, 3, P) + 7) % P:
        return None
    if y % 2 != v - 27:
        y = P - y
    inverse = pow(r, -1, N)
    z = int.from_bytes(hashed, "big")
    return _add(_multiply(s * inverse % N, (r, y)), _multiply(-z * inverse % N, G))


def _multiply(factor: int, point: Point) -> Point | None:
    total: Point | None = None
    term: Point | None = point
    while factor:
        if factor & 1:
            total = _add(total, term)
        term = _add(term, term)
        factor >>= 1
    return total


def _add(a: Point | None, b: Point | None) -> Point | None:
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P
