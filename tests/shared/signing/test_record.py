import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_bundles import SIGNED_AT, bundle_file, flower_accepts, sign_beside, small

from shared.errors import InputError
from shared.signing.bundle import parse_bundle, read_bundle
from shared.signing.offer import read_offer, signature_path, write_registration
from shared.signing.record import SignatureRecord, check_records, sign_bundle
from shared.signing.reviewer_key import ReviewerKey
from shared.signing.trusted_entities import write_trusted_entities

LIND, BERG = ReviewerKey.generate("A. Lind"), ReviewerKey.generate("B. Berg")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small(tmp_path_factory.mktemp("program") / "source")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return small(tmp_path_factory.mktemp("program") / "source", more=', "numpy"')


@pytest.fixture
def record(bundle):
    return sign_bundle(bundle.facts, LIND, signed_at=SIGNED_AT)


@pytest.fixture
def trust(tmp_path):
    path = tmp_path / "trusted.yaml"
    write_trusted_entities(path, [LIND.reviewer])
    return path


def test_a_signature_names_who_what_and_when(bundle, record, tmp_path):
    assert record.verify() == LIND.reviewer
    assert record.bundle == bundle.facts
    assert record.signed_on == "2026-09-21"
    record.write(tmp_path / "x.signature.json")
    assert SignatureRecord.read(tmp_path / "x.signature.json") == record


def test_the_signature_flower_checks_is_over_time_and_hash_as_its_own_code_has_it(bundle, record):
    from flwr.supercore.primitives.asymmetric_ed25519 import create_message_to_sign

    message = create_message_to_sign(hashlib.sha256(bundle.content).digest(), SIGNED_AT)
    assert base64.urlsafe_b64decode(record.signature + "==") == LIND.sign(message)


def test_flower_accepts_the_good_bundle_and_refuses_every_bad_one(bundle, other, record, trust):
    good = record.flower_verification
    assert flower_accepts(bundle.content, [good], trust)
    # swapped bytes, unsigned, unknown reviewer, another key under the reviewer's identifier,
    # an edited time, an edited signature
    assert not flower_accepts(other.content, [good], trust)
    assert not flower_accepts(bundle.content[:-1] + b"\1", [good], trust)
    assert not flower_accepts(bundle.content, [], trust)
    by_berg = sign_bundle(bundle.facts, BERG, signed_at=SIGNED_AT).flower_verification
    assert not flower_accepts(bundle.content, [by_berg], trust)
    pretended = by_berg | {"public_key_id": LIND.reviewer.key_id}
    assert not flower_accepts(bundle.content, [pretended], trust)
    assert not flower_accepts(bundle.content, [good | {"signed_at": SIGNED_AT + 1}], trust)
    edited = base64.urlsafe_b64encode(bytes(64)).decode().rstrip("=")
    assert not flower_accepts(bundle.content, [good | {"signature": edited}], trust)
    # One trusted signature among others is enough, for Flower as for a clinic.
    assert flower_accepts(bundle.content, [by_berg, good], trust)


FIELDS = [
    ("signed_at", lambda old: old + 1),
    ("signed_at", lambda old: 0),
    ("reviewer", lambda old: BERG.reviewer.ssh_line),
    ("reviewer", lambda old: old + " PhD"),
    ("signature", lambda old: old[::-1]),
    ("statement_signature", lambda old: old[::-1]),
    ("bundle", lambda old: old.model_copy(update={"version": "0.1.1"})),
    ("bundle", lambda old: old.model_copy(update={"app": "@fedaffect/other"})),
    ("bundle", lambda old: old.model_copy(update={"sha256": "0" * 64})),
    ("bundle", lambda old: old.model_copy(update={"requires": ()})),
    ("bundle", lambda old: old.model_copy(update={"requires_python": ">=3"})),
]


@pytest.mark.parametrize(("field", "change"), FIELDS)
def test_an_edited_record_is_refused(record, field, change):
    edited = record.model_copy(update={field: change(getattr(record, field))})
    assert edited != record
    with pytest.raises(InputError, match="is not genuine"):
        edited.verify()


def test_neither_signature_stands_for_the_other(record):
    for pair in ((record.signature,) * 2, (record.statement_signature,) * 2):
        mixed = record.model_copy(update={"signature": pair[0], "statement_signature": pair[1]})
        with pytest.raises(InputError, match="is not genuine"):
            mixed.verify()


@pytest.mark.parametrize("field", ["signature", "statement_signature"])
def test_a_signature_has_one_spelling(record, field):
    # The last of 86 letters carries two bits only; another letter with the same two decodes alike.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    written = getattr(record, field)
    last = letters[letters.index(written[-1]) + 1]
    edited = record.model_copy(update={field: written[:-1] + last})
    with pytest.raises(InputError, match="is not genuine"):
        edited.verify()


