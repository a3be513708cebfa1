import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from server.pretraining.batches import Feeder, batch_counts, batch_plan, total_steps

CPU = torch.device("cpu")


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=6), st.integers(6, 300))
def test_counts_fill_the_batch_by_share(shares, size):
    counts = batch_counts(shares, size)
    assert sum(counts) == size
    assert min(counts) >= 1
    exact = np.array(shares) / sum(shares) * size
    # Small shares are rounded up to one face, which the others pay for.
    assert (np.array(counts) <= np.maximum(exact + 1, 1)).all()


def test_a_set_goes_through_all_faces_before_it_repeats_one():
    rows = [batch_plan([10, 3], [4, 2], 0, step).rows for step in range(10)]
    first, second = (np.concatenate([r[i] for r in rows]) for i in (0, 1))
    for passed in range(4):
        assert sorted(first[10 * passed : 10 * passed + 10]) == list(range(10))
    assert not np.array_equal(first[:10], first[10:20])
    assert sorted(second[:3]) == sorted(second[3:6]) == [0, 1, 2]


def test_a_batch_larger_than_its_set_repeats_faces():
    assert sorted(batch_plan([2], [5], 0, 0).rows[0])[:2] == [0, 0]


def test_a_plan_depends_on_seed_and_step_alone():
    a, b = (batch_plan([50], [8], 4, 7) for _ in range(2))
    assert np.array_equal(a.rows[0], b.rows[0])
    assert np.array_equal(a.randoms, b.randoms)
    assert np.array_equal(a.kept, b.kept)
    for other in (batch_plan([50], [8], 4, 8), batch_plan([50], [8], 5, 7)):
        assert not np.array_equal(a.rows[0], other.rows[0])
        assert not np.array_equal(a.randoms, other.randoms)


def test_the_dropout_mask_keeps_the_mean():
    kept = batch_plan([50], [200], 0, 0).kept
    assert set(np.unique(kept)) == {0, np.float32(1.25)}
    assert kept.mean() == pytest.approx(1, abs=0.01)


def test_processes_share_a_batch(made_faces, made_config):
    sets = [made_faces(20), made_faces(15, seed=1, side=64, coded=True)]
    (whole,) = Feeder(sets, made_config(2, batch_size=8), CPU).batches(3, 4)
    parts = [
        next(Feeder(sets, made_config(2, batch_size=4), CPU, rank, 2).batches(3, 4))
        for rank in (0, 1)
    ]
    assert sorted(torch.cat([p.position for p in parts]).tolist()) == list(range(8))
    for part in parts:
        assert [len(p) for p in part.pictures] == [2, 2]
        np.testing.assert_array_equal(part.randoms, whole.randoms[part.position])
        assert torch.equal(part.kept, whole.kept[part.position])
        for own, every in zip(part.targets, whole.targets, strict=True):
            torch.testing.assert_close(own, every, equal_nan=True)
        for i in (0, 1):
            mine = part.position[2 * i : 2 * i + 2] - 4 * i
            assert torch.equal(part.pictures[i], whole.pictures[i][mine])


def test_batches_start_anywhere_and_carry_weights(made_faces, made_config):
    config = made_config(
        2,
        data=[
            {"kind": "stored", "path": "a", "weights": {"action_units": 0.25}},
            {"kind": "stored", "path": "b", "share": 3},
        ],
    )
    feeder = Feeder([made_faces(9), made_faces(7, coded=True)], config, CPU)
    assert not feeder.resident
    in_one_go = list(feeder.batches(0, 5))
    later = list(feeder.batches(3, 5))
    assert list(feeder.batches(5, 5)) == []
    for a, b in zip(in_one_go[3:], later, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a.pictures, b.pictures, strict=True))
    assert [len(part) for part in later[0].pictures] == [2, 6]
    assert later[0].weights[:, 2].tolist() == [0.25] * 2 + [1] * 6
    # The targets are those of the pictures: bright ones are joyful.
    bright = later[0].pictures[0].float().mean((1, 2, 3)) > 120
    assert torch.equal(later[0].targets[0][:2, 1] == 1, bright)


def test_steps_follow_from_epochs(made_config):
    assert total_steps(made_config(epochs=3), 80, 1) == 30
    assert total_steps(made_config(epochs=3), 80, 2) == 15
    assert total_steps(made_config(epochs=0.01), 80, 1) == 1
    assert total_steps(made_config(steps=7), 80, 2) == 7
