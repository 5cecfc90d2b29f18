import json

import httpx
import pytest

from npms_notifier.channels.base import NotDelivered, OutgoingMessage
from npms_notifier.channels.sms import SmsOperator, SmsSender
from npms_shared.ids import new_id

OPERATOR = SmsOperator(url="http://operator.invalid/sms", api_key="for-tests-only", sender="NPMS")
MESSAGE = OutgoingMessage(new_id(), "+254712345678", "", "NPMS: balance KES 1.00")


async def send(answer: httpx.Response | Exception) -> tuple[str, list[httpx.Request]]:
    """What the sender makes of the operator's answer, and what it asked."""
    asked: list[httpx.Request] = []

    def operator(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    sender = SmsSender(OPERATOR)
    sender._client = httpx.AsyncClient(
        transport=httpx.MockTransport(operator), headers=sender._client.headers
    )
    try:
        return await sender.send(MESSAGE), asked
    finally:
        await sender.close()


async def test_a_message_goes_with_key_and_reference() -> None:
    reference, asked = await send(httpx.Response(202, json={"id": "op-77"}))
    assert reference == "op-77"
    assert asked[0].headers["Authorization"] == "Bearer for-tests-only"
    assert json.loads(asked[0].content) == {
        "to": "+254712345678",
        "from": "NPMS",
        "text": "NPMS: balance KES 1.00",
        "client_reference": str(MESSAGE.delivery_id),
    }


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, text="ok"), httpx.Response(202, json=[]), httpx.Response(204)],
)
async def test_a_taken_message_is_sent_whatever_the_answer_says(answer: httpx.Response) -> None:
    assert (await send(answer))[0] == ""


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        (httpx.Response(400, text="bad number"), True),
        (httpx.Response(422, text="bad text"), True),
        (httpx.Response(401, text="wrong key"), False),
        (httpx.Response(429, text="slow down"), False),
        (httpx.Response(503, text="later"), False),
        (httpx.ConnectError("refused"), False),
        (httpx.ReadTimeout("slow"), False),
    ],
)
async def test_only_a_refused_message_is_given_up(
    answer: httpx.Response | Exception, *, permanent: bool
) -> None:
    with pytest.raises(NotDelivered) as fault:
        await send(answer)
    assert fault.value.permanent is permanent
    assert fault.value.reason
