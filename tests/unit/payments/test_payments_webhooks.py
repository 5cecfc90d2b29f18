import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_payments.domain.webhooks import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE_S,
    Secret,
    SecretInvalid,
    WebhookRefused,
    sign,
    verify,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
KEYS = st.binary(min_size=24, max_size=64)
IDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40)


def text_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


SECRET = Secret.parse(text_of(b"k" * 32))
OTHER = Secret.parse(text_of(b"o" * 32))


def signed(
    body: bytes, *, secret: Secret = SECRET, at_s: int = NOW_S, name: str = "msg_1"
) -> dict[str, str]:
    signature = sign(secret, message_id=name, timestamp_s=at_s, body=body)
    return {ID: name, TIMESTAMP: str(at_s), SIGNATURE: signature}


def refusal(headers: dict[str, str], body: bytes = b"{}") -> str:
    with pytest.raises(WebhookRefused) as refused:
        verify([SECRET], headers, body, at=NOW)
    return refused.value.code


def test_the_published_vector() -> None:
    secret = Secret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(
        secret,
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp_s=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(KEYS, IDS, st.binary(max_size=500), st.integers(-TOLERANCE_S, TOLERANCE_S))
def test_what_is_signed_verifies(key: bytes, name: str, body: bytes, age_s: int) -> None:
    secret = Secret.parse(text_of(key))
    headers = signed(body, secret=secret, at_s=NOW_S - age_s, name=name)
    assert verify([secret], headers, body, at=NOW) == name


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_changed_byte_is_found(body: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = body[:place] + bytes([body[place] ^ flip]) + body[place + 1 :]
    assert refusal(signed(body), changed) == "wrong_signature"


def test_another_id_or_time_does_not_carry_the_signature() -> None:
    assert refusal(signed(b"{}") | {ID: "msg_2"}) == "wrong_signature"
    assert refusal(signed(b"{}") | {TIMESTAMP: str(NOW_S - 1)}) == "wrong_signature"


def test_too_old_and_too_new() -> None:
    assert refusal(signed(b"{}", at_s=NOW_S - TOLERANCE_S - 1)) == "too_old"
    assert refusal(signed(b"{}", at_s=NOW_S + TOLERANCE_S + 1)) == "too_new"


@pytest.mark.parametrize("name", [ID, TIMESTAMP, SIGNATURE])
def test_a_missing_header(name: str) -> None:
    headers = signed(b"{}")
    del headers[name]
    assert refusal(headers) == "missing_header"
    assert refusal(headers | {name: ""}) == "missing_header"


@given(st.text(max_size=60))
def test_no_signature_text_breaks_the_check(text: str) -> None:
    assert refusal(signed(b"{}") | {SIGNATURE: text}) in {
        "wrong_signature",
        "missing_header",
    }


@given(st.text(min_size=1, max_size=30).filter(lambda t: not (t.isascii() and t.isdigit())))
def test_a_timestamp_that_is_none(text: str) -> None:
    assert refusal(signed(b"{}") | {TIMESTAMP: text}) == "malformed_header"


def test_a_huge_timestamp_or_header_is_malformed() -> None:
    assert refusal(signed(b"{}") | {TIMESTAMP: "9" * 400}) == "malformed_header"
    assert refusal(signed(b"{}") | {SIGNATURE: "v1,a " * 400}) == "malformed_header"


def test_secrets_are_replaced_without_a_gap() -> None:
    old, new = signed(b"{}"), signed(b"{}", secret=OTHER)
    both = old | {SIGNATURE: f"v1a,ed25519 {old[SIGNATURE]} {new[SIGNATURE]}"}
    assert verify([OTHER], both, b"{}", at=NOW) == "msg_1"
    assert verify([OTHER, SECRET], old, b"{}", at=NOW) == "msg_1"
    with pytest.raises(WebhookRefused):
        verify([OTHER], old, b"{}", at=NOW)
    with pytest.raises(WebhookRefused):
        verify([], old, b"{}", at=NOW)


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", text_of(b"k" * 23), text_of(b"k" * 65), "whsec_!!!!", text_of(b"k" * 32)[6:]],
)
def test_secrets_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(SecretInvalid) as invalid:
        Secret.parse(text)
    assert text == "" or text not in str(invalid.value).replace("whsec_ ", "")


def test_a_secret_does_not_print_itself() -> None:
    assert "kkk" not in repr(SECRET)


def test_the_tolerance_is_five_minutes() -> None:
    assert timedelta(seconds=TOLERANCE_S) == timedelta(minutes=5)