@settings(max_examples=60)
@given(data=st.data())
def test_any_edit_of_a_record_file_is_refused_or_means_the_same(tmp_path_factory, bundle, data):
    record = sign_bundle(bundle.facts, LIND, signed_at=SIGNED_AT)
    text = record.model_dump_json()
    at = data.draw(st.integers(0, len(text) - 1))
    edited = text[:at] + data.draw(st.characters(max_codepoint=0x7F)) + text[at + 1 :]
    path = tmp_path_factory.mktemp("edited") / "x.signature.json"
    path.write_text(edited, encoding="utf-8")
    try:
        found = SignatureRecord.read(path)
        found.verify()
    except InputError:
        return
    assert found == record


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "words", '{"format": "fedaffect code signature 2"}']
)
def test_other_files_are_no_record(tmp_path, text):
    path = tmp_path / "x.signature.json"
    path.write_text(text)
    with pytest.raises(InputError, match="no signature of a bundle"):
        SignatureRecord.read(path)
    with pytest.raises(InputError, match="cannot be read"):
        SignatureRecord.read(tmp_path / "none.json")


def test_records_are_about_one_bundle_and_of_different_reviewers(bundle, other, record):
    by_berg = sign_bundle(bundle.facts, BERG, signed_at=SIGNED_AT)
    assert check_records(bundle.facts, [record, by_berg]) == (LIND.reviewer, BERG.reviewer)
    with pytest.raises(InputError, match="swapped"):
        check_records(other.facts, [record])
    with pytest.raises(InputError, match="twice"):
        check_records(bundle.facts, [record, sign_bundle(bundle.facts, LIND, signed_at=7)])


def test_an_offer_is_a_bundle_with_the_signatures_beside_it(tmp_path):
    path = bundle_file(tmp_path)
    assert read_offer(path).records == ()
    records = sign_beside(path, read_bundle(path), LIND)
    (tmp_path / "another.fab.fpk_1.signature.json").write_text("not ours")
    offer = read_offer(path)
    assert offer.records == tuple(records)
    assert offer.signers == (LIND.reviewer,)
    assert offer.bundle is not None
    elsewhere = tmp_path / "mail" / "berg.json"
    sign_bundle(offer.facts, BERG, signed_at=SIGNED_AT).write(elsewhere)
    assert read_offer(path, [elsewhere]).signers == (LIND.reviewer, BERG.reviewer)
    given_twice = signature_path(path, LIND.reviewer)
    assert read_offer(path, [given_twice]).signers == (LIND.reviewer,)


def test_one_bad_signature_spoils_the_offer(tmp_path, other):
    path = bundle_file(tmp_path)
    sign_beside(path, read_bundle(path), LIND)
    of_other = sign_bundle(other.facts, BERG, signed_at=SIGNED_AT)
    of_other.write(signature_path(path, BERG.reviewer))
    with pytest.raises(InputError, match="swapped"):
        read_offer(path)


def test_a_registration_says_all_but_the_bytes(tmp_path, bundle, other, record):
    path = tmp_path / "code-registration.json"
    write_registration(path, bundle.facts, [record])
    offer = read_offer(path)
    assert (offer.facts, offer.records, offer.bundle) == (bundle.facts, (record,), None)
    with pytest.raises(InputError, match="swapped"):
        write_registration(path, other.facts, [record])
    text = path.read_text()
    path.write_text(text.replace(str(SIGNED_AT), str(SIGNED_AT + 1)))
    with pytest.raises(InputError, match="is not genuine"):
        read_offer(path)
    # Other facts above the same signatures: version, or the hash of other bytes.
    for old, new in (("0.1.0", "0.1.1"), (bundle.facts.sha256, other.facts.sha256)):
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(InputError, match="swapped"):
            read_offer(path)
    path.write_text(text[:-20])
    with pytest.raises(InputError, match="no registration"):
        read_offer(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_offer(tmp_path / "none.json")


def test_a_registration_has_room_for_fifty_signatures(tmp_path, bundle):
    keys = [ReviewerKey.generate(f"R {number}") for number in range(51)]
    records = [sign_bundle(bundle.facts, key, signed_at=SIGNED_AT) for key in keys]
    path = tmp_path / "code-registration.json"
    with pytest.raises(InputError, match="51 signatures"):
        write_registration(path, bundle.facts, records)
    write_registration(path, bundle.facts, records[:50])
    assert len(read_offer(path).records) == 50


def test_parse_gives_the_facts_that_were_signed(bundle, record):
    assert parse_bundle(bundle.content, "x").facts == record.bundle
