import pytest

from client.ledger import Limit
from client.policy import Policy, load_policy
from shared.errors import InputError

SITE = """\
[site]
name = "north"
port = 9092

[privacy]
epsilon = 8.0
delta = 1e-5
smallest_collusion_margin = 2
"""


def test_a_policy_is_read(tmp_path):
    (tmp_path / "site.toml").write_text(SITE)
    policy = load_policy(tmp_path)
    assert policy == Policy(name="north", epsilon=8.0, delta=1e-5, smallest_collusion_margin=2)
    assert policy.limit == Limit(8.0, 1e-5)


def test_one_colluding_clinic_is_tolerated_unless_said_otherwise(tmp_path):
    lines = SITE.splitlines()[:-1]
    (tmp_path / "site.toml").write_text("\n".join(lines))
    assert load_policy(tmp_path).smallest_collusion_margin == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epsilon = 8.0", "", r"\[privacy\] epsilon: Field required"),
        ("epsilon = 8.0", "epsilon = nan", r"\[privacy\] epsilon"),
        ("epsilon = 8.0", "epsilon = inf", r"\[privacy\] epsilon"),
        ("epsilon = 8.0", "epsilon = 0", r"\[privacy\] epsilon"),
        ("epsilon = 8.0", "epsilon = 5000", r"\[privacy\] epsilon 5000 asked.*no privacy at all"),
        ("epsilon = 8.0", "epsilom = 8.0", r"\[privacy\] epsil"),
        ("delta = 1e-5", "delta = 1", r"\[privacy\] delta"),
        ("delta = 1e-5", "delta = 1e-5\nname = 'x'", "unknown entry 'name'"),
        ("margin = 2", "margin = -1", "smallest_collusion_margin"),
        ("[privacy]", "[private]", r"lacks the section \[privacy\]"),
        ("[site]", "[place]", r"lacks the section \[site\]"),
        ('name = "north"', "", r"\[site\] name"),
        ('name = "north"', "name = ", "not a TOML file"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(tmp_path, old, new, message):
    assert old in SITE
    (tmp_path / "site.toml").write_text(SITE.replace(old, new))
    with pytest.raises(InputError, match=message):
        load_policy(tmp_path)


def test_a_missing_policy_names_the_folder(tmp_path):
    with pytest.raises(InputError, match=r"no site\.toml in .*set it up first"):
        load_policy(tmp_path)
