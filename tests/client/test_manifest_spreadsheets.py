"""Manifests as the spreadsheet programs of clinics save them, and what people do to them."""

import csv
import io
import re
import unicodedata

import pytest
from real_command import run_command

from client.manifest import read_manifest
from shared.errors import InputError

NAMES = ("Zoë 😀.mp4", 'say "hello"; twice, please.mp4', "c.mp4")
HEADER = ["participant", "video", "diagnosis", "consent", "finished", "age_months"]
ROWS = [
    ["P01", NAMES[0], "ASD", "yes", "yes", "72"],
    ["Köln-2", NAMES[1], "non-ASD", "Yes", "YES", ""],
    ["P03", "", "asd", "yes", "no", "80"],
    ["P04", "never-looked-at.mp4", "Non-ASD", "No", "yes", ""],
]
WITHOUT_EMOJI = [[cell.replace(" 😀", "") for cell in row] for row in ROWS]


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in (*NAMES, NAMES[0].replace(" 😀", "")):
        (folder / name).write_bytes(b"x")
    return folder


def as_csv(rows=ROWS, header=HEADER, separator=",", newline="\r\n", everything=False):
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=separator, lineterminator=newline, quoting=quoting)
    writer.writerows([header, *rows])
    return text.getvalue()


def read(recordings, content, **options):
    path = recordings.parent / "children.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_manifest(path, recordings, **options)


SAVED_BY = {
    "Excel, CSV UTF-8": as_csv().encode("utf-8-sig"),
    "Excel in Germany, CSV UTF-8": as_csv(separator=";").encode("utf-8-sig"),
    "Excel, Unicode text": as_csv(separator="\t").encode("utf-16"),
    "Excel with a line for the separator": f"sep=;\r\n{as_csv(separator=';')}".encode(),
    "Google Sheets": as_csv().encode(),
    "LibreOffice, all cells quoted": as_csv(newline="\n", everything=True).encode(),
    "Numbers, semicolons": as_csv(separator=";", newline="\n").encode(),
    "an old Mac": as_csv(newline="\r").encode(),
}
SAVED_WITHOUT_UNICODE = {
    "Excel in Germany, CSV": as_csv(WITHOUT_EMOJI, separator=";").encode("cp1252"),
    "Excel in France, CSV": as_csv(WITHOUT_EMOJI, separator=";").encode("cp1252"),
}


@pytest.mark.parametrize("program", [*SAVED_BY, *SAVED_WITHOUT_UNICODE])
def test_what_a_spreadsheet_program_saves_is_read(recordings, program):
    content = SAVED_BY.get(program) or SAVED_WITHOUT_UNICODE[program]
    rows = read(recordings, content).rows
    assert [row.participant for row in rows] == ["P01", "Köln-2", "P03", "P04"]
    videos = [row.video for row in rows]
    assert videos[0] in (NAMES[0], NAMES[0].replace(" 😀", ""))
    assert videos[1:] == [NAMES[1], None, "never-looked-at.mp4"]
    assert [row.asd for row in rows] == [True, False, True, False]
    assert [row.analysed for row in rows] == [True, True, False, False]
    assert [row.age_months for row in rows] == [72, None, 80, None]


@pytest.mark.parametrize(
    "header",
    [
        ["Participant ID", "Video path", "Diagnosis", "Consent", "Finished", "Age_months"],
        [" participant ", "video\n", "DIAGNOSIS", "consent\u00a0", "finished", "age months"],
    ],
)
def test_column_names_may_be_written_as_people_write_them(recordings, header):
    assert len(read(recordings, as_csv(header=header)).rows) == 4


def test_invisible_letters_in_a_column_name_are_made_visible(recordings):
    header = ["\u200bparticipant", *HEADER[1:]]
    with pytest.raises(InputError, match=r"has the unknown column '\\u200bparticipant'"):
        read(recordings, as_csv(header=header))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("P01,", "  P01 ,"),
        lambda text: text.replace("P01,", "P01\u00a0,"),
        lambda text: text.replace(",yes,", ", yes\u00a0,"),
        lambda text: text.replace("\r\n", ",,,\r\n"),
        lambda text: text + "\r\n\r\n,,,,,\r\n",
        lambda text: "\r\n\r\n" + text,
    ],
    ids=["blanks", "hard blank", "hard blank in a choice", "empty columns", "empty rows", "top"],
)
def test_what_nobody_sees_in_a_spreadsheet_does_no_harm(recordings, change):
    rows = read(recordings, change(as_csv())).rows
    assert [row.participant for row in rows] == ["P01", "Köln-2", "P03", "P04"]
    assert [row.analysed for row in rows] == [True, True, False, False]


