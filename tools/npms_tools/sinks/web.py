"""The sinks over HTTP: an SMS operator's interface, what arrived, and faults on request."""

import hmac
from dataclasses import asdict
from html import escape
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from npms_shared.clock import wall_now
from npms_shared.ids import new_id
from npms_tools.sinks.store import Email, Faults, Kind, Sms, Store


class SmsRequest(BaseModel):
    to: str = Field(pattern=r"^\+[1-9]\d{6,14}$")
    sender: str = Field(alias="from")
    text: str = Field(min_length=1, max_length=1000)
    client_reference: str


class SmsAccepted(BaseModel):
    id: str


class FaultRequest(BaseModel):
    """The next so many messages are refused: SMS with an HTTP status, e-mails with an SMTP one."""

    channel: Kind
    next: int = Field(ge=0, le=1000)
    status: int | None = Field(default=None, ge=400, le=599)


def sinks_app(store: Store, *, api_key: str) -> FastAPI:
    """`api_key` is what senders of SMS must show as bearer token."""
    app = FastAPI(title="NPMS sinks", redoc_url=None)

    @app.post("/sms", status_code=202)
    async def take_sms(
        request: SmsRequest, authorization: Annotated[str, Header()] = ""
    ) -> SmsAccepted:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {api_key}".encode()):
            raise HTTPException(401, "wrong key")
        status = store.faults["sms"].strike()
        if status is not None:
            raise HTTPException(status, "told to refuse")
        return SmsAccepted(id=_keep(store, request))

    @app.post("/faults", status_code=204)
    async def set_faults(request: FaultRequest) -> None:
        usual = 451 if request.channel == "email" else 503
        store.faults[request.channel] = Faults(request.next, request.status or usual)

    _add_reading(app, store)
    return app


def _keep(store: Store, request: SmsRequest) -> str:
    sms = Sms(
        id=str(new_id()),
        client_reference=request.client_reference,
        to=request.to,
        sender=request.sender,
        text=request.text,
        arrived_at=wall_now(),
    )
    store.sms.append(sms)
    return sms.id


def _add_reading(app: FastAPI, store: Store) -> None:
    @app.get("/emails")
    async def emails(to: str | None = None) -> list[dict[str, Any]]:
        return [asdict(email) for email in store.emails_to(to)]

    @app.get("/sms")
    async def sms(to: str | None = None) -> list[dict[str, Any]]:
        return [asdict(message) for message in store.sms_to(to)]

    @app.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return _page(store)


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>NPMS sinks</title>
<meta http-equiv="refresh" content="3">
<style>body{{font:15px/1.45 system-ui;margin:2rem auto;max-width:70rem;padding:0 1rem}}
td,th{{text-align:left;vertical-align:top;padding:.4rem .8rem .4rem 0;border-top:1px solid #ddd}}
td:first-child{{white-space:nowrap}}pre{{margin:0;white-space:pre-wrap;font:inherit}}</style>
<h1>What arrived</h1>
<h2>SMS ({sms_count})</h2><table><tr><th>at<th>to<th>text</tr>{sms}</table>
<h2>E-mail ({email_count})</h2><table><tr><th>at<th>to<th>subject and text</tr>{emails}</table>
</html>"""


def _page(store: Store) -> str:
    return _PAGE.format(
        sms_count=len(store.sms),
        email_count=len(store.emails),
        sms="".join(map(_sms_row, store.sms_to(None))),
        emails="".join(map(_email_row, store.emails_to(None))),
    )


def _sms_row(sms: Sms) -> str:
    return f"<tr><td>{sms.arrived_at:%T}<td>{escape(sms.to)}<td>{escape(sms.text)}</tr>"


def _email_row(email: Email) -> str:
    to, text = escape(", ".join(email.recipients)), escape(email.text)
    subject = f"<strong>{escape(email.subject)}</strong>"
    return f"<tr><td>{email.arrived_at:%T}<td>{to}<td>{subject}<pre>{text}</pre></tr>"
