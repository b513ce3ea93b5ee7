"""Who may use a server; the servers themselves are attacked in tests of their own."""

import pytest

from diarize.access import Access, RefusedError
from diarize.errors import DiarizeError

TOKEN = "a-token-of-24-characters"


def admit(access: Access, target: str, **headers: str) -> str | int:
    """The path without the token, or the status of the refusal."""
    try:
        return access.admit(target, {name.replace("_", "-"): value for name, value in headers.items()})
    except RefusedError as refused:
        return refused.status


def test_the_token_is_in_the_address_or_in_a_header():
    access = Access(80, TOKEN)
    assert admit(access, f"/{TOKEN}/a/b?c=d", Host="localhost:80") == "/a/b"
    assert admit(access, "/a/b", Host="localhost:80", Authorization=f"Bearer {TOKEN}") == "/a/b"
    assert admit(access, f"/{TOKEN}/a", Host="localhost:80", Authorization="Bearer x") == 401
    assert admit(access, "/a", Host="localhost:80", Authorization=f"Basic {TOKEN}") == 401
    assert admit(access, "/a", Host="localhost:80", Authorization="Bearer \udc80") == 401
    for target in ("", "/", "//", TOKEN, f"/{TOKEN}", f"//{TOKEN}/", "/\u20ac/"):
        assert admit(access, target, Host="localhost:80") == 404, target


def test_a_server_has_further_names_only_if_they_are_given():
    access = Access(8000, TOKEN, ["Labels.example.org", "10.0.0.2:443"])
    path = f"/{TOKEN}/"
    for host in ("labels.example.org", "LABELS.example.org:8000", "10.0.0.2:443", "127.0.0.1:8000"):
        assert admit(access, path, Host=host) == "/", host
    for host in ("", "10.0.0.2", "10.0.0.2:8000", "labels.example.org:443", "example.org", "127.0.0.1"):
        assert admit(access, path, Host=host) == 403, host
    host = "labels.example.org"
    for origin in ("http://labels.example.org", "https://labels.example.org", "http://127.0.0.1:8000"):
        assert admit(access, path, Host=host, Origin=origin) == "/", origin
    for origin in ("https://127.0.0.1:8000", "ftp://labels.example.org", "https://labels.example.org.evil"):
        assert admit(access, path, Host=host, Origin=origin) == 403, origin


@pytest.mark.parametrize("token", ["", "short", "x" * 201, "with/slash/and/some/more", "ünicode-" * 3])
def test_a_token_that_could_be_guessed_or_does_not_fit_is_refused(token):
    with pytest.raises(DiarizeError, match="the token must be 20 to 200 letters, digits, - or _"):
        Access(80, token)
