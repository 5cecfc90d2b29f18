"""One spelling for each address."""

import ipaddress
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npms_shared.addresses import canonical_host

LOOPBACK = (
    "127.0.0.1", "localhost", "LocalHost.", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433",  # noqa: S104
    "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", " 127.0.0.1 ", "127.0.0.1.", "::1", "::",
    "0:0:0:0:0:0:0:1", "[::1]", "::ffff:127.0.0.1", "::FFFF:7f00:1", "meter.localhost",
    "１２７。０．０｡１",
)  # fmt: skip


@pytest.mark.parametrize("spelling", LOOPBACK)
def test_every_spelling_of_this_machine_is_one_address(spelling: str) -> None:
    assert canonical_host(spelling) == "127.0.0.1"


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.66051", "10.1.2.3"),
        ("012.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:DB8:0:0::0001", "2001:db8::1"),
        ("Meters.Example.ORG.", "meters.example.org"),
        ("ser2net_1", "ser2net_1"),
        ("Zähler.example", "xn--zhler-gra.example"),
        ("10.1.2.3.example", "10.1.2.3.example"),
        ("ex\u200bample.org", "example.org"),
        ("1.2.3.0x", "1.2.3.0"),
        ("0x7g", "0x7g"),
    ],
)
def test_a_host_has_one_spelling(spelling: str, canonical: str) -> None:
    assert canonical_host(spelling) == canonical


@pytest.mark.parametrize(
    "spelling",
    [
        "", " ", ".", "..", "a..b", "-a", "a-", "a b", "a/b", "http://a", "a:502", "user@a", "a\0b",
        "256.1.1.1", "1.2.3.4.5", "4294967296", "08.1.1.1", "fe80::1%eth0", "1::2::3",
        "[::1", "a" * 64, ".".join(["a" * 60] * 5),
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused(spelling: str) -> None:
    with pytest.raises(ValueError, match=r"no host|no IPv4|interface"):
        canonical_host(spelling)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{}", "0x{:x}", "0{:o}"]))
@example(0, "{}")
def test_every_way_of_the_resolver_is_known(number: int, form: str) -> None:
    spelling = form.format(number)
    resolved = ipaddress.ip_address(socket.inet_aton(spelling))
    expected = "127.0.0.1" if number == 0 else str(resolved)
    assert canonical_host(spelling) == expected


@given(st.one_of(st.ip_addresses().map(str), st.text(max_size=30), st.from_regex(r"[a-z0-9.:x]+")))
def test_what_is_canonical_stays_as_it_is(spelling: str) -> None:
    try:
        canonical = canonical_host(spelling)
    except ValueError:
        return
    assert canonical_host(canonical) == canonical
