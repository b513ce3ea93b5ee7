"""Names that are orders elsewhere are text in every output; files that expand to gigabytes are refused."""

import csv
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from command_line import call, environment
from hypothesis import example, given
from hypothesis import strategies as st

from diarize.errors import FormatError
from diarize.files.text import Content
from diarize.formats import FORMATS, read_turns, render_turns
from diarize.formats.csv_format import disarm, rearm
from diarize.formats.kaldi import parse_data_folder, read_data_folder, write_data_folder
from diarize.formats.svg import draw_timeline
from diarize.formats.vector_tables import read_tsv, write_projector, write_tsv
from diarize.report.page import format_page
from diarize.report.recording_page import format_list_page
from diarize.scoring.tables import markdown_table
from diarize.segments import Segment, Turn
from diarize.words.word import Word
from diarize.words.writers import WRITERS, render_words

NAMES = [
    "<script>alert(1)</script>", "</script><img/src=x/onerror=alert(1)>", "</v><b/onclick=x>", "]]>",
    "&lt;b&gt;",
    "=cmd|'/C_calc'!A0", "+1+1", "-2+3", "@SUM(1)", "a;=1+1", "'=1", "\uff1d1+1",
    "$(touch_pwned)", "`touch_pwned`", ";rm_-rf_~", "--force", "a|b", '"quoted"', "[x](javascript:alert(1))",
    "{{DATA}}", "${x}", "%s%n", "\\frac", "*bold*",
]  # fmt: skip
CONTROL = [
    "\x1b]0;title\x07",
    "a\x1b[2J",
    "\x9b31m",
    "a\rb",
    "a\nSPEAKER b 1 0 9 <NA> <NA> X <NA> <NA>",
    "a\tb",
]


def turns(name: str) -> list[Turn]:
    return [Turn("rec", Segment(0, 1), name), Turn("rec", Segment(2, 3), "Bob")]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_an_order_elsewhere_is_read_back_as_it_was(name, format):
    text = render_turns(turns(name), format, "rec")
    read = read_turns(Content(f"rec{FORMATS[format].suffix}", text.encode()), format)
    assert [turn.speaker for turn in read] == [name, "Bob"]


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "json"])
@pytest.mark.parametrize("name", CONTROL)
def test_control_characters_and_line_breaks_are_not_written(name, format):
    text = render_turns(turns(name), format, "rec")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    read = read_turns(Content(f"rec{FORMATS[format].suffix}", text.encode()), format)
    assert len(read) == 2, "a line break makes no other turn"


