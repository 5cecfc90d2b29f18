"""An approval is of what was reviewed: its ETag comes back in If-Match."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Response

from npms_shared.approval import ReviewedChanged, SecondPersonRequired, checksum
from npms_shared.web.problems import REQUIRED, Problem

_STRONG = re.compile('"([!#-~]*)"')


async def _seen(
    if_match: Annotated[
        str | None,
        Header(
            description="The ETag of what was reviewed, as its GET gave it.",
            max_length=200,
            json_schema_extra=REQUIRED,
            examples=['"9f86d081884c7d659a2feaa0c55ad015"'],
        ),
    ] = None,
) -> str:
    if not if_match or if_match.strip() == "*":
        words = "Send If-Match with the ETag of what you looked at."
        raise Problem(428, "precondition_required", words)
    strong = _STRONG.fullmatch(if_match.strip())
    return strong[1] if strong else ""


Seen = Annotated[str, Depends(_seen)]
"""The checksum of what was reviewed; 428 without, 412 where it has changed since."""


def show_etag(response: Response, reviewed: Mapping[Any, Any]) -> None:
    """Let the answer bear the ETag that an approval asks for."""
    response.headers["ETag"] = f'"{checksum(reviewed)}"'


ERRORS = {
    SecondPersonRequired: lambda fault: Problem(409, "second_person_required", f"{fault}."),
    ReviewedChanged: lambda fault: Problem(412, "precondition_failed", f"{fault}."),
}
"""The same in every service."""
