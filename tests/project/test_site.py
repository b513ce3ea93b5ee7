"""The documentation as a site: it builds without a warning, and its pages load nothing from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from watched import watch

pytest.importorskip("material", reason="the documentation's packages: pip install -e '.[docs]'")
pytest.importorskip(
    "mkdocstrings_handlers.python", reason="the documentation's packages: pip install -e '.[docs]'"
)

import diarize

REPOSITORY = Path(__file__).resolve().parent.parent.parent
ELSEWHERE = re.compile(r"(https?:)?//")
LOADED = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}


class Loads(HTMLParser):
    """What a page loads by itself: not what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        loaded = [values.get(name, "") for name in ("src", "srcset", "poster", "data", "action")]
        if tag == "link" and LOADED & set(values.get("rel", "").split()):
            loaded.append(values.get("href", ""))
        loaded += re.findall(r"url\(\s*[\"']?([^)\"']+)", values.get("style", ""))
        self.found += [each for each in loaded if ELSEWHERE.match(each)]


def build(site):
    """The command that builds the site into a folder."""
    return sys.executable, "-m", "mkdocs", "build", "--strict", "-f", REPOSITORY / "mkdocs.yml", "-d", site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(build(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_build_writes_the_site_alone_and_opens_no_socket(tmp_path):
    watched = watch(tmp_path, *build(tmp_path / "out"))
    assert (tmp_path / "out" / "index.html").exists()
    assert watched.left == []
    assert not watched.written, watched.written
    assert not watched.sockets, watched.sockets


def test_no_page_loads_anything_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        assert not Loads(page.read_text(encoding="utf-8")).found, page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)[\s\"']*(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_no_script_names_a_host_to_load_from(site):
    """The theme's scripts load fallbacks for old browsers and diagrams from a host."""
    for script in (site / "assets" / "javascripts").glob("*.js"):
        assert not re.search(r"https://(unpkg|api\.github|cdn|fonts)", script.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", diarize.__all__)
def test_every_public_name_has_its_entry(site, name):
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert re.search(rf'<h\d id="diarize\.(\w+\.)*{name}"', page)
