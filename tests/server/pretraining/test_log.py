import dataclasses

from server.pretraining.log import LogRow, TrainingLog

ROW = LogRow(2, 0.5, 64, 1e-3, 1.25, 0.5, 0.25, 0.125, 321.0)


def test_rows_after_the_checkpoint_are_written_anew(tmp_path):
    with TrainingLog(tmp_path) as log:
        for step in (2, 4, 6):
            log.add(dataclasses.replace(ROW, step=step))
    with (tmp_path / "log.csv").open("a") as stream:
        stream.write("8,0.2")
    with TrainingLog(tmp_path, done=4) as log:
        log.add(dataclasses.replace(ROW, step=5))
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0].startswith("step,epoch,side,learning_rate,loss")
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "4", "5"]
    assert lines[1] == "2,0.5,64,0.001,1.25,0.5,0.25,0.125,321"
    with TrainingLog(tmp_path):
        pass
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1
