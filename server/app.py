"""The coordinator's Flower app: find the roster, train the studies, hand over the models.

The same factory serves a SuperLink, a Ray simulation and the in-process engine. Several studies
with one roster train in lockstep: each exchange carries one question of every study under way.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from server.journal import FolderJournal, Journal, NoJournal
from server.roster import Roster
from server.training import Training, start_training
from shared.errors import InputError
from shared.files import write_atomic
from shared.messages import Question
from shared.model import TrainedModel
from shared.model_file import model_file_text
from shared.privacy.constants import DEFAULT_CONSTANTS, PublicConstants, load_constants
from shared.privacy.feature_map import FeatureMap
from shared.privacy.unit_vectors import AffectMap
from shared.software import software
from shared.state_folder import default_state_folder
from shared.study import Study, load_study

__all__ = [
    "ROUNDS_FOLDER",
    "app",
    "create_server_app",
    "load_prepared",
    "study_journal",
    "train_in_lockstep",
]

_DEADLINE_S = 600.0

ROUNDS_FOLDER: Final = "rounds"
"""Beside the study file: what was asked and answered."""

Prepared = Sequence[tuple[Study, FeatureMap]]


def create_server_app(
    prepare: Callable[[Context], Prepared],
    deliver: Callable[[Context, Study, TrainedModel], None],
    *,
    journal: Callable[[Context], Journal] = lambda context: NoJournal(),
    deadline_s: float = _DEADLINE_S,
) -> ServerApp:
    """Make the app.

    Parameters
    ----------
    prepare : callable
        Returns the studies to train, each with its feature map.
    deliver : callable
        Receives each trained model.
    journal : callable
        Returns where the training is remembered.
    deadline_s : float
        Longest wait, in seconds, for the roster and for each exchange.
    """
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        prepared = prepare(context)
        kept = journal(context)
        roster = Roster(grid, [study for study, _ in prepared], deadline_s=deadline_s, journal=kept)
        models = train_in_lockstep(prepared, roster, kept)
        for study, _ in prepared:
            deliver(context, study, models[study.digest])

    return server_app


def train_in_lockstep(
    prepared: Prepared,
    roster: Roster,
    journal: Journal,
) -> dict[str, TrainedModel]:
    """Train all studies, one exchange at a time; rounds answered before are not asked again.

    Parameters
    ----------
    prepared : sequence of (Study, FeatureMap)
    roster : Roster
        Where the questions go.
    journal : Journal
        Keeps each question before it is asked, and each round's answers.

    Returns
    -------
    dict
        Models by study hash.
    """
    models: dict[str, TrainedModel] = {}
    trainings: dict[str, Training] = {}
    questions: dict[str, Question] = {}
    for study, feature_map in prepared:
        trainings[study.digest] = start_training(study, feature_map)
        questions[study.digest] = next(trainings[study.digest])
    while questions:
        known = {digest: journal.answers(digest, asked) for digest, asked in questions.items()}
        new = {digest: asked for digest, asked in questions.items() if known[digest] is None}
        for digest, asked in new.items():
            journal.asked(digest, asked)
        answers = {digest: kept for digest, kept in known.items() if kept is not None}
        if new:
            answers |= roster.ask(new)
            for digest, asked in new.items():
                journal.answered(digest, asked, answers[digest])
        for digest in list(questions):
            try:
                questions[digest] = trainings[digest].send(answers[digest])
            except StopIteration as finished:
                models[digest] = finished.value
                del questions[digest]
    return models


def _from_files(context: Context) -> Prepared:
    """Read the study named in the run configuration, with its constants beside it."""
    path = context.run_config.get("study")
    if not isinstance(path, str) or not path:
        raise InputError(
            "no study to train; give its file: flwr run . -c 'study=\"/path/to/study.toml\"'"
        )
    return [load_prepared(Path(path))]


def load_prepared(path: Path) -> tuple[Study, FeatureMap]:
    """Read a study file, with the public constants that lie beside it or the packaged ones."""
    study = load_study(path)
    return study, AffectMap(_constants(path), study.attribute_groups)


def _constants(study: Path) -> PublicConstants:
    own = study.with_name("constants.json")
    return load_constants(own if own.exists() else DEFAULT_CONSTANTS)


def _to_file(context: Context, study: Study, model: TrainedModel) -> None:
    path = Path(str(context.run_config.get("study")))
    target = path.with_name(f"model-{study.digest[:12]}.json")
    write_atomic(target, model_file_text(model, study, _constants(path), software()))
    print(f"Study {study.title!r} is trained; model written to {target}")


def study_journal(study: Path) -> FolderJournal:
    """Return the journal of a study's training: rounds beside it, ledger heads for all studies."""
    return FolderJournal(study.parent / ROUNDS_FOLDER, default_state_folder() / "ledger-heads")


def _beside_the_study(context: Context) -> Journal:
    return study_journal(Path(str(context.run_config.get("study"))))


app = create_server_app(_from_files, _to_file, journal=_beside_the_study)
