"""Who may use a server: the token, the names of the server, and the origin of a request.

One mechanism for all servers of this project. Other programs and web pages on the machine cannot use them:

- every address begins with a random token; a program may send it as ``Authorization: Bearer`` instead, and
  then leaves it out of the address;
- a request must name the server as its host, so that no domain name can lead to it (DNS rebinding);
- a request from a page of another origin is refused.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from hmac import compare_digest
from typing import Protocol
from urllib.parse import urlsplit

from diarize.errors import DiarizeError

LOCAL = ("127.0.0.1", "localhost")
SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer."""


class Headers(Protocol):
    """Headers of a request; names in any case."""

    def get(self, name: str, /) -> str | None:
        """The first header of a name."""


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Access:
    """The token of a server and the names under which it is known.

    Parameters
    ----------
    port : int
    token : str, optional
        By default, a new random one.
    hosts : iterable of str
        Further names of the server, such as "diarize.example.org" or "10.0.0.2:8080"; a name without a port
        is also known with that of the server.

    Raises
    ------
    DiarizeError
        If the token could be guessed or does not fit into an address.
    """

    def __init__(self, port: int, token: str | None = None, hosts: Iterable[str] = ()) -> None:
        self.token = secrets.token_urlsafe(24) if token is None else token
        if not re.fullmatch(r"[A-Za-z0-9_-]{20,200}", self.token):
            raise DiarizeError(
                "the token must be 20 to 200 letters, digits, - or _; make one: openssl rand -hex 16"
            )
        self.hosts = {f"{name}:{port}" for name in LOCAL}
        self.origins = {f"http://{host}" for host in self.hosts}
        for name in map(str.lower, hosts):
            named = {name} if re.search(r":\d+$", name) else {name, f"{name}:{port}"}
            self.hosts |= named
            self.origins |= {f"{scheme}://{host}" for scheme in ("http", "https") for host in named}

    def admit(self, target: str, headers: Headers) -> str:
        """The path of a request without the token.

        Parameters
        ----------
        target : str
            The path, with the token unless a header has it.
        headers : Headers

        Raises
        ------
        RefusedError
            If the request is not answered.
        """
        if (headers.get("Host") or "").lower() not in self.hosts:
            raise RefusedError(403, "this server is not known by that name")
        try:
            path = urlsplit(target).path
        except ValueError as error:
            raise RefusedError(400, "no address") from error
        if (authorization := headers.get("Authorization")) is not None:
            if not self._is_token(authorization.removeprefix("Bearer ")):
                raise RefusedError(401, "the token in the header Authorization is not that of this server")
        else:
            token = path.split("/", 2)[1] if path.startswith("/") else ""
            if not self._is_token(token):
                raise RefusedError(404, "not found; use the address that diarize serve has printed")
            path = path[1 + len(token) :]
            if not path:
                raise RefusedError(404, "not found; the address ends in a slash")
        origin = headers.get("Origin")
        if origin is not None and origin not in self.origins:
            raise RefusedError(403, "requests from other pages are refused")
        if (headers.get("Sec-Fetch-Site") or "none") not in ("none", "same-origin"):
            raise RefusedError(403, "requests from other pages are refused")
        return path

    def _is_token(self, token: str) -> bool:
        return compare_digest(token.encode("utf-8", "surrogateescape"), self.token.encode())
