"""What a coordinator and a clinic type, from an empty folder to a registered node."""

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from set_up_server import DAY, NORTH

from server.deployment.clinics import known_clinics
from server.deployment.server_folder import ServerFolder

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Type a command in an empty folder; exit code, output and errors as a person reads them."""
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        import client.cli
        import server.cli
    mains = {"fedaffect-client": client.cli.main, "fedaffect-server": server.cli.main}
    monkeypatch.chdir(tmp_path)

    def call(program, *arguments, typed=""):
        from io import StringIO

        monkeypatch.setattr(sys, "argv", [program, *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            mains[program]()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return ended.value.code or 0, printed.out, " ".join(printed.err.split())

    return call


@pytest.fixture
def server(run):
    code, printed, errors = run("fedaffect-server", "init", "fed", "--host", "fl.example.org")
    assert (code, errors) == (0, "")
    assert "Clinics reach it at fl.example.org:443" in printed
    return ServerFolder(Path("fed"))


INVITATION = f"{NORTH}.invitation.toml"
REGISTRATION = f"{NORTH}.registration.toml"


def fingerprint_in(printed: str) -> str:
    return re.search(r"Fingerprint: +(\S+)", printed)[1]


def test_from_an_invitation_to_a_registered_clinic(run, server):
    code, printed, _ = run("fedaffect-server", "invite", NORTH, "--server", "fed")
    assert code == 0
    assert f'fedaffect-client join "{INVITATION}"' in printed
    code, printed, _ = run("fedaffect-client", "join", INVITATION)
    assert code == 0
    assert "Site folder: site" in printed
    said = fingerprint_in(printed)
    code, printed, _ = run(
        "fedaffect-server", "register", REGISTRATION, "--server", "fed", typed="y"
    )
    assert code == 0
    assert fingerprint_in(printed) == said
    (clinic,) = known_clinics(server)
    assert (clinic.state, clinic.fingerprint) == ("registered", said)
    code, _, errors = run("fedaffect-server", "register", REGISTRATION, "--server", "fed")
    assert code == 2
    assert "is registered already" in errors


def test_a_coordinator_who_says_no_registers_nobody(run, server):
    run("fedaffect-server", "invite", NORTH, "--server", "fed")
    run("fedaffect-client", "join", INVITATION)
    for typed in ("n", ""):
        code, _, _ = run(
            "fedaffect-server", "register", REGISTRATION, "--server", "fed", typed=typed
        )
        assert code == 1
    assert known_clinics(server)[0].state == "invited"


def test_scripts_hand_over_the_fingerprint_they_were_told(run, server):
    run("fedaffect-server", "invite", NORTH, "--server", "fed", "--out", "for-you.toml")
    code, printed, _ = run(
        "fedaffect-client", "join", "for-you.toml", "--json", "--out", "back.toml"
    )
    assert code == 0
    said = json.loads(printed)
    assert said["address"] == "fl.example.org:443"
    register = ("fedaffect-server", "register", said["registration"], "--server", "fed")
    code, _, errors = run(*register, "--fingerprint", "AAAA-BBBB")
    assert code == 2
    assert "nothing was registered" in errors
    code, _, _ = run(*register, "--fingerprint", said["fingerprint"])
    assert code == 0
    assert known_clinics(server)[0].fingerprint == said["fingerprint"]


def test_an_invitation_is_not_written_over_another_file(run, server):
    Path(INVITATION).write_text("mine")
    code, _, errors = run("fedaffect-server", "invite", NORTH, "--server", "fed")
    assert code == 2
    assert "is there already" in errors
    assert known_clinics(server) == ()
    assert Path(INVITATION).read_text() == "mine"


def test_an_invitation_is_replaced_when_asked(run, server):
    run("fedaffect-server", "invite", NORTH, "--server", "fed")
    first = Path(INVITATION).read_text()
    code, _, errors = run("fedaffect-server", "invite", NORTH, "--server", "fed")
    assert code == 2
    code, _, errors = run("fedaffect-server", "invite", NORTH, "--server", "fed", "--again")
    assert (code, errors) == (0, "")
    assert Path(INVITATION).read_text() != first


def test_a_wheel_is_named_by_its_hash(run, server):
    code, _, errors = run("fedaffect-server", "invite", NORTH, "--server", "fed", "--wheel", "none")
    assert code == 2
    assert "no wheel at none" in errors
    Path("it.whl").write_bytes(b"wheel")
    run("fedaffect-server", "invite", NORTH, "--server", "fed", "--wheel", "it.whl")
    code, printed, _ = run("fedaffect-client", "join", INVITATION)
    assert code == 0
    assert "The invitation names a wheel" in printed


def test_joining_another_version_is_refused_before_anything_is_made(run, server):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.software.version", lambda name: "9.9")
        run("fedaffect-server", "invite", NORTH, "--server", "fed")
    code, _, errors = run("fedaffect-client", "join", INVITATION)
    assert code == 2
    assert "the invitation is for fedaffect 9.9" in errors
    assert not Path("site").exists()


def test_an_edited_invitation_is_refused(run, server):
    run("fedaffect-server", "invite", NORTH, "--server", "fed")
    text = Path(INVITATION).read_text()
    Path(INVITATION).write_text(text.replace("fl.example.org", "fl.example.net"))
    code, _, errors = run("fedaffect-client", "join", INVITATION)
    assert code == 2
    assert "was changed after the server wrote it" in errors
    assert not Path("site").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("init", "fed", "--host", "a.org"), "is not an empty folder"),
        (("init", "new", "--host", "https://a.org"), "give a host name such as"),
        (("invite", "a", "--server", "nowhere"), "no server in nowhere"),
        (("invite", "a/b", "--server", "fed"), "visible letters"),
        (("register", "none", "--server", "fed"), "no registration at none"),
        (("renew", "--server", "nowhere"), "no server in nowhere"),
    ],
)
def test_what_cannot_be_done_is_told(run, server, arguments, told):
    code, _, errors = run("fedaffect-server", *arguments)
    assert code == 2
    assert told in errors
    assert not Path("new").exists()


def test_renewing_says_until_when(run, server):
    before = server.server_certificate()
    code, printed, _ = run("fedaffect-server", "renew", "--server", "fed")
    assert code == 0
    until = server.server_certificate().not_valid_after_utc
    assert f"Certificate for fl.example.org, valid until {until:%Y-%m-%d}" in printed
    assert until - before.not_valid_after_utc < DAY
    assert server.server_certificate() != before


def test_the_command_lines_start_without_cryptography():
    program = "import sys, client.cli, server.cli; print('cryptography.x509' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
