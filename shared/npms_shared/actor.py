"""Who does something, as audit trails keep it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A token's subject, its roles, sorted, and for whom it acts: `customer:17`, `partner:kiosk-1`,
    or nobody else.
    """

    subject: str
    roles: tuple[str, ...] = ()
    on_behalf_of: str = ""
