"""One surrogate participant's time series, driven by that participant's latent statistics.

A channel's course is a monotone function of a hidden activity u(t) (unit scale):

    u(t) = drift + own episodes + ripple + shared expression episodes      dynamics-type latents
    y(t) = position of u on the participant's activity range               level- and
                                                                           variability-type latents
    x(t) = neutral face + engagement(t) y(t), then detector jitter

* **Engagement** falls to 0 while the face is neutral (about a fifth of the time) and to 1 in
  between, with onsets and offsets of half a second.
* **Shared expression episodes** come as in a child watching a film: an expression rises, stays,
  falls; its action units follow the prototypes of EMFACS (Friesen and Ekman 1983), valence and
  arousal move along the circumplex (Russell 1980).
* **Level**: four latents move the activity at rest, low, high and peak above the neutral face.
* **Variability**: four latents widen the outer and inner parts of the range, below and above.
* **Dynamics**: four latents set the ripple's share, the rate of episodes, their shortness, and
  how short the time constants of drift and ripple are.

Latents of one class act mostly together and partly each on its own parameter. Expressions are
probabilities that sum to one: neutral takes what the seven others leave, and neutral's own latents
act on all seven. Everything slow is made at 8 Hz and read linearly at 24 Hz.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from shared.channels import ACTION_UNITS, CHANNELS, EXPRESSIONS, FRAME_RATE_HZ, GROUP_CHANNELS

__all__ = ["VALID_FRAMES", "Traits", "participant_series"]

VALID_FRAMES: Final = 9575
"""Frames with a face per participant who finished: the published recording length."""

SLOW_HZ: Final = 8.0
STEP: Final = 3
"""Frames per slow tick."""

OWN_PART: Final = 0.8
"""How much a latent's distance from its class mean acts on its own parameter."""

LARGEST: Final = 3.0
"""Bound of a latent on the logistic scale, before it drives a parameter."""

U_KNOTS: Final = np.array([-2.2, -0.7, 0.7, 2.2, 4.5])
"""Where on u rest, low, high and peak activity lie; beyond the peak expressions rise steeply."""

PROTOTYPES: Final[dict[str, dict[int, float]]] = {
    "joy": {6: 1.0, 12: 1.0, 25: 0.6},
    "sad": {1: 0.9, 4: 0.7, 17: 0.8},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.8, 25: 0.6, 26: 1.0},
    "fear": {1: 0.8, 2: 0.6, 4: 0.7, 5: 0.9, 20: 0.9, 25: 0.5},
    "disgust": {9: 1.0, 17: 0.5, 25: 0.3},
    "anger": {4: 1.0, 5: 0.5, 17: 0.4, 43: -0.2},
    "contempt": {12: 0.4},
}
"""EMFACS prototypes on the 12 action units at hand; 1 is full strength."""

CIRCUMPLEX: Final[dict[str, tuple[float, float]]] = {
    "joy": (1.0, 0.6),
    "sad": (-0.8, -0.4),
    "surprise": (0.2, 1.0),
    "fear": (-0.7, 0.9),
    "disgust": (-0.8, 0.3),
    "anger": (-0.7, 0.8),
    "contempt": (-0.5, 0.1),
}
"""Direction of an expression in valence and arousal."""

EMOTIONS: Final = EXPRESSIONS[1:]
EPISODES_PER_MINUTE: Final = 6.0
EMOTION_SHARES: Final = np.array([0.34, 0.13, 0.18, 0.09, 0.08, 0.10, 0.08])
"""How often each expression is shown among all episodes, in the order of ``EMOTIONS``."""


@dataclass(frozen=True)
class Traits:
    """What a participant's series is made from.

    Attributes
    ----------
    latent : ndarray, shape (22, 12)
        Skewed latents times spread plus centre, logistic scale.
    neutral : ndarray, shape (22,)
        The channel's reading on this participant's neutral face.
    """

    latent: NDArray[np.float64]
    neutral: NDArray[np.float64]


def _couplings() -> NDArray[np.float64]:
    """Strength of each emotion in each channel, shape (22, 7)."""
    table = np.zeros((len(CHANNELS), len(EMOTIONS)))
    for column, emotion in enumerate(EMOTIONS):
        table[EXPRESSIONS.index(emotion), column] = 1.6
        table[CHANNELS.index("valence"), column] = CIRCUMPLEX[emotion][0]
        table[CHANNELS.index("arousal"), column] = CIRCUMPLEX[emotion][1]
        for unit, strength in PROTOTYPES[emotion].items():
            table[GROUP_CHANNELS["au"][ACTION_UNITS.index(unit)], column] = strength
    return table


