"""Runs a vector of EdgeX through our own encoders and signers.

v2 signatures are deterministic and must be equal, byte by byte. The client that made those of v1
draws another k: its own is checked against the same hash and key, and ours likewise. What our
interface does not have (an explicit expiry, a margin mode, a page for two contracts) is made from
our signers and our texts. The order of fields in a body does not matter, as the file's notes say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import fast_stark_crypto

from mpdex.dex.requests import sealed
from mpdex.types import CancelRequest, Market, OrderRequest, Request, TimeInForce
from mpdex.utils.signing.eip712 import digest, keccak256
from mpdex.utils.signing.stark import ORDER, pedersen
from wrappers import edgex_v1 as v1
from wrappers import edgex_v2 as v2
from wrappers.edgex import FORCES, EdgexExchange
from wrappers.edgex_auth import PRIVATE_SOCKET, Draft, amounts_of, nonce_of, params_of, worst_price

Fields = Mapping[str, Any]
PATH = "/api/v2/private/order/createOrder"
_OURS = {text: ours for ours, text in FORCES.items()}


def check(case: Mapping[str, Any]) -> None:
    """Raises AssertionError unless hashes, signatures and requests are as expected."""
    CHECKS[case["kind"]](case["input"], case["expected"])


# --------------------------------------------------------------------------- v2, orders


def _v2_order(given: Fields, expected: Fields) -> None:
    venue = _v2(given)
    [market] = venue.decode_markets([_metadata(given["contract"], given["quote_coin"], given)])
    fields, sent = given["order"], expected["request"]["body"]
    order = _order(fields, sent, given["oracle_price"])
    draft = _draft(order, sent, market, given["now_ms"])
    if "expire_time" in fields:
        body = venue._auth.order_fields(  # type: ignore[union-attr]
            draft._replace(expires_ms=fields["expire_time"]), _raw(market)
        )
        request = Request("POST", PATH, json=body, signed=True)
    else:
        request = venue.encode_order(order, market, given["now_ms"] * 1_000_000)
    _check_request(venue, _printed(request, sent), given, expected["request"])
    _check_typed_data(venue, draft, market, int(sent["expireTime"]), expected["eip712"])
    asked = [one.path for one in venue.encode_markets()]
    asked += [venue.encode_mark(market).path] if fields["type"] == "MARKET" else []
    assert set(expected["calls_before"]) <= set(asked)


def _draft(order: OrderRequest, sent: Fields, market: Market, now_ms: int) -> Draft:
    assert order.price is not None or order.mark is not None
    return Draft(
        kind=sent["type"],
        side=sent["side"],
        size=order.size,
        price=order.price,
        worst=order.price or worst_price(order.side, order.mark or Decimal(0), market["tick"]),
        time_in_force=sent["timeInForce"],
        reduce_only=order.reduce_only,
        client_id=sent["clientOrderId"],
        now_ms=now_ms,
    )


def _order(fields: Fields, sent: Fields, oracle: str | None) -> OrderRequest:
    at_market = fields.get("type") == "MARKET"
    force = sent["timeInForce"]
    return OrderRequest(
        symbol="BTCUSD",
        side="buy" if fields["side"] == "BUY" else "sell",
        size=Decimal(fields["size"]),
        price=None if at_market else Decimal(fields["price"]),
        client_id=sent["clientOrderId"],
        post_only=force == "POST_ONLY",
        reduce_only=sent["reduceOnly"],
        time_in_force=next(
            (ours for ours, text in FORCES.items() if text == force), TimeInForce.GTC
        ),
        # that client does not ask for it before it sells
        mark=Decimal(oracle or 1) if at_market else None,
    )


def _check_typed_data(
    venue: EdgexExchange, draft: Draft, market: Market, expires_ms: int, expected: Fields
) -> None:
    auth, message = venue._auth, expected["message"]
    assert isinstance(auth, v2.EdgexV2Auth)
    terms = v2.terms_of(_raw(market))
    amounts = amounts_of(draft, terms.units, terms.coin_units, terms.rate)
    signed = ("amountSynthetic", "amountCollateral", "amountFee")
    assert amounts[:3] == tuple(int(message[name]) for name in signed)
    nonce = nonce_of(draft.client_id)
    hashed = auth.hash_order(amounts, terms, draft.side == "BUY", nonce, expires_ms)
    _check_hashes(auth, terms.domain, hashed, expected)


def _check_hashes(auth: v2.EdgexV2Auth, domain: bytes, hashed: bytes, expected: Fields) -> None:
    assert auth.signer == expected["signer"]
    assert f"0x{domain.hex()}" == expected["domain_separator"]
    assert f"0x{hashed.hex()}" == expected["struct_hash"]
    assert f"0x{digest(domain, hashed).hex()}" == expected["digest"]
    assert auth.prove(domain, hashed) == expected["signature"]


# --------------------------------------------------------------------------- v2, requests


def _v2_request(given: Fields, expected: Fields) -> None:
    venue, args = _v2(given), given["args"]
    contract = {"contractId": args.get("contract_id", "30000001"), "resolution": "1"}
    coin = {"coinId": "1000", "resolution": "1"}
    [market] = venue.decode_markets([_metadata(contract, coin, given)])
    request = _REQUESTS[given["call"]](venue, market, args, given)
    _check_request(venue, request, given, expected["request"])
    if "eip712" in expected:
        auth = venue._auth
        assert isinstance(auth, v2.EdgexV2Auth)
        mode, nonce = int(args["margin_mode"]), nonce_of(args["client_order_id"])
        hashed = auth.hash_margin(int(args["contract_id"]), mode, nonce)
        _check_hashes(auth, v2.terms_of(_raw(market)).domain, hashed, expected["eip712"])


def _cancel(venue: EdgexExchange, market: Market, args: Fields, given: Fields) -> Request:
    if "contract_id" in args:
        return venue.encode_cancel_all(market)
    ids = {"order_id": args.get("order_id", ""), "client_id": args.get("client_order_id", "")}
    return venue.encode_cancel(CancelRequest(symbol=market["symbol"], **ids), market)


def _active_orders(venue: EdgexExchange, market: Market, args: Fields, given: Fields) -> Request:
    """Ours names one contract, or none, and takes larger pages."""
    request = venue.encode_open_orders(market)
    query = {"accountId": (request.query or {})["accountId"]}
    for name, wanted in args.items():
        head, *rest = name.split("_")
        text = ",".join(wanted) if isinstance(wanted, list) else wanted
        query[head + "".join(map(str.title, rest))] = text
    return replace(request, query=query)


def _by_client_id(venue: EdgexExchange, market: Market, args: Fields, given: Fields) -> Request:
    """Ours names one order."""
    wanted = args["client_order_id_list"]
    query = CancelRequest(symbol=market["symbol"], client_id=wanted[0])
    request = venue.encode_order_queries(query, market)[0]
    return replace(request, query={**(request.query or {}), "clientOrderIdList": ",".join(wanted)})


def _margin_mode(venue: EdgexExchange, market: Market, args: Fields, given: Fields) -> Request:
    assert isinstance(venue._auth, v2.EdgexV2Auth)
    mode, client_id = int(args["margin_mode"]), args["client_order_id"]
    body = venue._auth.margin_fields(_raw(market), mode, client_id, given["now_ms"])
    return Request("POST", "/api/v2/private/account/setMarginMode", json=body, signed=True)


_REQUESTS: dict[str, Callable[[EdgexExchange, Market, Fields, Fields], Request]] = {
    "cancel": _cancel,
    "active_orders": _active_orders,
    "by_client_id": _by_client_id,
    "account_asset": lambda venue, *_: _one(venue.encode_collateral()),
    "leverage": lambda venue, market, args, given: venue.encode_leverage(
        market, Decimal(args["leverage"]), given["now_ms"] * 1_000_000
    ),
    "margin_mode": _margin_mode,
}


def _v2_socket(given: Fields, expected: Fields) -> None:
    """That client has the account twice in its address, and its headers once more as a subprotocol,
    which browsers need."""
    auth = _v2(given)._auth
    assert auth is not None
    query, headers = auth.handshake(given["now_ms"])
    assert headers == expected["headers"]
    assert f"{given['now_ms']}GET{PRIVATE_SOCKET}{query}" == expected["signed_text"]
    path, _, theirs = expected["url_path"].partition("?")
    assert (path, set(parse_qsl(theirs))) == (PRIVATE_SOCKET, set(parse_qsl(query)))


# --------------------------------------------------------------------------- v1


def _v1_order(given: Fields, expected: Fields) -> None:
    key = given["stark_private_key"]
    venue = EdgexExchange(account_id=str(given["account_id"]), stark_private_key=key)
    settings = {"global": {"starkExCollateralCoin": given["collateral_coin"]}}
    coin, contract = given["collateral_coin"], given["contract"]
    [market] = venue.decode_markets([_metadata(contract, coin, settings)])
    sent, now_ms = expected["body"], given["now_ms"]
    order = _order(given, sent, None)
    request = _printed(venue.encode_order(order, market, now_ms * 1_000_000), sent)
    signed = venue.sign(sealed(request), now_ms)
    own = {**request.json, "l2Signature": sent["l2Signature"]}
    assert own == sent
    assert json.loads(signed.body) == request.json
    text = f"{now_ms}{request.method}{request.path}"
    assert text + params_of(replace(request, json=own)) == expected["signed_text"]
    header = "X-edgeX-Api-Signature"
    assert {**signed.headers, header: ""} == {**expected["headers"], header: ""}
    public = int(expected["public_key_x"], 16)
    order_hash = _v1_hash(venue, _draft(order, sent, market, now_ms), market, expected)
    for signature in (sent["l2Signature"], request.json["l2Signature"]):
        _check_stark(public, order_hash, signature)
    theirs = int.from_bytes(keccak256(expected["signed_text"].encode()), "big") % ORDER
    assert theirs == int(expected["request_hash"], 16)
    _check_stark(public, theirs, expected["headers"][header])
    ours = int.from_bytes(keccak256((text + params_of(request)).encode()), "big") % ORDER
    _check_stark(public, ours, signed.headers[header])


def _v1_hash(venue: EdgexExchange, draft: Draft, market: Market, expected: Fields) -> int:
    auth = venue._auth
    assert isinstance(auth, v1.EdgexV1Auth)
    assert auth.public_key == int(expected["public_key_x"], 16)
    terms = v1.stark_terms_of(_raw(market))
    amounts = amounts_of(draft, terms.units, terms.collateral_units, terms.rate)
    signed = ("amount_synthetic", "amount_collateral", "amount_fee")
    assert amounts[:3] == tuple(expected[name] for name in signed)
    nonce, hours = nonce_of(draft.client_id), expected["expiration_hours"]
    assert nonce == expected["l2_nonce"]
    hashed = auth.hash_order(amounts, terms, draft.side == "BUY", nonce, hours)
    assert hashed == int(expected["order_hash"], 16)
    return hashed


def _check_stark(public: int, message: int, signature: str) -> None:
    r, s = int(signature[:64], 16), int(signature[64:128], 16)
    assert fast_stark_crypto.verify(public, message, r, s)


def _v1_pedersen(given: Fields, expected: Fields) -> None:
    hashed = pedersen(int(given["a"], 16), int(given["b"], 16))
    assert hashed == int(expected["hash"], 16)


CHECKS: dict[str, Callable[[Fields, Fields], None]] = {
    "v2_create_order": _v2_order,
    "v2_request": _v2_request,
    "v2_ws_private": _v2_socket,
    "v1_create_order": _v1_order,
    "v1_pedersen": _v1_pedersen,
}


# --------------------------------------------------------------------------- helpers


def _v2(given: Fields) -> EdgexExchange:
    return EdgexExchange(
        account_id=str(given["account_id"]),
        api_key=given["api_key"],
        passphrase=given["api_passphrase"],
        secret=given["api_secret"],
        signer_private_key=given.get("trading_private_key", "01" * 32),
    )


def _metadata(contract: Fields, coin: Fields, given: Fields) -> dict[str, Any]:
    """A listing with what the vector leaves out."""
    rest = {
        "contractName": "BTCUSDC",
        "baseCoinId": "1001",
        "quoteCoinId": coin["coinId"],
        "tickSize": "0.1",
        "stepSize": "0.001",
        "minOrderSize": "0.001",
        "enableTrade": True,
    }
    return {
        "data": {
            "global": given["global"],
            "coinList": [{"coinName": "USDC", **coin}],
            "contractList": [{**rest, **contract}],
        }
    }


def _raw(market: Market) -> Any:
    return market["raw"]


def _one(reads: Any) -> Request:
    assert isinstance(reads, Request)
    return reads


def _printed(request: Request, sent: Fields) -> Request:
    """With the value as that client prints it, which can be 1E-7."""
    value = request.json["l2Value"]
    assert Decimal(value) == Decimal(sent["l2Value"])
    return replace(request, json={**request.json, "l2Value": sent["l2Value"]}, body=b"")


def _check_request(venue: EdgexExchange, request: Request, given: Fields, expected: Fields) -> None:
    signed = venue.sign(sealed(request), given["now_ms"])
    assert (signed.method, signed.path) == (expected["method"], expected["path"])
    assert dict(signed.query or {}) == expected["query"]
    assert (json.loads(signed.body) if signed.body else None) == expected["body"]
    text = f"{given['now_ms']}{signed.method}{signed.path}{params_of(signed)}"
    assert text == expected["signed_text"]
    assert signed.headers == expected["headers"]
