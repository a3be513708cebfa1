import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.participants import (
    ParticipantRow,
    read_participants,
    scan_participants,
    write_participants,
)

HEADER = "participant,video,diagnosis,consent,finished,clinic,age_months,sex\n"
GOOD = HEADER + "P1,a.mp4,ASD,yes,yes,north,40,M\nP2,b.mp4,non-ASD,yes,no,south,,\n"


def read(tmp_path, content):
    path = tmp_path / "participants.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_participants(path)


def test_reads_what_it_wrote(tmp_path):
    rows = (
        ParticipantRow("P1", True, True, True, "a.mp4", "north", 40, "M", "iPad 5", "visit 2"),
        ParticipantRow("Jos\u00e9, 2", False, False, True, None, "south", None, None),
    )
    path = tmp_path / "t.csv"
    write_participants(path, rows)
    back = read_participants(path)
    assert [row.line for row in back] == [2, 3]
    assert [row.analysed for row in back] == [True, False]
    assert [(r.participant, r.asd, r.age_months, r.sex, r.clinic) for r in back] == [
        ("P1", True, 40, "M", "north"),
        ("Jos\u00e9, 2", False, None, None, "south"),
    ]
    assert (back[0].device, back[0].session, back[1].device) == ("iPad 5", "visit 2", None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_spreadsheet_exports(tmp_path, encoding, separator, newline):
    text = GOOD.replace("north", "Z\u00fcrich").replace(",", separator).replace("\n", newline)
    rows = read(tmp_path, text.encode(encoding))
    assert [row.clinic for row in rows] == ["Z\u00fcrich", "south"]
    assert [row.asd for row in rows] == [True, False]


def test_header_case_blank_lines_trailing_cells_and_missing_optional_columns(tmp_path):
    text = "Participant ,Diagnosis,CONSENT,finished,,\n\n P1 ,asd, Yes ,yes,,\n,,,,,\n"
    (row,) = read(tmp_path, text)
    assert row == ParticipantRow("P1", True, True, True, line=3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (HEADER, "names no participant"),
        ("participant,consent\n", "lacks the column 'diagnosis', 'finished'"),
        (HEADER.replace("video", "film"), "unknown column 'film'"),
        (HEADER.replace("video", "sex"), "twice the column 'sex'"),
        (HEADER.replace("age_months", "Age"), "'age' without its unit (write age_months or age_ye"),
        (HEADER.replace("video", "age_years"), "has both age_months and age_years (keep one"),
        (HEADER + "P1,a,ASD,yes\n", "line 2: 4 cells under 8"),
        (HEADER + ",a,ASD,yes,yes,n,1,M\n", "line 2: column participant is empty"),
        (HEADER + "a/b,a,ASD,yes,yes,n,1,M\n", "line 2: column participant cannot name"),
        (HEADER + "..,a,ASD,yes,yes,n,1,M\n", "line 2: column participant cannot name"),
        (HEADER + "x" * 99 + ",a,ASD,yes,yes,n,1,M\n", "99 characters"),
        (HEADER + "P1,a,autism,yes,yes,n,1,M\n", "line 2: column diagnosis holds 'autism'"),
        (HEADER + "P1,a,ASD,,yes,n,1,M\n", "line 2: column consent holds nothing"),
        (HEADER + "P1,a,ASD,yes,maybe,n,1,M\n", "line 2: column finished holds 'maybe'"),
        (HEADER + "P1,a,ASD,yes,yes,n,4.5,M\n", "line 2: column age_months must"),
        (HEADER + "P1,a,ASD,yes,yes,n,1,X\n", "line 2: column sex must"),
        (GOOD + "p1,c,ASD,yes,yes,n,1,M\n", "line 4: participant p1 stands on line 2"),
        (GOOD + "P3,a.mp4,ASD,yes,yes,n,1,M\n", "line 4: column video names"),
        (GOOD + "P3,c,ASD,yes,yes,,1,M\n", "line 4: column clinic is empty"),
        (GOOD + "P1,c,ASD,no,yes,n,1,M\n", "line 2: participant P1 stands on line 4"),
        (HEADER + "con.x,a,ASD,yes,yes,n,1,M\n", "Windows keeps this name"),
        (HEADER + "P1,a,ASD,yes,yes,n," + "9" * 5000 + ",M\n", "age_months must"),
        (HEADER + 'P1,a,ASD,yes,yes,"n\nm",1,M\n', "line 3: column clinic is longer"),
        (HEADER + '"P1,a,ASD', "quotation"),
        (b"\x00\x01\x02\x00", "not a text file"),
        (b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, content, words):
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert words in str(caught.value)


YEARS = HEADER.replace("age_months", "{}")


@pytest.mark.parametrize(
    ("column", "cell", "months"),
    [
        ("age_years", "4", 48),
        ("Age Years", "4.5", 54),
        ("age (years)", '"4,5"', 54),
        ("age in years", "0.04", 0),
        ("age_years", "4.33", 52),
        ("age_years", "4.041666", 48),
        ("age_years", "4.041667", 49),
        ("age_years", "100.0", 1200),
        ("age_years", "", None),
        ("age (months)", "40", 40),
        ("Age in months", "1200", 1200),
    ],
)
def test_an_age_is_kept_in_months(tmp_path, column, cell, months):
    (row,) = read(tmp_path, f"{YEARS.format(column)}P1,a,ASD,yes,yes,n,{cell},M\n")
    assert row.age_months == months


@pytest.mark.parametrize(
    "cell", ["four", "-4", "4.", ".5", "4;5", "100.1", "4.5.1", "1e1", "٤", "4y", "9" * 5000]
)
def test_an_age_that_is_no_number_of_years_is_a_fault(tmp_path, cell):
    with pytest.raises(InputError, match=r"line 2: column age_years must be years, such as 4 or 4"):
        read(tmp_path, f"{YEARS.format('age_years')}P1,a,ASD,yes,yes,n,{cell},M\n")


@given(months=st.integers(0, 1200), digits=st.integers(2, 6))
def test_years_with_two_decimals_or_more_give_the_months_they_were_made_of(
    tmp_path_factory, months, digits
):
    folder = tmp_path_factory.mktemp("t")
    years = f"{months / 12:.{digits}f}"
    (row,) = read(folder, f"{YEARS.format('age_years')}P1,a,ASD,yes,yes,n,{years},M\n")
    assert row.age_months == months


def test_all_faults_come_in_one_message(tmp_path):
    text = HEADER + "".join(f"P{i},,x,yes,yes,,,\n" for i in range(20))
    with pytest.raises(InputError, match="20 faults") as caught:
        read(tmp_path, text)
    assert "line 2:" in str(caught.value)
    assert "and 8 more" in str(caught.value)


def test_rows_that_can_be_taken_are_told_from_those_that_cannot(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "participant id,video path,diagnosis,consent,finished\n"
        "P1,a,ASD,yes,yes\nP2,b,autism,yes,no\nJos\u00e9,c,ASD,yes,yes\nP4,d,ASD,maybe,yes\n"
        "JOSE\u0301,e,ASD,no,yes\nP4,f,ASD,yes,yes\n"
    )
    table = scan_participants(path)
    assert table.columns[:2] == ("participant", "video")
    assert [row.participant for row in table.rows] == ["P1"]
    refused = {row.line: row for row in table.refused}
    assert sorted(refused) == [3, 4, 5, 6, 7]
    assert (refused[3].consented, refused[3].finished) == (True, False)
    # Nobody can know which consent of the two is the right one, so neither row is taken.
    assert "stands on line 6" in refused[4].faults[0]
    assert "stands on line 4" in refused[6].faults[0]
    assert "stands on line 5" in refused[7].faults[0]
    assert not refused[5].consented


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_participants(tmp_path / "none.csv")


@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        read_participants(path)
