"""Go on without a lost clinic: a study that inherits the weights and what is left of the promise.

Every round that any clinic may have answered counts as spent, opened or not. The other clinics end
the old study (`fedaffect-client end`) before they approve the new one, and each checks against its
own ledger that nothing it released was left out.
"""

from collections.abc import Sequence

from server.journal import Journal
from server.training.private import start_weights, weights_after
from shared.errors import InputError
from shared.messages import Question
from shared.privacy.feature_map import FeatureMap
from shared.study import Parent, Study, build_study

__all__ = ["successor_study"]


def successor_study(
    study: Study,
    feature_map: FeatureMap,
    journal: Journal,
    *,
    without: Sequence[str],
    participants: int,
) -> Study:
    """Make the successor of an interrupted study.

    Parameters
    ----------
    study : Study
        The interrupted study, with method ``federated-dp``.
    feature_map : FeatureMap
        Its map; the successor keeps it.
    journal : Journal
        What was asked and answered.
    without : sequence of str
        Clinics to leave out, at least one.
    participants : int
        Declared enrolment of the clinics that stay.

    Raises
    ------
    InputError
        When a clinic is not in the roster or too few would stay.
    PrivacyError
        When nothing of the promise is left.
    """
    unknown = sorted(set(without) - set(study.clinics))
    if unknown or not without:
        raise InputError(
            f"a successor without {', '.join(unknown) or 'nobody'} was asked; name clinics of the "
            f"roster: {', '.join(study.clinics)}"
        )
    plan = study.plan(feature_map)
    weights, spent = start_weights(study, feature_map), 0.0
    for release in plan.releases:
        if release.kind != "gradient":
            # A later round has been asked only when all gradient rounds were answered.
            if journal.was_asked(study.digest, release.round):
                spent += release.sigma**-2
            continue
        if not journal.was_asked(study.digest, release.round):
            break
        spent += release.sigma**-2
        question = Question("gradient", release.round, {"weights": weights})
        answers = journal.answers(study.digest, question)
        if answers is not None:
            weights = weights_after(study, plan, release, question, answers)
    earlier = study.parent.spent_mu2 if study.parent else 0.0
    parent = Parent(study=study.digest, spent_mu2=earlier + spent, weights=tuple(weights.tolist()))
    staying = [clinic for clinic in study.roster if clinic.name not in without]
    fields = study.model_dump(mode="json") | {
        "roster": [clinic.model_dump() for clinic in staying],
        "participants": participants,
        "parent": parent.model_dump(mode="json"),
    }
    successor = build_study(fields, f"a successor without {', '.join(without)}")
    successor.plan(feature_map)
    return successor
