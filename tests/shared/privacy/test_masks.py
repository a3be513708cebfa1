import pickle

import numpy as np
import pytest
from goodness_of_fit import FALSE_ALARM, uniform_bits, unrelated
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.errors import PrivacyError
from shared.privacy.key_stream import KeyStream
from shared.privacy.masks import MaskKey, fingerprint, pair_masks
from shared.privacy.secure_sum import add_modulo, seal

KEYS = [MaskKey.generate() for _ in range(12)]
ENOUGH = 2500  # integers, for a chi-square over bytes
CONTEXT = {"study": "5f" * 32, "round_number": 3, "input_digest": "a0" * 32, "length": ENOUGH}


def masks(keys, roster=None, **changed):
    """One row of masks for each key, in the roster of all keys unless another is given."""
    roster = [key.public for key in keys] if roster is None else roster
    return np.stack([pair_masks(key, roster, **CONTEXT | changed) for key in keys])


def known_keys():
    return [MaskKey.from_bytes(bytes([number]) * 32) for number in (1, 2, 3)]


@settings(max_examples=30)
@given(
    values=st.tuples(st.integers(2, 12), st.integers(1, 9)).flatmap(
        lambda shape: arrays(np.int64, shape, elements=st.integers(-(2**50), 2**50))
    ),
    round_number=st.integers(1, 2**40),
    study=st.text(max_size=80),
    input_digest=st.text(max_size=80),
)
def test_masks_of_a_full_roster_cancel_exactly(values, **context):
    rows = masks(KEYS[: len(values)], length=values.shape[1], **context)
    sealed = np.stack([seal(row, mask) for row, mask in zip(values, rows, strict=True)])
    np.testing.assert_array_equal(add_modulo(sealed), values.sum(axis=0))


@pytest.mark.parametrize("clinics", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_masks_of_a_large_roster_cancel_exactly(clinics):
    rows = masks([MaskKey.generate() for _ in range(clinics)], length=2)
    assert add_modulo(rows).tolist() == [0, 0]
    assert np.unique(rows).size == rows.size


def test_the_order_of_the_roster_does_not_matter():
    roster = [key.public for key in KEYS[:5]]
    np.testing.assert_array_equal(masks(KEYS[:5], roster), masks(KEYS[:5], roster[::-1]))


def test_anything_less_than_the_full_roster_is_uniform():
    zero = np.zeros(ENOUGH, dtype=np.int64)
    rows = np.stack([seal(zero, mask) for mask in masks(KEYS[:4])])
    for chosen in range(1, 2**4 - 1):
        part = rows[[bool(chosen >> clinic & 1) for clinic in range(4)]]
        assert uniform_bits(np.add.reduce(part)) > FALSE_ALARM


def test_messages_that_are_not_masked_in_full_are_found_out():
    mask = masks(KEYS[:2])[0]
    bare = seal(np.arange(ENOUGH), None)
    assert uniform_bits(bare) < FALSE_ALARM
    assert uniform_bits(bare + (mask >> np.uint64(1))) < FALSE_ALARM  # the highest bit stays bare
    assert not unrelated(mask, bare + mask)
    assert not unrelated(mask, bare - mask)


@pytest.mark.parametrize(
    "changed",
    [
        {"study": "5e" * 32},
        {"round_number": 4},
        {"round_number": 33},
        {"input_digest": "a1" * 32},
        {"study": CONTEXT["study"] + "3", "round_number": ""},  # the same characters in a row
        {"study": CONTEXT["study"][:-1], "round_number": CONTEXT["study"][-1] + "3"},
        {"length": ENOUGH + 1},
    ],
    ids=["study", "round", "round 33", "input", "no round", "moved boundary", "length"],
)
def test_any_other_use_has_unrelated_masks(changed):
    first, second = masks(KEYS[:3]), masks(KEYS[:3], **changed)[:, :ENOUGH]
    assert not first[first == second].size
    for one, other in zip(first, second, strict=True):
        assert unrelated(one, other)


def test_any_other_key_has_unrelated_masks():
    first = masks(KEYS[:3])
    assert unrelated(masks([*KEYS[:2], KEYS[3]])[0], first[0])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert unrelated(first[one], first[other])


def test_clinics_shown_different_inputs_do_not_cancel():
    honest = masks(KEYS[:4])
    fooled = masks(KEYS[:4], input_digest="a1" * 32)
    mixed = np.concatenate([honest[:1], fooled[1:]])
    assert uniform_bits(np.add.reduce(mixed)) > FALSE_ALARM
    assert not np.add.reduce(fooled).any()


def test_the_derivation_is_the_published_one():
    """All clinics of a study must agree on these; a change needs a new ``DERIVATION``."""
    found = masks(known_keys(), study="sss", round_number=2, input_digest="i", length=3)
    assert found.tolist() == [
        [9192818625482017482, 912607132095205872, 13330304686994137198],
        [5433139106640265571, 6497482885588865834, 11825097172330454638],
        [3820786341587268563, 11036654056025479910, 11738086288094511396],
    ]
    assert KeyStream(bytes(32), b"noise", [b"a", b""]).read(16).hex() == (
        "b6269e2bbe914917ab72c967316e939f"
    )


def test_a_stream_is_read_on_and_its_name_is_unambiguous():
    whole = KeyStream(bytes(32), b"p", [b"ab", b"c"]).read(5000)
    stream = KeyStream(bytes(32), b"p", [b"ab", b"c"])
    assert stream.read(1) + stream.read(130) + stream.read(4869) == whole
    others = [
        KeyStream(bytes(32), b"p", [b"a", b"bc"]),
        KeyStream(bytes(32), b"p", [b"ab", b"c", b""]),
        KeyStream(bytes(32), b"pab", [b"c"]),
        KeyStream(bytes(31) + b"\1", b"p", [b"ab", b"c"]),
    ]
    assert len({whole, *(other.read(5000) for other in others)}) == 5


def test_a_key_is_kept_and_never_shown():
    key = MaskKey.generate()
    again = MaskKey.from_bytes(key.to_bytes())
    assert again == key
    assert hash(again) == hash(key)
    assert pickle.loads(pickle.dumps(key)) == key
    assert key != MaskKey.generate()
    assert key != key.public
    assert len(key.public) == 64
    for shown in (repr(key), str(key), f"{[key]}"):
        assert key.public in shown
        assert key.to_bytes().hex() not in shown
        assert repr(key.to_bytes()) not in shown


def test_two_clinics_agree_on_a_secret_that_others_do_not_have():
    a, b, c = KEYS[:3]
    assert a.agree(b.public) == b.agree(a.public)
    assert len({a.agree(b.public), a.agree(c.public), b.agree(c.public)}) == 3


def test_clinics_agree_once_and_use_the_secret_in_every_round(monkeypatch):
    peers = []

    def agree(self, public, original=MaskKey.agree):
        peers.append(public)
        return original(self, public)

    monkeypatch.setattr(MaskKey, "agree", agree)
    own = MaskKey.generate()
    others = [key.public for key in KEYS[:4]]
    for key in (own, MaskKey.from_bytes(own.to_bytes())):
        for round_number in (1, 2):
            masks([key], [own.public, *others], round_number=round_number)
    assert peers == others


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_refused(size):
    with pytest.raises(PrivacyError, match=f"32 bytes, {size} are here"):
        MaskKey.from_bytes(bytes(size))


def test_a_fingerprint_can_be_read_aloud():
    found = [fingerprint(key.public) for key in known_keys()]
    assert found == [
        "KWN6-CFNR-KBX5-EGH6-SYKE",
        "VJC7-53LR-ZVUG-IKAS-D2XF",
        "25E7-LGJR-BTN2-IR54-HEL3",
    ]
    assert len({fingerprint(key.public) for key in KEYS}) == len(KEYS)


LOW_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ec" + "ff" * 30 + "7f",
]


