"""A federation as it is deployed, on one disk: site folders, ledgers, a coordinator's folder.

Three clinics with six children each, one attribute group (six coordinates), keys and noise from the
operating system. Messages go over an in-process grid to the very app a hospital's node runs.
"""

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context, Message, RecordDict
from small_federation import CLINICS, grid_of

from client.approval import Approval, prepare_approval
from client.ledger import Book
from client.open_site import open_site
from client.site import SiteStudy
from client.site_folder import SiteFolder, create_site_folder
from server.app import create_server_app
from server.journal import FolderJournal, Journal
from shared.errors import FederationError
from shared.features import FEATURE_NAMES, FEATURE_RANGES, FeatureTable, write_features
from shared.messages import EXCHANGE, Answer, Question, pack_questions, unpack_answers
from shared.model import PrivateModel, TrainedModel
from shared.privacy.constants import load_constants
from shared.privacy.unit_vectors import AffectMap
from shared.study import RosterClinic, Study, study_to_toml

GROUPS = ("valence",)
MAP = AffectMap(load_constants(), GROUPS)
CHILDREN = 6


def features_of(n: int, seed: int = 0) -> np.ndarray:
    """Features well within their public ranges, shape (n, n_features)."""
    low, high = FEATURE_RANGES.T
    return low + (high - low) * np.random.default_rng(seed).uniform(0.1, 0.9, (n, len(low)))


def table_of(own: str, n: int = CHILDREN, seed: int = 0, **changes: Any) -> FeatureTable:
    """Children of one clinic, the first half of them with ASD."""
    fields: dict[str, Any] = {
        "participants": tuple(f"{own}-child-{number}" for number in range(n)),
        "values": features_of(n, seed),
        "names": tuple(FEATURE_NAMES),
        "asd": np.arange(n) < n / 2,
        "clinic": (own,) * n,
    }
    return FeatureTable(**(fields | changes))


class FlakyJournal(FolderJournal):
    """A journal whose server stops before or after one of its writes."""

    def __init__(self, folder: Path, stop_at: tuple[str, int]) -> None:
        super().__init__(folder)
        self.stop_at = stop_at

    def _stop(self, moment: str, number: int) -> None:
        if self.stop_at == (moment, number):
            raise InterruptedError(f"{moment} {number}")

    def asked(self, study: str, question: Question) -> None:
        self._stop("before the question", question.round)
        super().asked(study, question)
        self._stop("after the question", question.round)

    def answered(self, study: str, question: Question, answers: Sequence[Answer]) -> None:
        self._stop("before the answers", question.round)
        super().answered(study, question, answers)
        self._stop("after the answers", question.round)


