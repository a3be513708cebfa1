import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.spreadsheet import read_spreadsheet


def read(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(row.line, row.cells) for row in read_spreadsheet(path)]


@pytest.mark.parametrize("start", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n'])
def test_the_separator_line_of_excel_is_obeyed_and_lines_still_count_from_the_top(tmp_path, start):
    assert read(tmp_path, start + "a,b;c\n1;2,3\n") == [(2, ["a,b", "c"]), (3, ["1", "2,3"])]
    assert read(tmp_path, "\n" + start + "a;b\n") == [(3, ["a", "b"])]


def test_a_tab_can_be_the_stated_separator(tmp_path):
    assert read(tmp_path, "sep=\t\na\tb,c\n") == [(2, ["a", "b,c"])]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_quotes_separators_line_breaks_and_emoji_inside_cells(tmp_path, newline):
    text = f'a;b{newline}"x;""y""";"😀{newline}z"{newline}{newline};{newline}1;2'
    assert read(tmp_path, text)[1][1] == ['x;"y"', f"😀{newline}z"]
    assert [line for line, _ in read(tmp_path, text)] == [1, 3, 6]


def test_a_quotation_mark_that_never_ends_is_named_with_its_line(tmp_path):
    with pytest.raises(InputError, match=r"line 2: .*quotation marks"):
        read(tmp_path, 'a,b\n"1,2')


CELL = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text
)


@given(
    rows=st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=6),
    separator=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_cells_come_back_as_they_were_written(tmp_path_factory, rows, separator, encoding):
    header = separator.join(["a"] * 20)  # column names have no separator in them
    quoted = ('"' + cell.replace('"', '""') + '"' for row in rows for cell in row)
    cells = iter(quoted)
    lines = [header, *(separator.join(next(cells) for _ in row) for row in rows)]
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes("\n".join(lines).encode(encoding))
    assert [row.cells for row in read_spreadsheet(path)][1:] == rows


@given(content=st.binary(max_size=400))
def test_any_bytes_give_rows_or_a_refusal(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        for line, cells in read_spreadsheet(path):
            assert line > 0
            assert any(cells)
