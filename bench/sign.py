"""From an order in our words to the bytes of the request, beside one curve call and one hash.

The floor is what no implementation can avoid: for GRVT, Hyperliquid and EdgeX one recoverable
secp256k1 signature of one Keccak-256 digest, for Backpack, Pacifica and StandX one Ed25519
signature of a text of the same length and one SHA-256 of it, for Paradex the nine Pedersen hashes
and the one signature on the Stark curve of that very order, for Extended its one order hash and its
one signature there, for an EdgeX account of before v2 two hashes and two signatures there, of the
order and of its request; for Lighter the venue's own library, of which there is no other.
"signer" is the proof alone, "whole" is everything from `OrderRequest` to the signed body.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from bench.harness import Row, count, side_by_side
from bench.parties import EDGEX_V1_KEYS, SEED, exchange, first_id, market, order, sign_one
from exchange_factory import load

NOW_NS = 1_790_000_000 * 10**9
NOW_MS = NOW_NS // 10**6
EDGEX_V1 = "edgex v1"
# Of one order.
HASHES = {"grvt": 4, "backpack": 0, "hyperliquid": 3, "pacifica": 0, "standx": 0, "edgex": 3}
PEDERSENS = {"paradex": 9, EDGEX_V1: 2}
ORDER_HASHES = {"extended": 1}
CURVE_CALLS = {EDGEX_V1: 2}  # elsewhere one; here the request has a signature of its own
TARGETS = {"signer": 1.5, "whole": 2.5}
TARGETS_THREE_HASHES = {"signer": 1.8, "whole": 2.5}
TARGETS_ED25519 = {"signer": 1.3, "whole": 2.0}
TARGET_STARK = 1.25  # whole
TARGET_ORDER_HASH = 1.1  # whole, where the library hashes a whole order
TARGETS_BASE58 = {"signer": 1.6, "whole": 2.0}  # the signature is written in Base58


def evm() -> list[Row]:
    """GRVT, Hyperliquid and EdgeX."""
    return [*_grvt(), *_hyperliquid(), *_edgex()]


def _grvt() -> list[Row]:
    from wrappers import grvt_auth as auth

    dex = exchange("grvt")
    key, draft = dex._signer, _draft(dex)
    ids = itertools.count(first_id("grvt"))
    whole = _whole(dex, ids)
    _check_evm(whole())

    def signer() -> object:
        return key.prove(auth.hash_order(draft), draft.nonce, draft.expiration_ns)

    candidates = {"grvt signer": signer, "grvt whole": whole}
    return side_by_side("sign.evm", _one_secp256k1(), candidates, _named("grvt", TARGETS))


def _hyperliquid() -> list[Row]:
    dex = exchange("hyperliquid")
    whole = _whole(dex, itertools.count(first_id("hyperliquid")))
    request = dex.encode_order(order("hyperliquid", 7), market(dex), NOW_NS)
    _check_action(dex.sign(request, NOW_MS))
    auth, late_ms = dex._auth, NOW_MS + 3000

    def signer() -> object:
        return auth.prove(request.json, NOW_MS, late_ms)

    candidates = {"hyperliquid signer": signer, "hyperliquid whole": whole}
    return side_by_side("sign.evm", _one_secp256k1(), candidates, _named("hyperliquid", TARGETS))


def _edgex() -> list[Row]:
    """The HMAC of the request is in the whole, and no part of the order's own proof."""
    from wrappers.edgex_auth import Amounts
    from wrappers.edgex_v2 import terms_of

    dex = exchange("edgex")
    whole = _whole(dex, itertools.count(first_id("edgex")))
    fields = dex.encode_order(order("edgex", 7), market(dex), NOW_NS).json
    value, fee = Decimal(fields["l2Value"]), Decimal(fields["l2LimitFee"])
    units = int(Decimal(fields["size"]) * 10**9), int(value * 10**6), int(fee * 10**6)
    amounts, terms = Amounts(*units, value, fee), terms_of(market(dex)["raw"])
    nonce, until_ms, auth = int(fields["l2Nonce"]), int(fields["expireTime"]), dex._auth

    def signer() -> str:
        hashed = auth.hash_order(amounts, terms, False, nonce, until_ms)
        return auth.prove(terms.domain, hashed)

    if signer() != fields["l2Signature"]:
        raise RuntimeError("sign.evm: the signature is not that of the order")
    candidates = {"edgex signer": signer, "edgex whole": whole}
    targets = _named("edgex", TARGETS_THREE_HASHES)
    return side_by_side("sign.evm", _one_secp256k1(), candidates, targets)


