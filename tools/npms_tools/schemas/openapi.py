"""OpenAPI of each service, from its own application, without any server."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI
from joserfc.jwk import OKPKey

from npms_shared.runtime import Service
from npms_shared.settings import ServiceSettings
from npms_tools.stack.services import package_of

_PLACEHOLDER = "only-to-describe-the-interface-of-the-service"
_EVERYONE = {"database_url": "postgresql://nowhere/npms", "amqp_url": "amqp://nowhere/npms"}
_EXTRA: dict[str, dict[str, str]] = {
    "payments": {"voucher_pepper": _PLACEHOLDER},
    "notifier": {
        "smtp_host": "nowhere",
        "smtp_sender": "nobody@npms.example",
        "sms_url": "http://nowhere/sms",
        "sms_api_key": _PLACEHOLDER,
        "code_pepper": _PLACEHOLDER,
    },
}
"""What a service cannot be put together without; nothing of it is used."""


def openapi_document(service: str) -> dict[str, Any]:
    """As the service itself serves it at /openapi.json."""
    return application_of(service).openapi()


def application_of(service: str) -> FastAPI:
    """The service's REST application, put together by its own bootstrap."""
    package = package_of(service)
    build: Callable[[Any], Service] = import_module(f"{package}.bootstrap").build
    with _key_set() as jwks_path:
        given = {**_EVERYONE, **_EXTRA.get(service, {}), "jwks_path": jwks_path}
        return build(_settings_class(package)(**given)).app


def _settings_class(package: str) -> Callable[..., ServiceSettings]:
    module = import_module(f"{package}.settings")
    [found] = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, ServiceSettings)
        and value.__module__ == module.__name__
    ]
    return found


@contextmanager
def _key_set() -> Iterator[Path]:
    """A file with a key that nobody has."""
    key = OKPKey.generate_key("Ed25519")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "jwks.json"
        path.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        yield path
