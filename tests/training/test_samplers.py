"""Packed features come back as they went in; batches hold P speakers with K segments each."""

import re
from collections import Counter

import numpy as np
import pytest

from diarize.errors import ConfigError, DiarizeError
from diarize.training.packed import PackedFeatures, pack, random_crop
from diarize.training.samplers import SentenceSampler, SpeakerSampler

# clip, speaker, frames: speaker 0 has four clips, one of them in two copies; 3 has one clip in two copies.
CLIPS = [
    (0, 0, 50), (0, 0, 50), (1, 0, 40), (2, 0, 45), (3, 0, 60),
    (4, 1, 70), (5, 1, 30),
    (6, 2, 90), (7, 2, 20),
    (8, 3, 80), (8, 3, 80),
]  # fmt: skip


def mel_of(row: int, n_frames: int) -> np.ndarray:
    """Frames that tell their row (in the first band) and their number (in the others)."""
    mel = np.repeat(np.arange(n_frames, dtype=np.float16)[:, None], 16, axis=1)
    mel[:, 0] = row
    return mel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    pack(((clip, speaker, mel_of(row, n)) for row, (clip, speaker, n) in enumerate(CLIPS)), folder)
    return folder


@pytest.fixture(scope="module")
def features(folder) -> PackedFeatures:
    return PackedFeatures.load(folder)


def test_what_was_packed_is_loaded(features, folder):
    assert sorted(path.name for path in folder.iterdir()) == ["index.npz", "mel.f16"]
    assert features.mel.shape == (sum(n for _, _, n in CLIPS), 16)
    assert features.mel.dtype == np.float16
    assert features.n_speakers == 4
    assert features.clip.tolist() == [clip for clip, _, _ in CLIPS]
    assert features.speaker.tolist() == [speaker for _, speaker, _ in CLIPS]
    for row, (start, length) in enumerate(zip(features.start, features.length, strict=True)):
        np.testing.assert_array_equal(features.mel[start : start + length], mel_of(row, CLIPS[row][2]))


def test_features_are_mapped_not_read(features):
    assert isinstance(features.mel, np.memmap)
    assert not features.mel.flags.writeable


def test_a_folder_without_features_is_told_with_the_remedy(tmp_path):
    message = f"{tmp_path}: no packed features; make them with recipes/pack_features.py"
    with pytest.raises(DiarizeError, match=f"^{re.escape(message)}$"):
        PackedFeatures.load(tmp_path)


def test_no_clips_and_clips_without_a_frame_are_told(tmp_path):
    with pytest.raises(DiarizeError, match=r": no clips to pack; give a data folder with recordings$"):
        pack(iter(()), tmp_path)
    pack([(0, 0, mel_of(0, 5)), (1, 1, mel_of(1, 0))], tmp_path)
    message = f"{tmp_path}: no clips, or a clip without frames; pack the features again"
    with pytest.raises(DiarizeError, match=f"^{re.escape(message)}$"):
        PackedFeatures.load(tmp_path)


def batches(features: PackedFeatures, n_speakers: int = 3, n_segments: int = 2, n: int = 40, seed: int = 1):
    sampler = SpeakerSampler(features, n_speakers, n_segments, (25, 35), seed)
    return [sampler.batch(step) for step in range(n)]


@pytest.mark.parametrize(("n_speakers", "n_segments"), [(2, 2), (3, 2), (4, 3)])
def test_a_batch_has_speakers_side_by_side(features, n_speakers, n_segments):
    lengths = set()
    for batch in batches(features, n_speakers, n_segments, 120):
        assert batch.mel.dtype == np.float32
        assert batch.mel.shape[::2] == (n_speakers * n_segments, 16)
        speakers = batch.speaker.reshape(n_speakers, n_segments)
        assert (speakers == speakers[:, :1]).all()
        assert len(set(speakers[:, 0])) == n_speakers, "no speaker twice"
        for clip, speaker in zip(batch.clip, batch.speaker, strict=True):
            assert set(features.speaker[features.clip == clip]) == {speaker}
        lengths.add(batch.mel.shape[1])
    assert lengths == set(range(25, 36)), "both ends are drawn"


def test_segments_come_from_different_clips_where_there_are(features):
    for batch in batches(features, 4, 2):
        for speaker, clips in zip(batch.speaker[::2], batch.clip.reshape(-1, 2), strict=True):
            assert len(set(clips)) == (1 if speaker == 3 else 2)
    for batch in batches(features, 4, 4):
        for speaker, clips in zip(batch.speaker[::4], batch.clip.reshape(-1, 4), strict=True):
            assert len(set(clips)) == {0: 4, 1: 2, 2: 2, 3: 1}[speaker]


