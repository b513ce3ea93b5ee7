"""Small files of each format, which readers read: the seeds of `readers.py`."""

import struct
from pathlib import Path

import numpy as np

from diarize.segments import Segment, Turn

DATA = Path(__file__).with_name("data")
TURNS = [
    Turn("a", Segment(0.5, 2.0), "Ann Lee"),
    Turn("a", Segment(1.5, 3.25), "Åsa <&> Bob"),
    Turn("a", Segment(4.0, 3605.125), "=x"),
]
RTTM = (
    b"SPEAKER a 1 0.5 1.5 <NA> <NA> Ann <NA> <NA>\nSPKR-INFO a 1 <NA> <NA> <NA> unknown Ann <NA> <NA>\n;; x\n"
)
STM = b";; x\na 1 Ann 0.5 2.0 <o,f0> hello there\na A inter_segment_gap 2 3 <o>\nb 1 Bob 0 1 (%hm) x\n"
CTM = b"a 1 0.5 0.25 hello 0.9 lex Ann\na 1 * * <ALT_BEGIN>\na 1 1 0.5 or\na 1 * * <ALT>\na 1 * * <ALT_END>\n"
SRT = (
    b"1\n00:00:00,500 --> 00:00:02,000\n[Ann]: <i>Hi</i> {\\an8}you\n\n2\n"
    b"00:00:02,000 --> 01:00:03,000\n- Yo\n"
)
VTT = (
    b"WEBVTT - x\n\nNOTE\nx\n\nSTYLE\n::cue {}\n\nintro\n00:01.000 --> 00:02.500 align:start\n<v.loud Ann>Hi "
    b"<00:01.500>you &amp; me</v>\n\n00:00:03.000 --> 00:00:04.000\n[Bob]: Hello\n"
)
JSON = [
    b'{"format": "diarize", "version": 1, "recording": "a", "duration": 3.5, "speakers": [], "turns": [{'
    b'"start": 0, "end": 1.5, "speaker": "A", "confidence": 0.5, "alternative": "B"}], '
    b'"exclusive": [], "doubtful": [], "evidence": {"reason": "x"}, "settings": {"a": 1}, "model": null}',
    b'[{"session_id": "a", "speaker": "A", "start_time": "0:00:01.5", "end_time": 2, "words": "a b"}]',
    b'{"segments": [{"start": 0, "end": 2, "text": " Hi you", "words": [{"word": "Hi", "start": 0, "end"'
    b': 1, "score": 0.5, "speaker": "A"}, '
    b'{"word": "you"}]}, {"start": 2, "end": null, "text": "x", "speaker": 3}]}',
    b'{"output": {"diarization": [{"start": 0, "end": 1, "speaker": "A"}]}}',
    b'{"uri": "a", "content": [{"segment": {"start": 0, "end": 1}, "track": "x", "label": "A"}]}',
    b'{"transcription": [{"offsets": {"from": 0, "to": 900}, "text": " Hi", "tokens": [{"text": " H", "offset'
    b's": {"from": 0, "to": 400}}, {"text": "i", "offsets": {"from": 400, "to": 900}}, '
    b'{"text": "[_TT_1]", "offsets": {"from": 0, "to": 0}}]}]}',
    b'{"segments": [{"start": 0, "end": 1, "text": "Hi"}], "words": [{"word": "Hi", "start": 0, "end": 1}]}',
]
TOML = (
    b'[speech]\nthreshold = 0.5\n[embedding]\nmodel = "none"\nwindow = 1.5\n[clustering]\nn_speakers = 2\n'
    b'method = "agglomerative"\n[turns]\nmin_gap = 0.25\n[channels]\nmargin = 6\n'
)
ONNX_TOML = (
    b'[model]\ninput = "feats"\noutput = "embs"\ndim = 6\naxes = "frames mels"\nscale = 1.0\n'
    b'normalization = "mean"\n[features]\nn_mels = 20\n[about]\ntitle = "x"\n'
)
KALDI = (
    b"=wav.scp\na a.wav\nb b.wav\n=segments\nu1 a 0 1.5\nu2 b 1 2\n=utt2spk\nu1 A\nu2 B\n=spk2utt\nA u1\n"
    b"B u2\n=reco2num_spk\na 1\nb 1\n"
)
ARK = b"".join(
    key + b" \0BFV \4" + struct.pack("<i", 2) + np.ones(2, "<f4").tobytes() for key in (b"x-a", b"y-a")
)
SEGMENTS = b"x-a a 0 1.5\ny-a a 1 2.5\n"
