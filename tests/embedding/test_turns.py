"""Embeddings of turns and speakers, from their clean speech."""

import numpy as np
import pytest
from command_line import demo_samples
from helpers import small_model

from diarize import Embedder
from diarize.embedding.turns import clean_parts, embed_turns, speaker_means
from diarize.segments import Segment, Turn


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    return Embedder(small_model(tmp_path_factory.mktemp("small")), device="cpu", threads=1)


def turn(start, end, speaker="a"):
    return Turn("r", Segment(start, end), speaker)


def test_clean_speech_is_what_nobody_else_says():
    turns = [turn(0, 5), turn(4, 6, "b"), turn(7, 9), turn(7.5, 8, "b")]
    assert clean_parts(turns) == [
        [Segment(0, 4)],
        [Segment(5, 6)],
        [Segment(7, 7.5), Segment(8, 9)],
        [],
    ]


def test_mixed_speech_is_not_clean_and_turns_of_one_speaker_do_not_exclude_each_other():
    turns = [turn(0, 5), turn(3, 6)]
    assert clean_parts(turns, [Segment(1, 2)]) == [[Segment(0, 1), Segment(2, 5)], [Segment(3, 6)]]


def test_the_embedding_of_a_turn_is_that_of_its_clean_part(embedder):
    samples = demo_samples(10.0)
    turns = [turn(1, 5), turn(3, 8, "b")]
    vectors, seconds = embed_turns([samples], turns, [], embedder)
    alone = embedder.windows([samples], [Segment(1, 3), Segment(5, 8)])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    assert seconds.tolist() == [2.0, 3.0]


def test_a_turn_that_is_never_alone_has_all_its_speech(embedder):
    samples = demo_samples(10.0)
    turns = [turn(1, 5), turn(2, 3, "b")]
    vectors, seconds = embed_turns([samples], turns, [], embedder)
    np.testing.assert_allclose(vectors[1], embedder.windows([samples], [Segment(2, 3)])[0], atol=1e-5)
    assert seconds.tolist() == [3.0, 0.0]


def test_turns_in_any_order_and_no_turns(embedder):
    samples = demo_samples(10.0)
    turns = [turn(5, 8, "b"), turn(1, 3)]
    vectors, _ = embed_turns([samples], turns, [], embedder)
    other, _ = embed_turns([samples], turns[::-1], [], embedder)
    np.testing.assert_array_equal(vectors, other[::-1])
    none, seconds = embed_turns([samples], [], [], embedder)
    assert none.shape == (0, embedder.dim)
    assert seconds.shape == (0,)


def test_a_speaker_is_the_mean_of_the_turns_by_their_clean_speech():
    turns = [turn(0, 1, "b"), turn(1, 4), turn(5, 6), turn(7, 8, "c")]
    vectors = np.array([[0, 1], [1, 0], [0, 1], [0, -1]], np.float32)
    names, means, seconds = speaker_means(turns, vectors, np.array([1.0, 3.0, 1.0, 0.0]))
    assert names == ["b", "a", "c"]
    np.testing.assert_allclose(means, [[0, 1], np.array([3, 1]) / np.sqrt(10), [0, -1]], atol=1e-6)
    assert seconds.tolist() == [1.0, 4.0, 0.0]
