"""The control port of a simulated world: add faults, read the truth.

`POST /faults` takes rules as text, `DELETE /faults` forgets them, `GET /truth` tells everything
that really happened, `GET /venues` tells where the venues listen.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from mpdex.sim.faults import BadRule, FaultBook
from mpdex.sim.host import Counts, VenueHost
from mpdex.sim.records import SimFill, SimOrder, SimPosition
from mpdex.types import Json


class Control:
    """Serves the control port. Listens on loopback only."""

    def __init__(
        self, hosts: Mapping[str, VenueHost], *, faults: FaultBook, counts: Counts
    ) -> None:
        self._hosts = hosts
        self._faults = faults
        self._counts = counts
        self._runner = web.ServerRunner(
            web.Server(self._serve, access_log=None), shutdown_timeout=1.0
        )
        self.url = ""

    async def start(self, port: int = 0) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.method, request.path:
            case "POST", "/faults":
                return self._add(await request.text())
            case "DELETE", "/faults":
                self._faults.clear()
                return _json([])
            case "GET", "/truth":
                return _json(self.truth())
            case "GET", "/venues":
                return _json({n: h.venue.endpoints(h.port) for n, h in self._hosts.items()})
            case _:
                return _json({"error": "not found"}, 404)

    def _add(self, text: str) -> web.Response:
        try:
            self._faults.add(text)
        except BadRule as error:
            return _json({"error": error.detail}, 400)
        return _json([rule.text for rule in self._faults.rules])

    def truth(self) -> Json:
        """Everything, as JSON values."""
        return {
            "venues": {name: _venue_truth(host) for name, host in self._hosts.items()},
            "counts": [[*key, count] for key, count in sorted(self._counts.items())],
        }


def _venue_truth(host: VenueHost) -> Json:
    exchange = host.exchange
    return {
        name: {
            "cash": account.cash,
            "equity": exchange.equity(name),
            "fees": account.fees,
            "realized": account.realized,
            "funding": account.funding,
            "volume": account.volume,
            "positions": [_position(p) for p in exchange.positions(name)],
            "orders": [_order(o) for o in exchange.order_history(name)],
            "fills": [_fill(f) for f in exchange.fills(name)],
        }
        for name, account in exchange.accounts.items()
    }


def _position(position: SimPosition) -> Json:
    return {"symbol": position.symbol, "size": position.size, "entry": position.entry}


def _order(order: SimOrder) -> Json:
    return {
        "id": order.order_id,
        "client_id": order.client_id,
        "symbol": order.symbol,
        "side": order.side,
        "size": order.size,
        "price": order.price,
        "filled": order.filled,
        "status": order.status,
        "reason": order.reason,
        "post_only": order.post_only,
        "reduce_only": order.reduce_only,
        "time_in_force": order.tif,
        "created_ns": order.created_ns,
    }


def _fill(fill: SimFill) -> Json:
    return {
        "id": fill.trade_id,
        "order_id": fill.order.order_id,
        "client_id": fill.order.client_id,
        "symbol": fill.order.symbol,
        "side": fill.order.side,
        "price": fill.price,
        "size": fill.size,
        "fee": fill.fee,
        "liquidity": fill.liquidity,
        "time_ns": fill.time_ns,
    }


def _json(value: Json, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(value), content_type="application/json"
    )
