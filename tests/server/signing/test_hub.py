import http.client
import json
from types import SimpleNamespace

import pytest
from signed_bundles import SIGNED_AT, bundle_file, flower_accepts, sign_beside

from server.signing.hub import running_hub
from server.signing.shelf import Shelf
from shared.errors import InputError
from shared.signing.bundle import read_bundle
from shared.signing.offer import read_offer
from shared.signing.record import sign_bundle
from shared.signing.reviewer_key import ReviewerKey
from shared.signing.trusted_entities import write_trusted_entities

LIND, BERG = ReviewerKey.generate("A. Lind"), ReviewerKey.generate("B. Berg")
APP = "@fedaffect/fedaffect"


@pytest.fixture
def offered(tmp_path):
    """A server folder with one signed bundle."""
    path = bundle_file(tmp_path / "release")
    bundle = read_bundle(path)
    sign_beside(path, bundle, LIND)
    shelf = Shelf(tmp_path / "server")
    shelf.add(read_offer(path))
    return SimpleNamespace(shelf=shelf, bundle=bundle, path=path, tmp=tmp_path)


def ask(hub, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def fetch(hub, **question):
    asked = {"app_id": APP, "app_version": "0.1.0", "flwr_version": "1.41.0"} | question
    status, body = ask(hub, "POST", "/v1/hub/fetch-fab", json.dumps(asked))
    return status, json.loads(body)


def test_flowers_own_client_fetches_bundle_and_signatures_that_its_node_accepts(
    offered, monkeypatch
):
    from flwr.superlink.servicer.control import control_handlers

    with running_hub(offered.shelf) as hub:
        url = hub.environment["FLWR_SUPERGRID_API_URL"]
        monkeypatch.setattr(control_handlers, "FLWR_SUPERGRID_API_URL", url)
        content, verifications, _ = control_handlers._get_remote_fab(None, f"{APP}==0.1.0")
    assert content == offered.bundle.content
    assert verifications.pop("valid_license")
    records = [{"public_key_id": key, **json.loads(v)} for key, v in verifications.items()]
    trust = offered.tmp / "trusted.yaml"
    write_trusted_entities(trust, [LIND.reviewer])
    assert flower_accepts(content, records, trust)
    write_trusted_entities(trust, [BERG.reviewer])
    assert not flower_accepts(content, records, trust)


def test_flower_is_told_which_versions_there_are(offered, monkeypatch):
    from flwr.supercore.utils import request_download_link

    with running_hub(offered.shelf) as hub:
        url = hub.environment["FLWR_SUPERGRID_API_URL"] + "/hub/fetch-fab"
        for version in (None, "0.3.0"):
            with pytest.raises(ValueError, match=r"Available app versions .*: 0\.1\.0"):
                request_download_link(APP, version, url, "fab_url")


def test_anything_else_is_refused(offered):
    digest = offered.bundle.facts.sha256
    with running_hub(offered.shelf) as hub:
        assert fetch(hub)[0] == 200
        assert fetch(hub, app_id="@fedaffect/other")[0] == 404
        for version in ("0.1", "../clinics", "", 7, ["0.1.0"], {}):
            assert fetch(hub, app_version=version)[0] == 404
        for body in ("", "[]", "{}", "7", "\xff", "[" * 3000):
            assert ask(hub, "POST", "/v1/hub/fetch-fab", body)[0] == 422
        assert ask(hub, "POST", "/v1/hub/fetch-fab", "x" * 5000)[0] == 413
        assert ask(hub, "GET", "/v1/hub/fetch-fab")[0] == 405
        assert ask(hub, "GET", f"/v1/bundles/0.1.0/{digest}.fab")[0] == 200
        for path in (
            "/",
            "/docs",
            f"/v1/bundles/0.1.0/{'0' * 64}.fab",
            f"/v1/bundles/0.2.0/{digest}.fab",
            f"/v1/bundles/..%2f..%2fca/{digest}.fab",
            "/v1/bundles/0.1.0/code-registration.json",
        ):
            assert ask(hub, "GET", path)[0] == 404


def test_bytes_that_were_swapped_on_the_server_are_not_handed_out(offered):
    stored = offered.shelf.folder / "0.1.0" / "bundle.fab"
    other = bundle_file(offered.tmp / "other", more=', "numpy"')
    stored.write_bytes(other.read_bytes())
    with running_hub(offered.shelf) as hub:
        status, answer = fetch(hub)
    assert status == 409
    assert "was changed on this server" in answer["detail"]


def test_the_hub_listens_on_loopback_ends_with_its_block_and_shares_no_port(offered):
    with running_hub(offered.shelf) as hub:
        assert hub.environment["FLWR_SUPERGRID_API_URL"] == f"http://127.0.0.1:{hub.port}/v1"
        assert "127.0.0.1" in hub.environment["NO_PROXY"]
        with (
            pytest.raises(InputError, match="another program holds it"),
            running_hub(offered.shelf, hub.port),
        ):
            pass
        assert fetch(hub)[0] == 200
    with pytest.raises(OSError):  # noqa: PT011 refused: nobody listens
        fetch(hub)


def test_signatures_of_one_bundle_add_up(offered):
    sign_beside(offered.path, offered.bundle, BERG)
    offered.shelf.add(read_offer(offered.path))
    again = offered.tmp / "again"
    again.mkdir()
    alone = again / "program.fab"
    alone.write_bytes(offered.bundle.content)
    sign_beside(alone, offered.bundle, LIND)
    offered.shelf.add(read_offer(alone))
    offer, bundle = offered.shelf.find("0.1.0")
    assert set(offer.signers) == {LIND.reviewer, BERG.reviewer}
    assert bundle == offered.bundle
    assert offered.shelf.versions() == ["0.1.0"]


def test_a_version_stands_for_one_bundle(offered):
    other = bundle_file(offered.tmp / "other", more=', "numpy"')
    sign_beside(other, read_bundle(other), LIND)
    with pytest.raises(InputError, match="Raise the version"):
        offered.shelf.add(read_offer(other))
    assert offered.shelf.find("0.1.0")[1] == offered.bundle


def test_only_signed_bundles_are_offered(offered):
    shelf = Shelf(offered.tmp / "new")
    unsigned = bundle_file(offered.tmp / "unsigned")
    with pytest.raises(InputError, match="nobody signed"):
        shelf.add(read_offer(unsigned))
    with pytest.raises(InputError, match="needs the bundle"):
        shelf.add(read_offer(offered.shelf.registration("0.1.0")))
    assert shelf.versions() == []
    with pytest.raises(InputError, match="none offered here"):
        shelf.find("0.1.0")


def test_an_edited_registration_is_noticed_on_the_server(offered):
    path = offered.shelf.registration("0.1.0")
    path.write_text(path.read_text().replace(str(SIGNED_AT), str(SIGNED_AT + 1)))
    with pytest.raises(InputError, match="not genuine"):
        offered.shelf.find("0.1.0")
    genuine = sign_bundle(offered.bundle.facts, LIND, signed_at=SIGNED_AT)
    assert genuine.verify() == LIND.reviewer
