"""GF(p^5) under the curve of the simulated Lighter: p = 2^64 - 2^32 + 1, z^5 = 3.

An element is one integer: five coefficients in slots of 150 bits, the lowest one first, so that a
sum is one addition and a product one multiplication of long integers. Slots are loose: they hold
any number that is the coefficient modulo p. `multiply` leaves less than 2^66 in each; what goes in
may have up to 146 bits together (66 and 80, say). `unpack` tells the numbers themselves.

Source: T. Pornin, "EcGFp5", eprint 2022/274, sections 3 and 4; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable

from mpdex.sim.venues.lighter_hash import P

SLOT = 150
DEGREE = 5
ALL = SLOT * DEGREE
ONE = 1
_LOW32 = 2**32 - 1
_EACH = sum(1 << SLOT * i for i in range(DEGREE))
_WHOLE = (1 << ALL) - 1
_FIRST_FOUR = (1 << SLOT * 4) - 1
_LOW, _MIDDLE, _HIGH = (((1 << bits) - 1) * _EACH for bits in (64, 32, SLOT - 96))
_CARRY = P * _EACH  # more than any high part: slots stay positive
SPARE = 16 * P * _EACH  # zero, and more than the sum of two loose elements
_ROOT = pow(3, (P - 1) // DEGREE, P)
_TWIST = {power: [pow(_ROOT, power * i, P) for i in range(DEGREE)] for power in (1, 2)}
_ODD = (P - 1) >> 32


def pack(coefficients: Iterable[int]) -> int:
    return sum(value << SLOT * i for i, value in enumerate(coefficients))


def unpack(element: int) -> list[int]:
    """The coefficients, each below p."""
    return [(element >> SLOT * i & (1 << SLOT) - 1) % P for i in range(DEGREE)]


def multiply(a: int, b: int) -> int:
    """The product; 2^64 = 2^32 - 1 and 2^96 = -1 modulo p, in all slots at once."""
    wide = a * b
    wide = (wide & _WHOLE) + 3 * (wide >> ALL)
    return (wide & _LOW) + (wide >> 64 & _MIDDLE) * _LOW32 + _CARRY - (wide >> 96 & _HIGH)


def times_z(element: int) -> int:
    """Every coefficient one place up; the last one comes round as its triple."""
    return ((element & _FIRST_FOUR) << SLOT) + 3 * (element >> SLOT * 4)


def negative(element: int) -> int:
    return pack((P - value) % P for value in unpack(element))


def power(element: int, exponent: int) -> int:
    result = ONE
    for bit in bin(exponent)[2:]:
        result = multiply(result, result)
        if bit == "1":
            result = multiply(result, element)
    return result


def invert(element: int) -> int:
    """1 / element; 0 of 0."""
    rest = _conjugates(element)
    return _scaled(rest, _inverse(unpack(multiply(element, rest))[0]))


def invert_all(elements: list[int]) -> list[int]:
    """Each inverse for three products, by Montgomery's trick. None of them may be 0."""
    products = [ONE]
    for element in elements:
        products.append(multiply(products[-1], element))
    left = invert(products.pop())
    inverses = []
    for element in reversed(elements):
        inverses.append(multiply(left, products.pop()))
        left = multiply(left, element)
    return inverses[::-1]


def is_square(element: int) -> bool:
    return pow(_norm(element), (P - 1) // 2, P) != P - 1


def square_root(element: int) -> int | None:
    """One of the two roots; None where there is none."""
    half = power(element, (P + 1) // 2)
    divisor = _twisted(multiply(half, _twisted(half, 2)), 1)
    root = _root_of_number(_norm(element))
    return None if root is None else _scaled(invert(divisor), root)


def _conjugates(element: int) -> int:
    """The product of the four other conjugates: element^(p + p^2 + p^3 + p^4)."""
    two = multiply(_twisted(element, 1), _twisted(element, 2))
    return multiply(two, _twisted(two, 2))


def _norm(element: int) -> int:
    return unpack(multiply(element, _conjugates(element)))[0]


def _twisted(element: int, times: int) -> int:
    """Frobenius: element^(p^times)."""
    twist = _TWIST[times]
    return pack(value * factor % P for value, factor in zip(unpack(element), twist, strict=True))


def _scaled(element: int, factor: int) -> int:
    return pack(value * factor % P for value in unpack(element))


def _inverse(number: int) -> int:
    return pow(number, -1, P) if number else 0


def _root_of_number(number: int) -> int | None:
    """Tonelli and Shanks; p - 1 is odd times 2^32, and 7 is not a square."""
    if number == 0:
        return 0
    if pow(number, (P - 1) // 2, P) != 1:
        return None
    twos, unit = 32, pow(7, _ODD, P)
    root, rest = pow(number, (_ODD + 1) // 2, P), pow(number, _ODD, P)
    while rest != 1:
        order, square = 0, rest
        while square != 1:
            square, order = square * square % P, order + 1
        step = pow(unit, 1 << twos - order - 1, P)
        twos, unit = order, step * step % P
        root, rest = root * step % P, rest * unit % P
    return root
