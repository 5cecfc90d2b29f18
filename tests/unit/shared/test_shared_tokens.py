"""Whose tokens are believed, and that no token breaks what reads it."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from tests.support.oidc import OidcIssuer, oidc_issuer
from tests.support.tokens import TestIssuer
from tests.support.wait import until

from npms_shared.auth.keys import KeysUnavailable, Pace
from npms_shared.auth.tokens import Principal, RoleRules, TokenRefused
from npms_shared.auth.verifier import TokenVerifier, TrustedIssuer
from npms_shared.web.app import create_app
from npms_shared.web.principals import Caller

AT_ONCE = Pace(max_age_s=60, between_s=0, stale_s=60)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("alg", "kid", "crit", "typ", "jku", "jwk", "x5c", "b64", "cty", "x5u")
DEEP = b'{"iss":' + b"[" * 3_000 + b"]" * 3_000 + b"}"


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> TestIssuer:
    return TestIssuer(Path(tmp_path_factory.mktemp("issuer")))


@pytest.fixture
def oidc() -> Iterator[OidcIssuer]:
    with oidc_issuer() as issuer:
        yield issuer


def verifier(*issuers: TrustedIssuer, pace: Pace = AT_ONCE) -> TokenVerifier:
    return TokenVerifier(issuers, audience="npms", pace=pace)


async def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(TokenRefused) as refused:
        await verifier.verify(token)
    return refused.value.reason


@given(header=st.dictionaries(st.sampled_from(NAMES), JSON_VALUES))
async def test_any_malformed_header_is_refused_and_fails_nowhere(
    issuer: TestIssuer, header: dict[str, Any]
) -> None:
    _, claims, signature = issuer.token("operator").split(".")
    verify = issuer.edge().verifier.verify
    for given_header in (header, {"alg": "Ed25519", "kid": "test", **header}):
        if set(given_header) <= {"alg", "kid", "typ"} and given_header.get("kid") == "test":
            continue
        with pytest.raises(TokenRefused):
            await verify(f"{encoded(given_header)}.{claims}.{signature}")


@pytest.mark.parametrize(
    "header",
    [{"crit": 5}, {"crit": ["b64"]}, {"kid": 5}, {"alg": 5}, {"alg": "none"}, {"alg": ["Ed25519"]}],
)
async def test_a_header_that_cannot_be_is_401_and_no_failure(
    issuer: TestIssuer, header: dict[str, Any]
) -> None:
    router = APIRouter(prefix="/v1")

    @router.get("/me", operation_id="show_me")
    async def me(caller: Caller) -> str:
        return caller.subject

    app = create_app(service="example", description="", edge=issuer.edge(), routers=[router])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    _, claims, signature = issuer.token("operator").split(".")
    token = f"{encoded({'alg': 'Ed25519', 'kid': 'test', **header})}.{claims}.{signature}"
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "token",
    [
        *("", "a.b", "a.b.c.d", "....", "é.é.é", "x" * 9_000),
        f"{encoded({'alg': 'Ed25519'})}.{encoded(DEEP)}.c2ln",
        f"{encoded(DEEP)}.{encoded({})}.c2ln",
        f"{encoded([])}.{encoded({})}.c2ln",
        f"{encoded({'alg': 'Ed25519'})}.{encoded([])}.c2ln",
        f"{encoded(bytes([255]))}.{encoded({})}.c2ln",
    ],
)
async def test_what_is_no_token_is_refused(issuer: TestIssuer, token: str) -> None:
    await refusal(issuer.edge().verifier, token)


@pytest.mark.parametrize(
    "claims",
    [
        *({"customer_id": odd} for odd in (True, 0, -1, 2**63, 2**70, "7", 7.0, [7])),
        *({"partner_id": odd} for odd in (7, "", "a b", "x" * 65, "a\0b", "../x", ["p"])),
        *({"sub": odd} for odd in (7, "", "x" * 201, "a\0b", "\ud800", "ab\u202e", None)),
        *({"roles": odd} for odd in ("operator", [], [5], [["operator"]], ["king"], None)),
        *({"exp": odd} for odd in (True, "soon", 1e308, float("inf"), float("nan"), None, [])),
        *({"aud": odd} for odd in (None, ["else"], {"npms": 1}, 5)),
        *({"iss": odd} for odd in (None, ["npms-dev"], {}, 5)),
        {"nbf": 2**39},
        {"iat": 2**39},
    ],
)
async def test_a_claim_of_another_form_is_refused(
    issuer: TestIssuer, claims: dict[str, Any]
) -> None:
    await refusal(issuer.edge().verifier, issuer.token("operator", **claims))


async def test_claims_of_the_right_form_make_a_principal(issuer: TestIssuer) -> None:
    token = issuer.token("partner", customer_id=2**63 - 1, partner_id="shop-7", aud=["x", "npms"])
    found = await issuer.edge().verifier.verify(token)
    expected = Principal("somebody", frozenset({"partner"}), 2**63 - 1, "shop-7")
    assert found == expected


async def test_an_issuer_is_found_by_discovery_and_its_keys_are_kept(oidc: OidcIssuer) -> None:
    verify = verifier(TrustedIssuer(oidc.name)).verify
    for _ in range(3):
        assert (await verify(oidc.token("customer"))).roles == {"customer"}
    assert oidc.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_several_issuers_give_the_roles_that_each_may(
    oidc: OidcIssuer, issuer: TestIssuer
) -> None:
    both = verifier(
        TrustedIssuer(oidc.name, RoleRules(frozenset({"customer"})), jwks_url=f"{oidc.name}/keys"),
        TrustedIssuer("npms-dev", RoleRules(frozenset({"operator"})), jwks_path=issuer.jwks_path),
    )
    assert (await both.verify(oidc.token("customer"))).roles == {"customer"}
    assert (await both.verify(issuer.token("operator"))).roles == {"operator"}
    assert "may not give" in await refusal(both, oidc.token("operator"))
    assert "may not give" in await refusal(both, issuer.token("operator", "customer"))
    assert "not trusted" in await refusal(both, issuer.token("operator", iss="elsewhere"))
    assert "signature" in await refusal(both, oidc.token("operator", iss="npms-dev", key_id="test"))


async def test_a_rotated_key_is_fetched_and_a_revoked_one_refused_without_a_restart(
    oidc: OidcIssuer,
) -> None:
    rotating = verifier(TrustedIssuer(oidc.name))
    old = oidc.token("operator")
    assert await rotating.verify(old)
    oidc.rotate("second")
    assert await rotating.verify(oidc.token("operator"))
    assert "no such key" in await refusal(rotating, old)


async def test_a_revoked_key_is_refused_once_the_keys_are_old(oidc: OidcIssuer) -> None:
    short = verifier(TrustedIssuer(oidc.name), pace=Pace(max_age_s=0.05, between_s=0, stale_s=60))
    old = oidc.token("operator")
    assert await short.verify(old)
    oidc.rotate("second")

    async def refused() -> bool:
        try:
            return not await short.verify(old)
        except TokenRefused:
            return True

    await until(refused)


async def test_unknown_keys_ask_the_issuer_at_a_bounded_rate(oidc: OidcIssuer) -> None:
    bounded = verifier(TrustedIssuer(oidc.name), pace=Pace(max_age_s=60, between_s=60))
    assert await bounded.verify(oidc.token("operator"))
    for number in range(20):
        await refusal(bounded, oidc.token("operator", key_id=f"invented-{number}"))
    assert oidc.asked.count("/keys") == 1


async def test_an_issuer_that_is_away_is_no_refusal_and_its_keys_serve_on(
    oidc: OidcIssuer,
) -> None:
    oidc.away = True
    patient = verifier(
        TrustedIssuer(oidc.name), pace=Pace(max_age_s=0.001, between_s=0, stale_s=60)
    )
    with pytest.raises(KeysUnavailable):
        await patient.verify(oidc.token("operator"))
    oidc.away = False
    assert await patient.verify(oidc.token("operator"))
    oidc.away = True
    assert await patient.verify(oidc.token("operator"))
    strict = verifier(TrustedIssuer(oidc.name), pace=Pace(max_age_s=0.001, between_s=0, stale_s=0))
    oidc.away = False
    with pytest.raises(KeysUnavailable):
        await strict.verify(oidc.token("operator"))


async def test_a_file_of_keys_that_changes_is_read_anew(tmp_path: Path) -> None:
    first = TestIssuer(tmp_path)
    of_file = first.edge().verifier
    assert await of_file.verify(first.token("operator"))
    second = TestIssuer(tmp_path)
    os.utime(second.jwks_path, ns=(1, 1))

    async def taken() -> bool:
        try:
            return bool(await of_file.verify(second.token("operator")))
        except TokenRefused:
            return False

    await until(taken)
    await refusal(of_file, first.token("operator"))


KEYCLOAK = RoleRules(claim="/realm_access/roles")


@pytest.mark.parametrize(
    ("rules", "claims", "roles"),
    [
        (KEYCLOAK, {"realm_access": {"roles": ["offline_access", "operator"]}}, {"operator"}),
        (
            RoleRules(names={"npms-staff": "operator", "npms-root": "admin"}),
            {"roles": ["npms-staff", "operator-of-something-else"]},
            {"operator"},
        ),
        (
            RoleRules(claim="/urn:roles", names={"a": "customer"}),
            {"urn:roles": ["a", "admin"]},
            {"customer"},
        ),
    ],
)
def test_roles_are_read_where_an_issuer_has_them(
    rules: RoleRules, claims: dict[str, Any], roles: set[str]
) -> None:
    assert rules.roles_in(claims) == roles


@pytest.mark.parametrize(
    ("rules", "claims"),
    [
        (KEYCLOAK, {"roles": ["operator"]}),
        (KEYCLOAK, {"realm_access": ["operator"]}),
        (KEYCLOAK, {"realm_access": {"roles": ["offline_access"]}}),
        (KEYCLOAK, {"realm_access": {"roles": "operator"}}),
        (RoleRules(frozenset({"customer"}), "/a/b"), {"a": {"b": ["customer", "admin"]}}),
        (RoleRules(names={"npms-staff": "operator"}), {"roles": ["operator"]}),
        (RoleRules(), {"roles": ["operator", "unknown"]}),
        (RoleRules(), {"roles": ["operator", 5]}),
    ],
)
def test_no_role_is_taken_from_elsewhere_or_beyond_what_the_issuer_may_give(
    rules: RoleRules, claims: dict[str, Any]
) -> None:
    with pytest.raises(TokenRefused):
        rules.roles_in(claims)
