import os
import select
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from signed_bundles import bundle_file, program_folder
from typer.testing import CliRunner

from shared.errors import FedaffectError, InputError
from shared.signing.offer import read_offer
from shared.signing.trusted_entities import read_reviewers

with warnings.catch_warnings():
    # typer 0.20 takes two names from click that newer versions of click call deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from server.cli import app

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(capsys):
    """Call the command; return exit code and what was printed, or the error a person would read."""

    def call(*arguments, answer=None):
        result = CliRunner().invoke(app, [*map(str, arguments)], input=answer)
        printed = capsys.readouterr().out + result.output
        if result.exception and not isinstance(result.exception, SystemExit):
            assert isinstance(result.exception, FedaffectError), result.exception
            return result.exception, printed
        return result.exit_code, printed

    return call


@pytest.fixture
def reviewer(run, tmp_path):
    code, _ = run(
        "reviewer", "new", "--out", tmp_path / "r", "--name", "A. Lind", "--no-passphrase"
    )
    assert code == 0
    return tmp_path / "r"


def test_a_reviewer_makes_a_key_with_a_passphrase_and_signs_with_it(run, tmp_path):
    words = "correct horse battery"
    folder, path = tmp_path / "r", bundle_file(tmp_path / "b")
    code, printed = run(
        "reviewer", "new", "--out", folder, "--name", "A. Lind", answer=f"{words}\n{words}\n"
    )
    assert code == 0
    (known,) = read_reviewers(folder / "reviewer.yaml")
    assert known.fingerprint in printed
    assert "without a passphrase" not in printed
    assert words not in printed
    sign = ("bundle", "sign", path, "--key", folder / "reviewer.key")
    error, _ = run(*sign, answer="wrong words for it\ny\n")
    assert isinstance(error, InputError)
    assert read_offer(path).records == ()
    code, printed = run(*sign, answer=f"{words}\nn\n")
    assert code == 1
    assert read_offer(path).records == ()
    code, printed = run(*sign, answer=f"{words}\ny\n")
    assert code == 0
    assert "Sign it as A. Lind?" in printed
    assert read_offer(path).facts.sha256 in printed
    assert read_offer(path).signers == (known,)


def test_no_passphrase_is_said(run, tmp_path):
    code, printed = run("reviewer", "new", "--out", tmp_path / "r", "--name", "A", answer="\n\n")
    assert code == 0
    assert "without a passphrase" in printed


def test_build_sign_show_publish(run, tmp_path, reviewer):
    source, out = program_folder(tmp_path / "source"), tmp_path / "out"
    code, printed = run("bundle", "build", "--source", source, "--out", out)
    assert code == 0
    (path,) = out.glob("*.fab")
    digest = read_offer(path).facts.sha256
    assert digest in printed
    assert run("bundle", "build", "--source", source, "--out", tmp_path / "again")[0] == 0
    assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()

    server = tmp_path / "server"
    error, _ = run("bundle", "publish", path, "--server", server)
    assert "no server's folder" in str(error)
    server.mkdir()
    error, _ = run("bundle", "publish", path, "--server", server)
    assert "nobody signed" in str(error)
    assert "Signed by  nobody" in run("bundle", "show", path)[1]

    key = reviewer / "reviewer.key"
    code, _ = run("bundle", "sign", path, "--key", key, "--source", source, "--yes")
    assert code == 0
    assert "A. Lind" in run("bundle", "show", path)[1]
    code, printed = run("bundle", "publish", path, "--server", server)
    assert code == 0
    registration = server / "bundles" / "0.1.0" / "code-registration.json"
    assert str(registration) in printed
    assert read_offer(registration).signers == read_offer(path).signers


def test_a_bundle_that_is_not_the_source_that_was_read_is_not_signed(run, tmp_path, reviewer):
    path = bundle_file(tmp_path / "b")
    source = program_folder(tmp_path / "read")
    (source / "small" / "client_side.py").write_text("app = None\n")
    error, _ = run(
        "bundle", "sign", path, "--key", reviewer / "reviewer.key", "--source", source, "--yes"
    )
    assert isinstance(error, InputError)
    assert "1 files differ (small/client_side.py)" in str(error)
    assert read_offer(path).records == ()


@pytest.mark.skipif(os.name != "posix", reason="ended by a signal")
def test_serve_prints_what_a_superlink_needs_and_ends_at_ctrl_c(run, tmp_path, reviewer):
    path, server = bundle_file(tmp_path / "b"), tmp_path / "server"
    server.mkdir()
    run("bundle", "sign", path, "--key", reviewer / "reviewer.key", "--yes")
    run("bundle", "publish", path, "--server", server)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", "from server.cli import main; main()",
         "bundle", "serve", "--server", str(server)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 60)[0]
        lines = [process.stdout.readline() for _ in range(2)]
        assert lines[0] == "Offered: 0.1.0\n"
        assert lines[1].startswith("export FLWR_SUPERGRID_API_URL=http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.communicate()
