"""The study: what the server asks for and what a clinic agreed to, in one document.

Both sides read the same TOML file. Its canonical hash names the study in every message, so a
clinic answers only for a study it holds itself, and everything that bounds privacy (epsilon,
declared enrolment, roster, collusion margin, feature map) is read from the clinic's own copy.
"""

import functools
import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from shared.channels import AttributeGroup
from shared.errors import InputError
from shared.privacy.evaluation_counts import EvaluationBins
from shared.privacy.feature_map import FeatureMap
from shared.privacy.grid import GRID, is_on_weight_grid
from shared.privacy.planner import Plan, make_plan
from shared.privacy.secure_sum import share_variance

__all__ = [
    "LocalTraining",
    "Method",
    "Mode",
    "Parent",
    "RosterClinic",
    "Study",
    "build_study",
    "load_study",
    "study_to_toml",
]

Method = Literal["federated", "federated-dp", "local-dp"]
Mode = Literal["secure-sum", "local", "none"]


class RosterClinic(BaseModel):
    """One clinic of the roster.

    Attributes
    ----------
    name : str
    mask_key : str
        Public X25519 key of its masks, 64 hexadecimal digits; empty in simulations that do not
        mask.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    mask_key: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Parent(BaseModel):
    """The ended study that a successor goes on from.

    Attributes
    ----------
    study : str
        Its hash.
    spent_mu2 : float
        Squared mu of every release that any of its clinics created, its own parents' included.
    weights : tuple of float
        The last opened weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    study: str = Field(pattern=r"^[0-9a-f]{64}$")
    spent_mu2: float = Field(ge=0)
    weights: tuple[float, ...] = Field(min_length=1)


