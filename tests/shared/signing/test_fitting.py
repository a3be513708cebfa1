import pytest

from shared.signing.bundle import BundleFacts
from shared.signing.fitting import installed_version, misfits

HERE = {"fedaffect": "0.1.0", "flwr": "1.41.0", "numpy": "2.2.1"}


def facts(*requires, version="0.1.0", python=">=3.11,<3.14"):
    return BundleFacts(
        app="@fedaffect/fedaffect",
        version=version,
        sha256="0" * 64,
        requires_python=python,
        requires=requires,
    )


def test_what_fits_says_nothing():
    assert misfits(facts("flwr>=1.41,<1.42", "numpy>=2.1"), HERE.get, "3.12.1") == []
    not_here = 'ray>=2; sys_platform == "nowhere"'
    assert misfits(facts(not_here), HERE.get, "3.12.1") == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (facts(version="0.2.0"), "fedaffect 0.2.0, but 0.1.0 is installed"),
        (facts(python=">=3.13"), "Python >=3.13, but this is 3.12.1"),
        (facts("flwr>=1.42"), "flwr >=1.42, but 1.41.0 is installed"),
        (facts("scipy>=1"), "scipy >=1, but none is installed"),
        (facts("scipy"), "scipy, but none is installed"),
        (facts("no requirement at all"), "cannot be read"),
        (facts(python="three"), "cannot be read"),
        (facts('numpy; sys_platform >= "3" and extra ~= "x"'), "cannot be read"),
    ],
)
def test_what_does_not_fit_is_named(wanted, said):
    found = misfits(wanted, HERE.get, "3.12.1")
    assert len(found) == 1
    assert said in found[0]


def test_everything_that_does_not_fit_is_named_at_once():
    wanted = facts("flwr>=2", "scipy", version="9.0.0", python="<3")
    assert len(misfits(wanted, HERE.get, "3.12.1")) == 4
    assert "none is installed" in misfits(facts(), lambda name: None, "3.12.1")[0]


def test_versions_are_those_of_this_environment():
    assert installed_version("pytest") == pytest.__version__
    assert installed_version("no-such-package-at-all") is None
    assert not [m for m in misfits(facts(f"pytest=={pytest.__version__}")) if "pytest" in m]
