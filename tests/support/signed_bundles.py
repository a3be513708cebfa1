"""A small but real program to bundle, reviewers who sign it, and Flower's own opinion of it."""

from pathlib import Path

from server.signing.build import build_bundle
from shared.signing.bundle import Bundle
from shared.signing.offer import signature_path
from shared.signing.record import SignatureRecord, sign_bundle
from shared.signing.reviewer_key import ReviewerKey

__all__ = ["SIGNED_AT", "bundle_file", "flower_accepts", "program_folder", "sign_beside", "small"]

SIGNED_AT = 1_790_000_000

_PROJECT = """\
[project]
name = "fedaffect"
version = "{version}"
license = {{ file = "LICENSE" }}
requires-python = "{python}"
dependencies = ["flwr>=1.41,<1.42"{more}]

[tool.flwr.app]
publisher = "fedaffect"
fab-format-version = 1
flwr-version-target = "1.41.0"
fab-include = ["small/**/*.py", "LICENSE"]

[tool.flwr.app.components]
serverapp = "small.server_side:app"
clientapp = "small.client_side:app"

[tool.flwr.app.config]
out = ""
"""

_CLIENT_SIDE = """\
from pathlib import Path

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()
WHERE = str(Path(__file__).resolve().parents[1])


@app.query()
def query(message, context):
    return Message(RecordDict({"answer": ConfigRecord({"where": WHERE})}), reply_to=message)
"""

_SERVER_SIDE = """\
import time
from pathlib import Path

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import ServerApp

app = ServerApp()


@app.main()
def main(grid, context):
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(0.1)
    ask = RecordDict({"question": ConfigRecord({"n": 1})})
    asked = [Message(ask, dst_node_id=node, message_type="query") for node in nodes]
    pushed, replies = list(grid.push_messages(asked)), []
    while len(replies) < len(pushed):
        replies += list(grid.pull_messages(pushed))
        time.sleep(0.1)
    said = [
        r.error.reason if r.has_error() else "ran in " + r.content["answer"]["where"]
        for r in replies
    ]
    Path(context.run_config["out"]).write_text(" ".join(said) + "\\n")
"""


def program_folder(
    folder: Path, *, version: str = "0.1.0", python: str = ">=3.11", more: str = ""
) -> Path:
    """Write the program's source."""
    (folder / "small").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        _PROJECT.format(version=version, python=python, more=more), encoding="utf-8"
    )
    (folder / "LICENSE").write_text("None.\n", encoding="utf-8")
    (folder / "small" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "small" / "client_side.py").write_text(_CLIENT_SIDE, encoding="utf-8")
    (folder / "small" / "server_side.py").write_text(_SERVER_SIDE, encoding="utf-8")
    return folder


def small(folder: Path, **about: str) -> Bundle:
    """Build the program's bundle."""
    return build_bundle(program_folder(folder, **about))


def bundle_file(folder: Path, **about: str) -> Path:
    """Build it into a file."""
    bundle = small(folder / "source", **about)
    path = folder / "program.fab"
    path.write_bytes(bundle.content)
    return path


def sign_beside(path: Path, bundle: Bundle, *keys: ReviewerKey) -> list[SignatureRecord]:
    """Sign a bundle; the signature files lie beside it."""
    records = [sign_bundle(bundle.facts, key, signed_at=SIGNED_AT) for key in keys]
    for record, key in zip(records, keys, strict=True):
        record.write(signature_path(path, key.reviewer))
    return records


def flower_accepts(content: bytes, verifications: list[dict[str, str | int]], trust: Path) -> bool:
    """What Flower's SuperNode would decide, with the code it decides with."""
    import hashlib
    from typing import Any, cast

    from flwr.supercore.fab import Fab
    from flwr.superlink.servicer.control.control_handlers import _format_verification
    from flwr.supernode.cli.flower_supernode import (
        _try_obtain_trusted_entities,
        _validate_public_keys_ed25519,
    )
    from flwr.supernode.start_client_internal import _verify_fab

    trusted = _try_obtain_trusted_entities(trust)
    assert trusted
    _validate_public_keys_ed25519(trusted)
    formatted = _format_verification(cast(Any, verifications))
    return _verify_fab(Fab(hashlib.sha256(content).hexdigest(), content, formatted), trusted)
