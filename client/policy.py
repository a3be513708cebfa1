"""A clinic's own limits, from ``site.toml`` in its site folder.

    [site]
    name = "north"

    [privacy]                       # for each child, over all studies for ever
    epsilon = 8.0
    delta = 1e-5
    smallest_collusion_margin = 1   # clinics that may side with the server, at least

    [quality]                       # optional, see client/quality/limits.py

A study and a message can only stay below these numbers, never raise them.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client.ledger import Limit
from shared.errors import InputError, PrivacyError

__all__ = ["POLICY_FILE", "Policy", "load_policy", "read_site_file"]

POLICY_FILE: Final = "site.toml"


class Policy(BaseModel):
    """What a clinic allows.

    Attributes
    ----------
    name : str
        The clinic's name, as in the rosters of its studies.
    epsilon, delta : float
        The most that all releases together may reveal about one child, add or remove one.
    smallest_collusion_margin : int
        Studies that tolerate fewer clinics siding with the server are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    epsilon: Annotated[float, Field(gt=0)]
    delta: Annotated[float, Field(gt=0, lt=1)]
    smallest_collusion_margin: Annotated[int, Field(ge=0)] = 1

    @property
    def limit(self) -> Limit:
        """The budget of each child."""
        return Limit(self.epsilon, self.delta)


def load_policy(site: Path) -> Policy:
    """Read the policy of a site folder.

    Raises
    ------
    InputError
        When ``site.toml`` is missing or no TOML, or a number is missing, unknown or out of bounds.
    """
    path = site / POLICY_FILE
    content = read_site_file(site)
    tables = {name: content.get(name) for name in ("site", "privacy")}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"{path} lacks the section [{name}]")
    privacy: dict[str, object] = tables["privacy"] or {}
    site_name = (tables["site"] or {}).get("name")
    if "name" in privacy:
        raise InputError(f"{path}: [privacy] has the unknown entry 'name'")
    try:
        policy = Policy.model_validate({**privacy, "name": site_name})
        _ = policy.limit  # an epsilon that promises nothing is found here, not at the first study
    except ValidationError as error:
        problems = "; ".join(
            f"{'[site]' if item['loc'] == ('name',) else '[privacy]'} "
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors()
        )
        raise InputError(f"{path}: {problems}") from None
    except PrivacyError as error:
        raise InputError(f"{path}: [privacy] {error}") from None
    return policy


def read_site_file(site: Path) -> dict[str, Any]:
    """All sections of a site folder's ``site.toml``.

    Raises
    ------
    InputError
        When it is missing or no TOML.
    """
    path = site / POLICY_FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"no {POLICY_FILE} in {site}; name the clinic's site folder, or set it up first"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}") from None
