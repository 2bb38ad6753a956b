"""TreadFi on Pacifica: its perpetuals, traded by TreadFi's orders.

Fragile. With a token orders go by TreadFi's documented API, which takes immediate limit orders and
a client id. With a browser's session they go by the calls of its web page, which are nowhere
documented; it takes no client id. There is no post-only order either way, so this is a venue for
the hedge alone. Prices, positions and balances are Pacifica's own. The children that TreadFi sends
there bear ids of its own, so Pacifica's stream of orders and fills is not offered: what became of
an order, TreadFi's table tells, which may lag.

Sources: those of `mpdex.utils.common_treadfi` and `mpdex.utils.common_pacifica`; docs.tread.fi,
"Pacifica"; read 2026-11-21.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from mpdex.types import Json, VenueSpec
from mpdex.utils.common_pacifica import LIMIT, PacificaBase
from mpdex.utils.common_treadfi import APP, ERRORS, LIMITS, ORIGIN
from mpdex.utils.precision import plain
from mpdex.utils.treadfi_base import CLIENT_ID, CREDENTIALS, KEY_CHOICES
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.treadfi_orders import TreadfiOrders

if TYPE_CHECKING:
    from wrappers.venue_stream import VenueStream

VENUE: Final = "treadfi.pacifica"


class TreadfiPcExchange(TreadfiOrders, PacificaBase, MultiPerpDexMixin, MultiPerpDex):
    """Pacifica's perpetuals behind TreadFi.

    Args:
        options: those of `MultiPerpDexMixin`, the keys among them: `account_name` as it is called
            at TreadFi and `account`, its public key at Pacifica; `token` of TreadFi's API, or
            `login_private_key`, or `csrftoken` and `sessionid` of a browser that is logged in.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={
            APP: ORIGIN,
            "rest": "https://api.pacifica.fi/api/v1",
            "ws": "wss://ws.pacifica.fi/ws",
        },
        credentials=("account_name", "account"),
        optional_credentials=("token", *CREDENTIALS),
        key_choices=(("token",), *KEY_CHOICES),
        account="account_name",
        # With a token; a session has no client ids.
        supports=frozenset({"reduce_only", "market", "ioc", "client_order_id"}),
        limits={"default": LIMIT, **LIMITS},
        errors=ERRORS,
        client_id=CLIENT_ID,
        fragile=True,
        order_book="pacifica",
        reports_unfilled_ioc=False,
        session_hosts=frozenset({APP}),
        keeps_session=True,
    )
    # By the documentation the call is that of the API. UNVERIFIED: that a session may say it, too.
    NAMED = frozenset({"IOC"})
    FEE = Decimal("0.0002")  # 2.5 bp at tier 0, capped at 2 on Pacifica

    @classmethod
    def streams(cls) -> tuple[type[VenueStream], ...]:
        from wrappers.treadfi_pc_ws_client import TreadfiPcMarketClient, TreadfiPcPositionClient

        return TreadfiPcMarketClient, TreadfiPcPositionClient

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not self.keys.get("token"):
            supports = self.SPEC.supports - {"client_order_id"}
            vars(self)["SPEC"] = replace(self.SPEC, supports=supports)  # of this object's way in

    def number(self, value: Decimal) -> Json:
        return plain(value)

    def spell(self, wire: str) -> str:
        """A pair: "BTC:PERP-USDC". UNVERIFIED: that kBONK keeps its small k."""
        return f"{wire}:PERP-USDC"


__all__ = ["TreadfiPcExchange"]
