"""The two generations of EdgeX's API: which paths, contracts and names are whose.

They share their sockets' paths, the form of nearly every object, and in this simulation the books;
accounts, contract ids and keys differ.

Source: edgex-1.gitbook.io, both APIs; recorded frames of both hosts; read 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpdex.sim.records import SimMarket

COLLATERAL_ID = "1000"
PUBLIC_SOCKET, PRIVATE_SOCKET = "/api/v1/public/ws", "/api/v1/private/ws"


@dataclass(frozen=True, slots=True)
class Generation:
    """One API.

    Attributes:
        root: of its REST paths.
        first_id: contract ids follow this one.
        collateral: coin in which it settles.
        suffix: of contract names, after the coin.
        gap: between the end of one change of a book and the start of the next.
    """

    root: str
    first_id: int
    collateral: str
    suffix: str
    gap: int

    def contract_id(self, market: SimMarket) -> str:
        return str(self.first_id + market.info["number"])

    def contract_name(self, market: SimMarket) -> str:
        return f"{market.coin}{self.suffix}"

    @property
    def stark(self) -> bool:
        """Whether orders and requests are signed on the Stark curve."""
        return self is V1


V2 = Generation("/api/v2", 30_000_000, "USDC", "USDC", 0)
V1 = Generation("/api/v1", 10_000_000, "USD", "USD", 1)
GENERATIONS = (V2, V1)
