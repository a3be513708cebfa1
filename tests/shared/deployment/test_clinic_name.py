import pytest

from shared.deployment.clinic_name import check_clinic_name
from shared.errors import InputError


@pytest.mark.parametrize(
    ("written", "kept"),
    [("Clinic North", "Clinic North"), ("  a ", "a"), ("Zu\u0308rich 2", "Zürich 2"), ("ж", "ж")],
)
def test_a_name_is_kept_in_one_spelling(written, kept):
    assert check_clinic_name(written) == kept


@pytest.mark.parametrize(
    "name",
    ["", "  ", "a/b", "..", ".a", "a.", "a\\b", "a:b", "a\nb", "a\x1b[2Jb", "a\u202eb", "a" * 101,
     "字" * 70, "a\x00", "\ud800"],
)  # fmt: skip
def test_a_name_that_no_file_or_person_can_hold_is_refused(name):
    with pytest.raises(InputError, match="a name is 1 to 100 visible letters"):
        check_clinic_name(name)
