"""Prices and sizes on a venue's grid, and the checks that come before an order.

Nothing here knows a default: tick, step and minimums are those of the `Market` that is handed in.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation

from mpdex.errors import BadOrder
from mpdex.types import Market, Number, Side

# 60 digits hold any 256-bit chain integer exactly, with a fraction of 18 digits still in sight.
_EXACT = Context(prec=60)
_ONE = Decimal(1)


def to_decimal(value: Number) -> Decimal:
    """An exact number; a float becomes the decimal it is written as.

    Raises:
        BadOrder: not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str | float):
        raise BadOrder(f"{value!r} is not a number; pass a Decimal, an int or a text such as '0.1'")
    try:
        number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise BadOrder(f"{value!r} is not a number; pass a text such as '0.1'") from None
    if not number.is_finite():
        raise BadOrder(f"{value!r} is not a finite number; pass a price or a size")
    return number


def plain(number: Decimal) -> str:
    """Decimal text without an exponent, digits as they are; zero is "0"."""
    return format(number, "f") if number else "0"


def snap_size(size: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not larger than `size`."""
    return _multiple(size, step, ROUND_FLOOR)


def snap_price(price: Decimal, market: Market, side: Side, *, toward: bool = False) -> Decimal:
    """`price` on the market's grid.

    Passive by default: a buy goes down and a sell up, so that it does not come nearer to the other
    side than was asked. With `toward` it goes the other way, so that it reaches at least as far.
    """
    down = (side == "buy") != toward
    grid = price_step(price, market)
    return _multiple(price, grid, ROUND_FLOOR if down else ROUND_CEILING)


def price_step(price: Decimal, market: Market) -> Decimal:
    """The distance between two prices there: the tick, or what significant figures leave of it.

    Whole prices are always allowed.
    """
    tick, figures = market["tick"], market["significant_figures"]
    if figures is None or not price:
        return tick
    coarse = _ONE.scaleb(price.adjusted() - figures + 1)
    return max(tick, min(coarse, _ONE))


def common_step(first: Decimal, second: Decimal) -> Decimal:
    """The smallest size that is a multiple of both steps."""
    exponent = min(_exponent(first), _exponent(second))
    units = math.lcm(_units(first, exponent), _units(second, exponent))
    return Decimal(units).scaleb(exponent, _EXACT)


def check_order(market: Market, size: Decimal, price: Decimal | None) -> None:
    """Refuses what the market is known to refuse. `price` None: a market order.

    Raises:
        BadOrder: names the bound and a value that would do.
    """
    _check_size(market, size)
    if price is not None:
        _check_price(market, price)
        _check_notional(market, size, price)


def _check_size(market: Market, size: Decimal) -> None:
    symbol, step, largest = market["symbol"], market["step"], market["max_size"]
    if size < market["min_size"] or size <= 0:
        least = max(market["min_size"], step)
        raise BadOrder(
            f"size {plain(size)} is below the minimum of {symbol}; use {plain(least)} or more"
        )
    if largest is not None and size > largest:
        raise BadOrder(
            f"size {plain(size)} is above the maximum of {symbol}; use {plain(largest)} or less"
        )
    if (snapped := snap_size(size, step)) != size:
        raise BadOrder(
            f"size {plain(size)} is not a multiple of {plain(step)}, the size step of {symbol}; "
            f"use {plain(snapped or step)}"
        )


def _check_price(market: Market, price: Decimal) -> None:
    symbol = market["symbol"]
    if price <= 0:
        raise BadOrder(f"price {plain(price)} of {symbol} is not positive; use a price above 0")
    grid = price_step(price, market)
    if (snapped := _multiple(price, grid, ROUND_FLOOR)) != price:
        raise BadOrder(
            f"price {plain(price)} is not a multiple of {plain(grid)}, the price step of {symbol}; "
            f"use {plain(snapped or grid)}"
        )


def _check_notional(market: Market, size: Decimal, price: Decimal) -> None:
    least = market["min_notional"]
    if least is None or size * price >= least:
        return
    enough = _multiple(_EXACT.divide(least, price), market["step"], ROUND_CEILING)
    raise BadOrder(
        f"size {plain(size)} at {plain(price)} is worth {plain(size * price)}, below the minimum "
        f"of {plain(least)} {market['quote']} for {market['symbol']}; "
        f"use a size of {plain(enough)} or more"
    )


def _multiple(number: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step <= 0:
        raise BadOrder(f"a step of {plain(step)} cannot be; the market's facts are incomplete")
    whole = _EXACT.divide_int(number, step)
    rest = _EXACT.subtract(number, _EXACT.multiply(whole, step))
    if rest and (rounding == ROUND_CEILING) == (rest > 0):
        whole += 1 if rest > 0 else -1
    return _EXACT.multiply(whole, step)


def _exponent(number: Decimal) -> int:
    return int(number.as_tuple().exponent)


def _units(number: Decimal, exponent: int) -> int:
    return int(number.scaleb(-exponent, _EXACT))