def _one_secp256k1() -> Callable[[], object]:
    from coincurve import PrivateKey
    from sha3 import keccak_256

    data = bytes(range(200))
    sign = PrivateKey(SEED).sign_recoverable
    return lambda: sign(keccak_256(data).digest(), hasher=None)


def ed25519() -> list[Row]:
    """Backpack, Pacifica and StandX."""
    return [*_backpack(), *_pacifica(), *_standx()]


def _backpack() -> list[Row]:
    from wrappers.backpack_auth import request_text

    dex = exchange("backpack")
    whole = _whole(dex, itertools.count(first_id("backpack")))
    request = dex.encode_order(order("backpack", 7), market(dex), NOW_NS)
    text = f"{request_text(request)}&timestamp={NOW_MS}&window=5000".encode()
    signature = base64.b64decode(dex.sign(request, NOW_MS).headers["X-Signature"])
    _check_ed25519(signature, text)
    auth = dex._order_auth

    def signer() -> object:
        return auth._sign(text.decode())

    candidates = {"backpack signer": signer, "backpack whole": whole}
    targets = _named("backpack", TARGETS_ED25519)
    return side_by_side("sign.ed25519", _one_ed25519(text), candidates, targets)


def _pacifica() -> list[Row]:
    from base58 import b58decode
    from msgspec import json

    from wrappers.pacifica_auth import IMMEDIATE_WINDOW_MS, signing_text

    dex = exchange("pacifica")
    whole = _whole(dex, itertools.count(first_id("pacifica")))
    request = dex.encode_order(order("pacifica", 7), market(dex), NOW_NS)
    proven = "create_order", request.json, NOW_MS, IMMEDIATE_WINDOW_MS
    text = signing_text(*proven)
    body = json.decode(dex.sign(request, NOW_MS).body)
    _check_ed25519(b58decode(body["signature"]), text)
    auth = dex._auth

    def signer() -> object:
        return auth.signed_body(*proven)

    candidates = {"pacifica signer": signer, "pacifica whole": whole}
    targets = _named("pacifica", TARGETS_BASE58)
    return side_by_side("sign.ed25519", _one_ed25519(text), candidates, targets)


def _standx() -> list[Row]:
    from wrappers.standx_auth import proof, signing_text

    dex = exchange("standx")
    dex.make_session(NOW_MS)
    whole = _whole(dex, itertools.count(first_id("standx")))
    request = dex.encode_order(order("standx", 7), market(dex), NOW_NS)
    headers = dex.sign(request, NOW_MS).headers
    text = signing_text(request.body, headers["x-request-id"], headers["x-request-timestamp"])
    _check_ed25519(base64.b64decode(headers["x-request-signature"]), text)
    key, name = dex._pair.key, headers["x-request-id"]

    def signer() -> object:
        return proof(key, request.body, name, NOW_MS)

    candidates = {"standx signer": signer, "standx whole": whole}
    targets = _named("standx", TARGETS_ED25519)
    return side_by_side("sign.ed25519", _one_ed25519(text), candidates, targets)


def _one_ed25519(text: bytes) -> Callable[[], object]:
    from nacl import bindings

    _, secret = bindings.crypto_sign_seed_keypair(SEED)

    def floor() -> object:
        hashlib.sha256(text).digest()
        return bindings.crypto_sign(text, secret)

    return floor


