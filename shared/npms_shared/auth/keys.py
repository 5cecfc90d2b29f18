"""An issuer's public keys, of a file or over HTTP: kept a while, asked for at a bounded rate."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from npms_shared.auth.tokens import TokenRefused

LARGEST_DOCUMENT = 1_000_000
MOST_KEYS = 100
SMALLEST_RSA_BITS = 2_048
FETCH_TIMEOUT_S = 5.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Keys = Mapping[str | None, Key]
"""By `kid`."""
Load = Callable[[], Awaitable[Keys]]

log = structlog.get_logger()


class KeysUnreadable(ValueError):
    """What should be a JWK set with at least one usable key is none."""

    def __init__(self, place: Path | str) -> None:
        super().__init__(f"no JWK set with a key in it: {place}")
        self.place = place


class KeysUnavailable(Exception):
    """The issuer's keys are not known, and it does not tell them now."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long keys are used, how often asked for, how long used while nobody answers."""

    max_age_s: float = 300.0
    between_s: float = 10.0
    stale_s: float = 3_600.0


OF_A_FILE = Pace(max_age_s=2.0, between_s=1.0, stale_s=float("inf"))


class KeyRing:
    """Keys of one issuer. Asked for ahead of their age, so that no request waits for them."""

    def __init__(self, issuer: str, load: Load, pace: Pace, keys: Keys | None = None) -> None:
        self._issuer, self._load, self._pace = issuer, load, pace
        self._keys: Keys = keys or {}
        self._loaded_at = time.monotonic() if keys else -float("inf")
        self._tried_at = -float("inf")
        self._refresh: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> Key:
        """Raises TokenRefused for a key that the issuer does not have, KeysUnavailable."""
        age_s = time.monotonic() - self._loaded_at
        if age_s > self._pace.max_age_s:
            await self._refreshed()
        elif age_s > self._pace.max_age_s / 2:
            self._begin_refresh()
        if (key := self._pick(key_id)) is None:
            await self._refreshed()
            key = self._pick(key_id)
        if time.monotonic() - self._loaded_at > self._pace.stale_s:
            raise KeysUnavailable(self._issuer)
        if key is None:
            raise TokenRefused("its issuer has no such key")
        return key

    def _pick(self, key_id: str | None) -> Key | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    async def _refreshed(self) -> None:
        self._begin_refresh()
        if self._refresh is not None:
            await asyncio.shield(self._refresh)

    def _begin_refresh(self) -> None:
        now = time.monotonic()
        if self._refresh is None and now - self._tried_at >= self._pace.between_s:
            self._tried_at = now
            self._refresh = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            self._keys = await self._load()
            self._loaded_at = time.monotonic()
        except (httpx.HTTPError, OSError, ValueError) as fault:
            log.warning("issuer_keys_unread", issuer=self._issuer, fault=repr(fault)[:300])
        finally:
            self._refresh = None


class FileKeys:
    """The keys in a file, read anew when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_of: tuple[int, int] | None = None
        self._keys: Keys = {}

    async def __call__(self) -> Keys:
        return self.read()

    def read(self) -> Keys:
        """Raises KeysUnreadable."""
        try:
            found = self._path.stat()
            if (state := (found.st_mtime_ns, found.st_ino)) != self._read_of:
                self._keys = parse_keys(json.loads(self._path.read_bytes()))
                self._read_of = state
        except (OSError, ValueError, RecursionError):
            raise KeysUnreadable(self._path) from None
        return self._keys


class HttpKeys:
    """The keys at `jwks_url`, or where the issuer's OpenID Connect discovery says."""

    def __init__(self, issuer: str, jwks_url: str | None) -> None:
        self._issuer, self._jwks_url = issuer, jwks_url

    async def __call__(self) -> Keys:
        """Raises httpx.HTTPError, KeysUnreadable."""
        async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, trust_env=False) as http:
            url = self._jwks_url or await self._discovered(http)
            try:
                return parse_keys(await _document(http, url))
            except ValueError:
                raise KeysUnreadable(url) from None

    async def _discovered(self, http: httpx.AsyncClient) -> str:
        place = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        found = await _document(http, place)
        url = found.get("jwks_uri")
        if found.get("issuer") != self._issuer or not isinstance(url, str) or not is_safe_url(url):
            raise KeysUnreadable(place)
        return url


async def _document(http: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """Raises httpx.HTTPError, KeysUnreadable; a redirect is not followed."""
    body = bytearray()
    async with http.stream("GET", url) as answer:
        if answer.status_code != httpx.codes.OK:
            raise KeysUnreadable(f"{url} ({answer.status_code})")
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > LARGEST_DOCUMENT:
                raise KeysUnreadable(url)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise KeysUnreadable(url)
    return found


def parse_keys(document: Any) -> Keys:
    """The keys that may sign tokens; those of a kind we do not use are passed over.

    Raises ValueError where none is left.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    listed = listed if isinstance(listed, list) else []
    keys = {key.kid: key for one in listed[:MOST_KEYS] if (key := _key(one)) is not None}
    if not keys:
        raise ValueError("no JWK set with a key in it")
    return keys


def _key(given: Any) -> Key | None:
    if not isinstance(given, dict) or given.get("use", "sig") != "sig":
        return None
    if given.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    try:
        key = import_key(given, given["kty"])
        return key if _is_strong(key) else None
    except (JoseError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _is_strong(key: Key) -> bool:
    if isinstance(key, RSAKey):
        return key.public_key.key_size >= SMALLEST_RSA_BITS
    return isinstance(key, ECKey | OKPKey)


def is_safe_url(url: str) -> bool:
    """https, or http to this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