_COUPLINGS: Final = _couplings()

_SIGNED: Final = np.array([name in ("valence", "arousal") for name in CHANNELS])
_EXPRESSION: Final = np.array([c in GROUP_CHANNELS["expression"] for c in range(len(CHANNELS))])

# Widest and highest activity a channel reaches, in its own unit.
_NEUTRAL: Final = np.array(CHANNELS) == "expression_neutral"
_HEIGHT: Final = np.select([_SIGNED, _NEUTRAL, _EXPRESSION], [0.30, 0.30, 0.05], 0.18)
_WIDTH: Final = np.select([_SIGNED, _NEUTRAL, _EXPRESSION], [0.30, 0.30, 0.05], 0.22)
_LOWER_PART: Final = np.select([_SIGNED, _NEUTRAL, _EXPRESSION], [0.8, 0.8, 0.4], 0.7)
_BEYOND_PEAK: Final = np.where(_EXPRESSION & ~_NEUTRAL, 5.0, 1.0)
_STIRRING: Final = np.where(_EXPRESSION, 0.1, 0.35)
_SHARED: Final = 1.1
_OFFSET: Final = np.where(np.array(CHANNELS) == "valence", -0.12, 0.0)


def participant_series(
    traits: Traits, rng: np.random.Generator, *, valid_frames: int = VALID_FRAMES
) -> NDArray[np.float32]:
    """Draw one participant's series.

    Parameters
    ----------
    traits : Traits
        Latents and neutral face.
    rng : Generator
        This participant's own stream.
    valid_frames : int
        Exact number of frames with a face.

    Returns
    -------
    ndarray, shape (n_frames, 22), float32
        Rows of NaN where the face is lost.
    """
    lost = _lost_faces(valid_frames, rng)
    n_slow = lost.size // STEP + 2
    engagement = _engagement(n_slow, rng)
    activity = _activity(traits.latent, engagement, rng)
    slow = _readings(traits, activity, engagement)
    values = _at_frame_rate(slow, lost.size)
    values += rng.standard_normal(values.shape, dtype=np.float32) * _JITTER
    _enforce_ranges(values)
    frames = np.ascontiguousarray(values.T)
    frames[lost] = np.nan
    return frames


_JITTER: Final = np.where(_SIGNED, 0.02, np.where(_EXPRESSION, 0.006, 0.015)).astype(np.float32)[
    :, None
]


