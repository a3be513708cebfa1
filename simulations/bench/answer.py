"""How long a clinic takes to answer one gradient question: everything but the network.

Gradients through Opacus, clipping and quantising, exact noise, masks, and (as deployed) the privacy
ledger with its fsyncs.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from client.answers import answer_question
from client.ledger import Limit, PlannedRelease, StudyOpened, create_ledger
from client.releases import InLedger, ReleaseBook, Unrecorded
from client.site import SiteStudy
from shared.messages import Question
from shared.privacy.grid import GRID
from shared.privacy.keyed_noise import KeyedNoise, new_noise_secret
from shared.privacy.masks import MaskKey
from shared.privacy.table_map import map_from_ranges
from shared.study import RosterClinic, Study

__all__ = ["AnswerTiming", "time_answer"]

_ROUNDS: Final = 16
_PARTICIPANTS: Final = 11


class AnswerTiming(NamedTuple):
    """Median milliseconds of one answer.

    Attributes
    ----------
    clinics, length : int
        Roster size and coordinates.
    answer_ms : float
        Without books, as in a simulation.
    recorded_ms : float
        With the privacy ledger and the stored contribution on this machine's disk.
    """

    clinics: int
    length: int
    answer_ms: float
    recorded_ms: float


def time_answer(clinics: int, length: int) -> AnswerTiming:
    """Answer the rounds of one study as one of its clinics, twice.

    Parameters
    ----------
    clinics : int
        Roster size, >= 2.
    length : int
        Coordinates, >= 2.
    """
    own = MaskKey.generate()
    roster = [RosterClinic(name="own", mask_key=own.public)]
    roster += [
        RosterClinic(name=f"clinic-{n}", mask_key=MaskKey.generate().public)
        for n in range(clinics - 1)
    ]
    feature_map = map_from_ranges(-np.ones(length - 1), np.ones(length - 1))
    study = Study(
        title="benchmark",
        roster=tuple(roster),
        participants=_PARTICIPANTS * clinics,
        feature_map=feature_map.digest,
        epsilon=4.0,
        delta=1e-6,
        rounds=_ROUNDS,
    )
    rows = np.random.default_rng(0).uniform(-1, 1, (_PARTICIPANTS, length - 1))

    def median_ms(book: ReleaseBook) -> float:
        site = SiteStudy(
            clinic="own",
            study=study,
            feature_map=feature_map,
            features=rows,
            asd=rows[:, 0] > 0,
            noise=KeyedNoise(new_noise_secret()),
            mask_key=own,
            book=book,
        )
        seconds = []
        for number in range(1, _ROUNDS + 1):
            question = Question("gradient", number, {"weights": np.zeros(length)})
            started = time.perf_counter()
            answer_question(site, question)
            seconds.append(time.perf_counter() - started)
        # The first round imports Opacus and agrees on a secret with every other clinic.
        return 1000 * statistics.median(seconds[1:])

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "site"
        folder.mkdir()
        ledger = create_ledger(folder, "own", state_folder=Path(scratch) / "state")
        plan = study.plan(feature_map)
        with ledger.locked() as book:
            book.open_study(
                StudyOpened(
                    study=study.digest,
                    title=study.title,
                    plan_digest=plan.digest,
                    constants_digest=feature_map.digest,
                    code_version="benchmark",
                    clinics=clinics,
                    collusion_margin=study.collusion_margin,
                    roster=study.clinics,
                    grid=GRID,
                    participants=tuple(f"P{n}" for n in range(_PARTICIPANTS)),
                    data_digest="0" * 64,
                    releases=tuple(
                        PlannedRelease(round=r.round, kind=r.kind, sigma=r.sigma)
                        for r in plan.releases
                    ),
                ),
                Limit(8.0, 1e-5),
            )
        return AnswerTiming(
            clinics=clinics,
            length=length,
            answer_ms=median_ms(Unrecorded()),
            recorded_ms=median_ms(InLedger(ledger, folder)),
        )
