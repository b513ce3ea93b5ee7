"""Two voices under one name and one under two, in embeddings drawn from the model of the back end."""

import numpy as np
import pytest

from diarize.corpus.facts import Facts
from diarize.corpus.layout import Recording, Utterance
from diarize.corpus.voices import check_voices
from diarize.speakers.plda import Backend

DIM = 24
BACKEND = Backend(np.eye(DIM), np.full(DIM, 6.0))


class Voices:
    """Utterances of speakers whose embeddings are drawn from the model."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.recordings, self.facts = [], []

    def voice(self):
        return self.random.normal(0, np.sqrt(6.0), DIM)

    def add(self, speaker, voice, n=1, collection=""):
        for _ in range(n):
            vector = (voice + 0.7 * self.random.normal(size=DIM)).astype(np.float32)
            path = f"{speaker}/{len(self.facts)}.wav"
            self.recordings.append(Recording(path, collection=collection, utterances=(Utterance(speaker),)))
            self.facts.append(Facts(3.0, 16000, vectors=vector[None]))

    def found(self):
        findings = list(check_voices(self.recordings, self.facts, BACKEND))
        return [(each.kind, each.place, each.other) for each in findings], findings


@pytest.fixture
def corpus():
    """Thirty speakers with six utterances."""
    voices = Voices()
    for number in range(30):
        voices.add(f"s{number:02d}", voices.voice(), 6)
    return voices


def test_a_clean_corpus_is_clean(corpus):
    assert corpus.found()[0] == []


@pytest.mark.parametrize(("own", "strange"), [(5, 1), (3, 3), (1, 1), (30, 2)])
def test_two_voices_under_one_name(corpus, own, strange):
    corpus.add("mixed", corpus.voice(), own)
    corpus.add("mixed", corpus.voice(), strange)
    places, (finding,) = corpus.found()
    assert places == [("two-voices", "mixed", "")]
    assert finding.score > 15
    assert f"{min(own, strange)} of {own + strange} utterances sound unlike the others (" in finding.evidence
    if strange < own and strange < 3:
        strangers = [recording.path for recording in corpus.recordings[-strange:]]
        assert ", ".join(strangers) in finding.evidence


@pytest.mark.parametrize("n", [(4, 4), (2, 3), (20, 3)])
def test_one_voice_under_two_names(corpus, n):
    voice = corpus.voice()
    corpus.add("t1", voice, n[0])
    corpus.add("t2", voice, n[1])
    places, (finding,) = corpus.found()
    assert places == [("one-voice", "t1", "t2")]
    assert " nats, cosine " in finding.evidence
    assert "compare t1/" in finding.evidence


def test_collections_that_differ_are_no_voices():
    """Each is centred about its own mean; what all of its recordings share is no voice."""
    voices = Voices(1)
    for collection in range(2):
        shift = 9.0 * collection * np.ones(DIM)
        for number in range(25):
            voices.add(f"c{collection}/{number}", voices.voice() + shift, 4, f"c{collection}")
    assert voices.found()[0] == []


def test_what_has_no_embedding_is_left_out(corpus):
    corpus.add("short", np.zeros(DIM), 0)
    corpus.recordings.append(Recording("x.wav", utterances=(Utterance("s00"),)))
    corpus.facts.append(Facts(0.5, 16000, vectors=np.zeros((1, DIM), np.float32)))
    corpus.recordings.append(Recording("y.wav", utterances=(Utterance("s00"),)))
    corpus.facts.append(Facts(error="0 samples"))
    assert corpus.found()[0] == []
    assert list(check_voices([], [], BACKEND)) == []
