import sys
import warnings

import pytest

from server.pretraining.summary import network_sizes, poster_text
from shared.affect.network import UNITS


def test_rounded_sizes_are_those_of_the_poster():
    sizes = {(size.unit, size.tasks): size for size in network_sizes()}
    assert list(sizes) == [(unit, tasks) for unit in UNITS for tasks in ("multi", "single")]
    for size in sizes.values():
        # As printed there: parameters with one decimal, operations with two digits.
        millions, billions = poster_text(size).split(" / ")
        assert f"{size.parameters / 1e6:.1f} M" == millions
        assert f"{size.macs / 1e9:.2g} B" == billions


def test_json_of_a_size_has_the_documented_keys():
    first = network_sizes()[0].as_json()
    assert first == {
        "unit": "eesp",
        "tasks": "multi",
        "parameters": 2_422_726,
        "macs": 294_451_284,
    }


def test_the_table_shows_ours_beside_the_poster(monkeypatch, capsys):
    with warnings.catch_warnings():
        # typer 0.20 takes two names from click that newer versions of click call deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from server.cli import main
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["fedaffect-server", "cnn", "summary"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in printed.splitlines()
        if line.startswith("│")
    ]
    assert rows[0] == ["eesp", "multi", "2,422,726", "294,451,284", "2.4 M / 0.29 B"]
    assert rows[5] == ["bottleneck", "single", "25,865,590", "3,408,295,248", "25.9 M / 3.4 B"]
    assert "sum of four networks" in printed
