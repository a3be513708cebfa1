"""Released models and recordings to use them on, without any training or video.

The directions are drawn at random, which is all that reading, scoring and explaining need.
"""

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from small_federation import grid_weights, roster_of

from shared.attributes import AttributeSeries
from shared.channels import ATTRIBUTE_GROUPS, CHANNELS, FRAME_RATE_HZ, AttributeGroup
from shared.model import LinearModel, PrivateModel, TrainedModel
from shared.model_file import ModelFile, model_file_text, model_inputs, read_model_file
from shared.privacy.constants import load_constants
from shared.privacy.unit_vectors import AffectMap
from shared.study import Study
from simulations.cohort import surrogate_cohort

SOFTWARE = "fedaffect test"


def affect_study(groups: tuple[AttributeGroup, ...] = ATTRIBUTE_GROUPS, **changes: Any) -> Study:
    """A study of 88 children at four clinics; of the exact method with ``method="federated"``."""
    fields: dict[str, Any] = {
        "title": "Faces of four clinics",
        "roster": roster_of("Aspen", "Birch", "Cedar", "Dogwood"),
        "participants": 88,
        "attribute_groups": groups,
    }
    if changes.get("method") != "federated":
        digest = AffectMap(load_constants(), groups).digest
        fields |= {"feature_map": digest, "epsilon": 4.0, "delta": 1e-5}
    return Study(**(fields | changes))


def private_model(study: Study, seed: int = 0, **changes: Any) -> PrivateModel:
    """A model that this study could have released."""
    feature_map = AffectMap(load_constants(), study.attribute_groups)
    model = PrivateModel(
        study=study.digest,
        direction=tuple(grid_weights(feature_map.dimension, seed).tolist()),
        threshold=0.01,
        epsilon=study.epsilon or 0.0,
        delta=study.delta or 0.0,
        mu=study.plan(feature_map).spent_mu() if study.method == "federated-dp" else 0.9,
        evaluation_counts=(20.0, 5.5, 6.0, -1.0) * (study.evaluation_bins // 2) or None,
    )
    return replace(model, **changes)


def linear_model(study: Study, seed: int = 0, **changes: Any) -> LinearModel:
    """A model without privacy on the features of the study's attribute groups."""
    constants, read = load_constants(), model_inputs(study.attribute_groups)
    size = int(read.sum())
    model = LinearModel(
        study=study.digest,
        mean=tuple(np.full(size, 0.2).tolist()),
        scale=tuple(np.maximum(0.05, constants.feature_sd[read]).tolist()),
        coefficients=tuple((0.02 * np.random.default_rng(seed).standard_normal(size)).tolist()),
        intercept=0.1,
    )
    return replace(model, **changes)


def model_text(model: TrainedModel | None = None, study: Study | None = None) -> str:
    """Text of a model file; of a private model unless one is given."""
    study = study or affect_study()
    return model_file_text(model or private_model(study), study, load_constants(), SOFTWARE)


def write_model(
    path: Path, model: TrainedModel | None = None, study: Study | None = None
) -> ModelFile:
    """Write a model file and read it."""
    path.write_text(model_text(model, study), encoding="utf-8")
    return read_model_file(path)


def forged(text: str, **changes: Any) -> str:
    """A model file whose content was changed and whose hash was made to fit."""
    from shared.model_file import _digest

    document = json.loads(text)
    document["content"] |= changes
    document["sha256"] = _digest(document["content"])
    return json.dumps(document)


@functools.cache
def _values(number: int) -> np.ndarray:
    cohort = surrogate_cohort(8_009_700, clinics=2, n_asd=4, n_non_asd=4)
    return cohort.series(cohort.analysed[number])


def recorded(
    participant: str = "P01", *, child: int = 0, seconds: float = 120, **provenance: str
) -> AttributeSeries:
    """The beginning of a simulated child's series, as if it had been read from a recording."""
    values = _values(child)[: round(seconds * FRAME_RATE_HZ)]
    n, found = len(values), ~np.isnan(values[:, 0])
    box = np.full((n, 4), np.nan, np.float32)
    box[found] = 100
    return AttributeSeries(
        participant=participant,
        time_s=np.arange(n) / FRAME_RATE_HZ,
        frame=np.arange(n),
        face_found=found,
        face_confidence=found.astype(np.float32),
        box=box,
        values=values.reshape(n, len(CHANNELS)),
        provenance={"weights_sha256": "5" * 64, "detector": "d", "parameters": "{}"} | provenance,
    )