@pytest.mark.parametrize("public", LOW_ORDER)
def test_a_key_whose_secret_anybody_knows_is_refused(public):
    with pytest.raises(PrivacyError, match=rf"{public} is a point of low order"):
        masks(KEYS[:2], [KEYS[0].public, KEYS[1].public, public])


@pytest.mark.parametrize("public", ["ed" + "ff" * 30 + "7f", "ff" * 32, "09" + "00" * 30 + "80"])
def test_a_second_spelling_of_a_key_is_refused(public):
    with pytest.raises(PrivacyError, match="not the usual form"):
        masks(KEYS[:2], [KEYS[0].public, KEYS[1].public, public])


@pytest.mark.parametrize(
    "public",
    ["", "ab", "zz" * 32, "AB" * 32, "ab" * 33, " " + "ab" * 31 + "a", "ab" * 32 + "\n", "٣" * 64],
)
def test_a_malformed_key_is_refused(public):
    with pytest.raises(PrivacyError, match="is malformed"):
        masks(KEYS[:2], [KEYS[0].public, KEYS[1].public, public])
    with pytest.raises(PrivacyError, match="is malformed"):
        fingerprint(public)


def test_a_roster_that_cannot_be_is_refused():
    a, b, c = (key.public for key in KEYS[:3])
    for short in ([], [a]):
        with pytest.raises(PrivacyError, match=f"over {len(short)} clinics asked"):
            masks(KEYS[:1], short)
    with pytest.raises(PrivacyError, match=f"{b} stands twice"):
        masks(KEYS[:1], [a, b, c, b])
    with pytest.raises(PrivacyError, match=f"{a} stands twice"):
        masks(KEYS[:1], [a, b, a])
    with pytest.raises(PrivacyError, match=f"{a} is not in the roster of 2 keys"):
        masks(KEYS[:1], [b, c])
    with pytest.raises(PrivacyError, match="masks for 0 coordinates"):
        masks(KEYS[:2], length=0)
