import json
import os
import stat
from datetime import UTC, datetime

import pytest
from signed_bundles import SIGNED_AT, bundle_file, flower_accepts, sign_beside

from client.code_approval import (
    approved_code,
    check_trusted_entities,
    prepare_code_approval,
    require_approved_code,
    trust_file,
)
from client.site_folder import create_site_folder
from shared.errors import InputError, PrivacyError
from shared.signing.bundle import read_bundle
from shared.signing.offer import read_offer, signature_path, write_registration
from shared.signing.record import sign_bundle
from shared.signing.reviewer_key import ENTITY_FILE, ReviewerKey

LIND, BERG = ReviewerKey.generate("A. Lind"), ReviewerKey.generate("B. Berg")
NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """Versions that a clinic has installed; a test may change them."""
    from shared.signing import fitting

    versions = {"fedaffect": "0.1.0", "flwr": "1.41.0", "numpy": "2.2.0"}
    monkeypatch.setattr(fitting, "version", versions.__getitem__)
    monkeypatch.setattr(fitting, "PackageNotFoundError", KeyError)
    return versions


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("FEDAFFECT_STATE", str(tmp_path / "state"))
    create_site_folder(tmp_path / "site", "North")
    return tmp_path / "site"


@pytest.fixture
def entity(tmp_path):
    """File of a reviewer, as the clinic gets it."""

    def file(key):
        folder = tmp_path / key.reviewer.key_id
        if not folder.exists():
            key.write(folder)
        return folder / ENTITY_FILE

    return file


@pytest.fixture
def signed(tmp_path):
    """Make a bundle file with signatures beside it."""

    def make(*keys, name="b", **about):
        path = bundle_file(tmp_path / name, **about)
        sign_beside(path, read_bundle(path), *keys)
        return path

    return make


def approve(site, path, by="K. Berg", **more):
    return prepare_code_approval(site, path, **more).commit(by, clock=lambda: NOON)


def refused(site, path, why, **more):
    """Refused with this reason, and nothing of the site changed."""
    before = {p: p.read_bytes() for p in site.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match=why):
        approve(site, path, **more)
    assert {p: p.read_bytes() for p in site.rglob("*") if p.is_file()} == before


def test_an_approved_bundle_is_one_that_flower_runs_at_this_node(site, signed, entity):
    path = signed(LIND)
    approval = prepare_code_approval(site, path, reviewers=[entity(LIND)])
    words = approval.in_words()
    facts = read_bundle(path).facts
    for part in ("North", facts.sha256, "0.1.0", "A. Lind", LIND.reviewer.fingerprint, "NEW",
                 "2026-09-21", "nothing approved so far"):  # fmt: skip
        assert part in words
    assert approved_code(site) is None  # nothing is written before the yes
    assert not trust_file(site).exists()

    approved = approval.commit("K. Berg", clock=lambda: NOON)
    assert approved == approved_code(site)
    assert approved.approved_by == "K. Berg"
    assert approved.approved_at == NOON
    assert approved.sha256 == facts.sha256
    assert approved.signers == (f"A. Lind ({LIND.reviewer.key_id})",)
    assert check_trusted_entities(trust_file(site)) == (LIND.reviewer,)
    if os.name == "posix":
        for file in trust_file(site).parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    by_lind = [record.flower_verification for record in read_offer(path).records]
    assert flower_accepts(path.read_bytes(), by_lind, trust_file(site))
    changed = signed(name="changed", more=', "numpy"')
    assert not flower_accepts(changed.read_bytes(), by_lind, trust_file(site))


def test_a_registration_is_enough_and_a_known_reviewer_is_known(site, signed, entity, tmp_path):
    path = signed(LIND)
    approve(site, path, reviewers=[entity(LIND)])
    registration = tmp_path / "code-registration.json"
    offer = read_offer(path)
    write_registration(registration, offer.facts, offer.records)
    words = prepare_code_approval(site, registration).in_words()
    assert "NEW" not in words
    assert "approved by K. Berg on 2026-11-30 (this very bundle)" in words
    assert "registration alone" in words
    approve(site, registration, by="M. Dahl")
    record = (site / "code" / "approvals.jsonl").read_text().splitlines()
    assert [json.loads(line)["approved_by"] for line in record] == ["K. Berg", "M. Dahl"]


def test_an_unsigned_bundle_is_refused(site, signed, entity):
    refused(site, signed(), "is not signed", reviewers=[entity(LIND)])


def test_unknown_reviewers_are_refused_until_their_file_is_given(site, signed, entity):
    path = signed(LIND)
    refused(site, path, r"A\. Lind .* whom this clinic does not know \(0 known\)")
    refused(site, path, r"\(1 known\)", reviewers=[entity(BERG)])
    approve(site, path, reviewers=[entity(LIND)])


def test_another_key_under_a_known_name_is_unknown(site, signed, entity):
    approve(site, signed(LIND), reviewers=[entity(LIND)])
    refused(site, signed(ReviewerKey.generate("A. Lind"), name="c"), r"does not know \(1 known\)")


def test_a_signature_by_the_wrong_key_is_refused(site, signed, entity):
    path = signed(LIND)
    by_berg = sign_bundle(read_bundle(path).facts, BERG, signed_at=SIGNED_AT)
    by_berg.model_copy(update={"reviewer": LIND.reviewer.ssh_line}).write(
        signature_path(path, LIND.reviewer)
    )
    refused(site, path, "made with another key", reviewers=[entity(LIND)])


