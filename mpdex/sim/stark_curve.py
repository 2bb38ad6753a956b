"""The Stark curve for simulated venues: points, and tables that multiply a fixed point quickly.

`y^2 = x^3 + x + BETA` over the field of `P` elements; `N` points, all of them multiples of `G`.
A running sum is kept in Jacobian coordinates, `(X / Z^2, Y / Z^3)`, so that no addition divides.

Source: docs.starknet.io, "STARK curve"; hyperelliptic.org/EFD, short Weierstrass curves in
Jacobian coordinates; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

P = 2**251 + 17 * 2**192 + 1
N = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
BETA = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89
Point = tuple[int, int]
Sum = tuple[int, int, int]  # Jacobian coordinates; None is the point at infinity
G: Point = (
    0x1EF15C18599971B7BECED415A40F0C7DEACFD9B0D1819E03D723D8BC943CFCA,
    0x5668060AA49730B7BE4801DF46EC62DE53ECD11ABE43A32873000C36E8DC1F,
)


class Multiples:
    """Every multiple of `point` that a window of `width` bits can ask for, window by window."""

    def __init__(self, point: Point, bits: int = 252, width: int = 4) -> None:
        self._width = width
        self._mask = 2**width - 1
        self._rows = _rows(point, bits, width)

    def add(self, total: Sum | None, factor: int) -> Sum | None:
        """`total + factor * point`."""
        width, mask = self._width, self._mask
        for row in self._rows:
            digit = factor & mask
            if digit:
                total = add(total, row[digit - 1])
            factor >>= width
        return total


def point_of(x: int) -> Point | None:
    """A point with this x, or None where the curve has none; its opposite has the same x."""
    y = _root((x * x * x + x + BETA) % P)
    return None if y is None else (x, y)


def affine(total: Sum | None) -> Point:
    assert total is not None, "the point at infinity has no plain coordinates"
    return _affine([total])[0]


def opposite(total: Sum | None) -> Sum | None:
    return None if total is None else (total[0], P - total[1], total[2])


def add(total: Sum | None, point: Point) -> Sum | None:
    """A running sum and one more point."""
    if total is None:
        return *point, 1
    x, y, z = total
    zz = z * z % P
    h = (point[0] * zz - x) % P
    r = (point[1] * (zz * z % P) - y) % P
    if not h:
        return None if r else double(total)
    hh = h * h % P
    hhh = h * hh % P
    v = x * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - y * hhh) % P, z * h % P


def double(total: Sum) -> Sum:
    x, y, z = total
    yy = y * y % P
    s = 4 * x * yy % P
    zz = z * z % P
    m = (3 * x * x + zz * zz) % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * yy * yy) % P, 2 * y * z % P


def is_x(total: Sum | None, x: int) -> bool:
    """Whether a sum has this x; nothing is divided to find out."""
    return total is not None and (total[0] - x * total[2] * total[2]) % P == 0


def _rows(point: Point, bits: int, width: int) -> list[Sequence[Point]]:
    base = point
    sums: list[Sum] = []
    for _ in range(-(-bits // width)):
        row: list[Sum] = [(*base, 1)]
        for _ in range(2**width - 1):
            total = add(row[-1], base)
            assert total is not None, "no small multiple of a point is at infinity"
            row.append(total)
        base = affine(row.pop())
        sums += row
    points, length = _affine(sums), 2**width - 1
    return [points[start : start + length] for start in range(0, len(points), length)]


def _affine(sums: Sequence[Sum]) -> list[Point]:
    """Plain coordinates of many sums by a single division (Montgomery's trick)."""
    product, products = 1, []
    for total in sums:
        products.append(product)
        product = product * total[2] % P
    return list(_divided(sums, products, pow(product, -1, P)))[::-1]


def _divided(sums: Sequence[Sum], products: Sequence[int], inverse: int) -> Iterable[Point]:
    for (x, y, z), product in zip(reversed(sums), reversed(products), strict=True):
        each = inverse * product % P
        inverse = inverse * z % P
        square = each * each % P
        yield x * square % P, y * square * each % P


def _root(square: int) -> int | None:
    """A square root in the field by Tonelli and Shanks, or None; `P - 1` is `odd * 2**192`."""
    if pow(square, (P - 1) // 2, P) == P - 1:
        return None
    odd, order = (P - 1) >> 192, 192
    unit = pow(3, odd, P)  # 3 is no square in this field
    root, rest = pow(square, (odd + 1) // 2, P), pow(square, odd, P)
    while rest != 1 and square:
        below, step = 0, rest
        while step != 1:
            step, below = step * step % P, below + 1
        factor = pow(unit, 1 << (order - below - 1), P)
        order, unit = below, factor * factor % P
        root, rest = root * factor % P, rest * unit % P
    return root
