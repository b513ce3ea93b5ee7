"""TOML: what is written is read back, and numbers that nobody means are one line."""

import math
import tomllib

import pytest
from command_line import call, complaint
from hypothesis import given
from hypothesis import strategies as st

from diarize.config import load_config, load_tables
from diarize.config.toml import format_toml, load_toml, parse_value, shown
from diarize.embedding.models import write_config
from diarize.errors import ConfigError

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats()
values = st.recursive(
    texts | numbers | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def same(one: object, other: object) -> bool:
    """Equal, and of one type; nan is nan."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


@given(st.dictionaries(texts, st.dictionaries(texts, values, min_size=1, max_size=4), max_size=4))
def test_what_is_written_is_read_back(tables):
    assert same(tomllib.loads(format_toml(tables)), tables)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f399", "\U00020bb7\U0010ffff", "\ufffe\uffff", '"quoted" \\ back\\',
        "a\nb\r\nc\td", "\x00\x1b\x7f\x85\u2028", "'''", '"""', "# no comment", "", " ",
    ],
)  # fmt: skip
def test_a_model_folder_keeps_any_text(text, tmp_path):
    """json.dumps writes a character beyond the basic plane as two surrogates, which TOML refuses."""
    tables = {"about": {"description": text, text: [text, {text: text}]}, text or "x": {"license": text}}
    write_config(tmp_path, tables)
    assert load_toml(tmp_path / "config.toml") == tables
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "config.toml").read_bytes())
    assert load_toml(tmp_path / "bom.toml") == tables


def test_tuples_are_lists_and_none_is_left_out(tmp_path):
    write_config(tmp_path, {"a": {"x": (1, (2.0,)), "none": None, "inner": {"none": None}}, "empty": {}})
    assert load_toml(tmp_path / "config.toml") == {"a": {"x": [1, [2.0]], "inner": {}}}


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("\ud800", ConfigError, "'\\ud800': UTF-8 cannot hold this text; write it without surrogates"),
        (2**63, ConfigError, "config: the number 9223372036854775808 is too large; integers have 64 bits"),
        (object, TypeError, "TOML cannot hold type, got <class 'object'>"),
        (b"x", TypeError, "TOML cannot hold bytes, got b'x'"),
    ],
)
def test_what_toml_cannot_hold_is_told(value, error, message):
    with pytest.raises(error) as caught:
        format_toml({"a": {"x": [value]}})
    assert str(caught.value).startswith(message)


HUGE = [
    "9" * 400,
    "9" * 5000,
    "-" + "9" * 400,
    str(2**63),
    "[1, [" + "9" * 400 + "]]",
    "{a = " + "9" * 5000 + "}",
]


@pytest.mark.parametrize("number", [*HUGE, "[" * 100_000 + "]" * 100_000])
@pytest.mark.parametrize(
    "name", ["clustering.n_speakers", "speech.threshold", "turns.smoothing", "clustering.options.p"]
)
def test_absurd_numbers_are_one_line(number, name, tmp_path):
    table, key = name.rsplit(".", 1)
    path = tmp_path / "a.toml"
    path.write_text(f"[{table}]\n{key} = {number}\n")
    for source, read in (
        (str(path), lambda: load_config(path)),
        (str(path), lambda: load_tables(path, ["clustering", "speech", "turns"])),
        ("speech.x", lambda: load_tables([], ["speech"], [f"speech.x={number}"])),
        ("--set", lambda: parse_value(number, "--set")),
    ):
        with pytest.raises(ConfigError) as error:
            read()
        text = str(error.value)
        assert text.startswith(f"{source}: ")
        assert len(text) < 300
        assert "\n" not in text


@pytest.mark.parametrize(
    "number", ["9" * 400, "9" * 5000, "1e999", "-inf", "nan", "true", "[1]", "1e400", "2020-01-01"]
)
def test_the_command_line_refuses_them_in_one_line(number):
    for name in ("embedding.window", "clustering.n_speakers"):
        line = complaint(call("run", "a.wav", "--set", f"{name}={number}"))
        assert name in line
        assert len(line) < 200


def test_an_integer_of_thousands_of_digits_is_not_written():
    with pytest.raises(ConfigError, match=r"^config: the number of too many digits is too large; "):
        format_toml({"a": {"x": 10**5000}})


def test_a_wrong_value_is_shown_by_its_beginning():
    assert shown("x" * 100) == f"'{'x' * 59} ..."
    assert shown(10**5000) == "a number of too many digits"
    with pytest.raises(ConfigError, match=r"got a number of too many digits$"):
        load_config(overrides={"turns.smoothing": 10**5000})


def test_a_text_that_is_no_toml_stays_text():
    assert [parse_value(text, "a") for text in ("x", " x ", "1\nb = 2", "'x'", "#")] == [
        "x",
        "x",
        "1\nb = 2",
        "x",
        "#",
    ]
