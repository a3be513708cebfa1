import pytest

from shared.console import run_command
from shared.errors import FedaffectError, FederationError, InputError, PrivacyError


@pytest.mark.parametrize(
    ("error", "code"),
    [(FedaffectError, 1), (InputError, 2), (PrivacyError, 3), (FederationError, 4)],
)
def test_an_error_is_shown_as_a_message_with_its_exit_code(error, code, capsys):
    def fail():
        raise error("column [bold] asked; choose [x]")

    with pytest.raises(SystemExit) as left:
        run_command(fail)
    assert left.value.code == code
    printed = capsys.readouterr()
    assert "Error: column [bold] asked; choose [x]" in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_an_unexpected_error_keeps_its_traceback():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command(fail)


def test_interruption_says_so(capsys):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        run_command(fail)
    assert left.value.code == 130
    assert "Stopped." in capsys.readouterr().err
