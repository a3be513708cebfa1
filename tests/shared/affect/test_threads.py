import os

import torch

from shared.affect.threads import use_cpu_threads


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    try:
        use_cpu_threads(1)
        assert torch.get_num_threads() == 1
        assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
        monkeypatch.delenv("OMP_WAIT_POLICY")
        use_cpu_threads(2)
        assert torch.get_num_threads() == 2
        assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    finally:
        torch.set_num_threads(before)