def lighter() -> list[Row]:
    """The venue's native signer, bare: its texts read and given back, nothing done with them."""
    from wrappers.lighter_signer import CREATE_ORDER

    dex = exchange("lighter")
    listing, ids = market(dex), itertools.count(first_id("lighter"))
    signer = dex._signer
    library, place = signer._library, (signer.api_key_index, signer.account_index)
    request = dex.encode_order(order("lighter", 7), listing, NOW_NS)
    function, arguments = library.call(CREATE_ORDER, request.json["fields"])

    def whole() -> Any:
        encoded = dex.encode_order(order("lighter", next(ids)), listing, NOW_NS)
        return dex.sign(replace(encoded, nonce=1), NOW_MS)

    def floor() -> object:
        answer = function(*arguments, 1, *place)
        texts = answer.error, answer.tx_info, answer.tx_hash, answer.message
        return [library.take(text) for text in texts]

    _check_transaction(whole().json["tx_info"], signer)
    return side_by_side("sign.lighter", floor, {"lighter whole": whole}, {"lighter whole": 1.03})


def stark() -> list[Row]:
    """Paradex, Extended and EdgeX before v2."""
    return [*_paradex(), *_extended(), *_edgex_v1()]


def _extended() -> list[Row]:
    dex = exchange("extended")
    whole = _whole(dex, itertools.count(first_id("extended")))
    candidates, targets = {"extended whole": whole}, {"extended whole": TARGET_ORDER_HASH}
    return side_by_side("sign.stark", _one_order_hash(dex), candidates, targets)


def _one_order_hash(dex: Any) -> Callable[[], object]:
    """The library's two calls of one order, with the same arguments, and nothing else."""
    from fast_stark_crypto import fast_stark_crypto as native

    hash_order, sign = native.rs_get_order_msg, native.rs_sign_message
    hashed: list[tuple[str, ...]] = []

    def catch(*arguments: str) -> str:
        hashed.append(arguments)
        result: str = hash_order(*arguments)
        return result

    with patch.object(dex._auth, "_hash_order", catch):
        _whole(dex, itertools.count(first_id("extended")))()
    [arguments] = hashed
    key = f"0x{SEED.hex()}"
    return lambda: sign(key, hash_order(*arguments))


def _paradex() -> list[Row]:
    return _on_the_curve("paradex")


def _edgex_v1() -> list[Row]:
    return _on_the_curve(EDGEX_V1)


def _on_the_curve(subject: str) -> list[Row]:
    dex = _party(subject)
    whole = _whole(dex, itertools.count(first_id(dex.name)))
    candidates, targets = {f"{subject} whole": whole}, {f"{subject} whole": TARGET_STARK}
    floor = _same_on_the_curve(subject, whole)
    return side_by_side("sign.stark", floor, candidates, targets)


def _party(subject: str) -> Any:
    """A venue's object, or that of an account of before its last generation."""
    kind: Any = load("edgex")
    return kind(**EDGEX_V1_KEYS) if subject == EDGEX_V1 else exchange(subject)


def _same_on_the_curve(subject: str, whole: Callable[[], Any]) -> Callable[[], object]:
    """The library's calls of one order, with the same arguments, and nothing else."""
    import fast_stark_crypto as library

    whole()  # what is hashed once for a market
    hashed: list[tuple[int, int]] = []
    hash_pair, sign = library.pedersen_hash, library.sign

    def catch(first: int, second: int) -> int:
        hashed.append((first, second))
        result: int = hash_pair(first, second)
        return result

    with patch.object(library, "pedersen_hash", catch):
        whole()
    if len(hashed) != PEDERSENS[subject]:
        raise RuntimeError(f"sign.stark: {len(hashed)} hashes of an order")
    key, message = int(SEED.hex(), 16), hash_pair(*hashed[-1])
    signatures = CURVE_CALLS.get(subject, 1)

    def floor() -> object:
        for pair in hashed:
            hash_pair(*pair)
        return [sign(key, message) for _ in range(signatures)]

    return floor