class Elements(HTMLParser):
    """The elements of a page and the attributes that run scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.found += [
            name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")
        ]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_no_element_of_a_page_or_drawing(name, tmp_path):
    plain = Elements(format_page("Ann", {"Ann": "Ann"}, []) + format_list_page(["Ann"])).found
    assert Elements(format_page(name, {name: name}, []) + format_list_page([name])).found == plain
    svg = ElementTree.fromstring(draw_timeline(turns(name), 3.0))
    kinds = {element.tag.rpartition("}")[2] for element in svg.iter()}
    assert kinds == {"svg", "text", "rect", "title"}


def test_the_page_of_a_recording_has_the_elements_of_any_other(tmp_path):
    def elements(names):
        document = {"format": "diarize", "version": 1, "recording": names[0], "duration": 9.0}
        document["turns"] = [{"start": i, "end": i + 1, "speaker": name} for i, name in enumerate(names)]
        document["evidence"] = {"reason": names[0], "n_speakers": 2, "absorbed": [names[0]]}
        document["evidence"]["candidates"] = [{"n_speakers": n, "score": float(n)} for n in (1, 2)]
        document["settings"] = {names[0]: names[0]}
        (tmp_path / "a.json").write_text(json.dumps(document))
        page = tmp_path / "page.html"
        assert call("report", tmp_path / "a.json", "-o", page, "--force").status == 0
        return Elements(
            re.sub(r'(id="data">).*?(</script>)', r"\1\2", page.read_text(encoding="utf-8"))
        ).found

    assert elements(NAMES) == elements([f"name{i}" for i in range(len(NAMES))])


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_no_markup_of_words_or_tables(name):
    words = [Word("hello", 0, 1, speaker=name), Word("you", 1, 2, speaker="Bob")]
    texts = {format: render_words(words, format, "rec") for format in WRITERS}
    assert set(re.findall(r"</?(\w*)", texts["vtt"])) == {"v"}, "voices alone"
    assert not re.search(r"(?<!\\)[<>\[`|]", texts["md"])
    assert json.loads(texts["seglst"])[0]["speaker"] == name
    cells = re.split(r"(?<!\\)\|", markdown_table([("recording", "DER"), (name, "1.00")])[-1])
    assert len(cells) == 4
    assert not re.search(r"(?<!\\)[<>\[`]", cells[1])


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_of_a_spreadsheet_is_a_formula(name, tmp_path):
    table = {
        "recording": np.array([name]),
        "start": np.zeros(1),
        "end": np.ones(1),
        "vectors": np.ones((1, 2)),
    }
    write_tsv(table, tmp_path / "a.tsv")
    write_projector([table], tmp_path)
    rows = [line.split("\t") for name in ("a", "metadata") for line in (tmp_path / f"{name}.tsv").open()]
    rows += csv.reader(StringIO(render_turns(turns(name), "csv", "rec")))
    cells = [part for row in rows for cell in row for part in cell.split(";")]
    assert not [cell for cell in cells if re.match("[=+@\uff1d-]", cell)]
    assert read_tsv(tmp_path / "a.tsv")["recording"].tolist() == [name]


@given(st.text(alphabet="'=+-@;\t a1.") | st.text())
@example("-1")
def test_a_disarmed_name_is_the_name_again(name):
    assert rearm(disarm(name)) == name


def test_a_terminal_gets_no_orders(tmp_path):
    path = tmp_path / "a\x1b]0;x\x07\x9b.rttm"
    for done in (call("score", path, path), call("convert", path, "-o", tmp_path / "b.csv")):
        assert done.status == 2
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.err + done.out)
        assert "\\x1b" in done.err
    path.write_text("SPEAKER a\x1b[2J 1 0 1 <NA> <NA> A <NA> <NA>\n")
    done = call("score", path, path)
    assert done.status == 0
    assert "\x1b" not in done.out + done.err


# Kaldi's data folders


@pytest.mark.parametrize("entry", ["touch pwned |", "touch pwned|", "cat a.wav | touch pwned |", "a |  "])
@pytest.mark.parametrize("command", ["run", "embed", "check", "tune"])
def test_commands_in_wav_scp_are_refused_and_not_run(entry, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wav.scp").write_text(f"a {entry}\n")
    done = call(command, tmp_path, *(["-o", tmp_path / "out.toml"] if command in ("embed", "tune") else []))
    assert done.status == 2
    assert not (tmp_path / "pwned").exists()
    with pytest.raises(FormatError, match="give --allow-pipes to run it"):
        read_data_folder(tmp_path)


@pytest.mark.parametrize("path", ["a.wav\nb touch pwned |", "a.wav\rb", "a\0b"])
def test_a_file_name_makes_no_other_line_of_wav_scp(path, tmp_path):
    with pytest.raises(FormatError, match="has a line break"):
        write_data_folder(tmp_path, {"a": path})
    assert list(tmp_path.iterdir()) == []


# Files that claim or expand to gigabytes: read in a process of 2 GiB

BOMBS = r"""
import io, json, resource, struct, sys, zipfile
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from diarize.config.toml import load_toml
from diarize.embedding.table import Embeddings
from diarize.errors import DiarizeError
from diarize.formats import read_turns
from diarize.speakers.voice_table import VoiceTable

folder = Path(sys.argv[1])

def laughs(entity):
    return f'<?xml version="1.0"?>\n<!DOCTYPE a [{entity}]>\n<ANNOTATION_DOCUMENT>&a9;</ANNOTATION_DOCUMENT>'

