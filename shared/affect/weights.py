"""Stored weights of the affect network: one safetensors file and the note that vouches for it.

The safetensors header says what the weights are (units, preprocessing, data, training, metrics). A
JSON note of the same name beside it records size and SHA-256 of the file, so that a damaged or
exchanged file is refused before a single number is read from it. Values are stored as float16, or
as float32 where a file has to give another program's numbers back exactly.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from shared.channels import CHANNELS
from shared.errors import InputError
from shared.files import atomic_path, sha256_of, write_atomic

if TYPE_CHECKING:
    from torch import Tensor

    from shared.affect.network import AffectNetwork

__all__ = [
    "DEFAULT_WEIGHTS",
    "Preprocessing",
    "StoredNetwork",
    "load_weights",
    "note_path",
    "save_weights",
]

DEFAULT_WEIGHTS: Final = Path(__file__).parent / "weights" / "eesp-ferplus-first.safetensors"
"""Weights that ship with the package; their card is the README beside them."""

_FORMAT: Final = 1
_METADATA_KEY: Final = "fedaffect"


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes network input; part of the weights, as they mean nothing without it.

    Attributes
    ----------
    size : int
        Side of the square input, pixels; the crop is resized without keeping its proportions.
    crop_margin : float
        Share of the face box's width and height that is added on each side.
    channel_order : {"RGB", "BGR"}
        Order in which the network takes the channels.
    colour : {"colour", "grey"}
        "grey": all three channels hold the luminance (ITU-R BT.601), as the network was trained.
    detail : int or None
        Side to which a larger crop is reduced before it is brought to ``size``: the resolution of
        the pictures the network was trained on. None keeps all detail.

    Values run from 0 to 1; no mean is subtracted and nothing is divided.
    """

    size: int = 224
    crop_margin: float = 0.3
    channel_order: Literal["RGB", "BGR"] = "RGB"
    colour: Literal["colour", "grey"] = "colour"
    detail: int | None = None

    def __post_init__(self) -> None:
        if self.size < 32 or self.crop_margin < 0 or (self.detail is not None and self.detail < 8):
            raise InputError(f"preprocessing {asdict(self)} is not possible")
        if self.channel_order not in ("RGB", "BGR") or self.colour not in ("colour", "grey"):
            raise InputError(f"preprocessing {asdict(self)} is not known to this version")

    @property
    def largest_crop(self) -> int:
        """Side to which a crop is reduced first, each side by itself; more is never looked at."""
        return self.size if self.detail is None else min(self.detail, self.size)


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """A network with its weights and what is known about them.

    Attributes
    ----------
    network : AffectNetwork
        In evaluation mode, float32.
    preprocessing : Preprocessing
    temperature : float
        Divides the expression logits before the softmax (Guo et al., ICML 2017).
    card : Mapping of str to Any
        What the weights are called, the data and training they come from, their metrics.
    sha256 : str
        Of the file, hexadecimal.
    """

    network: "AffectNetwork"
    preprocessing: Preprocessing
    temperature: float
    card: Mapping[str, Any]
    sha256: str


def note_path(weights: Path) -> Path:
    """Path of the note that records size and SHA-256 of a weights file."""
    return weights.with_suffix(".json")


def save_weights(
    path: Path,
    network: "AffectNetwork",
    *,
    preprocessing: Preprocessing,
    temperature: float,
    card: Mapping[str, Any],
    precision: Literal["float16", "float32"] = "float16",
) -> str:
    """Write weights and their note.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    network : AffectNetwork
    preprocessing : Preprocessing
    temperature : float
        Of the expression output, > 0.
    card : Mapping of str to Any
        JSON values only.
    precision : {"float16", "float32"}
        Of the stored values.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    import torch
    from safetensors.torch import save_file

    def stored(value: "Tensor") -> "Tensor":
        if not value.is_floating_point() or precision == "float32":
            return value.detach().contiguous()
        half = value.detach().to(torch.float16)
        # A variance beyond float16 (65504) stays as it is rather than becoming infinite.
        return half.contiguous() if bool(torch.isfinite(half).all()) else value.contiguous()

    note = {
        "format": _FORMAT,
        "unit": network.unit,
        "num_outputs": network.num_outputs,
        "preprocessing": asdict(preprocessing),
        "temperature": temperature,
        "card": dict(card),
    }
    tensors = {key: stored(value) for key, value in network.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, {_METADATA_KEY: json.dumps(note, sort_keys=True)})
    digest = sha256_of(path)
    vouched = {"file": path.name, "bytes": path.stat().st_size, "sha256": digest}
    write_atomic(note_path(path), json.dumps(vouched, indent=2) + "\n")
    return digest


def load_weights(path: Path = DEFAULT_WEIGHTS) -> StoredNetwork:
    """Load a network whose file is exactly the one its note records.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file written by ``save_weights``, its note beside it.

    Returns
    -------
    StoredNetwork

    Raises
    ------
    InputError
        When file or note is missing, size or hash differ, the header is not ours, or the entries
        do not fit the network it names.
    """
    digest = _verified(path)
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as archive:
            header = archive.metadata() or {}
            tensors = {key: archive.get_tensor(key) for key in archive.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file ({error})") from None
    try:
        note = json.loads(header[_METADATA_KEY])
        version, unit, outputs = note["format"], note["unit"], note["num_outputs"]
        known = {field.name for field in fields(Preprocessing)}
        if version != _FORMAT or set(note["preprocessing"]) - known:
            raise InputError(
                f"{path}: weights of format {version} are newer than this version of fedaffect"
            )
        preprocessing = Preprocessing(**note["preprocessing"])
        temperature, card = float(note["temperature"]), dict(note["card"])
    except (KeyError, ValueError, TypeError):
        raise InputError(f"{path}: the header does not say what these weights are") from None
    from shared.affect.network import UNITS, AffectNetwork

    if unit not in UNITS or outputs != len(CHANNELS):
        raise InputError(
            f"{path}: {unit} units with {outputs} outputs; one of {', '.join(UNITS)} with "
            f"{len(CHANNELS)} outputs is needed"
        )
    network = AffectNetwork(unit, outputs)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[1:2] or [str(error)]
        raise InputError(f"{path}: entries do not fit: {reason[0].strip()}") from None
    return StoredNetwork(network.eval(), preprocessing, temperature, card, digest)


def _verified(path: Path) -> str:
    """SHA-256 of ``path``, after comparing it and the size with the note."""
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    note = note_path(path)
    try:
        vouched = json.loads(note.read_text(encoding="utf-8"))
        size, expected = int(vouched["bytes"]), str(vouched["sha256"])
    except FileNotFoundError:
        raise InputError(
            f"{path}: {note.name} is missing beside it, so its content cannot be verified"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{note}: not a note with `bytes` and `sha256`") from None
    if path.stat().st_size != size:
        raise InputError(
            f"{path}: {path.stat().st_size} bytes, {size} are recorded; the file is truncated or "
            "not the recorded one: copy it again"
        )
    digest = sha256_of(path)
    if digest != expected:
        raise InputError(
            f"{path}: SHA-256 {digest[:12]}… differs from the recorded {expected[:12]}…; "
            "the content was changed: copy the file again"
        )
    return digest
