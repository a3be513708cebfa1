"""The file of a released model: everything that is needed to score a child with it, and no more.

    {"format": "fedaffect-model", "version": 2, "sha256": ..., "content": {
        "software": ..., "kind": ..., "model": {...}, "study": {...}, "constants": {...}}}

``content`` holds what scoring rests on: the model, the study as its parties agreed on it, and the
public constants of its feature map. ``sha256`` is taken over the content's canonical JSON, so that
a copying error never becomes another model; what others say about the content, such as who signed
it, belongs beside it. The same training always gives the same bytes, hence no date: a clinic's
ledger names a model by the hash of its file.

Law of the format: a name is never given another meaning. A change that an older reader would
misunderstand raises ``MODEL_FILE_VERSION``, and a reader refuses versions it does not know. Version
1 knew counts of right and wrong calls only, under the name ``confusion_counts``; it is still read.

A file is believed only where its parts fit each other: the model names the study's hash, the study
the map that the constants make, and direction, threshold and promise are what such a study can
release. Who made the file is not known from that.
"""

import functools
import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Never

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.channels import GROUP_CHANNELS, AttributeGroup
from shared.errors import FedaffectError, InputError
from shared.features import FEATURE_CHANNEL
from shared.model import LinearModel, PrivateModel, TrainedModel
from shared.privacy.constants import PublicConstants, load_constants
from shared.privacy.grid import LONGEST_WEIGHTS, is_on_weight_grid
from shared.privacy.threshold import score_limit
from shared.privacy.unit_vectors import AffectMap
from shared.study import Study

__all__ = ["MODEL_FILE_VERSION", "ModelFile", "model_file_text", "model_inputs", "read_model_file"]

MODEL_FILE_VERSION: Final = 2

_FORMAT: Final = "fedaffect-model"
_LARGEST_BYTES: Final = 4 * 2**20
"""A file with the constants of all four attribute groups has about 60 kB."""

_ASK_AGAIN: Final = "ask the coordinator for the file again"
_ROUNDING: Final = 1e-9
_WORST_CONDITION: Final = 1e6
"""Of a whitening; how constants are built bounds it by 1000."""


@dataclass(frozen=True)
class ModelFile:
    """A verified model file.

    Attributes
    ----------
    model : PrivateModel or LinearModel
    study : Study
    constants : PublicConstants
    software : str
        Name and version of the program that wrote it.
    sha256 : str
        Of the file's bytes: how a clinic's ledger names the model.
    """

    model: TrainedModel
    study: Study
    constants: PublicConstants
    software: str
    sha256: str

    @functools.cached_property
    def feature_map(self) -> AffectMap:
        """The study's map from features to unit vectors."""
        return AffectMap(self.constants, self.study.attribute_groups)

    @property
    def title(self) -> str:
        """The study's title without what a terminal would act on."""
        return "".join(letter if letter.isprintable() else " " for letter in self.study.title)


