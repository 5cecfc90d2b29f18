"""Refusals of the REST interfaces."""

from typing import Any

import httpx


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document; an AssertionError where it is another answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code
    return problem


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Its status and code."""
    return answer.status_code, answer.json()["code"]
