"""The account: each fill once, nothing known between a drop and a snapshot."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpdex.errors import NotSynced
from mpdex.types import (
    Fill,
    FillUpdate,
    Order,
    OrderStatus,
    OrderUpdate,
    Position,
    PositionUpdate,
    StreamDown,
    StreamUp,
    TimeInForce,
)
from mpdex.utils.account import Account

D = Decimal
DOWN = StreamDown("reset by peer")


def fill(trade: str = "1", order_id: str = "a") -> FillUpdate:
    return FillUpdate(
        Fill(
            id=trade,
            order_id=order_id,
            client_order_id="7",
            symbol="X",
            side="buy",
            price=D(10),
            size=D(1),
            fee=None,
            fee_asset="",
            liquidity="maker",
            timestamp_ms=1,
            raw=None,
        )
    )


def order(
    id: str = "a",
    filled: str = "0",
    status: OrderStatus = OrderStatus.OPEN,
    client: str | None = "7",
    symbol: str = "X",
) -> Order:
    return Order(
        id=id,
        client_order_id=client,
        symbol=symbol,
        side="buy",
        type="limit",
        price=D(10),
        size=D(1),
        filled=D(filled),
        average_price=None,
        status=status,
        time_in_force=TimeInForce.GTC,
        post_only=True,
        reduce_only=False,
        reason="",
        timestamp_ms=None,
        raw=None,
    )


def position(size: str, symbol: str = "X") -> Position:
    return Position(
        symbol=symbol,
        side="long",
        size=D(size),
        entry_price=D(10),
        mark_price=None,
        unrealized_pnl=None,
        liquidation_price=None,
        leverage=None,
        raw=None,
    )


def moved(size: str, at: int | None = None, symbol: str = "X") -> PositionUpdate:
    return PositionUpdate(symbol, D(size), position(size, symbol) if D(size) else None, at)


def synced(*events: object) -> Account:
    account = Account("acme")
    account.load([], [])
    for event in events:
        account.apply(event)  # type: ignore[arg-type]
    return account


def filled_of(account: Account) -> dict[str, Decimal]:
    return {o["id"]: o["filled"] for o in account.open_orders()}


# --------------------------------------------------------------------------- what is not known


def test_nothing_is_known_before_the_first_snapshot() -> None:
    account = Account("acme")
    account.apply(StreamUp(1))
    account.apply(moved("1"))
    for read in (account.positions, account.open_orders, lambda: account.position("X")):
        with pytest.raises(NotSynced, match="acme"):
            read()
    assert account.load([], [])
    assert account.position("Y") is None
    assert account.open_orders() == []


def test_nothing_is_known_between_a_drop_and_the_next_snapshot() -> None:
    account = synced(moved("1"), OrderUpdate(order()))
    account.apply(DOWN)
    assert not account.synced
    with pytest.raises(NotSynced):
        account.position("X")
    account.apply(StreamUp(2))
    with pytest.raises(NotSynced):
        account.open_orders()
    assert account.load([position("3")], [])
    assert account.position("X") == position("3")
    assert account.open_orders() == []


def test_a_snapshot_asked_for_before_a_drop_is_refused() -> None:
    account = synced()
    asked = account.revision
    account.apply(DOWN)
    assert not account.load([position("3")], [], asked)
    assert not account.synced
    assert account.load([position("3")], [], account.revision)


# --------------------------------------------------------------------------- fills


def test_a_fill_is_news_once() -> None:
    account = Account()
    assert account.apply(fill()) == fill()
    assert account.apply(fill()) is None
    assert account.apply(fill(order_id="b")) is not None
    assert account.apply(fill(trade="2")) is not None


def test_a_fill_stays_known_over_a_drop() -> None:
    account = synced(fill(), DOWN)
    account.load([], [])
    assert account.apply(fill()) is None


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 6))
def test_the_oldest_fills_are_forgotten_first(trades: list[int], limit: int) -> None:
    account = Account(remembered=limit)
    known: list[int] = []
    for trade in trades:
        news = account.apply(fill(str(trade))) is not None
        assert news == (trade not in known)
        if news:
            known = [*known, trade][-limit:]


# --------------------------------------------------------------------------- positions


def test_positions_follow_the_venue() -> None:
    account = synced(moved("1", 5), moved("2", 6), moved("4", 6, "Y"))
    assert account.position("X") == position("2")
    assert account.positions() == [position("2"), position("4", "Y")]
    account.apply(moved("0", 7))
    assert account.position("X") is None


def test_fills_do_not_move_a_position() -> None:
    account = synced(moved("1"), fill())
    assert account.position("X") == position("1")


def test_an_older_position_is_no_news() -> None:
    account = synced(moved("2", 6))
    assert account.apply(moved("1", 5)) is None
    assert account.position("X") == position("2")
    assert account.apply(moved("3", None)) is not None
    assert account.apply(moved("1", 5)) is None
    assert account.position("X") == position("3")


def test_a_snapshot_does_not_undo_what_events_said_meanwhile() -> None:
    account = synced(moved("1"), moved("1", None, "Z"))
    asked = account.revision
    account.apply(moved("2"))
    account.apply(moved("0", None, "Y"))
    account.load([position("1"), position("8", "Y")], [], asked)
    assert account.positions() == [position("2")]


# --------------------------------------------------------------------------- orders


def test_open_orders() -> None:
    account = synced(OrderUpdate(order()), OrderUpdate(order("b", symbol="Y", client="8")))
    assert account.open_orders("X") == [order()]
    assert account.open_orders() == [order(), order("b", symbol="Y", client="8")]
    account.apply(OrderUpdate(order(status=OrderStatus.CANCELED)))
    assert filled_of(account) == {"b": D(0)}


def test_a_report_that_goes_back_is_no_news() -> None:
    account = synced(OrderUpdate(order(filled="0.5")))
    assert account.apply(OrderUpdate(order(filled="0.2"))) is None
    assert filled_of(account) == {"a": D("0.5")}
    account.apply(OrderUpdate(order(status=OrderStatus.FILLED, filled="1")))
    assert account.apply(OrderUpdate(order(filled="0.5"))) is None
    assert account.open_orders() == []


def test_an_order_known_by_its_client_id_is_found_by_its_id_later() -> None:
    account = synced(OrderUpdate(order(id="", filled="0.3")))
    assert account.apply(OrderUpdate(order(filled="0.1"))) is None
    account.apply(OrderUpdate(order(filled="0.4")))
    assert filled_of(account) == {"a": D("0.4")}
    account.apply(OrderUpdate(order(id="", status=OrderStatus.CANCELED)))
    assert account.open_orders() == []
    assert account.apply(OrderUpdate(order(id=""))) is None
    assert account.apply(OrderUpdate(order())) is None


def test_orders_without_client_ids_do_not_meet() -> None:
    account = synced(OrderUpdate(order("a", client=None)), OrderUpdate(order("b", client=None)))
    account.apply(OrderUpdate(order("a", client=None, status=OrderStatus.CANCELED)))
    assert filled_of(account) == {"b": D(0)}


def test_a_snapshot_of_orders_keeps_what_came_later() -> None:
    account = synced(
        OrderUpdate(order("gone", client="1")),
        OrderUpdate(order("stays", client="2", filled="0.5")),
        OrderUpdate(order("ends", client="3")),
    )
    asked = account.revision
    account.apply(OrderUpdate(order("new", client="4", filled="0.1")))
    account.apply(OrderUpdate(order("ends", client="3", status=OrderStatus.CANCELED)))
    account.load(
        [],
        [
            order("stays", client="2", filled="0.2"),
            order("ends", client="3"),
            order("new", client="4", filled="0.1", status=OrderStatus.PENDING),
            order("unheard", client="5"),
        ],
        asked,
    )
    assert filled_of(account) == {"new": D("0.1"), "stays": D("0.5"), "unheard": D(0)}
    assert {o["status"] for o in account.open_orders()} == {OrderStatus.OPEN}


def test_what_does_not_concern_the_account_passes() -> None:
    account = Account()
    assert account.apply(StreamUp(1)) == StreamUp(1)


events = st.one_of(
    st.builds(
        lambda i, f, s: OrderUpdate(order(str(i), f"{f / 4}", s, client=f"c{i}")),
        st.integers(0, 3),
        st.integers(0, 4),
        st.sampled_from([OrderStatus.OPEN, OrderStatus.CANCELED]),
    ),
    st.just("snapshot"),
)


@given(st.lists(events, max_size=30))
def test_an_order_never_opens_again_and_never_unfills(story: list[object]) -> None:
    """Snapshots are the oldest thinkable: every order open, nothing filled."""
    account, ended, most = synced(), set[str](), dict[str, Decimal]()
    for event in story:
        if event == "snapshot":
            account.load([], [order(str(i), client=f"c{i}") for i in range(4)], 0)
        else:
            assert isinstance(event, OrderUpdate)
            account.apply(event)
            if event.order["status"].terminal:
                ended.add(event.order["id"])
        now = filled_of(account)
        assert not ended & set(now)
        for id, filled in now.items():
            assert filled >= most.get(id, D(0))
            most[id] = filled
