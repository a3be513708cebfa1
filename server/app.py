"""The coordinator's Flower app: find the roster, train the studies, hand over the models.

The same factory serves a SuperLink, a Ray simulation and the in-process engine. Several studies
with one roster train in lockstep: each exchange carries one question of every study under way.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from server.roster import Roster
from server.training import Training, start_training
from shared.errors import InputError
from shared.files import write_atomic
from shared.messages import Question
from shared.model import TrainedModel, to_json
from shared.privacy.constants import DEFAULT_CONSTANTS, load_constants
from shared.privacy.feature_map import FeatureMap
from shared.privacy.unit_vectors import AffectMap
from shared.study import Study, load_study

__all__ = ["app", "create_server_app", "train_in_lockstep"]

_DEADLINE_S = 600.0

Prepared = Sequence[tuple[Study, FeatureMap]]


def create_server_app(
    prepare: Callable[[Context], Prepared],
    deliver: Callable[[Context, Study, TrainedModel], None],
    *,
    deadline_s: float = _DEADLINE_S,
) -> ServerApp:
    """Make the app.

    Parameters
    ----------
    prepare : callable
        Returns the studies to train, each with its feature map.
    deliver : callable
        Receives each trained model.
    deadline_s : float
        Longest wait, in seconds, for the roster and for each exchange.
    """
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        prepared = prepare(context)
        roster = Roster(grid, [study for study, _ in prepared], deadline_s=deadline_s)
        models = train_in_lockstep(prepared, roster)
        for study, _ in prepared:
            deliver(context, study, models[study.digest])

    return server_app


def train_in_lockstep(
    prepared: Prepared,
    roster: Roster,
) -> dict[str, TrainedModel]:
    """Train all studies, one exchange at a time.

    Parameters
    ----------
    prepared : sequence of (Study, FeatureMap)
    roster : Roster
        Where the questions go.

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
        answers = roster.ask(questions)
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
    study = load_study(Path(path))
    own_constants = Path(path).with_name("constants.json")
    constants = load_constants(own_constants if own_constants.exists() else DEFAULT_CONSTANTS)
    return [(study, AffectMap(constants, study.attribute_groups))]


def _to_file(context: Context, study: Study, model: TrainedModel) -> None:
    folder = Path(str(context.run_config.get("study"))).parent
    target = folder / f"model-{study.digest[:12]}.json"
    write_atomic(target, to_json(model))
    print(f"Study {study.title!r} is trained; model written to {target}")


app = create_server_app(_from_files, _to_file)