def test_every_clip_and_every_copy_is_drawn(features):
    """Rows 0 to 4 are speaker 0's: as the first segment each comes equally often."""
    drawn = [int(mel[:, 0].mean()) for mel in first_segments_of_speaker_0(features)]
    shares = np.bincount(drawn, minlength=5)[:5] / len(drawn)
    np.testing.assert_allclose(shares, 0.2, atol=0.05)


def first_segments_of_speaker_0(features: PackedFeatures) -> list[np.ndarray]:
    """Frames as they were packed, by way of the sampler's crop."""
    sampler = SpeakerSampler(features, 1, 2, (20, 20), 1)
    random = np.random.default_rng(0)
    rows = [sampler._segments(0, random)[0] for _ in range(1000)]
    return [random_crop(features, row, 20, random, "none") for row in rows]


def test_speakers_with_more_clips_come_more_often(features):
    drawn = np.bincount([batch.speaker[0] for batch in batches(features, 1, 2, 2000)], minlength=4)
    weight = np.sqrt([5, 2, 2, 2])
    np.testing.assert_allclose(drawn / 2000, weight / weight.sum(), atol=0.03)


def test_a_batch_hangs_on_seed_and_step_alone(features):
    forward = batches(features)
    sampler = SpeakerSampler(features, 3, 2, (25, 35), 1)
    for step in (17, 3, 17):
        again = sampler.batch(step)
        for name in ("mel", "speaker", "clip"):
            np.testing.assert_array_equal(getattr(again, name), getattr(forward[step], name))
    assert not np.array_equal(forward[0].clip, forward[1].clip)
    other = [batch.clip.tolist() for batch in batches(features, seed=2)]
    assert other != [batch.clip.tolist() for batch in forward]


def test_short_clips_are_repeated(tmp_path):
    """Frames rise by 8 each, so that tilt and mask leave most steps recognisable."""
    mel = np.repeat(8.0 * np.arange(30)[:, None], 16, axis=1)
    pack(((speaker, speaker, mel) for speaker in range(2)), tmp_path)
    sampler = SpeakerSampler(PackedFeatures.load(tmp_path), 2, 2, (100, 100), 1)
    mel = np.concatenate([sampler.batch(step).mel for step in range(20)])
    assert mel.shape == (80, 100, 16)
    steps = np.median(np.diff(mel, axis=1), axis=(0, 2))
    np.testing.assert_allclose(steps, np.where(np.arange(1, 100) % 30, 8, -8 * 29), atol=1e-4)


def test_longer_clips_are_cropped_at_a_random_place(tmp_path):
    mel = np.repeat(8.0 * np.arange(100)[:, None], 16, axis=1)
    pack(((speaker, speaker, mel) for speaker in range(2)), tmp_path)
    sampler = SpeakerSampler(PackedFeatures.load(tmp_path), 2, 2, (60, 60), 1)
    starts = []
    for step in range(100):
        mel = sampler.batch(step).mel
        assert mel.shape == (4, 60, 16)
        # The tilt moves a segment by few frames; a masked span does not move the median.
        starts += (np.median(mel - 8 * np.arange(60)[:, None], axis=(1, 2)) / 8).tolist()
    assert min(starts) < 3
    assert max(starts) > 37
    assert np.mean(starts) == pytest.approx(20, abs=2)


def test_more_speakers_than_there_are_is_told_with_the_remedy(features):
    message = r"^a batch needs 5 speakers, but the features have 4; lower \[training\] n_speakers$"
    with pytest.raises(ConfigError, match=message):
        SpeakerSampler(features, 5, 2, (25, 35), 1)


@pytest.mark.parametrize("shuffle", ["none", "segment"])
def test_without_augmentation_frames_are_as_they_were_packed(features, shuffle):
    batch = SpeakerSampler(features, 3, 2, (15, 15), 1, shuffle, augment=False).batch(0)
    for mel, clip in zip(batch.mel, batch.clip, strict=True):
        assert len(set(mel[:, 0])) == 1, "of one copy"
        assert CLIPS[int(mel[0, 0])][0] == clip
        frames = np.sort(mel[:, 1]) if shuffle == "segment" else mel[:, 1]
        np.testing.assert_array_equal(np.diff(frames), 1)


