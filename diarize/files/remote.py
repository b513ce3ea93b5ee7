"""Files at URLs (s3://, gs://, https://), which fsspec and its packages read and write.

Nothing here is reached without a URL that the user has named. A file is read whole into a temporary one, and
written by one request: object stores show a file when it is complete.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedReader
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote, urlsplit

from diarize.errors import ConfigError, DiarizeError

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "http": "aiohttp", "https": "aiohttp", "memory": "fsspec"}
"""The schemes that are read, and the package that each needs beside fsspec."""

_READ_ONLY = ("http", "https")
_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_VERSIONS = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "updated", "created")
"""What says that a file has changed, in the words of each package; the first that is there."""


def is_url(name: str) -> bool:
    """Whether a name is a URL and not a path."""
    return _URL.match(name) is not None


@dataclass(frozen=True, order=True)
class RemoteFile:
    """A file or a folder at a URL.

    Errors are those of `_open_system` and, if the store cannot be reached or refuses, a `DiarizeError`.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str | PurePath) -> RemoteFile:
        """A file or a folder in this folder."""
        inner = PurePath(name).as_posix()
        return self if inner == "." else RemoteFile(f"{self.url.rstrip('/')}/{inner}")

    @property
    def name(self) -> str:
        """The last part of its path; for https, without what follows a question mark."""
        if _scheme(self.url) in _READ_ONLY:
            return unquote(urlsplit(self.url).path).rpartition("/")[2]
        return self.url.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """Its name without the suffix."""
        return PurePath(self.name).stem

    @property
    def suffix(self) -> str:
        """The suffix of its name."""
        return PurePath(self.name).suffix

    def with_name(self, name: str) -> RemoteFile:
        """A file beside it."""
        return RemoteFile(f"{self.url.rpartition('/')[0]}/{name}")

    def status(self) -> tuple[int, int]:
        """Its size in bytes, and a number that changes with its content; 0 if the store gives none.

        Raises
        ------
        FileNotFoundError
            If it is not there.
        """
        with _errors(self.url):
            system, path = _open_system(self.url)
            found = system.info(path)
            if found["type"] == "directory":
                raise FileNotFoundError(self.url)
        version = next((f"{found[name]}" for name in _VERSIONS if found.get(name)), None)
        number = 0 if version is None else int(sha256(version.encode()).hexdigest()[:15], 16)
        return int(found.get("size") or 0), number

    def exists(self) -> bool:
        """Whether it is there."""
        try:
            self.status()
        except FileNotFoundError:
            return False
        return True

    def find(self) -> list[RemoteFile]:
        """The files below this folder, or the file itself, sorted. Their status is then known at once.

        Raises
        ------
        FileNotFoundError
            If nothing is there.
        """
        with _errors(self.url):
            system, path = _open_system(self.url)
            found = system.find(path)
        if not found:
            raise FileNotFoundError(self.url)
        start = f"{_scheme(self.url)}://"
        return [RemoteFile(f"{start}{each.lstrip('/')}") for each in sorted(found)]

    def forget(self) -> None:
        """Ask the store again from now on."""
        _open_system(self.url)[0].invalidate_cache()

    @contextmanager
    def downloaded(self) -> Iterator[BufferedReader]:
        """A temporary file with its content, open inside the block.

        Raises
        ------
        FileNotFoundError
            If it is not there.
        """
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            with _errors(self.url):
                system, path = _open_system(self.url)
                system.get_file(path, str(copy))
            with copy.open("rb") as file:
                yield file

    def write_bytes(self, content: bytes) -> None:
        """Write it, whole or not at all."""
        with _errors(self.url):
            system, path = _open_system(self.url)
            system.pipe_file(path, content)


def check_writable(url: str) -> RemoteFile:
    """A URL that results can be written to.

    Raises
    ------
    ConfigError
        If its scheme cannot be written or its package is missing.
    """
    if _scheme(url) in _READ_ONLY:
        raise ConfigError(f"{url}: cannot be written; give a folder, or a URL of s3 or gs")
    _open_system(url)
    return RemoteFile(url)


def _scheme(url: str) -> str:
    found = _URL.match(url)
    return found[1].lower() if found else ""


def _open_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises
    ------
    ConfigError
        If its scheme is unknown, or a package is missing.
    """
    scheme = _scheme(url)
    if scheme not in PACKAGES:
        raise ConfigError(f"{url}: {scheme}:// is not known; known: {', '.join(PACKAGES)}")
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise ConfigError(f"{url}: needs fsspec: pip install 'diarize-toolkit[remote]'") from error
    try:
        system = fsspec.filesystem(scheme)
    except ImportError as error:
        package = PACKAGES[scheme]
        raise ConfigError(f"{url}: needs the package {package}: pip install {package}") from error
    return system, system._strip_protocol(url)


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """Errors of whatever package as one line, but for a file that is not there."""
    try:
        yield
    except (DiarizeError, FileNotFoundError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200] or "no reason given"
        remedy = "check the URL, the network and your credentials"
        raise DiarizeError(f"{url}: {type(error).__name__}: {said}; {remedy}") from error
