"""The file that ``predict`` reads: one row a kind of study, and where all of it comes from."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.files import write_atomic
from shared.privacy.constants import load_constants
from simulations.cohort import GENERATOR_VERSION
from simulations.probabilities.fitting import FitProtocol, Row
from simulations.probabilities.populations import ASD_SHARE
from simulations.results import software_versions

__all__ = ["table_document", "write_table"]


def table_document(protocol: FitProtocol, rows: Sequence[Row], command: str) -> dict[str, Any]:
    """Return the file's content.

    Parameters
    ----------
    protocol : FitProtocol
    rows : sequence of Row
    command : str
        As it was typed.
    """
    last = protocol.seed + protocol.populations - 1
    return {
        "rows": [asdict(row) for row in rows],
        "provenance": {
            "command": command,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": f"{protocol.populations} surrogate populations (generator "
            f"{GENERATOR_VERSION}, seeds {protocol.seed} to {last}); in each, {protocol.studies} "
            f"studies of every kind, {protocol.held_out} other children, and a study of "
            f"{protocol.reference} without noise",
            "asd_share": ASD_SHARE,
            "study": "4 clinics, collusion margin 1, secure sum, delta 1e-5, rounds by the rule",
            "constants": load_constants().digest,
            "software": software_versions(),
        },
    }


def write_table(path: Path, protocol: FitProtocol, rows: Sequence[Row], command: str) -> None:
    """Write the table to ``path``, whole or not at all; one row a line."""
    document = table_document(protocol, rows, command)
    lines = ",\n  ".join(json.dumps(row) for row in document["rows"])
    provenance = json.dumps(document["provenance"], ensure_ascii=False, indent=1)
    write_atomic(path, f'{{"rows": [\n  {lines}\n ],\n "provenance": {provenance}}}\n')
