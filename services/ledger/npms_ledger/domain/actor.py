"""Who does something: what an audit trail keeps of a person."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """The subject of a token and its roles, sorted."""

    subject: str
    roles: tuple[str, ...]
