import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.deployment.address import check_address, check_host, join_address, split_address
from shared.errors import InputError


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("fl.example.org", "fl.example.org"),
        (" FL.Example.ORG ", "fl.example.org"),
        ("localhost", "localhost"),
        ("10.0.0.7", "10.0.0.7"),
        ("[2001:DB8::0001]", "2001:db8::1"),
        ("zürich.ch", "xn--zrich-kva.ch"),
    ],
)
def test_a_host_has_one_spelling(written, kept):
    assert check_host(written) == kept
    assert check_host(kept) == kept


@pytest.mark.parametrize(
    "host",
    ["", " ", ".", "https://a.org", "a.org:443", "a.org/x", "*.org", "a b", "-a.org", "a..b",
     "1.2.3", "300.1.1.1", "a.org.", "x" * 64, ".".join(["abcdefgh"] * 30), "a\nb", "a_b.org"],
)  # fmt: skip
def test_what_is_no_host_is_refused(host):
    with pytest.raises(InputError, match="give a host name such as"):
        check_host(host)


@given(
    st.one_of(
        st.ip_addresses().map(str),
        st.from_regex(r"[a-z][a-z0-9]{0,20}(\.[a-z][a-z0-9]{0,20}){0,3}", fullmatch=True),
    ),
    st.integers(1, 65535),
)
def test_an_address_is_split_into_what_it_was_joined_from(host, port):
    address = join_address(host, port)
    assert split_address(address) == (host, port)
    assert check_address(address) == address


@pytest.mark.parametrize("address", ["a.org", "a.org:", "a.org:0", "a.org:65536", "a.org:x", ":1"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InputError):
        split_address(address)
    with pytest.raises(ValueError, match=r"host|address"):
        check_address(address)
