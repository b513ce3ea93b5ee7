"""Numbers, nesting and names that nobody means: one line on stderr and exit status 2, never a traceback."""

import pytest
from command_line import call, complaint

from diarize.errors import DiarizeError
from diarize.files.atomic import atomic_path
from diarize.formats.kaldi import write_data_folder

DIGITS = {"400": "9" * 400, "5000": "9" * 5000}
RTTM = "SPEAKER a 1 {} {} <NA> <NA> x <NA> <NA>\n"
JSON = (
    '{{"format": "diarize", "version": 1, "recording": "a", '
    '"turns": [{{"start": 0, "end": {}, "speaker": "x"}}]}}'
)
EAF = (
    '<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds">{}</HEADER><TIME_ORDER>'
    '<TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="{}"/></TIME_ORDER>'
    '<TIER TIER_ID="A"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="t1" '
    'TIME_SLOT_REF2="t2"/></ANNOTATION></TIER></ANNOTATION_DOCUMENT>'
)
GRID = '"ooTextFile" "TextGrid" 0 1 <exists> {} "IntervalTier" "A" 0 1 1 0 {} "x"'
BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><ANNOTATION_DOCUMENT>&j;</ANNOTATION_DOCUMENT>"
)
FILES = {
    "number.rttm": RTTM.format("1e308", "1e308"),
    "end.rttm": RTTM.format("9e8", "9e8"),
    "digits.rttm": RTTM.format(0, DIGITS["5000"]),
    "nul.rttm": RTTM.format(0, 1).replace(" a ", " a\0b "),
    "hours.srt": "1\n99999999999999:00:00,000 --> 99999999999999:00:01,000\n[A]: x\n",
    "digits.srt": f"1\n{DIGITS['5000']}:00:00,000 --> 00:00:01,000\n[A]: x\n",
    "digits.vtt": f"WEBVTT\n\n00:00.000 --> {DIGITS['5000']}:00:01.000\n<v A>x\n",
    "slot.eaf": EAF.format("", DIGITS["400"]),
    "origin.eaf": EAF.format(f'<MEDIA_DESCRIPTOR TIME_ORIGIN="{DIGITS["5000"]}"/>', 1000),
    "bomb.eaf": BOMB,
    "nested.eaf": "<a>" * 100_000 + "</a>" * 100_000,
    "digits.TextGrid": GRID.format(DIGITS["5000"], 1),
    "tiers.TextGrid": GRID.format(999_999_999, 1),
    "number.TextGrid": GRID.format(1, "1e308"),
    "digits.csv": f"recording,start,end,speaker\na,0,{DIGITS['5000']},x\n",
    "long.csv": f"recording,start,end,speaker\na,0,1,{'x' * 200_000}\n",
    "nul.csv": "recording,start,end,speaker\na\0b,0,1,x\n",
    "number.txt": "0\t1e300\tA\n",
    "number.lab": "0 1e300 A\n",
    "digits.stm": f"a 1 A 0 {DIGITS['400']} x\n",
    "number.ctm": "a 1 0 1e308 w 1 lex A\n",
    "400.json": JSON.format(DIGITS["400"]),
    "5000.json": JSON.format(DIGITS["5000"]),
    "exponent.json": JSON.format("1e400"),
    "nan.json": JSON.format("NaN"),
    "infinity.json": JSON.format("-Infinity"),
    "true.json": JSON.format("true"),
    "version.json": JSON.format(1).replace('"version": 1', '"version": true'),
    "versions.json": JSON.format(1).replace('"version": 1', f'"version": {DIGITS["400"]}'),
    "twice.json": JSON.format(1).replace('"version": 1', '"version": 1, "version": 1'),
    "nul.json": JSON.format(1).replace('"a"', '"a\\u0000b"'),
    "lists.json": "[" * 100_000 + "]" * 100_000,
    "objects.json": '{"a":' * 100_000,
    "segments.json": f'{{"segments": [{{"start": 0, "end": {DIGITS["400"]}, "speaker": "A"}}]}}',
    "seglst.json": f'[{{"session_id": "a", "speaker": "A", "end_time": 1, "start_time": "{DIGITS["400"]}"}}]',
}


