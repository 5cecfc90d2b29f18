"""Where payment providers call back."""

import structlog
from fastapi import APIRouter, Request

from npms_payments import metrics
from npms_payments.api.schemas import WebhookResponse
from npms_payments.domain.webhooks import WebhookRefused
from npms_payments.handlers.context import Context
from npms_payments.handlers.hear_provider import hear_event, hear_unreadable
from npms_payments.providers.base import EventUnreadable, Provider
from npms_shared.web.problems import not_found, problem_responses

log = structlog.get_logger()


def webhooks_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

    @router.post(
        "/{provider}",
        operation_id="receive_webhook",
        response_model=WebhookResponse,
        responses=problem_responses(404, 413),
        openapi_extra={"requestBody": {"content": {"application/json": {}}, "required": True}},
    )
    async def receive(provider: str, request: Request) -> WebhookResponse:
        """An event of a provider, signed after the Standard Webhooks scheme.

        Any answer of 200 means that it is kept; `duplicate` that it was before.
        """
        adapter = context.providers.get(provider)
        if adapter is None:
            raise not_found("provider")
        body = await request.body()
        outcome = await _hear(context, adapter, headers=dict(request.headers), body=body)
        metrics.WEBHOOKS.labels(provider=provider, outcome=outcome).inc()
        return WebhookResponse.model_validate({"outcome": outcome})

    return router


async def _hear(
    context: Context, adapter: Provider, *, headers: dict[str, str], body: bytes
) -> str:
    try:
        event = adapter.read_event(headers, body, at=context.clock.wall_now())
    except WebhookRefused as fault:
        metrics.WEBHOOKS.labels(provider=adapter.name, outcome=fault.code).inc()
        log.warning("webhook_refused", provider=adapter.name, code=fault.code)
        raise
    except EventUnreadable as fault:
        log.error("webhook_unreadable", provider=adapter.name, detail=fault.detail)
        async with context.database.transaction() as conn:
            return await hear_unreadable(
                conn, context, provider=adapter.name, event_id=fault.event_id, body=body
            )
    async with context.database.transaction() as conn:
        return await hear_event(conn, context, event, body=body)
