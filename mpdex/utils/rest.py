"""HTTP to one venue by aiohttp; what is sent and what an answer means says `Transport`.

aiohttp is imported on the first request and one session is kept from then on, without cookies and
without redirects.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mpdex.errors import MissingDependency
from mpdex.types import Request
from mpdex.utils.transport import CONNECTIONS, KEEPALIVE_SECONDS, Answer, Transport

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

__all__ = ["Answer", "RestTransport"]

_DNS_SECONDS = 300
_CACHED_URLS = 512
_SKIPPED_HEADERS = ("Accept", "Accept-Encoding", "Content-Type")
_AGENT = "mpdex"


class RestTransport(Transport):
    """The usual one."""

    _http: aiohttp.ClientSession | None = None
    _refusals: tuple[type[Exception], ...] = ()  # of whoever stands before the venue

    @cached_property
    def _urls(self) -> dict[tuple[str, str], URL]:
        return {}

    async def _fetch(self, request: Request) -> Answer:
        http = self._http or self._open()
        response = await http.request(
            request.method,
            self._url(request),
            data=request.body or None,
            headers=request.headers,
            allow_redirects=False,
            middlewares=() if request.method == "POST" else (_never_again,),
        )
        return Answer(response.status, response.headers, await response.read())

    def _unsent(self, error: Exception) -> bool:
        return isinstance(error, self._refusals)

    def _reason(self, error: Exception, request: Request) -> str:
        port, cause = getattr(error, "port", None), getattr(error, "os_error", None)
        if port is not None and cause is not None:
            return f"cannot connect to {getattr(error, 'host', '')}:{port} ({type(cause).__name__})"
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout:g} s"
        return f"connection lost ({type(error).__name__})"

    def _url(self, request: Request) -> URL:
        """Addresses without a query are kept: they come again and again."""
        if request.query:
            return _encoded(self._address(request))
        key = (request.host, request.path)
        url = self._urls.get(key)
        if url is None:
            if len(self._urls) >= _CACHED_URLS:
                self._urls.clear()  # a venue with order ids in its paths
            url = self._urls[key] = _encoded(self._address(request))
        return url

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        self._foreign = (aiohttp.ClientError, OSError)
        self._refusals = (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientHttpProxyError,
            aiohttp.InvalidURL,
        )
        socks = self._proxy is not None and self._proxy.startswith("socks")
        self._http = aiohttp.ClientSession(
            connector=self._socks_connector() if socks else self._connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _AGENT},
            skip_auto_headers=_SKIPPED_HEADERS,
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=self._timeout / 2),
            proxy=None if socks else self._proxy,
            trace_configs=[self._count_connections()] if socks else None,
        )
        return self._http

    def _connector(self) -> aiohttp.TCPConnector:
        import aiohttp

        return aiohttp.TCPConnector(
            limit=CONNECTIONS,
            keepalive_timeout=KEEPALIVE_SECONDS,
            ttl_dns_cache=_DNS_SECONDS,
            socket_factory=self._new_socket,
        )

    def _new_socket(self, address: Any) -> socket.socket:
        """Counts here and not in a trace: traces cost 13 us on every request."""
        self.connections_opened += 1
        family, kind, protocol, *_ = address
        return socket.socket(family, kind, protocol)

    def _socks_connector(self) -> aiohttp.TCPConnector:
        try:
            import aiohttp_socks
        except ImportError as error:
            raise MissingDependency(
                "a SOCKS proxy needs aiohttp-socks; run: pip install 'mpdex[proxy]'",
                venue=self._venue,
            ) from error
        refused = (
            aiohttp_socks.ProxyConnectionError,
            aiohttp_socks.ProxyError,
            aiohttp_socks.ProxyTimeoutError,
        )
        self._foreign += refused
        self._refusals += refused
        return aiohttp_socks.ProxyConnector.from_url(
            self._proxy or "", limit=CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS
        )

    def _count_connections(self) -> aiohttp.TraceConfig:
        import aiohttp

        async def count(*_: object) -> None:
            self.connections_opened += 1

        trace = aiohttp.TraceConfig()
        trace.on_connection_create_start.append(count)
        return trace


async def _never_again(request: Any, handler: Callable[[Any], Any]) -> Any:
    """aiohttp itself repeats a GET, PUT or DELETE when a kept connection drops: it must not.

    A canceled order may be a DELETE. Of the dropped connections only the class is changed, to one
    that aiohttp does not repeat.
    """
    import aiohttp

    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from error


def _encoded(text: str) -> URL:
    from yarl import URL

    return URL(text, encoded=True)
