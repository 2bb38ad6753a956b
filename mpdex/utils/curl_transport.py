"""HTTP to one venue by curl_cffi, which shows a browser's handshake and headers.

For venues behind a wall that lets nothing but browsers through. It is sensible nowhere else: a
request takes half as long again as by aiohttp. curl_cffi is imported on the first request; its
transfers run on our own event loop, and how long one may take is measured there, too.

libcurl itself sends a request again, an order too, where a kept connection ends without an answer.
It must not: so a body is handed over as a stream that cannot be read twice, and such a request
fails instead.

Sources: curl_cffi 0.16.3; curl.se, "libcurl error codes"; everything seen against a server on
loopback; read 2026-11-21.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mpdex.errors import MissingDependency
from mpdex.types import Request
from mpdex.utils.transport import CONNECTIONS, KEEPALIVE_SECONDS, Answer, Transport

if TYPE_CHECKING:
    from curl_cffi.requests import AsyncSession

# Malformed address; proxy or host not found; cannot connect; no handshake; a certificate that does
# not hold; a proxy that refuses.
_BEFORE_SENDING = frozenset({3, 5, 6, 7, 35, 60, 97})
_LENGTH = "Content-Length"


class CurlTransport(Transport):
    """As the browser that the venue's SPEC names in `impersonates`."""

    _http: AsyncSession[Any] | None = None
    _refused_by_proxy: tuple[type[Exception], ...] = ()

    async def _fetch(self, request: Request) -> Answer:
        http = self._http or self._open()
        method: Any = request.method
        url, headers, body = self._address(request), dict(request.headers), None
        assert request.body or not request.command, "without a body it could be sent twice"
        if request.body:
            body, headers[_LENGTH] = iter((request.body,)), str(len(request.body))
        async with asyncio.timeout(self._timeout):
            response = await http.request(
                method,
                url,
                content=body,
                headers=headers,
                timeout=None,
                quote=False,
                allow_redirects=False,
                discard_cookies=True,
                accept_encoding=None,
                # Over plain HTTP it would ask for HTTP/2 in a header that nobody here answers.
                http_version="v1" if url.startswith("http:") else None,
            )
        self.connections_opened += sum(response.infos.values())
        return Answer(response.status_code, response.headers, response.content)

    def _unsent(self, error: Exception) -> bool:
        code = getattr(error, "code", None)
        return code in _BEFORE_SENDING or isinstance(error, self._refused_by_proxy)

    def _reason(self, error: Exception, request: Request) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._timeout:g} s"
        if self._unsent(error):
            place = urlsplit(self._endpoints[request.host]).netloc
            return f"cannot connect to {place} ({type(error).__name__})"
        return f"connection lost ({type(error).__name__})"

    def _open(self) -> AsyncSession[Any]:
        try:
            from curl_cffi import CurlInfo, CurlOpt
            from curl_cffi.requests import AsyncSession
            from curl_cffi.requests.exceptions import ProxyError, RequestException
        except ImportError as error:
            raise MissingDependency(
                f"{self._venue} lets nothing but browsers through; "
                f"run: pip install 'mpdex[{self._venue}]'",
                venue=self._venue,
            ) from error
        self._foreign = (RequestException, OSError)
        self._refused_by_proxy = (ProxyError,)
        self._http = AsyncSession(
            impersonate=self._impersonates,
            proxy=_naming(self._proxy),
            max_clients=CONNECTIONS,
            trust_env=False,
            curl_options={CurlOpt.MAXAGE_CONN: KEEPALIVE_SECONDS},
            curl_infos=[CurlInfo.NUM_CONNECTS],
        )
        return self._http


def _naming(proxy: str | None) -> str | None:
    """A SOCKS proxy that finds the host itself, as the other transport has it."""
    return proxy and proxy.replace("socks5://", "socks5h://").replace("socks4://", "socks4a://")
