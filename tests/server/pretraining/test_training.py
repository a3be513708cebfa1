import numpy as np
import pytest
import torch

from server.pretraining.augmentation import augmented, resized
from server.pretraining.evaluation import (
    best_temperature,
    evaluate_expressions,
)
from server.pretraining.ferplus import FerPlus
from server.pretraining.initial_weights import start_from_espnetv2
from server.pretraining.training import TrainingSettings, train
from shared.affect.network import AffectNetwork
from shared.errors import InputError

TINY = TrainingSettings(size=32, start_size=32, epochs=1, batch_size=8, average_decay=0.5)


def faces(n=24, seed=0):
    """Pictures whose brightness says whether they are joyful or sad."""
    rng = np.random.default_rng(seed)
    joyful = rng.random(n) < 0.5
    images = rng.integers(0, 60, (n, 48, 48)) + 180 * joyful[:, None, None]
    votes = np.zeros((n, 8), np.int64)
    votes[np.arange(n), np.where(joyful, 1, 2)] = 10
    return FerPlus(
        images.astype(np.uint8), votes, votes.sum(1), np.full(n, "Training"), np.arange(n)
    )


def test_training_is_determined_by_its_seed():
    first, again = (train(faces(), TINY).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    other = train(faces(), TrainingSettings(**{**vars(TINY), "seed": 1})).state_dict()
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


def test_training_learns_what_can_be_learned():
    settings = TrainingSettings(**{**vars(TINY), "epochs": 6})
    losses = []
    train(faces(32), settings, report=lambda state: losses.append(state.loss))
    assert len(losses) == 6 * 4
    assert np.mean(losses[-6:]) < 0.8 * np.mean(losses[:4])


def test_pictures_grow_and_the_time_budget_ends_training():
    settings = TrainingSettings(**{**vars(TINY), "size": 48, "epochs": 4})
    sizes = []
    train(faces(), settings, report=lambda state: sizes.append(state.size))
    assert sizes == [32] * 9 + [48] * 3
    settings = TrainingSettings(**{**vars(TINY), "epochs": 10_000, "seconds_budget": 1.0})
    steps = []
    train(faces(), settings, report=steps.append)
    assert 0 < len(steps) < 1000
    assert steps[-1].share < 1


def test_too_few_faces_and_impossible_settings_are_refused():
    with pytest.raises(InputError, match="7 faces"):
        train(faces(7), TINY)
    for option, value in (
        ("size", 16),
        ("start_size", 200),
        ("epochs", 0),
        ("batch_size", 1),
        ("learning_rate", -1.0),
        ("seconds_budget", 0.0),
    ):
        with pytest.raises(InputError, match="--" + option.replace("_", "-")):
            TrainingSettings(**{option: value})


def espnetv2(path, edit=lambda state: state):
    torch.manual_seed(1)
    state = AffectNetwork("eesp").state_dict()
    kept = {f"base_net.{k}": v for k, v in state.items() if k[:6] in LEVELS}
    torch.save(edit({**kept, "bu_dec_l1.weight": torch.zeros(3)}), path)
    return path


LEVELS = ("level1", "level2", "level3", "level4")


def test_a_start_from_espnetv2_gives_its_features_on_plain_pictures(tmp_path):
    path = espnetv2(tmp_path / "e.pth")
    network = AffectNetwork("eesp")
    assert start_from_espnetv2(network, path) == 361
    source = {k.removeprefix("base_net."): v for k, v in torch.load(path).items()}
    picture = torch.rand(1, 3, 40, 40)
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[None, :, None, None]
    reference = AffectNetwork("eesp")
    own = reference.state_dict()
    reference.load_state_dict({**own, **{k: v for k, v in source.items() if k in own}})
    with torch.inference_mode():
        ours = network.eval().level1(picture)
        theirs = reference.eval().level1((picture - mean) / std)
    # Borders differ: zero padding is black for us and the mean colour for them.
    torch.testing.assert_close(ours[..., 1:, 1:], theirs[..., 1:, 1:], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda state: {}, "0 of the 361"),
        (lambda state: [1, 2], "0 of the 361"),
        (lambda state: {k: v for k, v in state.items() if "level4.6" not in k}, "of the 361"),
        (
            lambda state: state | {"base_net.level1.conv.weight": torch.zeros(16, 3, 3, 3)},
            r"\(16, 3, 3, 3\)",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, edit, message):
    path = espnetv2(tmp_path / "e.pth", edit)
    with pytest.raises(InputError, match=message):
        start_from_espnetv2(AffectNetwork("eesp"), path)


def test_files_that_are_no_checkpoint_are_refused(tmp_path):
    path = tmp_path / "e.pth"
    with pytest.raises(InputError, match="no such file"):
        start_from_espnetv2(AffectNetwork("eesp"), path)
    path.write_bytes(b"text")
    with pytest.raises(InputError, match="not a PyTorch checkpoint"):
        start_from_espnetv2(AffectNetwork("eesp"), path)
    with pytest.raises(InputError, match="mobilenet"):
        start_from_espnetv2(AffectNetwork("mobilenet"), path)


def test_augmentation_keeps_shape_and_range_and_follows_its_generator():
    pictures = torch.from_numpy(faces(16).images)
    views = [augmented(pictures, 64, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert views[0].shape == (16, 3, 64, 64)
    assert views[0].min() >= 0
    assert views[0].max() <= 1
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


def test_evaluation_input_is_the_face_itself():
    pictures = torch.from_numpy(faces(4).images)
    torch.testing.assert_close(resized(pictures, 48)[:, 1], pictures.float() / 255)


def test_metrics_of_known_predictions():
    some = faces(10)
    logits = np.full((10, 8), -5, np.float32)
    logits[np.arange(10), some.expression] = 5
    perfect = evaluate_expressions(logits, some)
    assert perfect.accuracy == 1
    assert perfect.f1["joy"] == perfect.f1["sad"] == 1
    assert perfect.macro_f1 == pytest.approx(2 / 8)
    always_joy = evaluate_expressions(np.eye(8, dtype=np.float32)[[1] * 10], some)
    joyful = int((some.expression == 1).sum())
    assert always_joy.accuracy == pytest.approx(joyful / 10)
    assert always_joy.f1["joy"] == pytest.approx(2 * joyful / (joyful + 10))
    assert always_joy.count["joy"] == joyful


def test_temperature_recovers_a_known_scale():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 8)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert best_temperature(logits * 2.5, shares) == pytest.approx(2.5, rel=1e-3)