def _lost_faces(valid_frames: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which frames lose the face: glances away and hands before the face."""
    n_gaps = int(rng.poisson(valid_frames / 900.0))
    if n_gaps == 0:
        return np.zeros(valid_frames, dtype=np.bool_)
    seconds = np.where(
        rng.random(n_gaps) < 0.6, rng.uniform(0.05, 0.6, n_gaps), rng.gamma(2.0, 1.5, n_gaps)
    )
    lengths = np.maximum(1, np.rint(seconds * FRAME_RATE_HZ)).astype(np.int64)
    position = np.sort(rng.integers(1, valid_frames, n_gaps))
    lost = np.zeros(valid_frames + int(lengths.sum()), dtype=np.bool_)
    start = position + np.concatenate(([0], np.cumsum(lengths)[:-1]))
    for begin, length in zip(start, lengths, strict=True):
        lost[begin : begin + length] = True
    return lost


def _engagement(n_slow: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """0 while the face is neutral, 1 while it is not, shape (n_slow,)."""
    seconds = n_slow / SLOW_HZ
    neutral_share = rng.uniform(0.16, 0.21)
    n_phases = max(2, round(seconds / rng.uniform(14.0, 20.0)))
    neutral = rng.gamma(3.0, size=n_phases)
    engaged = rng.gamma(2.0, size=n_phases)
    neutral *= neutral_share * n_slow / neutral.sum()
    engaged *= (1.0 - neutral_share) * n_slow / engaged.sum()
    edges = np.cumsum(np.column_stack([engaged, neutral]).ravel())
    ramp = 0.25 * SLOW_HZ
    times = np.column_stack([edges - ramp, edges + ramp]).ravel()
    levels = np.tile([1.0, 0.0, 0.0, 1.0], n_phases)
    engagement: NDArray[np.float64] = np.interp(
        np.arange(n_slow) + 0.5, np.maximum.accumulate(times), levels
    )
    return engagement


def _class_latents(latent: NDArray[np.float64], kind: int) -> NDArray[np.float64]:
    """Four latents of one class, drawn towards their mean and kept within +-3, shape (22, 4)."""
    own = latent[:, 4 * kind : 4 * kind + 4]
    mean = own.mean(axis=1, keepdims=True)
    drawn = mean + OWN_PART * (own - mean)
    # Latents have heavy tails; a face has limits. Nearly linear within +-1.
    limited: NDArray[np.float64] = LARGEST * np.tanh(drawn / LARGEST)
    return limited


def _activity(
    latent: NDArray[np.float64], engagement: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Hidden activity u(t), shape (22, n_slow), mean about 0 and spread about 1."""
    pace = _class_latents(latent, 2)
    n_channels, n_slow = pace.shape[0], engagement.size
    noise = rng.standard_normal((2, n_channels, n_slow), dtype=np.float32)
    drift_s = 14.0 * np.exp(-0.7 * pace[:, 3])
    ripple_s = 0.7 * np.exp(-0.8 * pace[:, 3])
    ripple_share = 0.55 / (1.0 + np.exp(-0.1 - 1.4 * pace[:, 0]))
    episodes = _own_episodes(
        per_minute=7.0 * np.exp(0.9 * pace[:, 1]),
        seconds=2.4 * np.exp(-0.5 * pace[:, 2]),
        n_slow=n_slow,
        rng=rng,
    )
    shared = _COUPLINGS @ _shared_episodes(engagement, rng)
    shared -= shared.mean(axis=1, keepdims=True)
    u = np.empty((n_channels, n_slow))
    for channel in range(n_channels):
        share = ripple_share[channel]
        u[channel] = np.sqrt(0.55 * (1.0 - share)) * _ou(noise[0, channel], drift_s[channel])
        u[channel] += np.sqrt(share) * _ou(noise[1, channel], ripple_s[channel])
        u[channel] += np.sqrt(0.45 * (1.0 - share)) * episodes[channel]
    return u + _SHARED * shared


def _ou(noise: NDArray[np.float32], time_constant_s: float) -> NDArray[np.float64]:
    """Ornstein-Uhlenbeck process of variance 1 on the slow clock."""
    keep = float(np.exp(-1.0 / (SLOW_HZ * time_constant_s)))
    gain = float(np.sqrt(1.0 - keep * keep))
    start = np.array([keep * float(noise[0])])
    path: NDArray[np.float64] = lfilter([gain], [1.0, -keep], noise, zi=start)[0]
    return path


def _own_episodes(
    per_minute: NDArray[np.float64],
    seconds: NDArray[np.float64],
    n_slow: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Episodes of each channel alone, standardised, shape (22, n_slow)."""
    n_channels = per_minute.size
    total_s = n_slow / SLOW_HZ
    cycle = 60.0 / per_minute
    seconds = np.minimum(seconds, 0.5 * cycle)
    n_episodes = int(np.ceil(total_s / cycle.min() * 1.4)) + 4
    lasting = seconds[:, None] * rng.gamma(5.0, 0.2, (n_channels, n_episodes))
    waiting = (cycle - seconds)[:, None] * rng.gamma(3.0, 1.0 / 3.0, (n_channels, n_episodes))
    height = rng.gamma(8.0, 1.0 / 8.0, (n_channels, n_episodes))
    end = np.cumsum(lasting + waiting, axis=1)
    begin = end - lasting
    steps = np.zeros((n_channels, n_slow + 1))
    rows = np.broadcast_to(np.arange(n_channels)[:, None], begin.shape)
    for time, sign in ((begin, 1.0), (end, -1.0)):
        tick = np.minimum((time * SLOW_HZ).astype(np.int64), n_slow)
        np.add.at(steps, (rows, tick), sign * height)
    boxes = np.cumsum(steps[:, :-1], axis=1)
    # Onset and offset of about 0.4 s.
    smooth: NDArray[np.float64] = lfilter([0.3], [1.0, -0.7], boxes, axis=1)
    duty = (seconds / cycle)[:, None]
    standard: NDArray[np.float64] = (smooth - duty) / np.sqrt(duty * (1.0 - duty) + 0.01)
    return standard


def _shared_episodes(
    engagement: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Strength of the seven emotions over time, shape (7, n_slow); 0 while neutral."""
    n_slow = engagement.size
    # All children watch the same film: as many episodes of each kind, at about the same times.
    expected = n_slow / SLOW_HZ / 60.0 * EPISODES_PER_MINUTE * EMOTION_SHARES
    emotion = np.repeat(np.arange(len(EMOTIONS)), np.rint(expected).astype(np.int64))
    n_episodes = emotion.size
    scene = (7 * np.arange(n_episodes) % max(n_episodes, 1) + rng.uniform(0, 1, n_episodes)) / max(
        n_episodes, 1
    )
    begin = scene * n_slow
    lasting = SLOW_HZ * rng.lognormal(np.log(2.2), 0.3, n_episodes)
    height = rng.uniform(0.7, 1.3, n_episodes)
    steps = np.zeros((len(EMOTIONS), n_slow + 1))
    for time, sign in ((begin, 1.0), (begin + lasting, -1.0)):
        np.add.at(steps, (emotion, np.minimum(time.astype(np.int64), n_slow)), sign * height)
    boxes = np.cumsum(steps[:, :-1], axis=1)
    smooth: NDArray[np.float64] = lfilter([0.25], [1.0, -0.75], boxes, axis=1) * engagement
    return smooth


def _readings(
    traits: Traits, activity: NDArray[np.float64], engagement: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Channel values on the slow clock, shape (22, n_slow), before jitter."""
    level = _class_latents(traits.latent, 0)
    spread = _class_latents(traits.latent, 1)
    position = _HEIGHT[:, None] * 1.6 / (1.0 + np.exp(-1.4 * level)) + _OFFSET[:, None]
    width = _WIDTH[:, None] * np.exp(0.9 * spread) * 0.8
    knots = np.empty((len(CHANNELS), U_KNOTS.size))
    low, high = width[:, 1] * _LOWER_PART * 0.5, width[:, 2] * 0.5
    knots[:, 1] = position[:, 1] - low
    knots[:, 2] = position[:, 2] + high
    knots[:, 0] = position[:, 0] - low - width[:, 0] * _LOWER_PART
    knots[:, 3] = position[:, 3] + high + width[:, 3]
    knots[:, 4] = knots[:, 3] + _BEYOND_PEAK * width[:, 3]
    knots = np.maximum.accumulate(knots, axis=1)
    slow = np.empty_like(activity)
    for channel in range(len(CHANNELS)):
        slow[channel] = np.interp(activity[channel], U_KNOTS, knots[channel])
    # A neutral face still moves a little about its own position.
    middle = 0.5 * (knots[:, 1] + knots[:, 2])[:, None]
    # Neutral has no activity of its own: its course holds the seven others down.
    slow[1 : len(EXPRESSIONS)] *= np.exp(-1.5 * (slow[0] - 0.8 * _HEIGHT[0]))
    stirring = (slow - middle) * (_STIRRING[:, None] * (1.0 - engagement))
    slow *= engagement
    slow += stirring
    slow += traits.neutral[:, None]
    return slow


def _at_frame_rate(slow: NDArray[np.float64], n_frames: int) -> NDArray[np.float32]:
    """Linear interpolation from 8 Hz to 24 Hz, shape (22, n_frames)."""
    coarse = slow.astype(np.float32)
    step = np.diff(coarse, axis=1) / np.float32(STEP)
    frames = np.empty((coarse.shape[0], step.shape[1], STEP), dtype=np.float32)
    for offset in range(STEP):
        frames[:, :, offset] = coarse[:, :-1] + np.float32(offset) * step
    return frames.reshape(coarse.shape[0], -1)[:, :n_frames]


def _enforce_ranges(values: NDArray[np.float32]) -> None:
    """Clip every channel to its range; make the expressions sum to one."""
    n_expressions = len(EXPRESSIONS)
    np.clip(values[n_expressions:10], -1.0, 1.0, out=values[n_expressions:10])
    np.clip(values[10:], 0.0, 1.0, out=values[10:])
    others = np.clip(values[1:n_expressions], 1e-4, 1.0, out=values[1:n_expressions])
    total = others.sum(axis=0)
    others *= np.minimum(np.float32(1.0), np.float32(0.98) / total)
    values[0] = np.float32(1.0) - others.sum(axis=0)
