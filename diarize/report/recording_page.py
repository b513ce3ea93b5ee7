"""The page of a recording: one self-contained HTML file to see, hear and correct who speaks when.

The page loads nothing: its style, its scripts and its data are inside, and a content security policy forbids
requests. Only the audio may lie beside it. The scripts of `assets/` are joined in the order of `_SCRIPTS`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from diarize.report.evidence import format_evidence
from diarize.report.recording_data import encode_base64, script_json
from diarize.report.style import LINE_COLOURS

_SCRIPTS = (
    "times.js", "palette.js", "turns.js", "corrections.js", "export.js", "player.js", "view.js",
    "waveform.js", "timeline.js", "pointer.js", "turn_form.js", "speaker_list.js", "lists.js",
    "turn_table.js", "embedding_map.js", "keys.js", "main.js",
)  # fmt: skip


def format_recording_page(data: Mapping[str, Any], *, embedded: bytes | None = None) -> str:
    """The HTML of a page. Equal input gives equal text.

    Parameters
    ----------
    data : mapping
        What `diarize.report.recording_data.describe_result` gives; beside it, as far as there is any,
        `peaks`, `points` and `errors` of the other functions there, `audio` (the address of the recording
        relative to the page, or the type of the embedded copy), and `save` (the address that takes
        corrections, and the version of the file).
    embedded : bytes, optional
        A copy of the recording, to be put into the page.
    """
    style, script = _style(), _script()
    evidence = data["document"].get("evidence")
    known = {
        "TITLE": escape(data["recording"]),
        "POLICY": policy(script, style, saves="save" in data),
        "STYLE": style,
        "EVIDENCE": format_evidence(evidence) if isinstance(evidence, dict) else "",
        "DATA": script_json({**data, "colours": LINE_COLOURS}),
        "AUDIO": "" if embedded is None else encode_base64(embedded),
        "SCRIPT": script,
    }
    # In one pass, so that a name in the data that looks like a place is left as it is.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: known[place[1]], _asset("recording.html"))


def format_list_page(recordings: Sequence[str]) -> str:
    """The HTML of a list of recordings, each linked to the page that lies below its number."""
    style = _style()
    rows = "".join(f'<li><a href="{k}/">{escape(name)}</a></li>\n' for k, name in enumerate(recordings))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy("", style)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>Recordings</title>\n<style>{style}</style>\n</head>\n'
        "<body>\n<header><h1>Recordings</h1></header>\n"
        f'<main><section class="card"><ul>\n{rows}</ul></section></main>\n</body>\n</html>\n'
    )


def policy(script: str, style: str, *, saves: bool = False) -> str:
    """The content security policy of a page: its own script and style by their hashes, audio, nothing else.

    `saves` allows requests to the server that the page comes from.
    """
    rules = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        "img-src": "data:",
        "media-src": "'self' file: blob:",
        "connect-src": "'self'" if saves else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


@cache
def _script() -> str:
    """All scripts as one, in a scope of their own."""
    return '"use strict";\n(() => {\n' + "\n".join(_asset(name) for name in _SCRIPTS) + "})();\n"


@cache
def _style() -> str:
    return _asset("recording.css")


def _asset(name: str) -> str:
    return files("diarize.report").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
