"""The form every contract has: a versioned pydantic model that names its publisher."""

from typing import ClassVar, Self, get_origin

from pydantic import BaseModel, ConfigDict, model_validator


class Event(BaseModel):
    """A fact, told once it was written.

    Readers ignore fields they do not know, so that a version can grow; nothing
    is removed, retyped or newly required within a version.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    publisher: ClassVar[str]
    """The service that alone may say this."""
    name: ClassVar[str]
    """Routing key, `<thing>_<happened>.v<n>`."""

    @classmethod
    def event_type(cls) -> str:
        """CloudEvents type, e.g. `npms.ledger.account_opened.v1`."""
        return f"npms.{cls.publisher}.{cls.name}"


class Batch(Event):
    """Many items of one partition as parallel columns: one message, one transaction.

    Every list field has the same length; item *i* is the i-th entry of each.
    """

    @model_validator(mode="after")
    def _is_rectangular(self) -> Self:
        if len({len(column) for column in vars(self).values() if isinstance(column, list)}) > 1:
            raise ValueError("columns of different lengths")
        return self

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """The names of the parallel columns, in their order."""
        return tuple(n for n, f in cls.model_fields.items() if get_origin(f.annotation) is list)

    def __len__(self) -> int:
        raise NotImplementedError