def test_swapped_bytes_are_refused(site, signed, entity):
    path = signed(LIND)
    path.write_bytes(bundle_file(path.parent / "x", more=', "numpy"').read_bytes())
    refused(site, path, "bytes were swapped", reviewers=[entity(LIND)])
    path.write_bytes(path.read_bytes()[:-7])
    refused(site, path, "no whole bundle", reviewers=[entity(LIND)])


def test_an_edited_signature_is_refused_even_beside_a_good_one(site, signed, entity):
    path = signed(LIND, BERG)
    beside = signature_path(path, BERG.reviewer)
    beside.write_text(beside.read_text().replace(str(SIGNED_AT), str(SIGNED_AT + 86400)))
    refused(site, path, "its file was edited", reviewers=[entity(LIND), entity(BERG)])


def test_versions_that_do_not_fit_are_refused_and_named(site, signed, entity, installed):
    known = {"reviewers": [entity(LIND)]}
    path = signed(LIND, more=', "numpy>=3", "scipy"')
    refused(site, path, "numpy >=3, but 2.2.0 is installed; scipy, but none", **known)
    refused(site, signed(LIND, name="p", python=">=4"), "Python >=4", **known)
    refused(site, signed(LIND, name="v", version="0.2.0"), "fedaffect 0.2.0, but 0.1.0", **known)
    installed["fedaffect"] = "0.2.0"
    refused(site, signed(LIND, name="w"), "fedaffect 0.1.0, but 0.2.0 is installed", **known)


def test_an_empty_reviewers_file_trusts_nobody(site, signed, tmp_path):
    empty = tmp_path / "reviewer.yaml"
    empty.write_text("{}")
    refused(site, signed(LIND), "no trusted reviewers", reviewers=[empty])


def test_an_older_program_needs_a_word(site, signed, entity, installed):
    installed["fedaffect"] = "0.10.0"
    approve(site, signed(LIND, version="0.10.0"), reviewers=[entity(LIND)])
    installed["fedaffect"] = "0.9.0"
    older = signed(LIND, name="old", version="0.9.0")
    refused(site, older, "0.10.0 is approved here")
    assert approve(site, older, older=True).version == "0.9.0"


def test_a_reviewer_who_did_not_sign_leaves_the_trust_file_and_is_named(site, signed, entity):
    approve(site, signed(LIND, BERG), reviewers=[entity(LIND), entity(BERG)])
    assert set(check_trusted_entities(trust_file(site))) == {LIND.reviewer, BERG.reviewer}
    next_one = signed(BERG, name="next", more=', "numpy"')
    assert "no longer count: A. Lind" in prepare_code_approval(site, next_one).in_words()
    approve(site, next_one)
    assert check_trusted_entities(trust_file(site)) == (BERG.reviewer,)
    # Still known: no file is needed when Lind signs again.
    approve(site, signed(LIND, name="third"))


def test_a_stranger_beside_a_known_reviewer_is_shown_and_not_trusted(site, signed, entity):
    path = signed(LIND, BERG)
    approval = prepare_code_approval(site, path, reviewers=[entity(LIND)])
    assert "does not know" in approval.in_words()
    approval.commit("K. Berg")
    assert check_trusted_entities(trust_file(site)) == (LIND.reviewer,)


@pytest.mark.parametrize("by", ["", "   ", "a\nb", "x" * 101])
def test_an_approval_has_a_name(site, signed, entity, by):
    refused(site, signed(LIND), "give your name", by=by, reviewers=[entity(LIND)])


def test_a_damaged_record_or_file_of_reviewers_stops_everything(site, signed, entity):
    path = signed(LIND)
    approve(site, path, reviewers=[entity(LIND)])
    record = site / "code" / "approvals.jsonl"
    good = record.read_text()
    record.write_text(good[:-30])
    refused(site, path, "record of approvals, is damaged")
    with pytest.raises(InputError, match="damaged"):
        approved_code(site)
    record.write_text(good)
    (site / "code" / "reviewers.yaml").write_text("{}")
    refused(site, path, "no trusted reviewers")


def test_files_that_differ_from_the_installed_ones_are_named(site, signed, entity):
    words = prepare_code_approval(site, signed(LIND), reviewers=[entity(LIND)]).in_words()
    assert "CAUTION, 3 files differ from the bundle's: small/__init__.py" in words


def test_a_program_runs_in_the_approved_bundle_only(site, signed, entity, tmp_path):
    def folder(sha256, version="0.1.0"):
        return tmp_path / "apps" / f"fedaffect.fedaffect.{version}.{sha256[:8]}"

    path = signed(LIND)
    digest = read_bundle(path).facts.sha256
    with pytest.raises(PrivacyError, match="approved none"):
        require_approved_code(site, folder(digest))
    approve(site, path, reviewers=[entity(LIND)])
    require_approved_code(site, folder(digest))
    other = approve(site, signed(LIND, name="next", more=', "numpy"'))
    require_approved_code(site, folder(other.sha256))
    with pytest.raises(PrivacyError, match=f"{other.sha256[:8]}... last"):
        require_approved_code(site, folder(digest))
    with pytest.raises(PrivacyError, match="approved"):
        require_approved_code(site, folder(other.sha256, "0.1.1"))
    require_approved_code(site)  # these tests run from no bundle