class LocalTraining(BaseModel):
    """Settings of the baseline that trains with DP-SGD at each clinic and averages the weights.

    Attributes
    ----------
    rounds, steps : int
        Averaging rounds, and full-batch steps at each clinic between them.
    learning_rate : float
        On the clinic's mean loss.
    clipping_norm : float
        Bound on one participant's gradient.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rounds: int = Field(ge=1, le=100)
    steps: int = Field(ge=1, le=100)
    learning_rate: float = Field(gt=0)
    clipping_norm: float = Field(gt=0)


class Study(BaseModel):
    """A joint training, as all parties agree on it.

    Attributes
    ----------
    title : str
    roster : tuple of RosterClinic
        Every clinic answers every exchange. A plain name stands for a clinic without a mask key.
    participants : int
        Declared enrolment over all clinics. A public constant, not a count of the data.
    method : str
        ``federated-dp``: noised sums over all clinics; ``federated``: exact sums, for simulation
        and for data that need no privacy; ``local-dp``: DP-SGD at each clinic, as a baseline.
    mode : str
        How the noise of ``federated-dp`` is made: ``secure-sum``, every clinic adds a share and
        masks what it sends; ``local``, every clinic adds the whole noise and needs no masks;
        ``none``, nobody adds any, for simulation.
    feature_map : str
        SHA-256 of the map from features to unit vectors.
    attribute_groups : tuple of AttributeGroup
        Attribute groups that enter; empty for tables of other features.
    epsilon, delta : float or None
        Promise to each participant; required unless the method is ``federated``.
    collusion_margin : int
        Clinics that may side with the server without weakening the promise.
    rounds : int or None
        Gradient sums instead of as many as the rule gives; with 1, thresholds and counts are
        taken from exact leave-one-out scores.
    evaluation_bins : int
        Score bins of the noised counts by label and score that are released at the end
        (``federated-dp`` only): 2 for right and wrong calls, 4, 6 or 8 for calibration as well, 0
        for none. A file may still say ``confusion_counts = true`` for 2.
    parent : Parent or None
        Of a successor study: it inherits the weights and what is left of the promise.
    regularisation_c : float
        Inverse strength of the L2 penalty (``federated`` only).
    local : LocalTraining or None
        Settings of ``local-dp``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: str = Field(min_length=1, max_length=200)
    roster: tuple[Annotated[RosterClinic, BeforeValidator(_named)], ...] = Field(min_length=1)
    participants: int = Field(ge=1)
    method: Method = "federated-dp"
    mode: Mode = "secure-sum"
    feature_map: str = ""
    attribute_groups: tuple[AttributeGroup, ...] = ()
    epsilon: float | None = Field(default=None, gt=0)
    delta: float | None = Field(default=None, gt=0, lt=1)
    collusion_margin: int = Field(default=1, ge=0)
    rounds: int | None = Field(default=None, ge=1, le=64)
    evaluation_bins: EvaluationBins = 0
    parent: Parent | None = None
    regularisation_c: float = Field(default=1.0, gt=0)
    local: LocalTraining | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_as_before(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping) or "confusion_counts" not in fields:
            return fields
        renamed = dict(fields)
        asked = renamed.pop("confusion_counts")
        if not isinstance(asked, bool) or "evaluation_bins" in renamed:
            raise ValueError(
                "confusion_counts is now evaluation_bins: write evaluation_bins = 2 for counts of "
                "right and wrong calls, 0 for none, and leave confusion_counts out"
            )
        return renamed | {"evaluation_bins": 2 if asked else 0}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.clinics)) != len(self.clinics):
            raise ValueError("a clinic stands twice in the roster")
        if self.method != "federated" and (self.epsilon is None or self.delta is None):
            raise ValueError(f"method {self.method} needs epsilon and delta")
        if self.method == "local-dp" and self.local is None:
            raise ValueError("method local-dp needs a [local] section")
        if self.evaluation_bins and self.method != "federated-dp":
            raise ValueError(
                f"evaluation_bins needs method federated-dp; {self.method} has no such exchange"
            )
        keys = [clinic.mask_key for clinic in self.roster if clinic.mask_key]
        if keys and (len(keys) != len(self.roster) or len(set(keys)) != len(keys)):
            raise ValueError("either every clinic has a mask key of its own, or none has")
        if self.method == "federated-dp" and self.collusion_margin >= len(self.clinics):
            raise ValueError("collusion_margin must be smaller than the number of clinics")
        return self

    @functools.cached_property
    def clinics(self) -> tuple[str, ...]:
        """Names of the roster."""
        return tuple(clinic.name for clinic in self.roster)

    @functools.cached_property
    def mask_keys(self) -> tuple[str, ...]:
        """Public mask keys of the roster; empty where no sums are masked."""
        if self.method != "federated-dp" or self.mode != "secure-sum":
            return ()
        return tuple(clinic.mask_key for clinic in self.roster if clinic.mask_key)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: the study's name in every message."""
        fields = self.model_dump(mode="json")
        if self.evaluation_bins <= 2:
            # As such a study was written before there were other bins, so that it keeps its name.
            fields["confusion_counts"] = fields.pop("evaluation_bins") == 2
        canonical = json.dumps(fields, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def plan(self, feature_map: FeatureMap) -> Plan:
        """Rounds, steps and noise, from the study and the public map alone.

        Raises
        ------
        InputError
            When the method needs no plan, or the map is not the study's.
        """
        if self.method != "federated-dp" or self.epsilon is None or self.delta is None:
            raise InputError(f"a plan was asked for a study with method {self.method!r}")
        self.check_map(feature_map)
        if self.parent is not None:
            weights = np.array(self.parent.weights)
            if len(weights) != feature_map.dimension or not is_on_weight_grid(weights):
                raise InputError(
                    f"study {self.title!r} inherits {len(weights)} weights that are not weights of "
                    f"its feature map ({feature_map.dimension}, on the grid they are released on); "
                    "make it with `fedaffect-server successor`"
                )
        return make_plan(
            epsilon=self.epsilon,
            delta=self.delta,
            participants=self.participants,
            clinics=len(self.clinics),
            collusion_margin=self.collusion_margin,
            top_eigenvalue=feature_map.top_eigenvalue,
            with_threshold=feature_map.releases_threshold,
            rounds=self.rounds,
            evaluation_bins=self.evaluation_bins,
            spent_mu2=self.parent.spent_mu2 if self.parent else 0.0,
        )

    def share(self, sigma: float) -> int:
        """Noise variance, in squared grid units, that each clinic adds to a sum of this sigma."""
        if self.mode == "none":
            return 0
        if self.mode == "local":
            return share_variance(sigma, GRID, 1, 0)
        return share_variance(sigma, GRID, len(self.roster), self.collusion_margin)

    def check_map(self, feature_map: FeatureMap) -> None:
        """Refuse a feature map other than the one the study names."""
        if feature_map.digest != self.feature_map:
            raise InputError(
                f"study {self.title!r} names feature map {self.feature_map[:12]}..., this one is "
                f"{feature_map.digest[:12]}...; get the study's public constants from the "
                "coordinator"
            )


def load_study(path: Path) -> Study:
    """Read a study from its TOML file.

    Raises
    ------
    InputError
        When the file is missing, not TOML, or a field is missing, unknown or out of bounds.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no study at {path}; ask the coordinator for study.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}") from None
    return build_study(content, str(path))


def build_study(fields: Mapping[str, Any], where: str) -> Study:
    """Make a study of its fields, and say what is wrong with them as a person reads it.

    Parameters
    ----------
    fields : mapping
        As in the file.
    where : str
        What the fields come from; begins the message.

    Raises
    ------
    InputError
        When a field is missing, unknown or out of bounds, or the fields contradict each other.
    """
    try:
        return Study.model_validate(fields)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'study'}: {item['msg']}"
            for item in error.errors()
        )
        raise InputError(f"{where}: {problems}") from None


def study_to_toml(study: Study) -> str:
    """Text of the study's file; :func:`load_study` reads it back to an equal study."""
    import tomli_w

    return tomli_w.dumps(study.model_dump(mode="json", exclude_none=True))
