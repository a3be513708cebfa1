import pytest

from client.look.kept import kept_looks, look_path, time_in_name
from client.site_folder import SiteFolder


def test_files_are_told_apart_whatever_a_child_is_called(tmp_path):
    folder = SiteFolder(tmp_path)
    assert kept_looks(folder, "P1") == []
    folder.looks.mkdir()
    names = ["P1", "P1-sheet", "P1-clip", "P1_sheet", "-", "P1.png"]
    for name in names:
        for words, suffix in [("sheet", ".png"), ("clip_0m01s_0m02s_anonymised", ".mp4")]:
            look_path(folder, name, words, suffix).touch()
    (folder.looks / ".P1-sheet.png.x.part").touch()
    for name in names:
        # What a killed run left is hidden, and shows the child too.
        left = [".P1-sheet.png.x.part"] if name == "P1" else []
        assert [path.name for path in kept_looks(folder, name)] == [
            *left,
            f"{name}-clip_0m01s_0m02s_anonymised.mp4",
            f"{name}-sheet.png",
        ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(83, "1m23s"), (83.5, "1m23.5s"), (5, "0m05s"), (3723, "1h02m03s")]
)
def test_times_can_stand_in_a_file_name(seconds, text):
    assert time_in_name(seconds) == text
