"""What the access log keeps, and what it must not."""

import errno
import io
import json
import stat
from datetime import UTC, datetime

from server.gateway.access_log import Access, AccessLog
from server.gateway.routes import FLEET_PATHS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def access(path: str) -> Access:
    return Access("192.0.2.1:5", path, 200, 1, 2, 0.12345, "forwarded")


def test_a_request_leaves_when_who_what_and_how_much(gateway, stand_in):
    stand_in.parts = [b"secret answer"]
    front = gateway()
    front.post(FLEET_PATHS[0], b"secret question", headers={"flwr-signature": "secret name"})
    (line,) = front.log(1)
    assert list(line) == [
        "time",
        "peer",
        "path",
        "status",
        "received_bytes",
        "sent_bytes",
        "seconds",
        "outcome",
    ]
    assert datetime.fromisoformat(line["time"]).tzinfo is not None
    assert line["peer"].startswith("127.0.0.1:")
    assert (line["path"], line["status"], line["outcome"]) == (FLEET_PATHS[0], 200, "forwarded")
    assert (line["received_bytes"], line["sent_bytes"]) == (15, 13)
    assert "secret" not in json.dumps(line)


def test_a_refusal_leaves_its_code_and_no_query(gateway):
    front = gateway()
    front.post("/v1/control/list-nodes?token=secret")
    (line,) = front.log(1)
    assert (line["path"], line["status"]) == ("/v1/control/list-nodes", 403)
    assert line["outcome"] == "refused: PERMISSION_DENIED 9101"


def test_a_line_is_one_line_whatever_a_client_sends(tmp_path):
    log = AccessLog(tmp_path / "a.log", clock=lambda: NOW)
    log.write(access("/a\n\r\x1b[31m\u2028" + "é" * 1000))
    log.close()
    text = (tmp_path / "a.log").read_text()
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.loads(text)["time"] == "2026-01-02T03:04:05.000+00:00"
    assert len(json.loads(text)["path"]) == 120


def test_the_log_is_its_owners_only_and_keeps_within_its_size(tmp_path, monkeypatch):
    from server.gateway import access_log

    monkeypatch.setattr(access_log, "_FILE_BYTES", 1000)
    log = AccessLog(tmp_path / "logs" / "a.log")
    for _ in range(100):
        log.write(access("/x"))
    log.close()
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 6
    assert all(path.stat().st_size <= 1000 for path in files)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)


def test_it_goes_on_where_it_stopped(tmp_path):
    for _ in range(2):
        log = AccessLog(tmp_path / "a.log")
        log.write(access("/x"))
        log.close()
        log.write(access("/y"))  # after the end: nothing
    assert len((tmp_path / "a.log").read_text().splitlines()) == 2


class FullDisk(io.StringIO):
    tried = 0

    def flush(self) -> None:
        self.tried += 1
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_no_request_and_prints_nothing(tmp_path, capfd):
    log, full = AccessLog(tmp_path / "a.log"), FullDisk()
    assert log._handler is not None
    log._handler.stream.close()
    log._handler.stream = full  # type: ignore[assignment]
    log.write(access("/x"))
    assert full.tried == 1
    log._handler.stream = None  # type: ignore[assignment]
    log.close()
    assert capfd.readouterr().err == ""


def test_no_file_no_log():
    log = AccessLog(None)
    log.write(access("/x"))
    log.close()
