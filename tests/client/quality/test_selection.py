import numpy as np

from client.quality.limits import QualityLimits
from client.quality.selection import unusable_recordings
from shared.attributes import AttributeSeries, write_attributes
from shared.channels import CHANNELS


def write(folder, participant, seen, seconds=400):
    n = seconds * 24
    found = np.arange(n) < seen * n
    values = np.where(found[:, None], 0.125, np.nan).astype(np.float32) * np.ones(len(CHANNELS))
    series = AttributeSeries(
        participant=participant,
        time_s=np.arange(n) / 24,
        frame=np.arange(n),
        face_found=found,
        face_confidence=found.astype(np.float32),
        box=np.where(found[:, None], 1.0, np.nan).astype(np.float32) * np.ones(4, np.float32),
        values=values.astype(np.float32),
        provenance={},
    )
    write_attributes(folder / f"{participant}.parquet", series)


def test_those_that_are_asked_about_and_unusable_are_named_with_reasons(tmp_path):
    for participant, seen in (("C", 0.2), ("A", 0.3), ("good", 1.0), ("not asked", 0.1)):
        write(tmp_path, participant, seen)
    (tmp_path / "damaged.parquet").write_bytes(b"x")
    asked = ["good", "C", "A", "damaged", "has no file"]
    found = unusable_recordings(tmp_path, asked, QualityLimits())
    assert list(found) == ["A", "C"]
    assert found["A"][0] == "the face is seen in 30% of the recording"
    generous = QualityLimits(unusable_face_share=0.25, unusable_gap_s=1000)
    assert list(unusable_recordings(tmp_path, asked, generous)) == ["C"]