def counts() -> list[Row]:
    """Curve calls, hashes and key objects of one order, the keys being warm."""
    rows = [count("sign.counts", "lighter: modules of its SDK", _sdk_modules(), 0, "modules")]
    for venue, hashes in HASHES.items():
        found = _count_one(venue)
        rows += [
            _exactly("sign.counts", f"{venue}: curve calls", found["curve"], 1),
            _exactly("sign.counts", f"{venue}: keccak calls", found["keccak"], hashes),
            _exactly("sign.counts", f"{venue}: key objects built", found["keys"], 0),
        ]
    for name, wanted in (("Pedersen", PEDERSENS), ("order hash", ORDER_HASHES)):
        for venue, hashes in wanted.items():
            found, signatures = _count_one(venue), CURVE_CALLS.get(venue, 1)
            rows += [
                _exactly("sign.counts", f"{venue}: curve calls", found["curve"], signatures),
                _exactly("sign.counts", f"{venue}: {name} calls", found[name], hashes),
                _exactly("sign.counts", f"{venue}: key objects built", found["keys"], 0),
            ]
    return rows


def _sdk_modules() -> int:
    """What signing has imported of the package that its library is in."""
    sign_one("lighter")
    return sum(name.partition(".")[0] == "lighter" for name in sys.modules)


def _exactly(name: str, subject: str, value: int, wanted: int) -> Row:
    """A count that is too low means that the counter missed what it counts: that is an error."""
    if value < wanted:
        raise RuntimeError(f"{name} {subject}: {value} calls seen, {wanted} are needed")
    return count(name, subject, value, wanted, "calls")


def _count_one(subject: str) -> Counter[str]:
    found: Counter[str] = Counter()
    with _counted(found):
        dex = _party(subject)
        whole = _whole(dex, itertools.count(first_id(dex.name)))
        whole()
        found.clear()
        whole()
    return found


@contextmanager
def _counted(found: Counter[str]) -> Iterator[None]:
    """Wraps the primitives themselves: the libraries' own functions, and what prepares a key."""
    import coincurve
    from nacl import bindings

    from mpdex.utils import hyperliquid_signing
    from mpdex.utils.signing import eip712
    from wrappers import edgex_v2, grvt_auth

    grvt_auth.signer.cache_clear()

    class Key(coincurve.PrivateKey):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            found["keys"] += 1
            super().__init__(*arguments, **named)

        def sign_recoverable(self, *arguments: Any, **named: Any) -> bytes:
            found["curve"] += 1
            signature: bytes = super().sign_recoverable(*arguments, **named)
            return signature

    keccak = _wrapped(found, "keccak", eip712.keccak256)
    with (
        patch.object(coincurve, "PrivateKey", Key),
        patch.object(eip712, "keccak256", keccak),
        patch.object(grvt_auth, "keccak256", keccak),
        patch.object(edgex_v2, "keccak256", keccak),
        patch.object(hyperliquid_signing, "keccak256", keccak),
        patch.object(bindings, "crypto_sign", _wrapped(found, "curve", bindings.crypto_sign)),
        patch.object(
            bindings,
            "crypto_sign_seed_keypair",
            _wrapped(found, "keys", bindings.crypto_sign_seed_keypair),
        ),
        _counted_stark(found),
    ):
        yield
    grvt_auth.signer.cache_clear()


@contextmanager
def _counted_stark(found: Counter[str]) -> Iterator[None]:
    import fast_stark_crypto as library
    from fast_stark_crypto import fast_stark_crypto as native

    names = (
        (library, "pedersen_hash", "Pedersen"),
        (native, "rs_get_order_msg", "order hash"),
        (library, "sign", "curve"),
        (library, "get_public_key", "keys"),
    )
    with ExitStack() as patches:
        for module, function, name in names:
            counted = _wrapped(found, name, getattr(module, function))
            patches.enter_context(patch.object(module, function, counted))
        yield


