import numpy as np
import pytest
from released import recorded
from scipy.signal import lfilter

from client.prediction.resampling import BLOCK_S, half_sample_features
from shared.channels import CHANNELS, FRAME_RATE_HZ
from shared.features import FEATURE_NAMES


def series(seconds, value=0.5):
    return np.full((round(seconds * FRAME_RATE_HZ), len(CHANNELS)), value, np.float32)


def test_the_same_source_gives_the_same_halves():
    values = recorded(seconds=150).values
    one, again = (half_sample_features(values, np.random.default_rng(3), 5) for _ in range(2))
    assert one.shape == (5, len(FEATURE_NAMES))
    assert np.array_equal(one, again)
    assert np.isfinite(one).all()
    assert not np.array_equal(one[0], one[1])


def test_halves_are_half_of_the_recording_and_no_block_twice(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "client.prediction.resampling.temporal_features",
        lambda values: seen.append(values[:, 0]) or np.zeros(1),
    )
    values = series(400)
    values[:, 0] = np.arange(len(values))
    half_sample_features(values, np.random.default_rng(0), 40)
    block = round(BLOCK_S * FRAME_RATE_HZ)
    for frames in seen:
        assert len(np.unique(frames)) == len(frames)
        assert abs(len(frames) - len(values) / 2) <= block
        jumps = np.flatnonzero(np.diff(frames) != 1) + 1
        assert (frames[np.concatenate([[0], jumps])] % 6 == 0).all()
    assert len({frames[0] for frames in seen}) > 3


def test_too_short_halves_are_left_out():
    rng = np.random.default_rng(0)
    assert half_sample_features(series(50), rng, 10).shape == (0, len(FEATURE_NAMES))
    assert half_sample_features(series(0), rng, 3).shape == (0, len(FEATURE_NAMES))
    lost = series(160)
    lost[: len(lost) // 2] = np.nan
    assert 0 < len(half_sample_features(lost, rng, 30)) < 30


def test_the_spread_is_that_of_further_recordings(monkeypatch):
    """For a mean over a series with memory, whose variance over recordings is known."""
    monkeypatch.setattr(
        "client.prediction.resampling.temporal_features", lambda values: values[:, :1].mean(axis=0)
    )
    rng = np.random.default_rng(0)
    seconds, keep = 400, np.exp(-1 / 3)
    noise = rng.standard_normal((400, seconds + 50))
    levels = lfilter([np.sqrt(1 - keep**2)], [1, -keep], noise, axis=1)[:, 50:]
    found = []
    for row in levels[:100]:
        values = np.repeat(row[:, None], round(FRAME_RATE_HZ), axis=0).astype(np.float32)
        found.append(half_sample_features(values, rng, 100).var(ddof=1))
    assert np.sqrt(np.mean(found) / levels.mean(axis=1).var(ddof=1)) == pytest.approx(1, abs=0.12)