@dataclass
class Deployed:
    """Site folders under ``base/sites/<number>`` and the coordinator's under ``base/server``."""

    base: Path
    clinics: tuple[str, ...] = CLINICS

    def __post_init__(self) -> None:
        for number, clinic in enumerate(self.clinics):
            folder = create_site_folder(self.base / "sites" / str(number), clinic)
            write_features(folder.features, table_of(clinic, seed=number))

    def site(self, clinic: str) -> SiteFolder:
        return SiteFolder(self.base / "sites" / str(self.clinics.index(clinic)))

    @property
    def rounds(self) -> Path:
        return self.base / "server" / "rounds"

    def study(self, **changes: Any) -> Study:
        """The study of these clinics with their keys; ``rounds=2`` makes it three exchanges."""
        fields: dict[str, Any] = {
            "title": "deployed",
            "roster": tuple(
                RosterClinic(name=clinic, mask_key=self.site(clinic).mask_key().public)
                for clinic in self.clinics
            ),
            "participants": CHILDREN * len(self.clinics),
            "feature_map": MAP.digest,
            "attribute_groups": GROUPS,
            "epsilon": 4.0,
            "delta": 1e-5,
            "rounds": 2,
        }
        return Study(**(fields | changes))

    def write(self, study: Study) -> Path:
        path = self.base / "server" / f"{study.digest[:12]}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(study_to_toml(study), encoding="utf-8")
        return path

    def prepare(self, study: Study, clinic: str = CLINICS[0], **options: Any) -> Approval:
        return prepare_approval(self.site(clinic), self.write(study), **options)

    def approve(self, study: Study, clinics: Sequence[str] | None = None) -> Study:
        """Have the study approved at its clinics, and return it."""
        for clinic in clinics or study.clinics:
            self.prepare(study, clinic).commit()
        return study

    def approved(self, **changes: Any) -> Study:
        return self.approve(self.study(**changes))

    def opened(self, study: Study, clinic: str = CLINICS[0]) -> SiteStudy:
        return open_site(node_context(site=str(self.site(clinic).root)), study.digest)

    def train(
        self,
        study: Study,
        *,
        journal: Journal | None = None,
        open_study: Callable[[Context, str], SiteStudy] = open_site,
    ) -> PrivateModel:
        """Run the server's app and the nodes' app to the model; rounds are kept in a folder."""
        models: list[TrainedModel] = []
        kept = journal or FolderJournal(self.rounds)
        server_app = create_server_app(
            lambda context: [(study, MAP)],
            lambda context, trained, model: models.append(model),
            journal=lambda context: kept,
            deadline_s=0.0,
        )
        with grid_of(open_study, nodes=len(self.clinics)) as grid:
            server_app(grid, server_context())
        (model,) = models
        assert isinstance(model, PrivateModel)
        return model

    def ask(
        self, study: Study, question: Question, clinic: str = CLINICS[0], echoed_head: str = ""
    ) -> Answer:
        """Send one question to a clinic's node; its refusal is a FederationError."""
        content = pack_questions({study.digest: question}, echoed_head)
        with grid_of(open_site, nodes=len(self.clinics)) as grid:
            node = 1 + self.clinics.index(clinic)
            (reply,) = grid.send_and_receive([Message(content, node, EXCHANGE)])
        if reply.has_error():
            raise FederationError(reply.error.reason)
        return unpack_answers(reply.content, [study.digest])[study.digest]

    def events(self, clinic: str = CLINICS[0]) -> list[str]:
        """Types of the events in a clinic's ledger."""
        with self.site(clinic).ledger().locked() as book:
            return [event.type for event in book.events]

    def at(self, clinic: str, read: Callable[[Book], Any]) -> Any:
        """What ``read`` finds in, or does with, a clinic's locked ledger."""
        with self.site(clinic).ledger().locked() as book:
            return read(book)

    def snapshot(self, clinic: str) -> Callable[[], None]:
        """Remember a clinic's site folder and state; calling the result copies both back.

        The state folder holds the ledger's counter, so the clinic's computer itself remembers
        nothing newer: only the server can tell.
        """
        kept = self.base / "backup"
        places = {self.site(clinic).root: kept / "site", self.base / "state": kept / "state"}
        for place, copy in places.items():
            shutil.copytree(place, copy)

        def copy_back() -> None:
            for place, copy in places.items():
                shutil.rmtree(place)
                shutil.copytree(copy, place)

        return copy_back


def gradient(study: Study, number: int = 1, first: float = 0.0) -> Question:
    """A gradient question whose first weight is given."""
    weights = np.zeros(MAP.dimension)
    weights[0] = first
    return Question("gradient", number, {"weights": weights})


def node_context(**node_config: Any) -> Context:
    return Context(run_id=1, node_id=1, node_config=node_config, state=RecordDict(), run_config={})


def server_context(**run_config: Any) -> Context:
    return Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config=run_config)


def changed(study: Study, **changes: Any) -> Study:
    """Another study that differs in these fields."""
    return Study(**(study.model_dump(mode="json") | changes))


def same_model(one: PrivateModel, other: PrivateModel, study: Study | None = None) -> bool:
    """Equal to the last bit, for one study unless another is named."""
    return one == (dataclasses.replace(other, study=study.digest) if study else other)
