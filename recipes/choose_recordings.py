"""Write a Kaldi data folder with a part of another: speakers with many recordings, a few of each.

Of each speaker with at least --least recordings, the first --most by name are kept. OUT also gets utt2corpus.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from diarize.cli.script import run_script
from diarize.errors import DiarizeError
from diarize.files.text import write_text
from diarize.formats.kaldi import read_corpora, read_whole_recordings, write_data_folder


def main() -> None:
    """Read the command line, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with utt2spk")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--least", type=int, default=1, help="recordings of a speaker (default: %(default)s)")
    parser.add_argument("--most", type=int, required=True, help="recordings of a speaker that are kept")
    arguments = parser.parse_args()

    data = read_whole_recordings(arguments.data)
    of: dict[str, list[str]] = defaultdict(list)
    for recording in sorted(data.utt2spk):
        of[data.utt2spk[recording]].append(recording)
    kept = [each for own in of.values() if len(own) >= arguments.least for each in own[: arguments.most]]
    if not kept:
        raise DiarizeError(f"{arguments.data}: no speaker has {arguments.least} recordings; lower --least")
    utt2spk = {each: data.utt2spk[each] for each in kept}
    write_data_folder(arguments.out, {each: data.wav_scp[each] for each in kept}, utt2spk)
    corpora = read_corpora(arguments.data, kept)
    lines = [f"{each} {corpora[each]}\n" for each in sorted(kept)]
    write_text("".join(lines), arguments.out / "utt2corpus")
    print(f"{arguments.out}: {len(set(utt2spk.values()))} speakers, {len(kept)} recordings")


if __name__ == "__main__":
    run_script(main)
