import csv
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from server.pretraining.distributed import (
    Processes,
    gathered,
    joined_processes,
    synchronised,
)
from server.pretraining.loss import MultiTaskLoss
from server.pretraining.training import train
from shared.affect.network import AffectNetwork
from shared.errors import InputError

_WORKER = """
import pickle, sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from server.pretraining.distributed import joined_processes
from server.pretraining.training import train
sys.path.insert(0, str(Path(sys.argv[2]).parent))
from test_distributed import gradients
config, sets, out = pickle.loads(Path(sys.argv[1]).read_bytes())
with joined_processes("cpu") as processes:
    network = train(config, sets, Path(out), processes=processes)
    found = gradients(processes)
    torch.save((network.state_dict(), found), Path(out) / f"rank{processes.rank}.pt")
"""


def gradients(processes):
    """Gradients of the whole loss on 14 faces, and batch statistics, in float64."""
    torch.manual_seed(0)
    pictures = torch.rand(14, 3, 40, 40).double()
    targets = torch.softmax(torch.randn(14, 8), 1), torch.rand(14, 2), torch.rand(14, 12)
    network = AffectNetwork("eesp").double().train()
    network.dropout = torch.nn.Identity()
    trained = network
    if processes.world > 1:
        synchronised(network, processes.device)
        trained = torch.nn.parallel.DistributedDataParallel(network, find_unused_parameters=True)
    position = torch.arange(processes.rank, 14, processes.world)
    outputs = gathered(trained(pictures[position]), position, processes.world)
    loss_of = MultiTaskLoss(torch.ones(8).double(), torch.ones(12).double())
    loss = loss_of(outputs, *(target.double() for target in targets))
    (loss * processes.world).backward()
    found = {key: p.grad for key, p in network.named_parameters() if p.grad is not None}
    return found | dict(network.named_buffers()) | {"loss": loss.detach()}


def losses(out):
    with (out / "log.csv").open() as stream:
        return [
            [float(row[k]) for k in ("loss", "expression", "valence_arousal", "action_units")]
            for row in csv.DictReader(stream)
        ]


def test_two_processes_equal_one_with_the_doubled_batch(made_faces, made_config, tmp_path):
    sets = [made_faces(40), made_faces(30, seed=1, side=64, coded=True)]
    # Small steps: with large ones rounding alone moves a loss by percents within a few of them.
    optimiser = {"learning_rate": 2e-4}
    stages = [{"side": 48, "share": 1.0}]
    shared = {"sets": 2, "steps": 6, "stages": stages, "optimiser": optimiser}
    single = train(made_config(batch_size=32, **shared), sets, tmp_path / "one")
    out = tmp_path / "two"
    content, script = tmp_path / "run.pickle", tmp_path / "worker.py"
    content.write_bytes(pickle.dumps((made_config(batch_size=16, **shared), sets, str(out))))
    script.write_text(_WORKER)
    folder = os.environ.get("PYTHONPATH", "")
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--standalone",
                "--nproc-per-node",
                "2",
            ),
            *(str(script), str(content), __file__),
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([os.getcwd(), folder])},  # noqa: PTH109
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    np.testing.assert_allclose(losses(out), losses(tmp_path / "one"), rtol=1e-3, atol=1e-4)
    ranks, found = zip(*(torch.load(out / f"rank{rank}.pt") for rank in (0, 1)), strict=True)
    for key, value in single.state_dict().items():
        assert torch.equal(ranks[0][key], ranks[1][key]), key
        torch.testing.assert_close(ranks[0][key], value, rtol=1e-2, atol=1e-3, msg=key)
    # In float64 nothing hides a mistake: the gradients are the same.
    for key, value in gradients(Processes()).items():
        torch.testing.assert_close(found[0][key], value, rtol=1e-7, atol=1e-10, msg=key)


def test_devices_that_are_not_there_are_refused(monkeypatch):
    with pytest.raises(InputError, match="--device tpu"), joined_processes("tpu"):
        pass
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="name --device cpu"), joined_processes("cuda"):
        pass
    with joined_processes() as alone:
        assert (alone.rank, alone.world, alone.leads) == (0, 1, True)
        assert alone.device.type == "cpu"