def test_chosen_clips_keep_their_numbers_and_frames(features):
    chosen = features.select(features.clip % 2 == 0)
    assert chosen.clip.tolist() == [0, 0, 2, 4, 6, 8, 8]
    assert chosen.speaker.tolist() == [0, 0, 0, 1, 2, 3, 3]
    assert chosen.n_speakers == 4
    rows = [row for row, (clip, _, _) in enumerate(CLIPS) if clip % 2 == 0]
    for row, start, length in zip(rows, chosen.start, chosen.length, strict=True):
        np.testing.assert_array_equal(chosen.mel[start : start + length], mel_of(row, CLIPS[row][2]))
    assert chosen.mel is features.mel, "the frames are not copied"
    drawn = {int(clip) for clip in SentenceSampler(chosen, 50, (9, 9), 1).batch(0).clip}
    assert drawn == {0, 2, 4, 6, 8}


# Batches of sentences


def sentences(features: PackedFeatures, n: int = 40, size: int = 50, n_frames=(25, 35), shuffle="none"):
    sampler = SentenceSampler(features, size, n_frames, 1, shuffle)
    return [sampler.batch(step) for step in range(n)]


def test_a_batch_of_sentences_has_their_speakers_and_a_length(features):
    lengths = set()
    for batch in sentences(features, 120, 5):
        assert batch.mel.dtype == np.float32
        assert batch.mel.shape[::2] == (5, 16)
        for mel, clip, speaker in zip(batch.mel, batch.clip, batch.speaker, strict=True):
            assert CLIPS[int(mel[0, 0])][:2] == (clip, speaker)
        lengths.add(batch.mel.shape[1])
    assert lengths == set(range(25, 36)), "both ends are drawn"


def test_every_sentence_comes_equally_often_and_every_start(features):
    drawn = [mel for batch in sentences(features, 200, 50, (20, 20)) for mel in batch.mel]
    rows = Counter(int(mel[0, 0]) for mel in drawn)
    np.testing.assert_allclose([rows[row] / len(drawn) for row in range(len(CLIPS))], 1 / 11, atol=0.012)
    starts = Counter(int(mel[0, 1]) for mel in drawn if mel[0, 0] == 0)  # of a clip of 50 frames
    assert set(starts) == set(range(31))
    assert max(starts.values()) < 3 * min(starts.values())
    for mel in drawn[:200]:
        np.testing.assert_array_equal(np.diff(mel[:, 1]), 1)


@pytest.mark.parametrize("shuffle", ["none", "segment", "utterance"])
def test_a_short_sentence_runs_on_into_zeros(features, shuffle):
    lengths = [n for _, _, n in CLIPS]
    for batch in sentences(features, 4, 50, (64, 64), shuffle):
        for mel, clip in zip(batch.mel, batch.clip, strict=True):
            rows = [row for row, (number, _, _) in enumerate(CLIPS) if number == clip]
            n = min(64, lengths[rows[0]])
            assert not mel[n:].any()
            assert len(set(mel[:n, 1])) == n, "each frame once"


def test_a_batch_of_sentences_hangs_on_seed_and_step_alone(features):
    for shuffle in ("none", "segment", "utterance"):
        forward = sentences(features, 20, shuffle=shuffle)
        sampler = SentenceSampler(features, 50, (25, 35), 1, shuffle)
        for step in (17, 3, 17):
            again = sampler.batch(step)
            for name in ("mel", "speaker", "clip"):
                np.testing.assert_array_equal(getattr(again, name), getattr(forward[step], name))
    assert not np.array_equal(forward[0].clip, forward[1].clip)
    assert not np.array_equal(SentenceSampler(features, 50, (25, 35), 2).batch(0).clip, forward[0].clip)


def test_a_shuffled_segment_has_the_frames_of_a_crop_in_another_order(features):
    for batch in sentences(features, 4, 50, (20, 20), "segment"):
        for mel in batch.mel:
            frames = mel[:, 1]
            np.testing.assert_array_equal(np.diff(np.sort(frames)), 1)
            assert (np.diff(frames) != 1).any()
            np.testing.assert_array_equal(mel[:, 1:], np.repeat(frames[:, None], 15, axis=1))


def test_a_segment_of_shuffled_sentences_draws_from_the_whole_one(features):
    drawn = [mel for batch in sentences(features, 40, 50, (20, 20), "utterance") for mel in batch.mel]
    for mel in drawn:
        assert len(set(mel[:, 1])) == 20, "distinct frames"
        assert len(set(mel[:, 0])) == 1, "of one sentence"
        assert (np.diff(mel[:, 1]) != 1).any()
    longest = np.concatenate([mel[:, 1] for mel in drawn if mel[0, 0] == 7])  # 90 frames
    shares = np.bincount(longest.astype(int), minlength=90) / len(longest)
    np.testing.assert_allclose(shares, 1 / 90, atol=0.008)
    spans = [np.ptp(mel[:, 1]) for mel in drawn if mel[0, 0] == 7]
    assert np.mean(spans) > 70
