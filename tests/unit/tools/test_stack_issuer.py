import stat
from datetime import timedelta
from pathlib import Path

import pytest

from npms_shared.auth.tokens import TokenRefused
from npms_shared.auth.verifier import TokenVerifier, TrustedIssuer
from npms_tools.stack.issuer import AUDIENCE, ISSUER, Issuer


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "issuer")


def verifier(issuer: Issuer) -> TokenVerifier:
    return TokenVerifier([TrustedIssuer(ISSUER, jwks_path=issuer.jwks_path)], audience=AUDIENCE)


async def test_the_services_accept_what_the_issuer_signs(issuer: Issuer):
    token = issuer.issue_token("anna", ["customer"], customer_id=7)

    principal = await verifier(issuer).verify(token)

    assert (principal.subject, principal.roles) == ("anna", {"customer"})
    assert principal.customer_id == 7


async def test_a_partner_carries_its_id(issuer: Issuer):
    token = issuer.issue_token("shop", ["partner"], partner_id="p-1")

    assert (await verifier(issuer).verify(token)).partner_id == "p-1"


async def test_the_key_is_kept(issuer: Issuer):
    token = issuer.issue_token("anna", ["operator"])

    assert (await verifier(Issuer(issuer.jwks_path.parent)).verify(token)).subject == "anna"


async def test_another_key_is_refused(issuer: Issuer, tmp_path: Path):
    token = Issuer(tmp_path / "other").issue_token("anna", ["admin"])

    with pytest.raises(TokenRefused):
        await verifier(issuer).verify(token)


async def test_an_old_token_is_refused(issuer: Issuer):
    token = issuer.issue_token("anna", ["operator"], lifetime=timedelta(hours=-1))

    with pytest.raises(TokenRefused):
        await verifier(issuer).verify(token)


def test_an_unknown_role_is_refused(issuer: Issuer):
    with pytest.raises(ValueError, match="no such role: king"):
        issuer.issue_token("anna", ["king"])


def test_the_private_key_stays_private(issuer: Issuer):
    public = issuer.jwks_path

    assert '"d"' not in public.read_text()
    assert stat.S_IMODE((public.parent / "private.json").stat().st_mode) == 0o600