@pytest.mark.parametrize("name", FILES)
def test_an_absurd_annotation_is_one_short_line(name, tmp_path):
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    (tmp_path / "good.rttm").write_text(RTTM.format(0, 1))
    for command in (
        ["convert", tmp_path / name, "-o", tmp_path / "out.rttm"],
        ["score", tmp_path / "good.rttm", tmp_path / name],
    ):
        line = complaint(call(*command))
        assert line.startswith(f"{tmp_path / name}")
        assert len(line) < len(str(tmp_path)) + 200
    assert not (tmp_path / "out.rttm").exists()


@pytest.mark.parametrize("text", ["a 1 0 1e308\n", "a\0 1 0 1\n", f"a 1 {DIGITS['5000']} 1\n"])
def test_an_absurd_uem_is_one_line(text, tmp_path):
    (tmp_path / "good.rttm").write_text(RTTM.format(0, 1))
    (tmp_path / "a.uem").write_text(text)
    line = complaint(
        call("score", tmp_path / "good.rttm", tmp_path / "good.rttm", "--uem", tmp_path / "a.uem")
    )
    assert line.startswith(f"{tmp_path / 'a.uem'}, line 1: ")


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("reco2num_spk", f"a {DIGITS['400']}\n"),
        ("reco2num_spk", f"a {DIGITS['5000']}\n"),
        ("reco2num_spk", "a 1000000000\n"),
        ("segments", f"u a 0 {DIGITS['400']}\n"),
        ("wav.scp", "a a\0.wav\n"),
        ("wav.scp", "a\0b a.wav\n"),
    ],
)
def test_an_absurd_data_folder_is_one_line(table, text, tmp_path):
    write_data_folder(tmp_path / "data", {"a": "a.wav"})
    (tmp_path / "data" / table).write_text(text)
    line = complaint(call("run", tmp_path / "data", "--model", "none"))
    assert line.startswith(f"{tmp_path / 'data' / table}, line 1: ")
    assert len(line) < len(str(tmp_path)) + 200


def test_an_absurd_number_of_speakers_is_one_line(tmp_path):
    for option in ("--num-speakers", "--min-speakers", "--max-speakers"):
        line = complaint(call("run", tmp_path / "a.wav", option, 100_001))
        assert "_speakers': input should be less than or equal to 100000, got 100001" in line


def test_a_name_that_no_file_can_have_is_one_line(tmp_path):
    (tmp_path / "long.rttm").write_text(RTTM.format(0, 1).replace(" a ", f" {'a' * 300} "))
    for command in (
        ["convert", tmp_path / "long.rttm", "-o", tmp_path / "out", "--format", "csv"],
        ["convert", tmp_path / "long.rttm", "-o", tmp_path / f"{'a' * 300}.csv"],
        ["score", tmp_path / "long.rttm", tmp_path / f"{'a' * 300}.rttm"],
    ):
        assert complaint(call(*command)).endswith("(File name too long)")
    assert (
        complaint(call("run", "a\0b.wav")) == "'a\\x00b.wav': a file name cannot hold a NUL; check the name"
    )
    message = r"^'a\\x00b': cannot be written \(embedded null byte\)$"
    with pytest.raises(DiarizeError, match=message), atomic_path("a\0b"):
        pass


@pytest.mark.parametrize("value", ["9" * 5000, "1e308", "nan", "-1", "0"])
@pytest.mark.parametrize("option", ["--num-speakers", "--max-speakers", "--threads", "--channel", "--track"])
def test_an_absurd_option_is_one_line(option, value):
    assert f"'{option}'" in complaint(call("run", "a.wav", option, value))


@pytest.mark.parametrize("setting", ["embedding.window", "resegmentation.window"])
def test_windows_have_a_least_length(setting):
    said = complaint(call("run", "a.wav", "--set", f"{setting}=1e-308"))
    assert f"setting '{setting}': input should be at least 0.01" in said


def test_a_key_of_a_hundred_thousand_parts(tmp_path):
    (tmp_path / "a.toml").write_text("a" + ".a" * 100_000 + " = 1")
    assert "a key of more than 100 parts" in complaint(call("run", "a.wav", "--config", tmp_path / "a.toml"))


def test_empty_names_are_no_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complaint(call("run", "a.wav", "-o", "")).startswith("--output is empty")
    assert complaint(call("run", "")) == "a recording's name is empty; name files or folders"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.stm", "a.ctm", "a.uem"])
def test_formats_that_are_only_read_are_no_folders(name, tmp_path):
    assert " cannot be written; known: " in complaint(call("run", "a.wav", "-o", tmp_path / name))
