"""The tables on a terminal, in a log file and under a code page without Greek letters."""

import io

import pytest
from rich.console import Console

from simulations.results import Results
from simulations.terminal import print_reproduction, print_table_run


def shown(results: Results, *, table: bool = False, **console: object) -> str:
    stream = io.StringIO()
    target = Console(file=stream, highlight=False, **console)  # type: ignore[arg-type]
    (print_table_run if table else print_reproduction)(results, target)
    return stream.getvalue()


def test_published_values_stand_beside_ours_with_the_standard_error(reproduction: Results) -> None:
    record = reproduction.find("pooled", "au", "f1")
    assert record is not None
    assert record.sd is not None
    error = f"{record.sd / record.n**0.5:.3f}".removeprefix("0")
    mean = f"{record.mean:.2f}".removeprefix("0")
    assert f".69 → {mean} ± {error}" in shown(reproduction)


def test_every_method_has_a_row_for_every_combination(reproduction: Results) -> None:
    text = shown(reproduction)
    for label in ("Always ASD", "Pooled, no privacy", "One clinic alone", "  clinic-4"):
        assert text.count(f"\n{label}") + text.count(f"\n {label}") == 4, label
    for epsilon in (8, 4, 2, 1):
        assert text.count(f"Federated DP, ε = {epsilon}") == 4
        assert text.count(f"Local DP-SGD + FedAvg, ε = {epsilon}") == 4
    assert "Surrogate cohort: simulated children, not patients." in text
    assert "95 % interval of the mean over 20 surrogate cohorts" in text
    assert "Warning: clinic-4" in text


def test_a_table_run_prints_three_digits_and_sites(hospitals: Results) -> None:
    text = shown(hospitals, table=True)
    assert ".795" in text
    assert text.count("Cleveland") == 4
    assert "Surrogate" not in text
    assert "20 seeds" in text


@pytest.mark.parametrize("table", [False, True])
def test_a_log_is_plain_and_at_most_110_columns(
    reproduction: Results, hospitals: Results, table: bool
) -> None:
    text = shown(hospitals if table else reproduction, table=table)
    assert "\x1b" not in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("table", [False, True])
def test_a_terminal_of_100_columns_loses_nothing(
    reproduction: Results, hospitals: Results, table: bool
) -> None:
    text = shown(
        hospitals if table else reproduction,
        table=table,
        width=100,
        force_terminal=True,
        color_system=None,
    )
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_code_page_without_greek_letters_gets_words(reproduction: Results) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252")
    print_reproduction(reproduction, Console(file=stream))
    stream.flush()
    text = raw.getvalue().decode("cp1252")
    assert "Federated DP, eps = 4" in text
    assert "?" not in text
