"""A check's report as text, JSON and TSV."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby

from diarize.corpus.check import Report, Summary
from diarize.corpus.findings import KINDS, Finding
from diarize.formats.csv_format import disarm

VERSION = 1
"""Of the JSON document."""

COLUMNS = ("severity", "kind", "place", "other", "score", "evidence", "remedy")
_SHOWN = 3


def render_text(report: Report, name: str) -> str:
    """The report as text: numbers of the corpus, then each kind of finding with its first examples."""
    lines = _numbers(report.summary, name)
    for kind, group in groupby(report.findings, key=lambda each: each.kind):
        found, known = list(group), KINDS[kind]
        remedy = known.remedy and f"; {known.remedy}"
        lines.append(f"{known.severity}: {known.title}: {len(found)}{remedy}")
        lines += [f"  {_line(each)}" for each in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"  ... and {len(found) - _SHOWN} more")
    n_errors = len(report.errors)
    n_warnings = len(report.findings) - n_errors
    lines.append(f"{_count(n_errors, 'error')}, {_count(n_warnings, 'warning')}")
    return "\n".join(lines) + "\n"


def render_json(report: Report) -> str:
    """The report as JSON, with all findings."""
    document = {
        "format": "diarize check",
        "version": VERSION,
        "errors": len(report.errors),
        "summary": asdict(report.summary),
        "findings": [dict(zip(COLUMNS, _cells(each), strict=True)) for each in report.findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def render_tsv(report: Report) -> str:
    """All findings as a table, with a line of names above."""
    rows = [["" if cell is None else str(cell) for cell in _cells(each)] for each in report.findings]
    lines = ("\t".join(disarm(" ".join(cell.split())) for cell in row) for row in [[*COLUMNS], *rows])
    return "".join(f"{line}\n" for line in lines)


def _numbers(summary: Summary, name: str) -> list[str]:
    alone = f" ({summary.n_alone} with one recording)" if summary.n_alone else ""
    speakers = f"{_count(summary.n_speakers, 'speaker')}{alone}, " if summary.n_speakers else ""
    lines = [f"{name}: {speakers}{_count(summary.n_recordings, 'recording')}, {summary.hours:.2f} hours"]
    shortest, median, longest = summary.seconds
    rates = ", ".join(f"{rate} Hz: {count}" for rate, count in summary.rates.items())
    lines.append(f"length {median:.1f} s ({shortest:.1f} to {longest:.1f} s); {rates}")
    if summary.levels is not None:
        low, middle, high = summary.levels
        lines.append(f"level {middle:.0f} dB of full scale (5 to 95 %: {low:.0f} to {high:.0f} dB)")
    if summary.subsets:
        lines.append("sets: " + ", ".join(f"{name} {count}" for name, count in summary.subsets.items()))
    return lines


def _line(finding: Finding) -> str:
    where = f"{finding.place} and {finding.other}" if finding.other else finding.place
    return f"{where}: {finding.evidence}" if finding.evidence else where


def _cells(finding: Finding) -> list[str | float | None]:
    score = None if finding.score is None else round(finding.score, 3)
    return [
        finding.severity, finding.kind, finding.place, finding.other, score, finding.evidence,
        KINDS[finding.kind].remedy,
    ]  # fmt: skip


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
