"""CPU threads of the network, on machines that have other work as well."""

import os

__all__ = ["use_cpu_threads"]


def use_cpu_threads(count: int) -> None:
    """Let PyTorch compute with ``count`` threads that sleep, rather than spin, while they wait.

    OpenMP threads spin at every barrier by default. On a PC whose cores are busy that makes two
    threads many times slower than one. Takes effect when called before PyTorch is first imported;
    a setting of the user's own (``OMP_WAIT_POLICY``) is left alone.

    Parameters
    ----------
    count : int
        1 or more.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    torch.set_num_threads(count)
