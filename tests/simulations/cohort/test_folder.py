import numpy as np
import pytest

from shared.attributes import AttributeSeries, read_attributes, write_attributes
from shared.errors import InputError
from shared.participants import read_participants, write_participants
from simulations.cohort import cohort_features, surrogate_cohort
from simulations.cohort.folder import load_cohort_dir, write_cohort_dir


@pytest.fixture(scope="module")
def small():
    return surrogate_cohort(2, n_asd=6, n_non_asd=5, clinics=2)


@pytest.fixture
def folder(small, tmp_path):
    write_cohort_dir(small, tmp_path / "cohort")
    return tmp_path / "cohort"


def rewrite(folder, change):
    table = folder / "participants.csv"
    write_participants(table, [change(row) for row in read_participants(table)])


def without_clinic(row):
    return type(row)(row.participant, row.asd, row.consented, row.finished)


def test_a_written_cohort_reads_as_the_same_features(small, folder):
    calls = []
    table = load_cohort_dir(folder, on_progress=lambda done, total: calls.append((done, total)))
    direct = cohort_features(small)
    assert table.participants == direct.participants
    assert table.clinic == direct.clinic
    np.testing.assert_array_equal(table.asd, direct.asd)
    np.testing.assert_array_equal(table.values, direct.values)
    assert calls[-1] == (11, 11)


def test_files_say_surrogate_and_exist_only_with_consent(small, folder):
    files = {file.stem for file in (folder / "attributes").iterdir()}
    assert files == {p.name for p in small.participants if p.consented}
    series = read_attributes(folder / "attributes" / f"{sorted(files)[0]}.parquet")
    assert series.provenance["source"] == "surrogate"


def test_files_of_others_are_never_opened(small, folder):
    for person in small.participants:
        if not person.analysed:
            (folder / "attributes" / f"{person.name}.parquet").write_text("not parquet")
    assert len(load_cohort_dir(folder)) == 11


def test_without_clinics_the_number_must_be_given(folder):
    rewrite(folder, without_clinic)
    with pytest.raises(InputError, match="--clinics"):
        load_cohort_dir(folder)
    table = load_cohort_dir(folder, 3)
    assert set(table.clinic) == {"clinic-1", "clinic-2", "clinic-3"}
    for clinic in set(table.clinic):
        members = np.array(table.clinic) == clinic
        assert 0 < table.asd[members].sum() < members.sum()


def test_what_is_missing_or_wrong_is_named(small, folder, tmp_path):
    with pytest.raises(InputError, match=r"no participants\.csv"):
        load_cohort_dir(tmp_path / "nowhere")
    first, second = (small.participants[row].name for row in small.analysed[:2])
    one, two = (folder / "attributes" / f"{name}.parquet" for name in (first, second))
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    with pytest.raises(InputError, match=f"belongs to participant {second}"):
        load_cohort_dir(folder)
    one.unlink()
    with pytest.raises(InputError, match=f"lacks the files of 1 .*{first}"):
        load_cohort_dir(folder)
    one.write_bytes(content[:100])
    with pytest.raises(InputError, match=first):
        load_cohort_dir(folder)


def test_a_series_that_is_too_short_is_named(small, folder):
    row = next(i for i, p in enumerate(small.participants) if p.analysed)
    name = small.participants[row].name
    series = read_attributes(folder / "attributes" / f"{name}.parquet")
    cut = {
        field: getattr(series, field)[:600]
        for field in ("time_s", "frame", "face_found", "face_confidence", "box", "values")
    }
    write_attributes(
        folder / "attributes" / f"{name}.parquet",
        AttributeSeries(participant=name, provenance=series.provenance, **cut),
    )
    with pytest.raises(InputError, match=f"1 participants.*30 s: {name} "):
        load_cohort_dir(folder)


def test_one_diagnosis_is_refused(folder):
    rewrite(folder, lambda row: type(row)(row.participant, True, row.consented, row.finished))
    with pytest.raises(InputError, match="0 non-ASD"):
        load_cohort_dir(folder, 2)


def test_an_occupied_folder_is_refused(small, folder):
    with pytest.raises(InputError, match="not an empty folder"):
        write_cohort_dir(small, folder)


def test_surrogate_and_recorded_participants_do_not_mix(small, folder):
    name = small.participants[small.analysed[0]].name
    file = folder / "attributes" / f"{name}.parquet"
    series = read_attributes(file)
    recorded = {f: getattr(series, f) for f in series.__dataclass_fields__ if f != "provenance"}
    write_attributes(file, AttributeSeries(provenance={"source": "a camera"}, **recorded))
    with pytest.raises(InputError, match="mixes surrogate and recorded"):
        load_cohort_dir(folder)
