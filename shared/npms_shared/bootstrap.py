"""What every service's bootstrap.py makes of its settings in the same way."""

from npms_shared.auth.keys import KeysUnreadable, Pace
from npms_shared.auth.verifier import TokenVerifier
from npms_shared.db.engine import Database
from npms_shared.settings import IssuerSettings, ServiceSettings, SettingsError, variable_of
from npms_shared.web.edge import Edge


def open_database(settings: ServiceSettings, *, service: str) -> Database:
    """The service's database, as the application's role; connects when first used."""
    return Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        application=f"npms-{service}",
    )


def make_edge(settings: ServiceSettings) -> Edge:
    """Whose tokens are taken and what a client may ask. Raises SettingsError."""
    issuers = list(settings.token_issuers)
    if settings.jwks_path is not None:
        own = IssuerSettings(issuer=settings.token_issuer, jwks_path=settings.jwks_path)
        issuers.append(own)
    try:
        verifier = TokenVerifier(
            [issuer.trusted() for issuer in issuers],
            audience=settings.token_audience,
            pace=Pace(max_age_s=settings.token_keys_max_age_s),
        )
    except KeysUnreadable as fault:
        wrong = "jwks_path" if fault.place == settings.jwks_path else "token_issuers"
        raise SettingsError([f"{variable_of(type(settings), wrong)}: {fault}"]) from None
    return Edge(verifier, settings.limits(), docs=settings.docs)