def test_a_path_as_windows_copies_it_with_quotation_marks_is_told(recordings):
    rows = [["P01", '"C:\\Videos\\c.mp4"', "ASD", "yes", "yes", ""]]
    with pytest.raises(InputError, match=r"line 2: column video (is a Windows path|names no file)"):
        read(recordings, as_csv(rows))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_of_another_computer_find_the_recording(recordings, form):
    spelled = unicodedata.normalize(form, NAMES[0])
    read_rows = read(recordings, as_csv([["P01", spelled, "ASD", "yes", "yes", ""]])).rows
    assert (recordings / read_rows[0].video).is_file()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["P01", "c.mp4", "ASD", "ja", "yes", ""], "column consent holds 'ja'; write yes or no"),
        (["P01", "c.mp4", "ASD", "TRUE", "yes", ""], "column consent holds 'TRUE'"),
        (["P01", "c.mp4", "ASD", "x", "yes", ""], "column consent holds 'x'"),
        (["P01", "c.mp4", "ASD", "", "yes", ""], "column consent holds nothing"),
        (["P01", "c.mp4", "Autism", "yes", "yes", ""], "column diagnosis holds 'Autism'"),
        (["P01", "c.mp4", "ASD", "yes", "yes", "72,5"], "column age_months must be whole months"),
        (["P01", "c.mp4", "ASD", "yes", "yes", "1.2E+05"], "column age_months must be whole"),
        (["#NAME?", "c.mp4", "ASD", "yes", "yes", ""], "column participant cannot name a file"),
        (["1/2", "c.mp4", "ASD", "yes", "yes", ""], "column participant cannot name a file"),
        (["a\tb", "c.mp4", "ASD", "yes", "yes", ""], "column participant cannot name a file"),
        (["x" * 300, "c.mp4", "ASD", "yes", "yes", ""], "has 300 characters; at most 80"),
        (["P01", "c.mp4", "ASD", "yes", "yes"], "5 cells under 6 column names"),
        (["P01", "c.mp4", "ASD", "yes", "yes", "", "extra"], "7 cells under 6 column names"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_named_with_its_line(recordings, cells, message):
    good = ["P09", NAMES[1], "ASD", "yes", "yes", ""]
    with pytest.raises(InputError) as caught:
        read(recordings, as_csv([good, cells]))
    assert re.search(r"line 3: .*", str(caught.value))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; its first line must name the columns"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
        (as_csv([]).encode(), "names no participant"),
        (b"PK\x03\x04" + bytes(200), "is not a text file; save the spreadsheet as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200), "is not a text file"),
        (as_csv().encode("utf-16-le"), "is not a text file"),
        (as_csv().encode()[:-90] + b'"never closed', "check the quotation marks"),
        (as_csv(header=[*HEADER[:4], "Consent", "age_months"]).encode(), "has twice the column"),
        (as_csv(header=[*HEADER[:5], "name"]).encode(), "has the unknown column 'name'"),
        (as_csv(separator="|").encode(), "lacks the column"),
    ],
    ids=[
        *("nothing", "only a mark", "only names", "xlsx", "xls", "no mark", "quotes", "twice"),
        *("unknown", "bars"),
    ],
)
def test_what_is_no_manifest_is_refused_with_what_to_do(recordings, content, message):
    with pytest.raises(InputError) as caught:
        read(recordings, content)
    assert message in str(caught.value)


def test_the_real_command_imports_such_a_table_and_names_what_it_leaves_out(recordings, tmp_path):
    rows = [*ROWS, ["P05", "none.mp4", "ASD", "yes", "yes", ""], ["p01", "", "ASD", "no", "no", ""]]
    table, state = tmp_path / "Kinder 😀.csv", str(tmp_path / "state")
    table.write_bytes(as_csv(rows, separator=";").encode("utf-8-sig"))
    site = tmp_path / "site"
    assert run_command("init", site, "--name", "Köln", FEDAFFECT_STATE=state).returncode == 0
    words = ("import", table, "--site", site, "--recordings", recordings)
    refused = run_command(*words, FEDAFFECT_STATE=state)
    assert refused.returncode == 2
    assert "line 6: column video names no file" in refused.stderr
    assert not (site / "participants.csv").exists()
    done = run_command(*words, "--skip-bad", FEDAFFECT_STATE=state)
    assert done.returncode == 1
    assert "skipped line 2 (P01): participant P01 stands on line 7 as well" in done.stdout
    assert "skipped line 7 (p01)" in done.stdout
    assert "6 recorded → 4 consented → 3 finished → 1 usable" in done.stdout
    assert "Traceback" not in refused.stderr + done.stderr


@pytest.mark.soak
def test_the_real_command_imports_two_hundred_thousand_rows(recordings, tmp_path):
    rows = [
        [f"P{i:06} 😀", f'x;{i}/""{i}"".mp4', "ASD", "no" if i else "yes", "yes", str(i % 200)]
        for i in range(200_000)
    ]
    rows[0][1], rows[-1][2] = NAMES[0], "perhaps"
    table, state = tmp_path / "children.csv", str(tmp_path / "state")
    table.write_bytes(as_csv(rows, separator=";", everything=True).encode("utf-8-sig"))
    site = tmp_path / "site"
    assert run_command("init", site, "--name", "North", FEDAFFECT_STATE=state).returncode == 0
    words = ("import", table, "--site", site, "--recordings", recordings)
    refused = run_command(*words, FEDAFFECT_STATE=state)
    assert refused.returncode == 2
    assert "line 200001: column diagnosis holds 'perhaps'" in refused.stderr
    done = run_command(*words, "--skip-bad", FEDAFFECT_STATE=state)
    assert done.returncode == 1
    assert "200000 recorded → 1 consented → 1 finished → 1 usable" in done.stdout
    assert "199999 rows imported" in done.stdout
