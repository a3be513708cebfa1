"""A real SuperLink and a real SuperNode: a signed bundle runs, one with an edited signature not."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from signed_bundles import bundle_file, sign_beside

from client.code_approval import prepare_code_approval, require_approved_code, trust_file
from server.signing.hub import running_hub
from server.signing.shelf import Shelf
from shared.errors import PrivacyError
from shared.offline import OFFLINE_ENVIRONMENT
from shared.signing.bundle import read_bundle
from shared.signing.offer import read_offer
from shared.signing.reviewer_key import ReviewerKey
from shared.signing.trusted_entities import check_trusted_entities, write_trusted_entities

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are ended by signals")

PATIENCE_S = 120
PROGRAMS = Path(sys.executable).parent
GOOD, EDITED = "0.1.0", "0.2.0"


class EditingShelf(Shelf):
    """A server that lies about when one version was signed."""

    def find(self, version):
        offer, bundle = super().find(version)
        if version == EDITED:
            edited = tuple(
                record.model_copy(update={"signed_at": record.signed_at + 1})
                for record in offer.records
            )
            offer = type(offer)(offer.facts, edited, offer.bundle)
        return offer, bundle


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**more):
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"  # Flower starts its programs by name
    return os.environ | OFFLINE_ENVIRONMENT | {"PATH": path} | more


@pytest.fixture
def start(tmp_path):
    """Start one of Flower's programs; all are ended, by their ids, after the test."""
    begun = []

    def run(program, *arguments, **variables):
        log = (tmp_path / f"{program}.log").open("w")
        process = subprocess.Popen(
            [PROGRAMS / program, "--insecure", "--host", "127.0.0.1", *map(str, arguments)],
            env=environment(FLWR_HOME=str(tmp_path / program), **variables),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        begun.append((process, log))

    yield run
    for process, log in reversed(begun):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def submit(version, out, home, ends):
    """``flwr run`` of a version from the hub; tried until the SuperLink is up."""
    command = [PROGRAMS / "flwr", "run", f"@fedaffect/fedaffect=={version}", "here"]
    while True:
        done = subprocess.run(
            [*command, "-c", f'out="{out}"'],
            env=environment(FLWR_HOME=str(home)),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        assert time.monotonic() < ends, done.stdout + done.stderr
        time.sleep(0.3)


def test_a_node_runs_what_a_trusted_reviewer_signed_and_nothing_else(tmp_path, start):
    key, shelf = ReviewerKey.generate("A. Lind"), EditingShelf(tmp_path / "server")
    for version in (GOOD, EDITED):
        path = bundle_file(tmp_path / version, version=version)
        sign_beside(path, read_bundle(path), key)
        shelf.add(read_offer(path))
    trust = tmp_path / "trusted-entities.yaml"
    write_trusted_entities(trust, [key.reviewer])
    assert check_trusted_entities(trust) == (key.reviewer,)

    port, home = free_port(), tmp_path / "operator"
    home.mkdir()
    (home / "config.toml").write_text(
        f'[superlink]\ndefault = "here"\n[superlink.here]\naddress = "127.0.0.1:{port}"\n'
        "insecure = true\n"
    )
    said = {version: tmp_path / f"{version}.txt" for version in (GOOD, EDITED)}
    ends = time.monotonic() + PATIENCE_S
    with running_hub(shelf) as hub:
        start("flower-superlink", "--port", port, **hub.environment)
        superlink = f"127.0.0.1:{port}"
        start(
            "flower-supernode", "--superlink", superlink, "--port", free_port(),
            "--trusted-entities", trust,
        )  # fmt: skip
        for version, out in said.items():
            submit(version, out, home, ends)
        for out in said.values():
            while not (out.exists() and out.read_text().endswith("\n")):
                assert time.monotonic() < ends, (tmp_path / "flower-superlink.log").read_text()
                time.sleep(0.1)
    outcome = {version: out.read_text().strip() for version, out in said.items()}
    assert "ran in" not in outcome[EDITED]
    assert "could not verify the FAB" in (tmp_path / "flower-supernode.log").read_text()

    # Flower's name for the folder is what tells the program which bundle it runs in.
    assert outcome[GOOD].startswith("ran in ")
    folder = Path(outcome[GOOD].removeprefix("ran in "))
    site = tmp_path / "site"
    site.mkdir()
    (site / "site.toml").write_text(
        '[site]\nname = "N"\n[privacy]\nepsilon = 8.0\ndelta = 1e-5\n'
        "smallest_collusion_margin = 1\n"
    )
    with pytest.raises(PrivacyError, match="this clinic approved none"):
        require_approved_code(site, folder)
    registration = shelf.registration(GOOD)
    approval = prepare_code_approval(site, registration, reviewers=[trust])
    approval.commit("K. Berg")
    require_approved_code(site, folder)
    assert trust_file(site).read_bytes() == trust.read_bytes()
