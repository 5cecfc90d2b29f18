"""What every service's bootstrap.py makes of its settings in the same way."""

from npms_shared.auth.tokens import KeysUnreadable, TokenVerifier
from npms_shared.db.engine import Database
from npms_shared.settings import ServiceSettings, SettingsError, variable_of


def open_database(settings: ServiceSettings, *, service: str) -> Database:
    """The service's database, as the application's role; connects when first used."""
    return Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        application=f"npms-{service}",
    )


def token_verifier(settings: ServiceSettings) -> TokenVerifier:
    """Reads the issuer's public keys from their file. Raises SettingsError."""
    try:
        return TokenVerifier(
            jwks_path=settings.jwks_path,
            issuer=settings.token_issuer,
            audience=settings.token_audience,
        )
    except KeysUnreadable as fault:
        raise SettingsError([f"{variable_of(type(settings), 'jwks_path')}: {fault}"]) from None
