"""What the recordings of Hyperliquid do not show: keys, flags, refusals, derived news."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mpdex.dex.requests import sealed
from mpdex.errors import (
    AuthError,
    BadOrder,
    InsufficientMargin,
    LimitReached,
    MissingCredentials,
    MpdexError,
    NoImmediateMatch,
    NonceRefused,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    PrecisionRefused,
    PriceOutOfBand,
    ProtocolError,
    RateLimited,
    ReduceOnlyRefused,
    TransportError,
    Unsupported,
    UsageError,
    VenueError,
)
from mpdex.types import (
    CancelRequest,
    Event,
    FillUpdate,
    Order,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Reply,
    Request,
    Session,
    Side,
    Subscribed,
    TimeInForce,
    Topic,
)
from mpdex.utils.markets import MarketList
from mpdex.utils.precision import snap_price
from mpdex.utils.rest import Answer
from mpdex.utils.signing.eip712 import EvmSigner
from wrappers.hyperliquid import TESTNET, HyperliquidExchange
from wrappers.hyperliquid_ws_client import HyperliquidMarketClient, HyperliquidWSClient

D = Decimal
AGENT, WALLET = "0x" + 64 * "1", "0x" + 64 * "2"
AGENT_ADDRESS, ACCOUNT = (EvmSigner(key).address.lower() for key in (AGENT, WALLET))
VAULT, BUILDER, FRIEND = ("0x" + 40 * digit for digit in "abc")
CLOID = "0x" + 32 * "7"
PLACE = Request("POST", "/exchange", json={"type": "order"}, command=True, call="post")

META = {
    "universe": [
        {"szDecimals": 5, "name": "BTC", "maxLeverage": 40},
        {"szDecimals": 4, "name": "OLD", "maxLeverage": 3, "isDelisted": True},
        {"szDecimals": 4, "name": "ETH", "maxLeverage": 25},
        {"szDecimals": 0, "name": "kPEPE", "maxLeverage": 10},
    ],
    "collateralToken": 0,
}
SPOT = {
    "tokens": [
        {"name": "USDC", "szDecimals": 8, "index": 0},
        {"name": "HYPE", "szDecimals": 2, "index": 150},
        {"name": "USDH", "szDecimals": 2, "index": 360},
    ],
    "universe": [
        {"name": "@107", "tokens": [150, 0], "index": 107},
        {"name": "@900", "tokens": [150, 0], "index": 900},
    ],
}
DEXS = [None, {"name": "abc"}, {"name": "xyz", "deployerFeeScale": "1.0"}]
XYZ = {
    "universe": [
        {"szDecimals": 3, "name": "xyz:TSLA", "maxLeverage": 10, "onlyIsolated": True},
        {"szDecimals": 3, "name": "xyz:GOLD", "maxLeverage": 20, "growthMode": "enabled"},
    ],
    "collateralToken": 360,
}


def opened(**options: Any) -> HyperliquidExchange:
    """With markets, as after `init`."""
    options.setdefault("private_key", AGENT)
    options.setdefault("account_address", ACCOUNT)
    venue = HyperliquidExchange(dexs=("xyz",), **options)
    venue._markets.replace(venue.decode_markets([META, SPOT, DEXS, XYZ]))
    return venue


@pytest.fixture
def venue() -> HyperliquidExchange:
    return opened()


def order(**changes: Any) -> OrderRequest:
    usual = OrderRequest(symbol="ETH", side="buy", size=D("0.5"), price=D(3000), client_id=CLOID)
    return replace(usual, **changes)


def proved(venue: HyperliquidExchange, request: Request, now_ms: int = 1000) -> dict[str, Any]:
    """The body that would be sent, without its signature."""
    body: dict[str, Any] = json.loads(venue.sign(sealed(request), now_ms).body)
    assert set(body.pop("signature")) == {"r", "s", "v"}
    return body


# --------------------------------------------------------------------------- markets


def test_markets_of_three_kinds(venue: HyperliquidExchange) -> None:
    markets = {s: venue._markets[s] for s in ("BTC", "OLD", "ETH", "xyz:TSLA", "HYPE/USDC")}
    assets = {symbol: market["raw"]["asset"] for symbol, market in markets.items()}
    assert assets == {"BTC": 0, "OLD": 1, "ETH": 2, "xyz:TSLA": 120_000, "HYPE/USDC": 10_107}
    assert not markets["OLD"]["active"]
    assert (markets["xyz:TSLA"]["coin"], markets["xyz:TSLA"]["quote"]) == ("TSLA", "USDH")
    assert venue._markets.symbol_of("@107") == "HYPE/USDC"
    assert venue._markets.wire_of("HYPE/USDC") == "@107"
    assert venue._markets.symbol_of("@900") == "@900", "two pairs of the same tokens"
    assert venue.encode_markets()[2:] == [
        venue._info("perpDexs"),
        venue._info("meta", dex="xyz"),
    ]


def test_a_thousand_coins_have_a_small_k(venue: HyperliquidExchange) -> None:
    market = venue._markets["kPEPE"]
    assert (market["coin"], market["multiplier"]) == ("PEPE", D(1000))


def test_a_dex_that_is_not_there(venue: HyperliquidExchange) -> None:
    with pytest.raises(ProtocolError, match="xyz"):
        venue.decode_markets([META, SPOT, [None], XYZ])


@pytest.mark.parametrize(
    ("symbol", "price", "side", "on_grid"),
    [
        ("BTC", "63250.57", "buy", "63250"),  # five figures
        ("BTC", "123456", "buy", "123456"),  # a whole price may have more
        ("BTC", "123456.7", "sell", "123457"),
        ("ETH", "3120.554", "buy", "3120.5"),
        ("ETH", "0.91234", "sell", "0.92"),  # 6 decimals less the 4 of a size
        ("kPEPE", "0.00987654", "buy", "0.009876"),
        ("HYPE/USDC", "38.1234567", "sell", "38.124"),
        ("HYPE/USDC", "0.1234567", "buy", "0.12345"),
    ],
)
def test_prices_have_five_figures(
    venue: HyperliquidExchange, symbol: str, price: str, side: Side, on_grid: str
) -> None:
    assert snap_price(D(price), venue._markets[symbol], side) == D(on_grid)


# --------------------------------------------------------------------------- keys and addresses


def test_the_right_address_is_read() -> None:
    assert opened().read_address == ACCOUNT
    assert opened(vault_address=VAULT.upper().replace("0X", "0x")).read_address == VAULT
    assert HyperliquidExchange(private_key=AGENT).read_address == AGENT_ADDRESS
    with pytest.raises(MissingCredentials, match="account_address"):
        _ = HyperliquidExchange(read_only=True).read_address


def test_accounts_of_one_key_are_told_apart() -> None:
    names = {opened(**keys).account_id for keys in ({}, {"vault_address": VAULT})}
    assert len(names) == 2
    assert AGENT not in "".join(names)


def test_an_agents_owner_is_asked_for() -> None:
    venue = HyperliquidExchange(private_key=AGENT)
    asked = venue.encode_account()
    assert asked is not None
    assert asked.json == {"type": "userRole", "user": AGENT_ADDRESS}
    told = {"role": "agent", "data": {"user": ACCOUNT.upper().replace("0X", "0x")}}
    assert venue.decode_account(told) == ACCOUNT
    assert venue.decode_account({"role": "user"}) == AGENT_ADDRESS
    assert opened().encode_account() is None


def test_addresses_are_checked_before_the_first_read() -> None:
    venue = opened(vault_address=VAULT)
    asked = venue.encode_login()
    assert asked.json["user"] == ACCOUNT
    user, vault = (Answer(200, {}, b'{"role":"%b"}' % role) for role in (b"user", b"vault"))
    following = venue.continue_login(user, asked, 0)
    assert isinstance(following, Request)
    assert following.json["user"] == VAULT
    assert venue.continue_login(vault, following, 0) == Session({})
    assert opened().continue_login(user, opened().encode_login(), 0) == Session({})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"role":"agent","data":{"user":"0xowner"}}', AuthError),
        (200, b'{"role":"missing"}', AuthError),
        (200, b"null", ProtocolError),
        (429, b"null", RateLimited),
        (502, b"<html>", TransportError),
    ],
)
def test_an_empty_account_is_never_read(status: int, body: bytes, kind: type[MpdexError]) -> None:
    venue = opened()
    with pytest.raises(kind):
        venue.continue_login(Answer(status, {}, body), venue.encode_login(), 0)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"private_key": "0x12"}, "private_key"),
        ({"wallet_private_key": "zz"}, "wallet_private_key"),
        ({"account_address": "0x12"}, "account_address"),
        ({"vault_address": "nonsense"}, "vault_address"),
        ({"builder": BUILDER}, "builder_fee"),
        ({"builder_fee": "10"}, "builder"),
        ({"builder": BUILDER, "builder_fee": "101"}, "up to 100"),
        ({"builder": BUILDER, "builder_fee": "0.5"}, "whole number"),
    ],
)
def test_keys_that_cannot_be(keys: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        opened(**keys)
    assert all(value not in str(caught.value) for value in keys.values() if len(value) > 4)


def test_the_other_network() -> None:
    venue = opened(testnet=True)
    assert venue.endpoints == TESTNET
    assert opened(testnet=True, endpoints={"ws": "ws://x"}).endpoints == {
        **TESTNET,
        "ws": "ws://x",
    }
    request = venue.encode_order(order(), venue._markets["ETH"], 0)
    here = opened().sign(sealed(request), 1000).body
    assert venue.sign(sealed(request), 1000).body != here


# --------------------------------------------------------------------------- money


@pytest.mark.parametrize("call", ["transfer", "send", "spot", "asset", "withdraw", "builder"])
async def test_an_agent_moves_no_money(call: str) -> None:
    venue = opened()
    calls = {
        "transfer": lambda: venue.transfer_usd(1, to_perp=True),
        "send": lambda: venue.send_usd(FRIEND, 1),
        "spot": lambda: venue.send_spot(FRIEND, "HYPE:0x1", 1),
        "asset": lambda: venue.send_asset(FRIEND, "USDC", 1, destination_dex="xyz"),
        "withdraw": lambda: venue.withdraw(FRIEND, 1),
        "builder": lambda: venue.approve_builder(BUILDER, "0.01%"),
    }
    with pytest.raises(MissingCredentials, match="wallet_private_key"):
        await calls[call]()
    assert not venue.rest_counts


def test_the_wallet_signs_beside_an_agent() -> None:
    venue = opened(wallet_private_key=WALLET)
    own = opened(private_key=WALLET)
    action = {"type": "usdSend", "destination": FRIEND, "amount": "1"}
    request = venue.encode_wallet_action(action)
    assert request.call == "", "it goes by REST"
    assert request.nonce is not None
    body = proved(venue, request)
    assert body["action"]["time"] == body["nonce"] == request.nonce
    assert body["vaultAddress"] is body["expiresAfter"] is None
    assert venue.sign(sealed(request), 1).body == own.sign(sealed(request), 1).body
    assert venue._nonces is not own._nonces, "nonces are counted by signer"


async def test_amounts_that_cannot_be() -> None:
    venue = opened(private_key=WALLET)
    for amount in (0, -1, "0.0000001"):
        with pytest.raises(BadOrder):
            await venue.send_usd(FRIEND, amount)
    with pytest.raises(UsageError, match="destination"):
        await venue.withdraw("nobody", 1)


# --------------------------------------------------------------------------- orders


@pytest.mark.parametrize(
    ("changes", "tif", "life_ms"),
    [
        ({}, "Gtc", 5000),
        ({"post_only": True}, "Alo", 5000),
        ({"time_in_force": TimeInForce.IOC, "reduce_only": True}, "Ioc", 3000),
    ],
)
def test_every_order_ends_if_it_is_late(
    venue: HyperliquidExchange, changes: dict[str, Any], tif: str, life_ms: int
) -> None:
    wanted = order(**changes)
    request = venue.encode_order(wanted, venue._markets["ETH"], 0)
    body = proved(venue, replace(request, nonce=77), now_ms=1000)
    [fields] = body["action"]["orders"]
    assert fields == {
        "a": 2,
        "b": True,
        "p": "3000",
        "s": "0.5",
        "r": wanted.reduce_only,
        "t": {"limit": {"tif": tif}},
        "c": CLOID,
    }
    assert (body["nonce"], body["expiresAfter"], body["vaultAddress"]) == (
        77,
        1000 + life_ms,
        None,
    )
    assert list(body["action"]) == ["type", "orders", "grouping"]


def test_vault_and_builder_are_in_the_order() -> None:
    venue = opened(
        vault_address=VAULT, builder=BUILDER.upper().replace("0X", "0x"), builder_fee="10"
    )
    body = proved(venue, venue.encode_order(order(), venue._markets["ETH"], 0))
    assert body["vaultAddress"] == VAULT
    assert body["action"]["builder"] == {"b": BUILDER, "f": 10}
    plain = opened().sign(sealed(venue.encode_cancel(cancel(), venue._markets["ETH"])), 1).body
    ours = venue.sign(sealed(venue.encode_cancel(cancel(), venue._markets["ETH"])), 1).body
    assert json.loads(plain)["signature"] != json.loads(ours)["signature"]


@pytest.mark.parametrize(
    ("symbol", "changes"),
    [
        ("ETH", {"price": None}),
        ("ETH", {"time_in_force": TimeInForce.FOK}),
        ("ETH", {"slippage_bps": D(5)}),
        ("HYPE/USDC", {"reduce_only": True}),
    ],
)
def test_what_the_venue_does_not_take(
    venue: HyperliquidExchange, symbol: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported):
        venue.encode_order(order(symbol=symbol, **changes), venue._markets[symbol], 0)


@pytest.mark.parametrize("text", ["1", "0x12", "0x" + 32 * "g", "0X" + 32 * "1", 34 * "1"])
def test_client_ids_have_one_form(venue: HyperliquidExchange, text: str) -> None:
    with pytest.raises(BadOrder):
        venue.encode_order(order(client_id=text), venue._markets["ETH"], 0)


def cancel(**which: str) -> CancelRequest:
    return CancelRequest(symbol="ETH", **(which or {"client_id": CLOID}))


def test_cancels_by_either_id(venue: HyperliquidExchange) -> None:
    market = venue._markets["ETH"]
    by_id = venue.encode_cancel(cancel(order_id="12"), market)
    assert by_id.json == {"type": "cancel", "cancels": [{"a": 2, "o": 12}]}
    by_name = venue.encode_cancel(cancel(), market)
    assert by_name.json == {"type": "cancelByCloid", "cancels": [{"asset": 2, "cloid": CLOID}]}
    assert proved(venue, by_name)["expiresAfter"] is None
    with pytest.raises(BadOrder):
        venue.encode_cancel(cancel(order_id="0x12"), market)


def test_the_fence_uses_the_orders_own_nonce(venue: HyperliquidExchange) -> None:
    body = proved(venue, venue.encode_fence(1234, venue._markets["ETH"]))
    assert (body["action"], body["nonce"]) == ({"type": "noop"}, 1234)


def test_leverage_is_whole_and_isolated_where_it_must_be(venue: HyperliquidExchange) -> None:
    request = venue.encode_leverage(venue._markets["ETH"], D(7), 0)
    assert request.json == {"type": "updateLeverage", "asset": 2, "isCross": True, "leverage": 7}
    isolated = venue.encode_leverage(venue._markets["xyz:TSLA"], D(3), 0)
    assert isolated.json["isCross"] is False
    with pytest.raises(BadOrder):
        venue.encode_leverage(venue._markets["ETH"], D("2.5"), 0)
    with pytest.raises(Unsupported):
        venue.encode_leverage(venue._markets["HYPE/USDC"], D(2), 0)


def test_orders_are_looked_for_by_either_id(venue: HyperliquidExchange) -> None:
    market = venue._markets["ETH"]
    [by_name] = venue.encode_order_queries(cancel(), market)
    assert by_name.json == {"type": "orderStatus", "user": ACCOUNT, "oid": CLOID}
    [by_id] = venue.encode_order_queries(cancel(order_id="9"), market)
    assert by_id.json["oid"] == 9
    assert by_id.signed, "who the account is has to be known first"


def test_every_dex_is_asked_for_its_orders(venue: HyperliquidExchange) -> None:
    everywhere = [request.json["dex"] for request in venue.encode_open_orders(None)]
    assert everywhere == ["", "xyz"]
    [there] = venue.encode_positions(venue._markets["xyz:TSLA"])
    assert there.json["dex"] == "xyz"


# --------------------------------------------------------------------------- pages and fees


def fills(times: Sequence[int]) -> list[dict[str, Any]]:
    return [fill(time=time, tid=number) for number, time in enumerate(times, 1)]


def fill(**changes: Any) -> dict[str, Any]:
    usual = {"coin": "ETH", "px": "3000", "sz": "0.2", "side": "B", "time": 50, "oid": 5}
    more = {"startPosition": "0.0", "crossed": False, "fee": "0.1", "feeToken": "USDC", "tid": 1}
    return {**usual, **more, **changes}


def test_pages_of_fills_go_on_where_the_last_one_ended(venue: HyperliquidExchange) -> None:
    assert venue.decode_fills(fills([1, 2, 3]), None).cursor is None
    for times, cursor in (
        (range(2000), "startTime 1999"),
        (range(1999, -1, -1), "endTime 0"),
    ):
        assert venue.decode_fills(fills(times), None).cursor == cursor
    crowded = fills([7] * 2000)
    assert venue.decode_fills(crowded, "startTime 7").cursor == "startTime 8"
    asked = venue.encode_fills(None, 5, "endTime 9")
    assert asked.json == {
        "type": "userFillsByTime",
        "user": ACCOUNT,
        "startTime": 5,
        "endTime": 9,
    }


FEES = {
    "userCrossRate": "0.00045",
    "userAddRate": "0.00015",
    "userSpotCrossRate": "0.0007",
    "userSpotAddRate": "0.0004",
}


@pytest.mark.parametrize(
    ("symbol", "maker", "taker"),
    [
        ("ETH", "0.00015", "0.00045"),
        ("HYPE/USDC", "0.0004", "0.0007"),
        ("xyz:TSLA", "0.0003", "0.0009"),
        ("xyz:GOLD", "0.00003", "0.00009"),  # growth
    ],
)
def test_fees(venue: HyperliquidExchange, symbol: str, maker: str, taker: str) -> None:
    told = venue.decode_fees(FEES, venue._markets[symbol])
    assert (told["maker"], told["taker"], told["assumed"]) == (D(maker), D(taker), False)


def test_a_builder_takes_a_part_and_a_rebate_is_not_scaled() -> None:
    venue = opened(builder=BUILDER, builder_fee="10")
    told = venue.decode_fees({**FEES, "userAddRate": "-0.00002"}, venue._markets["xyz:TSLA"])
    assert (told["maker"], told["taker"]) == (D("0.00008"), D("0.001"))


def test_a_mode_of_the_account_that_is_not_known(venue: HyperliquidExchange) -> None:
    state = {"assetPositions": [], "marginSummary": {"accountValue": "5"}, "withdrawable": "1"}
    spot = {"balances": [{"coin": "USDC", "total": "9", "hold": "2"}]}
    for mode, total, free in (("default", 5, 1), ("unifiedAccount", 9, 7)):
        told = venue.decode_collateral([mode, state, spot])
        assert (told["total"], told["available"]) == (total, free)
    with pytest.raises(ProtocolError, match="brandNew"):
        venue.decode_collateral(["brandNew", state, spot])


def test_a_quota_below_zero_is_none_left(venue: HyperliquidExchange) -> None:
    assert venue.decode_requests_left({"nRequestsUsed": 37986, "nRequestsCap": 10436}) == 0


# --------------------------------------------------------------------------- refusals

TEXTS: dict[str, type[MpdexError]] = {
    "Post only order would have immediately matched, bbo was 64143@64144. asset=0": (
        PostOnlyWouldCross
    ),
    "Insufficient margin to place order. asset=5": InsufficientMargin,
    "Insufficient spot balance asset=10107": InsufficientMargin,
    "Order must have minimum value of $10. asset=5": PrecisionRefused,
    "Order must have minimum value of 10 USDC. asset=10000": PrecisionRefused,
    "Order could not immediately match against any resting orders. asset=5": NoImmediateMatch,
    "Price must be divisible by tick size. asset=5": PrecisionRefused,
    "Order has invalid size.": PrecisionRefused,
    "Reduce only order would increase position. asset=3": ReduceOnlyRefused,
    "Order price cannot be more than 95% away from the reference price": PriceOutOfBand,
    "Price too far from oracle asset=4": PriceOutOfBand,
    "Order value too large. Max is $5000000.": LimitReached,
    "Order would increase open interest too quickly": LimitReached,
    "Order was never placed, already canceled, or filled. asset=5": OrderNotFound,
    "Vault not registered: 0x00": AuthError,
    "Must deposit before performing actions. User: 0x00": AuthError,
    "Builder fee has not been approved.": AuthError,
    "Invalid nonce: nonce too low 1 < 2": NonceRefused,
    "Action already expired": NonceRefused,
    "Too many cumulative requests sent (37986 > 10436) for cumulative volume": RateLimited,
    "Something nobody has seen. asset=5": OrderRejected,
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_refusals(venue: HyperliquidExchange, text: str) -> None:
    for answer in (
        {"status": "err", "response": text},
        {"status": "ok", "response": {"type": "order", "data": {"statuses": [{"error": text}]}}},
        {"status": "error", "response": "400 " + text} if text.startswith("Some") else None,
    ):
        if answer is None:
            continue
        error = venue.decode_error(200, answer, PLACE)
        assert type(error) is TEXTS[text]
        assert isinstance(error, VenueError)
        assert error.code
        assert "asset=" not in str(error)
        assert error.venue == "hyperliquid"
    if TEXTS[text] is RateLimited:
        assert isinstance(error, RateLimited)
        assert error.retry_after == 10


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (429, None, RateLimited),
        (422, "Failed to deserialize the JSON body into the target type", OrderRejected),
        (400, "Failed to parse the request body as JSON", OrderRejected),
        (403, "Forbidden", AuthError),
        (200, {"status": "error", "response": "429 Too Many Requests"}, RateLimited),
        (200, {"status": "error", "response": "422 Unprocessable"}, OrderRejected),
        (200, {"status": "error", "response": "500 Internal Server Error"}, OutcomeUnknown),
        (200, {"status": "error", "response": "who knows"}, OutcomeUnknown),
    ],
)
def test_failures_of_http_and_of_the_socket(
    venue: HyperliquidExchange, status: int, answer: Any, kind: type[MpdexError]
) -> None:
    assert type(venue.decode_error(status, answer, PLACE)) is kind


def test_why_an_order_ended(venue: HyperliquidExchange) -> None:
    assert venue.decode_reason("badAloPxRejected") is PostOnlyWouldCross
    assert venue.decode_reason("someNewRejected") is OrderRejected
    assert venue.decode_reason("") is venue.decode_reason("scheduledCancel") is None


# --------------------------------------------------------------------------- streams


@pytest.fixture
def stream(venue: HyperliquidExchange) -> HyperliquidWSClient:
    markets: MarketList = venue._markets
    return HyperliquidWSClient(keys=venue.keys, markets=markets)


def heard(stream: HyperliquidWSClient, channel: str, data: Any) -> list[Event]:
    return list(stream.decode(json.dumps({"channel": channel, "data": data}).encode()))


def report(status: str, left: str, *, time: int = 10, **changes: Any) -> list[dict[str, Any]]:
    fields = {"coin": "ETH", "side": "B", "limitPx": "3000.0", "sz": left, "oid": 5}
    more = {"timestamp": 10, "origSz": "1.0", "cloid": CLOID, **changes}
    return [{"order": {**fields, **more}, "status": status, "statusTimestamp": time}]


def told_order(events: Sequence[Event]) -> Order:
    [update] = [event for event in events if isinstance(event, OrderUpdate)]
    return update.order


def told_position(events: Sequence[Event]) -> PositionUpdate:
    [update] = [event for event in events if isinstance(event, PositionUpdate)]
    return update


def test_topics_have_the_names_of_their_confirmations(
    venue: HyperliquidExchange, stream: HyperliquidWSClient
) -> None:
    market = HyperliquidMarketClient(markets=venue._markets)
    topics = [Topic("book", "HYPE/USDC"), Topic("bbo", "BTC"), Topic("mark", "HYPE/USDC")]
    frames = [json.loads(frame) for frame in market.encode_subscribe(topics)]
    assert [frame["subscription"] for frame in frames] == [
        {"type": "l2Book", "coin": "@107"},
        {"type": "bbo", "coin": "BTC"},
        {"type": "activeAssetCtx", "coin": "@107"},
    ]
    for topic, frame in zip(topics, frames, strict=True):
        told = {"method": "subscribe", "subscription": {**frame["subscription"], "more": None}}
        answer = json.dumps({"channel": "subscriptionResponse", "data": told}).encode()
        assert list(market.decode(answer)) == [Subscribed(market.wire_topic(topic))]
    [own] = stream.encode_unsubscribe([Topic("orders"), Topic("orders", "ETH")])
    assert json.loads(own) == {
        "method": "unsubscribe",
        "subscription": {"type": "orderUpdates", "user": ACCOUNT},
    }


def test_errors_without_an_id(stream: HyperliquidWSClient) -> None:
    again = 'Already subscribed: {"type":"orderUpdates","user":"0x0"}'
    assert heard(stream, "error", again) == [Subscribed("orderUpdates")]
    assert heard(stream, "error", 'Already unsubscribed: {"type":"bbo"}') == []
    [reply] = heard(stream, "error", "too many pending post requests id=17")
    assert isinstance(reply, Reply)
    assert (reply.id, type(reply.error)) == (17, RateLimited)
    [reply] = heard(stream, "error", "Cannot track more than 15 total users.")
    assert isinstance(reply, Reply)
    assert (reply.id, type(reply.error)) == (0, VenueError)
    assert list(stream.decode(b"Websocket connection established.")) == []


def test_a_failed_call_is_told_as_rest_would(
    venue: HyperliquidExchange, stream: HyperliquidWSClient
) -> None:
    response = {"type": "error", "payload": "429 null"}
    [reply] = heard(stream, "post", {"id": 3, "response": response})
    assert isinstance(reply, Reply)
    assert isinstance(venue.decode_error(200, reply.body, PLACE), RateLimited)


def test_a_partial_fill_brings_its_order_up_to_date(stream: HyperliquidWSClient) -> None:
    heard(stream, "orderUpdates", report("open", "1.0"))
    first = heard(stream, "userFills", {"fills": [fill(sz="0.25", px="2999", tid=1)]})
    assert isinstance(first[0], FillUpdate)
    assert (told_order(first)["filled"], told_order(first)["average_price"]) == (
        D("0.25"),
        D(2999),
    )
    second = heard(stream, "userFills", {"fills": [fill(sz="0.25", px="3000", tid=2)]})
    assert told_order(second)["average_price"] == D("2999.5")
    again = heard(stream, "userFills", {"fills": [fill(sz="0.25", px="3000", tid=2)]})
    assert not [event for event in again if isinstance(event, OrderUpdate)]
    end = told_order(heard(stream, "orderUpdates", report("canceled", "1.0", time=99)))
    assert (end["status"], end["filled"]) == (OrderStatus.CANCELED, D("0.5"))
    late = heard(stream, "userFills", {"fills": [fill(sz="0.5", tid=3)]})
    assert not [event for event in late if isinstance(event, OrderUpdate)]


def test_what_had_filled_before_is_counted_once(stream: HyperliquidWSClient) -> None:
    opened = told_order(heard(stream, "orderUpdates", report("open", "0.6", time=40)))
    assert opened["filled"] == D("0.4")
    known = heard(stream, "userFills", {"fills": [fill(sz="0.4", time=40)]})
    assert not [event for event in known if isinstance(event, OrderUpdate)]
    more = heard(stream, "userFills", {"fills": [fill(sz="0.6", time=41, tid=2)]})
    assert told_order(more)["filled"] == D(1)
    assert told_order(more)["status"] is OrderStatus.FILLED


def test_an_immediate_order_that_filled_in_part_was_canceled(stream: HyperliquidWSClient) -> None:
    end = told_order(heard(stream, "orderUpdates", report("filled", "0.7")))
    assert (end["status"], end["filled"]) == (OrderStatus.CANCELED, D("0.3"))


def moves(stream: HyperliquidWSClient, start: str, side: str, size: str, **more: Any) -> Any:
    entry = fill(startPosition=start, side=side, sz=size, oid=77, **more)
    update = told_position(heard(stream, "userFills", {"fills": [entry]}))
    return update.size, update.position and update.position["entry_price"]


def test_fills_move_the_position(stream: HyperliquidWSClient) -> None:
    assert moves(stream, "0.0", "B", "2", px="100", tid=1) == (D(2), D(100))
    assert moves(stream, "2", "B", "2", px="110", tid=2) == (D(4), D(105))
    assert moves(stream, "4", "A", "1", px="200", tid=3) == (D(3), D(105))
    assert moves(stream, "3", "A", "5", px="120", tid=4) == (D(-2), D(120))
    assert moves(stream, "-2", "B", "2", px="90", tid=5) == (D(0), None)


def test_a_position_of_unknown_entry_waits_for_its_state(stream: HyperliquidWSClient) -> None:
    found = heard(stream, "userFills", {"fills": [fill(startPosition="7", oid=77)]})
    assert [type(event) for event in found] == [FillUpdate]
    spot = heard(stream, "userFills", {"fills": [fill(coin="@107", oid=77, tid=9)]})
    [event] = spot
    assert isinstance(event, FillUpdate)
    assert event.fill["symbol"] == "HYPE/USDC"


def states(time: int, *sizes: tuple[str, str], dex: str = "") -> dict[str, Any]:
    entries = [
        {
            "type": "oneWay",
            "position": {
                "coin": coin,
                "szi": size,
                "entryPx": "100",
                "positionValue": "1",
                "unrealizedPnl": "0",
                "liquidationPx": None,
                "leverage": {"type": "cross", "value": 5},
            },
        }
        for coin, size in sizes
    ]
    return {"clearinghouseStates": [[dex, {"assetPositions": entries, "time": time}]]}


def test_a_state_tells_every_position_and_every_end(stream: HyperliquidWSClient) -> None:
    channel = "allDexsClearinghouseState"
    assert told_position(heard(stream, channel, states(10, ("ETH", "-3")))).size == -3
    assert heard(stream, channel, states(11, dex="xyz")) == [], "another dex says nothing of it"
    moves(stream, "-3", "A", "1", time=20)
    assert heard(stream, channel, states(19, ("ETH", "-3"))) == [], "older than the fill"
    assert told_position(heard(stream, channel, states(20, ("ETH", "-4")))).size == -4
    ended = told_position(heard(stream, channel, states(30)))
    assert (ended.symbol, ended.size, ended.position) == ("ETH", 0, None)
    assert heard(stream, channel, states(31)) == []


def test_a_quiet_socket_is_kept_open(stream: HyperliquidWSClient) -> None:
    assert stream.encode_ping() == b'{"method":"ping"}'
    assert stream.PING_INTERVAL is not None
    assert stream.PING_INTERVAL < 60, "the server's bound for its own silence"
    assert list(stream.decode(b'{"channel":"pong"}')) == []
