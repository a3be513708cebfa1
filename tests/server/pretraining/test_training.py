import csv
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from server.pretraining.checkpoint import read_checkpoint
from server.pretraining.training import TASKS, train
from shared.errors import InputError


def rows(out):
    with (out / "log.csv").open() as stream:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return all(torch.equal(a[key], b[key]) for key in a)


def without_speed(out):
    return [{k: v for k, v in row.items() if k != "faces_per_s"} for row in rows(out)]


def test_one_epoch_on_500_pictures_learns(made_faces, made_config, tmp_path):
    sets = [made_faces(300), made_faces(200, side=96, coded=True)]
    config = made_config(
        2,
        batch_size=25,
        stages=[{"side": 32, "share": 0.6}, {"side": 48, "share": 0.4}],
        augmentation={"brightness": 0.0, "contrast": 0.0, "gamma": 0.0},
    )
    reported = []
    network = train(config, sets, tmp_path, report=reported.append)
    told = rows(tmp_path)
    assert len(told) == len(reported) == 20
    assert told[-1]["epoch"] == pytest.approx(1)
    assert [row["side"] for row in told] == [32] * 12 + [48] * 8
    assert np.mean([row["loss"] for row in told[-5:]]) < 0.7 * told[0]["loss"]
    assert told[-1]["learning_rate"] < 0.02 * max(row["learning_rate"] for row in told)
    assert not network.training
    # The mean of the weights tells bright faces from dark ones.
    pictures = torch.zeros(2, 3, 48, 48)
    pictures[1] = 0.85
    with torch.inference_mode():
        dark, bright = network(pictures)
    assert bright[1] - bright[2] > dark[1] - dark[2]
    assert bright[16] > dark[16]


def test_a_run_is_determined_by_its_seed(made_faces, made_config, tmp_path):
    first, again, other = (
        train(made_config(seed=seed, steps=2), [made_faces()], tmp_path / str(i))
        for i, seed in enumerate((0, 0, 1))
    )
    assert same(first, again)
    assert not same(first, other)


_CHILD = """
import sys, pickle, torch
torch.set_num_threads(1)
from pathlib import Path
from server.pretraining.training import train
config, sets, out = pickle.loads(Path(sys.argv[1]).read_bytes())
train(config, sets, Path(out))
"""


def test_a_killed_run_goes_on_with_the_very_next_step(made_faces, made_config, tmp_path):
    import pickle

    sets = [made_faces(30), made_faces(20, seed=1, side=64, coded=True)]
    settings = {"sets": 2, "checkpoint_steps": 3, "log_steps": 2}
    whole = train(made_config(steps=9, **settings), sets, tmp_path / "whole")
    out = tmp_path / "killed"
    # The child cannot end before it is killed: it is to take many more steps.
    endless = made_config(steps=9, **settings)
    content = tmp_path / "run.pickle"
    content.write_bytes(pickle.dumps((endless, sets, str(out))))
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(content)])
    waited_until = time.monotonic() + 120
    while not (out / "checkpoint.pt").exists() and time.monotonic() < waited_until:
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    with (out / "log.csv").open("a") as stream:
        stream.write("9,0.1")  # as a row that was being written
    steps = torch.load(out / "checkpoint.pt", weights_only=True)["step"]
    assert steps in (3, 6)
    resumed = train(endless, sets, out, resume=True)
    assert same(whole, resumed)
    assert without_speed(out) == without_speed(tmp_path / "whole")
    # A finished run has nothing left to do.
    assert same(train(endless, sets, out, resume=True), whole)


def test_resume_refuses_what_would_be_another_run(made_faces, made_config, tmp_path):
    config, sets = made_config(steps=1), [made_faces()]
    train(config, sets, tmp_path)
    with pytest.raises(InputError, match="--resume"):
        train(config, sets, tmp_path)
    with pytest.raises(InputError, match="another configuration"):
        train(made_config(steps=1, seed=3), sets, tmp_path, resume=True)
    with pytest.raises(InputError, match="another data"):
        train(config, [made_faces(seed=5)], tmp_path, resume=True)
    with pytest.raises(InputError, match="another task"):
        train(config, sets, tmp_path, task="expression", resume=True)
    (tmp_path / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        train(config, sets, tmp_path, resume=True)
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "checkpoint.pt", {})


@pytest.mark.parametrize("task", [task for task in TASKS if task != "multi"])
def test_single_tasks_have_their_own_outputs(made_faces, made_config, tmp_path, task):
    network = train(made_config(steps=1), [made_faces()], tmp_path, task=task)
    assert network.num_outputs == len(TASKS[task])
    (row,) = rows(tmp_path)
    learned = {name for name in ("expression", "valence_arousal", "action_units") if row[name]}
    wanted = "valence_arousal" if task in ("valence", "arousal") else task
    assert learned == {wanted}


def test_a_task_without_labels_is_refused(made_faces, made_config, tmp_path):
    with pytest.raises(InputError, match="label for the task expression"):
        train(made_config(), [made_faces(coded=True)], tmp_path, task="expression")


def test_a_loss_that_explodes_ends_the_run(made_faces, made_config, tmp_path):
    sets = [made_faces()]
    sets[0].expression[:] = 1e38
    with pytest.raises(InputError, match="no longer finite at step 1"):
        train(made_config(steps=3), sets, tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    "changes",
    [{"optimiser": {"name": "sgd", "learning_rate": 0.05}}, {"amp": "bfloat16"}],
    ids=["sgd", "bfloat16"],
)
def test_other_arithmetic_trains_too(made_faces, made_config, tmp_path, changes):
    train(made_config(steps=2, channels_last=False, **changes), [made_faces()], tmp_path)
    assert all(np.isfinite(row["loss"]) for row in rows(tmp_path))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_graphics_card_learns_the_same(made_faces, made_config, tmp_path):
    from server.pretraining.distributed import Processes

    sets = [made_faces(30), made_faces(20, seed=1, side=64, coded=True)]
    for name, device in (("card", "cuda"), ("cpu", "cpu")):
        config = made_config(2, steps=4, amp="off", precision="highest")
        train(config, sets, tmp_path / name, processes=Processes(device=torch.device(device)))
    losses = [[row["loss"] for row in rows(tmp_path / name)] for name in ("card", "cpu")]
    np.testing.assert_allclose(*losses, rtol=2e-2)
