"""A plan in a file, held against the plan language without any server."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from npms_tariff.api.schemas import PlanRequest, VersionRequest
from npms_tariff.domain.checking import Flaw
from npms_tariff.plan_schema import flaws_in, flaws_of


def flaws_of_file(path: Path) -> list[Flaw]:
    """Of a document, or of a body that creates a plan or a version of one."""
    try:
        content = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as fault:
        return [Flaw("", "unreadable", str(fault))]
    except (json.JSONDecodeError, RecursionError) as fault:
        return [Flaw("", "not_json", str(fault))]
    if isinstance(content, dict) and "document" in content:
        return _flaws_of_body(content)
    return flaws_of(content)


def _flaws_of_body(content: dict[str, Any]) -> list[Flaw]:
    try:
        (PlanRequest if "plan_code" in content else VersionRequest).model_validate(content)
    except ValidationError as fault:
        return flaws_in(fault)
    inside = flaws_of(content["document"])
    return [Flaw(f"/document{flaw.pointer}", flaw.code, flaw.detail) for flaw in inside]
