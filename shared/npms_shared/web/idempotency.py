"""Money is asked for with an Idempotency-Key: the same key never acts twice."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.auth.tokens import Principal
from npms_shared.db.engine import Database
from npms_shared.web.problems import REQUIRED, Problem

_BEGIN = text(
    """
    INSERT INTO idempotency_key (subject, key, fingerprint)
    VALUES (:subject, :key, :fingerprint)
    ON CONFLICT DO NOTHING RETURNING key
    """
)
_FOUND = text(
    "SELECT fingerprint, status, response FROM idempotency_key "
    "WHERE subject = :subject AND key = :key"
)
_KEEP = text(
    """
    UPDATE idempotency_key SET status = :status, response = CAST(:response AS jsonb)
    WHERE subject = :subject AND key = :key
    """
)


async def _key(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Chosen by the client; a repetition within a week gets the first answer.",
            max_length=200,
            json_schema_extra=REQUIRED,
            examples=["6f1c1f0e-topup-1"],
        ),
    ] = None,
) -> str:
    if not idempotency_key:
        raise Problem(400, "idempotency_key_missing", "Send an Idempotency-Key header.")
    return idempotency_key


IdempotencyKey = Annotated[str, Depends(_key)]
"""The header's value; 400 without it."""


def fingerprint(path: str, body: BaseModel) -> str:
    """What must be the same for a key to be used again: where it went and what it said."""
    raw = path + json.dumps(body.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(raw.encode()).hexdigest()


async def run_once(
    conn: AsyncConnection,
    *,
    key: str,
    caller: Principal,
    request_fingerprint: str,
    action: Callable[[], Awaitable[tuple[int, dict[str, Any]]]],
) -> JSONResponse:
    """Do `action` and keep its (status, body) in the same transaction, or give the kept answer.

    A second request that comes while the first is at work waits for it. The same
    key with another request is a Problem 409.
    """
    identity = {"subject": caller.subject, "key": key}
    begun = await conn.execute(_BEGIN, {**identity, "fingerprint": request_fingerprint})
    if begun.first() is None:
        return await _replay(conn, identity, request_fingerprint)
    status, body = await action()
    await conn.execute(_KEEP, {**identity, "status": status, "response": json.dumps(body)})
    return JSONResponse(body, status_code=status)


async def answer_once(
    database: Database,
    *,
    key: str,
    caller: Principal,
    path: str,
    body: BaseModel,
    act: Callable[[AsyncConnection], Awaitable[tuple[int, dict[str, Any]]]],
) -> JSONResponse:
    """`run_once` in a transaction of its own, for the request that `path` and `body` are."""
    async with database.transaction() as conn:
        return await run_once(
            conn,
            key=key,
            caller=caller,
            request_fingerprint=fingerprint(path, body),
            action=partial(act, conn),
        )


async def _replay(
    conn: AsyncConnection, identity: dict[str, str], request_fingerprint: str
) -> JSONResponse:
    found = (await conn.execute(_FOUND, identity)).one()
    if found.fingerprint != request_fingerprint:
        raise Problem(
            409, "idempotency_key_reused", "This key was used before, for another request."
        )
    return JSONResponse(
        found.response, status_code=found.status, headers={"Idempotent-Replayed": "true"}
    )
