"""A federation on one machine: studies, and what every simulated clinic holds for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from flwr.app import Context

from client.site import SiteStudy
from shared.errors import PrivacyError
from shared.privacy.feature_map import FeatureMap
from shared.study import Study

__all__ = ["ENGINES", "Engine", "Federation"]

Engine = Literal["inprocess", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)


@dataclass(frozen=True)
class Federation:
    """Studies with one roster, and the clinics' sides of them.

    Attributes
    ----------
    prepared : sequence of (Study, FeatureMap)
        What the server trains.
    clinics : sequence of mapping
        For each clinic of the roster, in its order, its :class:`SiteStudy` by study hash.
    """

    prepared: Sequence[tuple[Study, FeatureMap]]
    clinics: Sequence[Mapping[str, SiteStudy]]

    def open_study(self, context: Context, digest: str) -> SiteStudy:
        """Return the node's side of a study; the node is known by its number alone."""
        held = self.clinics[int(context.node_config["partition-id"])]
        if digest not in held:
            raise PrivacyError(f"study {digest[:12]}... is not held by this clinic")
        return held[digest]
