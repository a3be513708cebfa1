"""Ways to train side by side, on the folds that the index test was evaluated on."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.channels import ATTRIBUTE_GROUPS
from shared.evaluation.confusion import Confusion
from shared.evaluation.evaluate import Evaluation
from shared.evaluation.roc import auc
from shared.learning.pooled import REGULARISATION_C
from shared.privacy.constants import load_constants
from shared.report import document as d
from shared.report.from_rows.convert import metrics
from simulations.experiment import Arm, Sample, Split, alone_scores, federated_scores, pooled_scores
from simulations.reproduce import cohort_sample, load_baseline_settings

__all__ = ["baselines_of"]

_FIGURES: Final = ("sensitivity", "specificity", "balanced_accuracy", "f1", "auc")


def baselines_of(
    found: Evaluation,
    *,
    epsilons: Sequence[float],
    delta: float,
    collusion_margin: int = 1,
    on_exchange: Callable[[int, int], None] = lambda exchange, messages: None,
) -> d.Baselines:
    """Train each way on the first partition's folds.

    Parameters
    ----------
    found : Evaluation
        Of participants of at least two clinics.
    epsilons : sequence of float
    delta : float
    collusion_margin : int
    on_exchange : callable
        Told before each exchange.
    """
    people, fold = found.people, found.fold[0]
    seed = found.settings.seed
    sample = cohort_sample(
        people.with_clinics(), ATTRIBUTE_GROUPS, load_constants(), f"evaluation {seed}"
    )
    splits = [Split(train=fold != k, test=fold == k) for k in np.unique(fold)]
    settings = load_baseline_settings(epsilons)
    arms = [Arm("federated")]
    arms += [Arm("federated-dp", epsilon, delta, collusion_margin) for epsilon in epsilons]
    arms += [Arm("local-dp", epsilon, delta, local=settings[epsilon]) for epsilon in epsilons]
    scores = federated_scores(
        [sample],
        splits,
        arms,
        regularisation_c=REGULARISATION_C,
        seed=seed,
        on_exchange=on_exchange,
    )
    rows = [
        _row(
            "Pooled",
            None,
            people.asd,
            pooled_scores(sample, splits, regularisation_c=REGULARISATION_C),
            fold,
        ),
        _alone(sample, splits, people.asd, fold),
    ]
    names = {
        "federated": "Federated",
        "federated-dp": "Federated, differentially private",
        "local-dp": "Local DP-SGD + FedAvg",
    }
    rows += [
        _row(names[arm.method], arm.epsilon, people.asd, scores[0, number], fold)
        for number, arm in enumerate(arms)
    ]
    return d.Baselines(
        status="local",
        setting=(
            f"{len(sample.clinics)} clinics, the index test's folds, one draw of the noise. "
            "Intervals are of the participants; the noise of a private training is one draw."
        ),
        rows=tuple(rows),
    )


def _row(
    method: str,
    epsilon: float | None,
    asd: NDArray[np.bool_],
    score: NDArray[np.float64],
    fold: NDArray[np.int64],
) -> d.Baseline:
    figures = {**Confusion.of(asd, score > 0).figures(), "auc": auc(asd, score, fold)}
    return d.Baseline(
        method=method, epsilon=epsilon, metrics=metrics({name: figures[name] for name in _FIGURES})
    )


def _alone(
    sample: Sample, splits: Sequence[Split], asd: NDArray[np.bool_], fold: NDArray[np.int64]
) -> d.Baseline:
    """Each clinic's own model, averaged with clinic sizes as weights."""
    clinics = {name: n for n, name in enumerate(sample.clinics)}
    each, sizes = [], []
    for name, score in alone_scores(sample, splits, regularisation_c=REGULARISATION_C):
        row = _row("alone", None, asd, score, fold)
        each.append([row.metrics[figure].value or 0.0 for figure in _FIGURES])
        sizes.append(int((sample.clinic == clinics[name]).sum()))
    mean = np.average(each, axis=0, weights=sizes)
    return d.Baseline(
        method="One clinic alone",
        metrics={
            figure: d.Estimate(value=float(value))
            for figure, value in zip(_FIGURES, mean, strict=True)
        },
        note="Trained on one clinic, tested on everyone; mean weighted by clinic size.",
    )
