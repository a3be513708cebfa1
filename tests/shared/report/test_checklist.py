import pytest

from shared.errors import InputError
from shared.report.checklist import checklist_items, fill_checklists
from shared.report.document import SECTIONS


def numbers(standard: str) -> list[str]:
    return [item.number for item in checklist_items() if item.standard == standard]


def test_all_numbers_of_the_guidelines_are_there() -> None:
    stard = [n for n in numbers("STARD-AI") if n != "AI"]
    assert [int(n.rstrip("abcdefg")) for n in stard] == sorted([*range(1, 31), 10, 12, 13, 21])
    tripod = numbers("TRIPOD+AI")
    assert sorted({int(n.rstrip("abcdefg")) for n in tripod}) == list(range(1, 28))
    assert len(tripod) == len(set(tripod)) == 52


def test_every_item_points_at_a_section_or_says_why_not() -> None:
    for item in checklist_items():
        assert item.section in SECTIONS or (not item.section and item.remark)


def test_what_authors_state_takes_the_place_of_the_remark() -> None:
    made = fill_checklists(stated={("STARD-AI", "28"): "Registered"})
    (item,) = [i for i in made.items if (i.standard, i.number) == ("STARD-AI", "28")]
    assert (item.stated, item.remark) == ("Registered", "")
    assert len(made.items) == len(checklist_items())


def test_an_unknown_item_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InputError, match=r"item '31'.*use one of 1, 2, 3"):
        fill_checklists(stated={("STARD-AI", "31"): "x"})
