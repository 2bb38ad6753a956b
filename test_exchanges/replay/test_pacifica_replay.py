"""Every recorded payload of Pacifica through the wrapper's decoders, with what must come out.

A check is named after its file; a recording without a check fails the suite.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mpdex.errors import (
    AuthError,
    OrderNotFound,
    OutcomeUnknown,
    PrecisionRefused,
    ProtocolError,
    TransportError,
)
from mpdex.types import (
    BboUpdate,
    BookUpdate,
    CancelRequest,
    Event,
    FillUpdate,
    Market,
    MarkUpdate,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    Subscribed,
)
from mpdex.utils.pacifica_frames import call_id
from mpdex.utils.pacifica_wire import decode_order, decode_order_events
from wrappers.pacifica import PacificaExchange
from wrappers.pacifica_ws_client import PacificaAccountClient

D = Decimal
VENUE = PacificaExchange(read_only=True, account="AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9")
PLACE = Request("POST", "/orders/create", signed=True, command=True)
CANCEL = Request("POST", "/orders/cancel", signed=True, command=True)
ORDER = OrderRequest(symbol="BTC", side="buy", size=D("0.002"), price=D(87768), client_id="c")

# Channels that nothing here asks for.
UNREAD_FRAMES = (
    "ws_account_info",
    "ws_account_margin",
    "ws_account_orders_1",
    "ws_account_orders_2",
    "ws_candle",
    "ws_mark_price_candle",
    "ws_pong",
    "ws_trades",
    "ws_unsubscribe_ack",
)
# Answers to what nothing here asks for; none has the fields of an order.
UNREAD_ANSWERS = (
    "http_api_keys_create_ok",
    "http_api_keys_list_empty",
    "http_batch_create_ok",
    "http_funding_history",
    "http_funding_rate_history",
    "http_kline",
    "http_recent_trades",
)
REQUESTS = {
    "ws_request_cancel_order": "/orders/cancel",
    "ws_request_create_market_order": "/orders/create_market",
    "ws_request_create_order": "/orders/create",
}


class Recorded:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Any:
        text = (self.folder / f"{name}.json").read_text()
        return json.loads(text, parse_float=Decimal)

    def frame(self, name: str, **changes: Any) -> bytes:
        """As it came over the wire: compact."""
        message = {**json.loads((self.folder / f"{name}.json").read_text()), **changes}
        return json.dumps(message, separators=(",", ":")).encode()


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recorded:
    return Recorded(shared / "recorded" / "pacifica")


@pytest.fixture
def stream() -> PacificaAccountClient:
    return PacificaAccountClient(keys={"account": "me"})


def events(stream: PacificaAccountClient, frame: bytes) -> list[Event]:
    return list(stream.decode(frame))


def market(symbol: str) -> Market:
    entry = {
        "symbol": symbol,
        "tick_size": "0.000001",
        "lot_size": "0.01",
        "min_order_size": "10",
        "max_leverage": 20,
    }
    return VENUE.decode_markets([{"data": [entry]}])[0]


def test_every_recording_has_a_check(recorded: Recorded) -> None:
    here = Path(__file__).read_text()
    names = [path.stem for path in recorded.folder.glob("*.json")]
    assert len(names) >= 60
    assert [name for name in names if f'"{name}"' not in here] == []


# --------------------------------------------------------------------------- orders


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("http_create_market_order_ok", "241159097"),
        ("http_create_stop_order_ok", "241221627"),
        ("http_edit_order_ok", "241175304"),
    ],
)
def test_placements(recorded: Recorded, name: str, id: str) -> None:
    assert VENUE.decode_error(200, recorded(name), PLACE) is None
    order = VENUE.decode_placement(recorded(name), ORDER)
    assert (order["id"], order["status"]) == (id, OrderStatus.PENDING)
    assert (order["symbol"], order["size"], order["client_order_id"]) == ("BTC", D("0.002"), "c")


@pytest.mark.parametrize("name", ["http_cancel_all_ok", "http_position_tpsl_ok"])
def test_acknowledgements(recorded: Recorded, name: str) -> None:
    assert VENUE.decode_error(200, recorded(name), CANCEL) is None
    assert VENUE.decode_cancel(recorded(name)) is None
    with pytest.raises(ProtocolError):
        VENUE.decode_placement(recorded(name), ORDER)


def test_open_orders(recorded: Recorded) -> None:
    (order,) = VENUE.decode_orders(recorded("http_open_orders"))
    assert (order["id"], order["symbol"], order["side"]) == ("315979358", "ASTER", "sell")
    assert order["client_order_id"] == "add9a4b5-c7f7-4124-b57f-86982d86d479"
    assert (order["price"], order["size"], order["filled"]) == (D("1.836"), D("85.33"), D(0))
    assert (order["status"], order["average_price"]) == (OrderStatus.OPEN, None)
    order = decode_order(recorded("http_open_order_item"), "BTC")
    assert (order["id"], order["side"], order["price"]) == ("241146145", "buy", D(87768))
    assert order["timestamp_ms"] == 1769554042649


def test_order_history(recorded: Recorded) -> None:
    (order,) = VENUE.decode_orders(recorded("http_orders_history"))
    assert (order["id"], order["client_order_id"]) == ("315992721", "ade")
    assert (order["price"], order["size"], order["filled"]) == (D("1.0865"), D(984), D(0))
    assert (order["status"], order["reason"]) == (OrderStatus.OPEN, "")


@pytest.mark.parametrize(
    ("name", "symbol", "status", "reason"),
    [
        ("http_order_history_by_id", "BTC", OrderStatus.OPEN, ""),
        ("http_order_history_by_id_docs", "XPL", OrderStatus.CANCELED, "cancel"),
    ],
)
def test_the_events_of_one_order(
    recorded: Recorded, name: str, symbol: str, status: OrderStatus, reason: str
) -> None:
    events = recorded(name)
    id = str(events["data"][0]["order_id"])
    order = decode_order_events(events["data"], symbol)
    found = VENUE.decode_order_query(events, CancelRequest(symbol=symbol, order_id=id))
    assert found == (order if status.terminal else None), "open there is no news"
    assert (order["id"], order["symbol"], order["status"]) == (id, symbol, status)
    assert (order["reason"], order["raw"]) == (reason, events["data"])


def test_fills(recorded: Recorded) -> None:
    page = VENUE.decode_fills(recorded("http_trades_history"), None)
    assert page.cursor == "11111Z5RK"
    (fill,) = page.fills
    assert (fill["id"], fill["order_id"], fill["symbol"]) == ("19329801", "315293920", "LDO")
    assert (fill["side"], fill["liquidity"]) == ("buy", "maker")
    assert (fill["price"], fill["size"], fill["fee"]) == (D("1.1904"), D("0.1"), D(0))
    assert (fill["fee_asset"], fill["timestamp_ms"]) == ("USDC", 1759215599188)


@pytest.mark.parametrize("name", UNREAD_ANSWERS)
def test_an_answer_to_something_else_is_refused(recorded: Recorded, name: str) -> None:
    answer = recorded(name)
    assert VENUE.decode_error(200, answer, PLACE) is None
    with pytest.raises(ProtocolError):
        VENUE.decode_collateral(answer)


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("name", "status", "request_", "kind"),
    [
        ("http_error_400_signature", 400, PLACE, AuthError),
        ("http_error_400_agent_not_authorized", 400, PLACE, AuthError),
        ("http_error_403_beta_access", 403, PLACE, AuthError),
        ("http_error_amount_too_low", 422, PLACE, PrecisionRefused),
        ("http_error_cancel_unknown_order", 422, CANCEL, OrderNotFound),
        ("http_batch_cancel_failed_item", 200, CANCEL, OrderNotFound),
        ("http_error_404_order_history", 404, Request("GET", "/"), OrderNotFound),
        ("http_error_500", 500, PLACE, OutcomeUnknown),
        ("http_error_500", 500, Request("GET", "/"), TransportError),
    ],
)
def test_errors(
    recorded: Recorded, name: str, status: int, request_: Request, kind: type[Exception]
) -> None:
    error = VENUE.decode_error(status, recorded(name), request_)
    assert type(error) is kind
    assert error.raw == recorded(name)
    assert str(recorded(name)["error"]) in error.detail


# --------------------------------------------------------------------------- markets, account


def test_markets(recorded: Recorded) -> None:
    (btc,) = VENUE.decode_markets([recorded("http_info")])  # and no SOL-USDC, which is spot
    assert (btc["symbol"], btc["coin"], btc["quote"], btc["kind"]) == ("BTC", "BTC", "USDC", "perp")
    assert (btc["tick"], btc["step"], btc["min_size"]) == (D(1), D("0.00001"), D("0.00001"))
    assert (btc["min_notional"], btc["max_size"], btc["max_leverage"]) == (D(10), None, D(50))


def test_prices(recorded: Recorded) -> None:
    answer, xpl = recorded("http_info_prices"), market("XPL")
    assert VENUE.decode_mark(answer, xpl) == D("1.084819")
    rate = VENUE.decode_funding_rate(answer, xpl)
    assert (rate["rate"], rate["interval_hours"]) == (D("0.00011096"), D(1))
    assert rate["next_funding_ms"] == 1759226400000
    with pytest.raises(ProtocolError):
        VENUE.decode_mark(answer, market("BTC"))


def test_book(recorded: Recorded) -> None:
    book = VENUE.decode_book(recorded("http_book"), market("BTC"))
    assert book.snapshot
    assert (len(list(book.bids)), len(list(book.asks))) == (10, 10)
    assert next(iter(book.bids)) == ("89204", "0.0103")
    assert next(iter(book.asks)) == ("89383", "0.00617")
    assert book.timestamp_ms == 1769553881390


@pytest.mark.parametrize(
    ("name", "total", "available"),
    [
        ("http_account", "100.717133", "100.717133"),
        ("http_account_unified_margin", "5478.140323", "5376.512323"),
    ],
)
def test_account(recorded: Recorded, name: str, total: str, available: str) -> None:
    for answer in (recorded(name), {"data": [recorded(name)["data"]]}):  # the older form
        collateral = VENUE.decode_collateral(answer)
        assert (collateral["total"], collateral["available"]) == (D(total), D(available))
        fees = VENUE.decode_fees(answer, market("BTC"))
        assert (fees["maker"], fees["taker"], fees["assumed"]) == (D("0.00015"), D("0.0004"), False)


def test_settings(recorded: Recorded) -> None:
    older = recorded("http_account_settings")
    newer = {"data": {"margin_settings": older["data"], "spot_settings": []}}
    for answer in (older, newer):
        info = VENUE.decode_leverage_info(answer, market("WLFI"))
        assert (info["leverage"], info["margin_mode"]) == (D(5), "cross")
        info = VENUE.decode_leverage_info(answer, market("BTC"))
        assert (info["leverage"], info["margin_mode"]) == (D(20), "cross")


def test_positions(recorded: Recorded) -> None:
    (short,) = VENUE.decode_positions(recorded("http_positions"))
    assert (short["symbol"], short["side"], short["size"]) == ("BTC", "short", D("0.007"))
    assert (short["entry_price"], short["liquidation_price"]) == (D(89114), D("102443.420678"))
    assert short["mark_price"] is short["unrealized_pnl"] is short["leverage"] is None
    (short,) = VENUE.decode_positions(recorded("http_positions_docs"))
    assert (short["symbol"], short["liquidation_price"]) == ("AAVE", None)


# --------------------------------------------------------------------------- streams


def test_book_frame(recorded: Recorded, stream: PacificaAccountClient) -> None:
    (update,) = events(stream, recorded.frame("ws_book"))
    assert update == BookUpdate(
        "SOL",
        [("157.47", "37.86")],
        [("157.49", "12.7"), ("157.5", "44.45")],
        1559885104,
        1559885104,
        True,
        1749051881187,
    )


def test_quote_and_price_frames(recorded: Recorded, stream: PacificaAccountClient) -> None:
    (quote,) = events(stream, recorded.frame("ws_bbo"))
    assert quote == BboUpdate("BTC", "87185", "1.234", "87186", "0.567", 1764133203991)
    (mark,) = events(stream, recorded.frame("ws_prices"))
    assert mark == MarkUpdate("BTC", D(105473), D(105473), 1749051612681)


def test_order_frame(recorded: Recorded, stream: PacificaAccountClient) -> None:
    (update,) = events(stream, recorded.frame("ws_account_order_updates"))
    assert isinstance(update, OrderUpdate)
    order = update.order
    assert (order["id"], order["client_order_id"]) == ("1559665358", None)
    assert (order["side"], order["type"], order["status"]) == ("buy", "limit", OrderStatus.FILLED)
    assert (order["price"], order["average_price"]) == (D(89501), D(89501))
    assert (order["size"], order["filled"]) == (D("0.00012"), D("0.00012"))
    assert (order["reason"], order["timestamp_ms"]) == ("", 1765017049008)


def test_fill_frame(recorded: Recorded, stream: PacificaAccountClient) -> None:
    (update,) = events(stream, recorded.frame("ws_account_trades"))
    assert isinstance(update, FillUpdate)
    fill = update.fill
    assert (fill["id"], fill["order_id"], fill["symbol"]) == ("80063441", "1559912767", "BTC")
    assert (fill["side"], fill["liquidity"]) == ("sell", "taker")
    assert (fill["price"], fill["size"], fill["fee"]) == (D(89477), D("0.00036"), D("0.012885"))
    assert fill["timestamp_ms"] == 1765018588190


def test_position_frames(recorded: Recorded, stream: PacificaAccountClient) -> None:
    """In the order of their numbers: opened, increased, closed."""
    opened = only_position(events(stream, recorded.frame("ws_account_positions_snapshot")))
    assert (opened.symbol, opened.size) == ("BTC", D("0.00022"))
    more = only_position(events(stream, recorded.frame("ws_account_positions_increased")))
    assert more.size == D("0.00044")
    assert more.position is not None
    assert more.position["entry_price"] == D("87285.5")
    assert more.position["liquidation_price"] is None, "no market gets below zero"
    closed = only_position(events(stream, recorded.frame("ws_account_positions_flat")))
    assert closed == PositionUpdate("BTC", D(0), None, None)
    assert events(stream, recorded.frame("ws_account_positions_increased")) == [], "an older one"


def test_confirmation(recorded: Recorded, stream: PacificaAccountClient) -> None:
    assert events(stream, recorded.frame("ws_subscribe_ack")) == [Subscribed("book SOL")]


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("ws_create_order_ok", "645953"),
        ("ws_create_market_order_ok", "645953"),
        ("ws_edit_order_ok", "645954"),
    ],
)
def test_answers_to_orders(
    recorded: Recorded, stream: PacificaAccountClient, name: str, id: str
) -> None:
    assert events(stream, recorded.frame(name)) == [], "not an answer to a call of ours"
    body = only_body(events(stream, recorded.frame(name, id=call_id(12))))
    assert VENUE.decode_error(200, body, PLACE) is None
    assert VENUE.decode_placement(body, ORDER)["id"] == id


@pytest.mark.parametrize("name", ["ws_cancel_order_ok", "ws_cancel_all_orders_ok"])
def test_answers_to_cancels(recorded: Recorded, stream: PacificaAccountClient, name: str) -> None:
    body = only_body(events(stream, recorded.frame(name, id=call_id(12))))
    assert VENUE.decode_error(200, body, CANCEL) is None
    assert VENUE.decode_cancel(body) is None


def test_answer_to_a_batch(recorded: Recorded, stream: PacificaAccountClient) -> None:
    body = only_body(events(stream, recorded.frame("ws_batch_orders_ok", id=call_id(12))))
    assert [result["order_id"] for result in body["data"]["results"]] == [645953, 645954]


def test_a_refused_call(recorded: Recorded, stream: PacificaAccountClient) -> None:
    body = only_body(events(stream, recorded.frame("ws_error_cancel", id=call_id(12))))
    error = VENUE.decode_error(200, body, CANCEL)
    assert type(error) is OrderNotFound
    assert (error.code, error.detail.startswith("Failed to cancel order")) == ("420", True)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_call_has_the_fields_of_the_documented_one(recorded: Recorded, name: str) -> None:
    [(operation, documented)] = recorded(name)["params"].items()
    assert _check_fields(operation, documented).path == REQUESTS[name]


def test_the_actions_of_a_batch_are_calls(recorded: Recorded) -> None:
    for action in recorded("ws_request_batch_orders")["params"]["batch_orders"]["actions"]:
        _check_fields(f"{action['type'].lower()}_order", action["data"])


def _check_fields(operation: str, documented: dict[str, Any]) -> Request:
    """But for the signature, which the vectors check."""
    request = _encoded(operation, documented)
    assert request.call == operation
    proof = {"account", "signature", "timestamp", "expiry_window"}
    assert set(request.json) == set(documented) - proof
    plain = {key: str(value) for key, value in documented.items() if key not in proof}
    assert {key: str(value) for key, value in request.json.items()} == plain
    return request


def _encoded(operation: str, fields: dict[str, Any]) -> Request:
    on = market(fields["symbol"])
    if operation == "cancel_order":
        ids = str(fields.get("order_id", "")), fields.get("client_order_id", "")
        cancel = CancelRequest(symbol=on["symbol"], order_id=ids[0], client_id=ids[1])
        return VENUE.encode_cancel(cancel, on)
    price, percent = fields.get("price"), fields.get("slippage_percent")
    order = OrderRequest(
        symbol=on["symbol"],
        side="buy",
        size=D(fields["amount"]),
        price=None if price is None else D(price),
        client_id=fields["client_order_id"],
        slippage_bps=None if percent is None else D(percent) * 100,
    )
    return VENUE.encode_order(order, on, 0)


@pytest.mark.parametrize("name", UNREAD_FRAMES)
def test_a_channel_never_asked_for_says_nothing(
    recorded: Recorded, stream: PacificaAccountClient, name: str
) -> None:
    assert events(stream, recorded.frame(name)) == []


@pytest.mark.parametrize("name", ["ws_book", "ws_bbo", "ws_account_trades"])
def test_white_space_changes_nothing(
    recorded: Recorded, stream: PacificaAccountClient, name: str
) -> None:
    indented = (recorded.folder / f"{name}.json").read_bytes()
    assert b"\n" in indented
    assert events(stream, indented) == events(stream, recorded.frame(name)) != []


def only_body(found: Sequence[Event]) -> Any:
    (reply,) = found
    assert isinstance(reply, Reply)
    assert (reply.id, reply.error) == (12, None)
    return reply.body


def only_position(found: Sequence[Event]) -> PositionUpdate:
    (update,) = found
    assert isinstance(update, PositionUpdate)
    return update