def npy(shape):
    head = str({"descr": "<f4", "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()

def npz(member, kind=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        with archive.open("vectors.npy", "w", force_zip64=True) as file:
            member(file)
    return buffer.getvalue()

def zeros(file):
    file.write(npy((2**25,)))
    for _ in range(2**7):
        file.write(bytes(2**20))

def parquet():
    n = 400_000
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(n * 64, "f4")), 64)
    names = pa.array(["a"] * n)
    table = pa.table({"recording": names, "start": np.zeros(n), "end": np.ones(n), "vector": vectors})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=n)
    return buffer.getvalue()

entities = "".join(f'<!ENTITY a{i} "{f"&a{i-1};" * 10}">' for i in range(1, 10))
files = {
    "laughs.eaf": laughs('<!ENTITY a0 "ha">' + entities).encode(),
    "utf16.eaf": laughs('<!ENTITY a0 "ha">' + entities).encode("utf-16"),
    "square.eaf": laughs(f'<!ENTITY a9 "{"a" * 10**6}">').encode(),
    "outside.eaf": laughs('<!ENTITY a9 SYSTEM "file:///etc/passwd">').encode(),
    "parameter.eaf": laughs('<!ENTITY % a SYSTEM "http://127.0.0.1:9/x"> %a;').encode(),
    "deep.eaf": b"<a>" * 300_000,
    "deep.json": b"[" * 300_000,
    "keys.json": b'{"a":' * 300_000,
    "deep.toml": b"a = " + b"[" * 300_000,
    "tables.toml": b"[" + b"a." * 300_000 + b"a]",
    "inline.toml": b"a = " + b"{a=" * 300_000,
    "items.TextGrid": b'"ooTextFile"\n"TextGrid"\n0 1 <exists> 999999999\n"IntervalTier" "A" 0 1 999999999\n',
    "zeros.npz": npz(zeros),
    "claim.npz": npz(lambda file: file.write(npy((2**40,)))),
    "negative.npz": npz(lambda file: file.write(npy((-5,)))),
    "object.npz": npz(lambda file: file.write(npy((1,)).replace(b"<f4", b"|O "))),
    "claim.ark": b"a \0BFV \4" + struct.pack("<i", 2**31 - 1),
    "negative.ark": b"a \0BFV \4" + struct.pack("<i", -1),
    "zeros.parquet": parquet(),
    "metadata.parquet": b"PAR1" + bytes(8) + struct.pack("<I", 2**32 - 1) + b"PAR1",
}
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
told = {}
for name, content in files.items():
    path = folder / name
    path.write_bytes(content)
    readers = {".toml": load_toml, ".npz": Embeddings.load, ".ark": Embeddings.load}
    readers[".parquet"] = Embeddings.load
    if path.suffix == ".ark":
        path.with_suffix(".segments").write_text("a a 0 1\n")
    for reader in [readers.get(path.suffix, read_turns), *([VoiceTable.load] if "parquet" in name else [])]:
        try:
            reader(path)
            told[name] = "read"
        except DiarizeError as error:
            told[name] = str(error)
        except BaseException as error:
            told[name] = f"{type(error).__name__}: {error}"
            break
print(json.dumps(told))
"""


def test_files_that_claim_or_expand_to_gigabytes_are_refused_in_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BOMBS, tmp_path],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert len(told) == 20
    for name, line in told.items():
        assert line.startswith(str(tmp_path / Path(name).stem)), (name, line)
        assert "\n" not in line
    assert "defines XML entities" in told["utf16.eaf"]
    assert "claims 134217856 bytes" in told["zeros.npz"]
    assert "claims " in told["zeros.parquet"]


def test_a_data_folder_in_memory_refuses_commands_as_well():
    from diarize.files.text import Text

    with pytest.raises(FormatError, match="a command"):
        parse_data_folder({"wav.scp": Text("a touch pwned |\n", "wav.scp")})
