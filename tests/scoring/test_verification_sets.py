"""Error rates by corpus, sex and language of planted systems, and their table."""

import numpy as np
import pytest
import soundfile

from diarize.formats.kaldi import write_data_folder
from diarize.scoring.verification_sets import find_parts, format_table, score_systems


@pytest.fixture
def folder(tmp_path):
    """Six speakers of two corpora with two recordings each, whose level tells the speaker."""
    wav, speakers, group, corpus = {}, {}, {}, {}
    for number in range(6):
        for take in range(2):
            name = f"s{number}-{take}"
            soundfile.write(tmp_path / f"{name}.wav", np.full(32000, (number + 1) / 10, np.float32), 16000)
            wav[name], speakers[name] = str(tmp_path / f"{name}.wav"), f"s{number}"
            corpus[name] = "small" if number == 5 else "large"
            group[name] = "large-xx" if number < 5 else "small"
    write_data_folder(tmp_path, wav, speakers)
    for table, values in (("utt2group", group), ("utt2corpus", corpus)):
        (tmp_path / table).write_text("".join(f"{key} {values[key]}\n" for key in sorted(values)))
    (tmp_path / "spk2gender").write_text("".join(f"s{number} f\n" for number in range(5)))
    return tmp_path


def perfect(recordings):
    return np.eye(6)[[round(float(one[0]) * 10) - 1 for one in recordings]]


def deaf(recordings):
    return np.ones((len(recordings), 3))


def test_rates_are_those_of_the_systems(folder):
    rows = score_systems(folder, {"deaf": deaf, "mine": perfect}, "mine")
    assert {(row["system"], row.get("corpus"), row.get("part")) for row in rows} == {
        ("deaf", "large", None),
        ("mine", "large", None),
        ("mine", None, "female"),
        ("mine", None, "large-xx"),
    }, "one speaker alone has no trials of two"
    for row in rows:
        assert row["eer"] == (0 if row["system"] == "mine" else 0.5)
        assert (row["set"], row["n_speakers"]) == (folder.name, 5)
    assert [row["length"] for row in rows if row["system"] == "deaf"] == ["whole", "3 s", "1.5 s"]
    table = format_table(rows, "corpus").splitlines()
    assert table[0] == "| set | corpus (speakers) | system | whole | 3 s | 1.5 s |"
    assert table[2].startswith(f"| {folder.name} | large (5) | deaf | 50.0 (")
    first = format_table(rows, "part").splitlines()[2]
    assert first.startswith(f"| {folder.name} | female (5) | 0.0 (0.0-0.0) |")


def test_parts_need_five_speakers():
    speakers = [f"s{number}" for number in range(8)]
    sexes = ["f"] * 5 + ["m"] * 3
    languages = ["xx"] * 4 + ["yy"] * 4
    assert find_parts(sexes, languages, speakers) == {"female": [0, 1, 2, 3, 4]}
