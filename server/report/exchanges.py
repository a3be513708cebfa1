"""What the journal says about a study's exchanges, and whether the model follows from it.

The answers are opened again in the same order as in the training. A report therefore cannot speak
of a model that is not the one these clinics trained.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.journal import Journal
from server.training.private import train_privately
from shared.errors import InputError
from shared.model import PrivateModel
from shared.privacy.feature_map import FeatureMap
from shared.privacy.planner import PlannedRelease
from shared.privacy.secure_sum import add_modulo
from shared.study import Study

__all__ = ["Exchange", "kept_exchanges"]


@dataclass(frozen=True, eq=False)
class Exchange:
    """One opened sum.

    Attributes
    ----------
    release : PlannedRelease
    answered : int
        Clinics whose answers were added.
    opened : ndarray of int64
        The sum, noise included, in grid steps of its sensitivity.
    """

    release: PlannedRelease
    answered: int
    opened: NDArray[np.int64]


def kept_exchanges(
    study: Study, feature_map: FeatureMap, model: PrivateModel, journal: Journal
) -> tuple[Exchange, ...]:
    """Open every kept exchange again.

    Parameters
    ----------
    study : Study
        With method ``federated-dp``.
    feature_map : FeatureMap
        The study's map.
    model : PrivateModel
        What the study released.
    journal : Journal

    Returns
    -------
    tuple of Exchange
        All of the plan; empty where the journal holds nothing of this study.

    Raises
    ------
    InputError
        When an exchange is missing, or the model does not follow from the answers.
    """
    plan = study.plan(feature_map)
    if not any(journal.was_asked(study.digest, release.round) for release in plan.releases):
        return ()
    training = train_privately(study, feature_map)
    question = next(training)
    found = []
    for release in plan.releases:
        answers = journal.answers(study.digest, question)
        if answers is None:
            raise InputError(
                f"exchange {release.round} of {plan.exchanges} ({release.kind}) of study "
                f"{study.title!r} is not among the kept rounds, although the model is there; put "
                "the study's folder of rounds back, or move it away to report without it"
            )
        try:
            question = training.send(answers)
        except StopIteration as finished:
            if finished.value != model:
                raise InputError(
                    f"the model of study {study.title!r} does not follow from the kept rounds; one "
                    "of them belongs to another training. Run the training again: it asks nobody "
                    "and writes the model anew"
                ) from None
        # The training accepted these answers: they are whole, and of this roster.
        opened = add_modulo(np.stack([answer.arrays["sum"] for answer in answers]))
        found.append(Exchange(release, len(answers), opened))
    return tuple(found)
