"""Stands in for the SDK's crypto library, which has wheels for Python 3.10 only.

Its four functions by crypto-cpp-py, another library of the same authors' ecosystem: the same
numbers, the extra entropy of 32 included, only slower. `verify` there wants the inverse of `s`.

Source: starknet-crypto-py 0.2.0, crypto-cpp-py 2.0.0.
"""

from __future__ import annotations

from crypto_cpp_py.cpp_bindings import cpp_get_public_key, cpp_hash, cpp_sign, cpp_verify
from crypto_cpp_py.utils import cpp_inv_mod_curve_size


def get_public_key(private_key: int) -> int:
    return cpp_get_public_key(private_key)


def pedersen_hash(left: int, right: int) -> int:
    return cpp_hash(left, right)


def sign(private_key: int, msg_hash: int, seed: int = 32) -> tuple[int, int]:
    return cpp_sign(msg_hash, private_key, seed)


def verify(msg_hash: int, r: int, s: int, public_key: int) -> bool:
    return cpp_verify(msg_hash, r, cpp_inv_mod_curve_size(s), public_key)