class _Envelope(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["fedaffect-model"]
    version: int
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    content: dict[str, Any]


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    software: Annotated[str, Field(max_length=100)]
    kind: Literal["PrivateModel", "LinearModel"]
    model: dict[str, Any]
    study: Study
    constants: PublicConstants


_MODELS: Final[dict[str, TypeAdapter[TrainedModel]]] = {
    "PrivateModel": TypeAdapter(PrivateModel),
    "LinearModel": TypeAdapter(LinearModel),
}


def model_file_text(
    model: TrainedModel, study: Study, constants: PublicConstants, software: str
) -> str:
    """Text of the model's file.

    Parameters
    ----------
    model : PrivateModel or LinearModel
    study : Study
        The study that trained it, on affect features.
    constants : PublicConstants
        Of the study's feature map.
    software : str
        Name and version of the program.

    Raises
    ------
    InputError
        When the parts do not fit each other.
    """
    flaw = _misfit(model, study, constants)
    if flaw:
        raise InputError(f"no model file can be written: {flaw}")
    content = {
        "software": software,
        "kind": type(model).__name__,
        "model": asdict(model),
        "study": study.model_dump(mode="json"),
        "constants": constants.model_dump(mode="json"),
    }
    content = json.loads(json.dumps(content, allow_nan=False))
    document = {
        "format": _FORMAT,
        "version": MODEL_FILE_VERSION,
        "sha256": _digest(content),
        "content": content,
    }
    return json.dumps(document, indent=1) + "\n"


def read_model_file(path: Path) -> ModelFile:
    """Read a model file and check all of it.

    Raises
    ------
    InputError
        When the file is missing, is no model file or one of another version, was damaged, or its
        parts do not fit each other.
    """
    if not path.is_file():
        raise InputError(f"there is no model file {path}")
    if path.stat().st_size > _LARGEST_BYTES:
        raise InputError(f"{path} is too large for a model file; {_ASK_AGAIN}")
    raw = path.read_bytes()
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_no_number)
        envelope = _envelope(path, document)
        intact = _digest(envelope.content) == envelope.sha256
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not a model file; {_ASK_AGAIN}") from None
    if not intact:
        raise InputError(f"{path} was damaged on its way or changed; {_ASK_AGAIN}")
    try:
        content = _Content.model_validate(envelope.content)
        model = _MODELS[content.kind].validate_python(_renamed(content.model, envelope.version))
        constants = _checked(content.constants)
        flaw = _misfit(model, content.study, constants)
    except ValidationError as error:
        first = error.errors()[0]
        flaw = f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"
    except (FedaffectError, ArithmeticError, ValueError) as error:
        flaw = str(error)
    if flaw:
        raise InputError(f"{path} is not a model of a study: {flaw}. {_ASK_AGAIN.capitalize()}")
    return ModelFile(
        model=model,
        study=content.study,
        constants=constants,
        software=content.software,
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def model_inputs(groups: tuple[AttributeGroup, ...]) -> NDArray[np.bool_]:
    """Which of the features a :class:`LinearModel` on these attribute groups reads."""
    channels = [channel for group in groups for channel in GROUP_CHANNELS[group]]
    chosen: NDArray[np.bool_] = np.isin(FEATURE_CHANNEL, channels)
    return chosen


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _no_number(name: str) -> Never:
    raise ValueError(f"{name} is not a number")


def _envelope(path: Path, document: Any) -> _Envelope:
    """Check the outer part; the version first, because another version may look otherwise."""
    if isinstance(document, dict) and "format" not in document and "direction" in document:
        raise InputError(
            f"{path} was written by an older version of fedaffect, without the study and the "
            "public constants it needs; ask the coordinator to write it again: a finished "
            "training that is started again asks the clinics nothing and writes the file anew"
        )
    if isinstance(document, dict) and document.get("format") == _FORMAT:
        version = document.get("version")
        if isinstance(version, int) and version > MODEL_FILE_VERSION:
            raise InputError(
                f"{path} has version {version}; this program reads versions up to "
                f"{MODEL_FILE_VERSION}. Install a newer fedaffect"
            )
    envelope = _Envelope.model_validate(document)
    if not 1 <= envelope.version <= MODEL_FILE_VERSION:
        raise InputError(f"{path} has the unknown version {envelope.version}; {_ASK_AGAIN}")
    return envelope


def _renamed(model: dict[str, Any], version: int) -> dict[str, Any]:
    """Return the model's fields under the names of the newest version."""
    if version > 1 or "confusion_counts" not in model:
        return model
    renamed = dict(model)
    return renamed | {"evaluation_counts": renamed.pop("confusion_counts")}


def _checked(constants: PublicConstants) -> PublicConstants:
    """Constants that passed the same checks as a file of constants does."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "constants.json"
        place.write_text(constants.to_json(), encoding="utf-8")
        try:
            load_constants(place)
        except InputError as error:
            said = str(error).replace(str(place), "its part with the public constants")
            raise InputError(said) from None
    for group, block in constants.groups.items():
        if not np.linalg.cond(np.array(block.fine_whitening)) < _WORST_CONDITION:
            raise InputError(f"constants.groups.{group}: a whitening that cannot be undone")
    return constants


def _misfit(model: TrainedModel, study: Study, constants: PublicConstants) -> str | None:
    """Return the first reason why this model cannot be the study's with these constants."""
    if model.study != study.digest:
        return (
            f"the model names study {model.study[:12]!r}..., the study in the file is "
            f"{study.digest[:12]!r}..."
        )
    if not study.attribute_groups:
        return "the study names no attribute groups, so it reads no faces"
    if isinstance(model, LinearModel):
        return _linear_misfit(model, study)
    return _private_misfit(model, study, AffectMap(constants, study.attribute_groups))


def _private_misfit(model: PrivateModel, study: Study, feature_map: AffectMap) -> str | None:
    if study.method == "federated":
        return "a study without privacy releases no private model"
    study.check_map(feature_map)
    direction = np.array(model.direction)
    if len(direction) != feature_map.dimension:
        return f"direction: {len(direction)} numbers; its map has {feature_map.dimension}"
    length = float(np.linalg.norm(direction))
    if not 0 < length <= LONGEST_WEIGHTS:
        return "direction: its length is 0 or too large"
    if study.method == "federated-dp" and not is_on_weight_grid(direction):
        return "direction: not on the grid that directions are released on"
    if abs(model.threshold) > score_limit(feature_map.dimension) * (1 + _ROUNDING):
        return "threshold: farther out than a threshold can be released"
    if (model.epsilon, model.delta) != (study.epsilon, study.delta):
        return "epsilon and delta: not the study's"
    if study.method == "federated-dp":
        spent = study.plan(feature_map).spent_mu()
        if abs(model.mu - spent) > 1e-6 * spent:
            return "mu: not what the study's plan spends"
    counts, cells = model.evaluation_counts, 2 * study.evaluation_bins
    if (counts is None) != (cells == 0) or (counts is not None and len(counts) != cells):
        return (
            "evaluation_counts: there exactly where the study asks for them, two for each of its "
            f"{study.evaluation_bins} score bins"
        )
    return None


def _linear_misfit(model: LinearModel, study: Study) -> str | None:
    if study.method != "federated":
        return "a study with privacy releases no model without it"
    wanted = int(model_inputs(study.attribute_groups).sum())
    for name in ("mean", "scale", "coefficients"):
        length = len(getattr(model, name))
        if length != wanted:
            return f"{name}: {length} numbers; its attribute groups have {wanted} features"
    if min(model.scale) <= 0:
        return "scale: a number that is not above 0"
    return None