def _wrapped(found: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        found[name] += 1
        return function(*arguments, **named)

    return call


def _whole(dex: Any, ids: Iterator[int]) -> Callable[[], Any]:
    """An order with an id of its own each time, as in life."""
    listing, venue = market(dex), dex.name

    def run() -> Any:
        request = dex.encode_order(order(venue, next(ids)), listing, NOW_NS)
        return dex.sign(request, NOW_MS)

    return run


def _draft(dex: Any) -> Any:
    """What the wrapper signs, caught on its way."""
    from wrappers import grvt

    caught: list[Any] = []
    encode = vars(grvt)["encode_signed_order"]

    def catch(draft: Any, key: Any) -> bytes:
        caught.append(draft)
        body: bytes = encode(draft, key)
        return body

    with patch.object(grvt, "encode_signed_order", catch):
        dex.encode_order(order("grvt", first_id("grvt")), market(dex), NOW_NS)
    return caught[0]


def _check_evm(request: Any) -> None:
    """The simulated venue, which has hashing of its own, recovers the signer."""
    import msgspec

    from mpdex.sim.venues import grvt_crypto as crypto
    from mpdex.sim.venues import grvt_wire as wire

    parsed = wire.parse_order(msgspec.json.decode(request.body)["order"])
    digest = crypto.order_digest(
        chain_id=325,
        sub_account_id=parsed.sub_account_id,
        is_market=parsed.is_market,
        time_in_force=crypto.TIME_IN_FORCE[parsed.time_in_force],
        post_only=parsed.post_only,
        reduce_only=parsed.reduce_only,
        legs=[
            (0x030501, int(parsed.size * 10**9), int(parsed.price * 10**9), parsed.buying),
        ],
        nonce=parsed.signature.nonce,
        expiration=parsed.signature.expiration,
        builder=None,
    )
    proof = parsed.signature
    _check_signer(digest, proof.r, proof.s, proof.v)


def _check_action(request: Any) -> None:
    """As above, by the simulated Hyperliquid."""
    import msgspec

    from mpdex.sim.venues import hyperliquid_crypto as crypto

    body = msgspec.json.decode(request.body)
    hashed = crypto.action_hash(body["action"], body["nonce"], None, body["expiresAfter"])
    r, s = (int(body["signature"][name], 16) for name in "rs")
    _check_signer(crypto.l1_digest(hashed, "a"), r, s, body["signature"]["v"])


def _check_signer(digest: bytes, r: int, s: int, v: int) -> None:
    from mpdex.sim import evm

    if evm.recover(digest, r, s, v) != evm.address_of(int.from_bytes(SEED, "big")):
        raise RuntimeError("sign.evm: the signature is not the key's")


def _check_ed25519(signature: bytes, text: bytes) -> None:
    from nacl import bindings

    public, _ = bindings.crypto_sign_seed_keypair(SEED)
    if bindings.crypto_sign_open(signature + text, public) != text:
        raise RuntimeError("sign.ed25519: the signature is not the key's")


def _check_transaction(text: str, signer: Any) -> None:
    """The simulated venue, which has mathematics of its own, takes the signature."""
    from mpdex.sim.venues import lighter_crypto as crypto
    from mpdex.sim.venues.lighter import CHAIN_ID
    from mpdex.sim.venues.lighter_wire import CREATE, parse_transaction

    sent = parse_transaction(CREATE, text)
    if not crypto.verify(crypto.public_key(signer._key), sent.hash(CHAIN_ID), sent.signature):
        raise RuntimeError("sign.lighter: the signature is not the key's")


def _named(venue: str, targets: dict[str, float]) -> dict[str, float]:
    return {f"{venue} {what}": target for what, target in targets.items()}
