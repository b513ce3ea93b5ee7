"""Hooks of mkdocs: pages from outside docs/ join the site, and no script of it names a host to load from.

What the documentation links to outside docs/, such as model cards, becomes a page of the site. A link to any
other file of the repository becomes plain text.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
COPIED = "repository"
"""The folder of the site that holds them."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")
CODE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
SUFFIXES = {".md", ".svg", ".png"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to outside docs/, and what these pages link to in turn."""
    waiting = [(file.src_uri, file.content_string) for file in files if file.src_uri.endswith(".md")]
    known = set()
    while waiting:
        page, text = waiting.pop()
        for target in _targets(text, _where(page)):
            path = ROOT / target
            if target in known or target.startswith("docs/") or path.suffix not in SUFFIXES:
                continue
            known.add(target)
            copy = File.generated(config, f"{COPIED}/{target}", abs_src_path=str(path))
            files.append(copy)
            if path.suffix == ".md":
                waiting.append((copy.src_uri, copy.content_string))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links of the repository links of the site."""
    source = page.file.src_uri
    here = _where(source)

    def lead(match: re.Match[str]) -> str:
        image, text, link, anchor = match.groups(default="")
        if not link or "://" in link:
            return match[0]
        target = _resolve(here, link)
        uri = target.removeprefix("docs/") if target.startswith("docs/") else f"{COPIED}/{target}"
        if files.get_file_from_path(uri) is None:
            return match[0] if target.startswith("docs/") else text
        return f"{image}[{text}]({posixpath.relpath(uri, posixpath.dirname(source) or '.')}{anchor})"

    parts = CODE.split(markdown)
    return "".join(part if i % 2 else LINK.sub(lead, part) for i, part in enumerate(parts))


def on_post_build(config: MkDocsConfig) -> None:
    """Take the theme's fallbacks for old browsers and for diagrams away: they would be loaded from a host."""
    for path in Path(config.site_dir).rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"https://(unpkg\.com|api\.github\.com)/", "absent/", text), encoding="utf-8")
    for path in Path(config.site_dir).rglob("*.map"):
        path.unlink()


def _where(source: str) -> str:
    """The path in the repository of a page of the site."""
    return source.removeprefix(f"{COPIED}/") if source.startswith(f"{COPIED}/") else f"docs/{source}"


def _resolve(page: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def _targets(text: str, page: str) -> list[str]:
    links = [match[3] for match in LINK.finditer(CODE.sub("", text))]
    return [_resolve(page, link) for link in links if link and "://" not in link]
