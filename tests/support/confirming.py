"""Addresses are verified in tests as people do it: by the code that arrives there."""

import httpx
from tests.support.wait import until

from npms_tools.sinks.codes import code_in
from npms_tools.sinks.store import Store


def codes_to(store: Store, address: str) -> list[str]:
    """Those that arrived at an e-mail address or a phone, newest first."""
    texts = [mail.text for mail in store.emails_to(address)]
    texts += [sms.text for sms in store.sms_to(address)]
    return [code for code in map(code_in, texts) if code]


async def newest_code(store: Store, address: str) -> str:
    """Once it is there."""

    async def arrived() -> list[str]:
        return codes_to(store, address)

    return (await until(arrived, what=f"a code at {address}"))[0]


async def confirm(
    client: httpx.AsyncClient,
    account_id: int,
    channel: str,
    code: str,
    *,
    headers: dict[str, str],
) -> httpx.Response:
    place = f"/v1/accounts/{account_id}/contacts/{channel}/confirm"
    return await client.post(place, json={"code": code}, headers=headers)
