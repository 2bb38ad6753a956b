"""Funding of a pair: whose payment, which sign, and nothing guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from strategies.funding import Payment, next_payment, receiving_side
from strategies.words import FundingRead, Role

D = Decimal
HOUR = 3_600_000


def told(primary: tuple[str, int | None], hedge: tuple[str, int | None]) -> dict[Role, FundingRead]:
    return {
        "primary": FundingRead("primary", D(primary[0]), primary[1]),
        "hedge": FundingRead("hedge", D(hedge[0]), hedge[1]),
    }


PAYMENTS = [
    (told(("0.0005", HOUR), ("0.0002", HOUR)), (D(3), HOUR)),
    (told(("0.0005", HOUR), ("0.0002", HOUR + 59_000)), (D(3), HOUR)),
    (told(("0.0005", HOUR), ("0.0002", 2 * HOUR)), (D(5), HOUR)),
    (told(("0.0005", 2 * HOUR), ("0.0002", HOUR)), (D(-2), HOUR)),
    (told(("0.0005", None), ("0.0002", HOUR)), (D(-2), HOUR)),
    (told(("0.0005", 5), ("0.0002", HOUR)), (D(-2), HOUR)),
    (told(("0.0005", None), ("0.0002", 5)), None),
    ({}, None),
]


@pytest.mark.parametrize(("funding", "payment"), PAYMENTS)
def test_the_next_payment(
    funding: dict[Role, FundingRead], payment: tuple[Decimal, int] | None
) -> None:
    assert next_payment(funding, 1000) == payment


def test_a_pair_the_other_way_round_is_paid_what_the_first_pays() -> None:
    payment = Payment(D(3), HOUR)
    assert payment.cost("buy") == -payment.cost("sell") == 3


@pytest.mark.parametrize(
    ("rate", "side"), [("0.0005", "sell"), ("-0.0005", "buy"), ("0.0001", None)]
)
def test_who_is_paid(rate: str, side: str | None) -> None:
    funding = told((rate, HOUR), ("0.0001", HOUR))
    assert receiving_side(funding, 0) == side
