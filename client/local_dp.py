"""Full-batch DP-SGD at one clinic, as the baseline of federated averaging does it.

Opacus as it is usually deployed: gradients averaged over the clinic's rows, Gaussian noise of full
strength at every clinic. The noise is set by exact composition over all steps, which is as small
as it can honestly be.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer

from client.site import SiteStudy
from shared.errors import PrivacyError
from shared.privacy.accountant import mu_of
from shared.privacy.discrete_gaussian import SeededNoise

__all__ = ["private_steps"]


def private_steps(
    site: SiteStudy, weights: NDArray[np.float64], round_number: int, release: str
) -> NDArray[np.float64]:
    """Take the study's local steps from the given weights.

    Parameters
    ----------
    site : SiteStudy
        With a study of method ``local-dp``.
    weights : ndarray, shape (k,)
        The last average.
    round_number : int
        From 1; at most the study's rounds.
    release : str
        Name of the release; simulations derive the seed from it.

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    PrivacyError
        When the study does not allow this round.
    """
    study, settings = site.study, site.study.local
    if settings is None or study.epsilon is None or study.delta is None:
        raise PrivacyError(f"study {study.title!r} has no local-dp settings")
    if not 1 <= round_number <= settings.rounds:
        raise PrivacyError(
            f"local round {round_number} was refused; the study has {settings.rounds} rounds"
        )
    if not len(site.labels):
        return weights
    generator = torch.Generator()
    if isinstance(site.noise, SeededNoise):
        generator.manual_seed(int(site.noise.generator(release).integers(2**62)))
    else:
        generator.seed()

    layer = torch.nn.Linear(len(weights), 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights.reshape(1, -1)))
    module = GradSampleModule(layer, loss_reduction="mean")
    optimizer = DPOptimizer(
        torch.optim.SGD(module.parameters(), lr=settings.learning_rate),
        noise_multiplier=float(np.sqrt(settings.rounds * settings.steps))
        / mu_of(study.epsilon, study.delta),
        max_grad_norm=settings.clipping_norm,
        expected_batch_size=len(site.labels),
        loss_reduction="mean",
        generator=generator,
    )
    rows = torch.from_numpy(site.rows).requires_grad_()  # the per-sample hooks need it
    signs = torch.from_numpy(np.where(site.labels, 1.0, -1.0))
    for _ in range(settings.steps):
        optimizer.zero_grad()
        loss: Any = torch.nn.functional.softplus(-signs * module(rows).squeeze(1)).mean()
        loss.backward()
        optimizer.step()
    module.remove_hooks()
    trained: NDArray[np.float64] = layer.weight.detach().numpy().reshape(-1).copy()
    return trained
