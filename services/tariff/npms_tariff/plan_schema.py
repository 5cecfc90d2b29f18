"""The plan language as a JSON Schema, and every flaw of a document that claims to be in it."""

from typing import Any

from pydantic import ValidationError

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.checking import Flaw, InvalidPlan, check

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def plan_schema() -> dict[str, Any]:
    """Of a version's document. What a schema cannot say (that the week is covered, that names
    exist) the rules check: see `flaws_of`."""
    return {"$schema": DIALECT, **PlanDocument.model_json_schema()}


def flaws_of(document: object) -> list[Flaw]:
    """Everything that is wrong with a document; the rules are asked once its form is right."""
    try:
        check(PlanDocument.model_validate(document).prices())
    except ValidationError as fault:
        return flaws_in(fault)
    except InvalidPlan as fault:
        return fault.flaws
    return []


def flaws_in(fault: ValidationError) -> list[Flaw]:
    """Wrong form, place by place."""
    return [
        Flaw("".join(f"/{part}" for part in error["loc"]), _code(error), error["msg"])
        for error in fault.errors()
    ]


def _code(error: Any) -> str:
    cause = (error.get("ctx") or {}).get("error")
    return str(getattr(cause, "code", error["type"]))
