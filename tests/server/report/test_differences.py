"""Group differences of a federated study: from its first sum, and from nothing else."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from deployed import MAP
from released import affect_study, private_model, write_model

from server.journal import FolderJournal
from server.report.assemble import assemble_report
from server.report.differences import group_differences
from server.report.exchanges import Exchange
from shared.channels import CHANNELS
from shared.evaluation.released_differences import UNKNOWN_IMBALANCE, released_differences
from shared.files import write_atomic
from shared.model_file import model_file_text, read_model_file
from shared.privacy.grid import GRID
from shared.report.document import read_report
from shared.report.page import write_report

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LARGE = (60.2, 40.1, 35.0, 22.4, 12.0, 11.3, 8.1, 5.2, 6.3, 9.0, 11.1, 14.8, 25.0, 33.7, 41.2, 50.0)


def opened(feature_map, scale=8.0, seed=1):
    """A first sum of about the size that noise gives it."""
    drawn = scale * np.random.default_rng(seed).standard_normal(feature_map.dimension)
    return np.rint(GRID * drawn).astype(np.int64)


def section_of(folder, counts=None, total=None, **changes):
    """The section of a study whose first sum is given, and the file it belongs to."""
    bins = len(counts) // 2 if counts else 0
    study = affect_study(evaluation_bins=bins, **changes)
    file = write_model(folder / "model.json", private_model(study, evaluation_counts=counts), study)
    plan = study.plan(file.feature_map)
    first = opened(file.feature_map) if total is None else total
    exchanges = tuple(Exchange(release, 4, first) for release in plan.releases)
    return group_differences(file, plan, counts, exchanges), file


def test_the_first_sum_becomes_differences_against_its_sign(tmp_path):
    section, file = section_of(tmp_path)
    study, plan = file.study, file.study.plan(file.feature_map)
    assert section.status == "released"
    # Four clinics, one may collude: a third more noise than planned.
    found = released_differences(
        file.feature_map,
        -opened(file.feature_map) / GRID,
        noise_variance=4 / 3 * plan.sigma_gradient**2,
        participants=study.participants,
        imbalance=UNKNOWN_IMBALANCE,
    )
    assert section.features == ("level", "variability", "dynamics")
    assert section.channels == tuple(CHANNELS[channel] for channel in found.channel[::3])
    assert len(section.channels) == 22
    effects = np.array(section.hedges_g).T.ravel()
    assert effects == pytest.approx(found.effect, abs=1e-3)
    assert np.array(section.q_bh).T.ravel() == pytest.approx(found.composites.q, abs=1e-3)
    assert [line.group for line in section.attribute_groups] == list(found.groups.names)
    assert sum(line.features for line in section.attribute_groups) == 66
    first = section.largest[0]
    row = section.features.index(first.feature)
    column = section.channels.index(first.channel)
    assert section.hedges_g[row][column] == first.hedges_g.value
    assert first.hedges_g.low < first.hedges_g.value < first.hedges_g.high
    assert section.permutations is None
    assert "no further cost" in section.note
    assert "40 to 60 %" in section.note
    turned, _ = section_of(tmp_path, total=-opened(file.feature_map))
    assert np.array(turned.hedges_g) == pytest.approx(-np.array(section.hedges_g))
    assert turned.p_max_t == section.p_max_t


def test_only_the_first_sum_counts(tmp_path):
    section, file = section_of(tmp_path)
    plan = file.study.plan(file.feature_map)
    first = opened(file.feature_map)
    later = [Exchange(one, 4, opened(file.feature_map, seed=9)) for one in plan.releases[1:]]
    exchanges = (Exchange(plan.releases[0], 4, first), *later)
    assert group_differences(file, plan, None, exchanges) == section


def test_counts_that_show_say_how_unequal_the_groups_are(tmp_path):
    def width(counts):
        section, _ = section_of(tmp_path, counts, participants=390)
        first = section.largest[0].hedges_g
        return first.high - first.low, section.note

    balanced, note = width(LARGE)
    assert "taken from the released counts" in note
    # 330 with ASD and 60 without.
    unequal, _ = width((80.0, 80.0, 80.0, 90.0, 15.0, 15.0, 15.0, 15.0))
    assert unequal > 1.5 * balanced
    # A cell below ten hides all counts, and what follows from them too.
    hidden, note = width((60.0, 9.0, 50.0, 60.0))
    assert "no counts by label show" in note
    _, file = section_of(tmp_path, (60.0, 9.0, 50.0, 60.0), participants=390)
    assert hidden == width((5.0, 9.0, 150.0, 60.0))[0]
    assert math.isfinite(hidden)
    assert file.study.evaluation_bins == 2


def test_fewer_attribute_groups_have_fewer_differences(tmp_path):
    section, _ = section_of(tmp_path, groups=("valence", "arousal"))
    assert section.channels == ("arousal", "valence")
    assert len(section.largest) == 6
    assert {line.features for line in section.attribute_groups} == {3}


def test_without_its_first_sum_or_with_a_parent_nothing_is_released(tmp_path):
    section, file = section_of(tmp_path)
    plan = file.study.plan(file.feature_map)
    bare = group_differences(file, plan, None, ())
    assert (bare.status, bare.cost_mu) == ("not_released", None)
    assert "folder of rounds" in bare.note
    parent = {
        "study": "a" * 64,
        "spent_mu2": 0.3,
        "weights": private_model(affect_study()).direction,
    }
    successor, _ = section_of(tmp_path, parent=parent)
    assert successor.status == "not_released"
    assert successor.cost_mu > 0
    assert section.status == "released"


def test_the_page_of_a_trained_study_shows_them(deployed, tmp_path):
    study = deployed.approved()
    model = deployed.train(study)
    path = tmp_path / "model.json"
    write_atomic(path, model_file_text(model, study, MAP.constants, "test"))
    report = assemble_report(
        read_model_file(path), FolderJournal(deployed.rounds), created=NOW, written_by="test"
    )
    section = report.group_differences
    assert section.status == "released"
    assert section.channels == ("valence",)
    data, page = write_report(tmp_path, report)
    assert read_report(data) == report
    text = " ".join(page.read_text().split())
    assert "at weights zero" in text
    assert "Valence: level" in text
    assert section.finding in text
