"""Reads profile files; whatever is wrong in one is named with its place."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from npms_meter_gateway.domain import profile as domain
from npms_meter_gateway.domain import relay as relays
from npms_meter_gateway.domain.profile import NumberType, Profile, ProfileError, check

SHIPPED = Path(__file__).parent

Register = Annotated[int, Field(ge=0, le=0xFFFF)]


def _exact(value: object) -> Fraction:
    """Scales are written as text, so that 0.1 means a tenth and not its nearest float."""
    if not isinstance(value, str):
        raise ValueError("write the scale in quotes, as an exact decimal")  # noqa: TRY004
    try:
        return Fraction(value)
    except ZeroDivisionError:
        raise ValueError("the scale divides by zero") from None


class _Loader(yaml.SafeLoader):
    """Refuses what stands twice: the first of two points of one name would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's own
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name!r} stands there twice", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Point(_Strict):
    table: Literal["input", "holding"]
    address: Register
    type: NumberType
    scale: Annotated[Fraction, BeforeValidator(_exact)] = Fraction(1)
    low_word_first: bool = False
    invalid: frozenset[int] = frozenset()


class _Limits(_Strict):
    max_read: int = Field(default=60, ge=1, le=125)
    max_hole: int = Field(default=16, ge=0, le=120)
    even: bool = False
    timeout_ms: int = Field(default=1000, ge=10, le=60_000)


class _ReadBack(_Strict):
    table: Literal["coil", "input", "holding"]
    address: Register
    value_on: Register
    value_off: Register


class _Relay(_Strict):
    kind: Literal["none", "fc16_register", "fc5_coil"]
    address: Register = 0
    value_on: Register = 1
    value_off: Register = 0
    read_back: _ReadBack | None = None
    settle_ms: int = Field(default=500, ge=0, le=60_000)


class _LoadLimit(_Strict):
    address: Register
    scale: Annotated[Fraction, BeforeValidator(_exact)] = Fraction(1)
    value_off: Register
    settle_ms: int = Field(default=500, ge=0, le=60_000)


class _Source(_Strict):
    what: str
    confidence: Literal["manual", "two_code_bases", "one_code_base", "disputed", "assumed"]


class _File(_Strict):
    profile: str = Field(pattern=r"^[a-z0-9_]{3,64}$")
    vendor: str
    model: str
    notes: str = ""
    sources: list[_Source] = Field(min_length=1)
    limits: _Limits = _Limits()
    resolution_wh: int
    rollover_wh: int | None = None
    points: dict[str, _Point]
    relay: _Relay
    load_limit: _LoadLimit | None = None


def load_profiles(extra: Path | None = None) -> dict[str, Profile]:
    """All shipped profiles, and those of the folder `extra`, by code.

    Raises ProfileError naming the file and the place of the first bad profile.
    """
    files = sorted(SHIPPED.glob("*.yaml"))
    if extra is not None:
        files += sorted(extra.glob("*.yaml"))
    return _by_code(load_profile(file) for file in files)


def _by_code(profiles: Iterable[Profile]) -> dict[str, Profile]:
    known: dict[str, Profile] = {}
    for profile in profiles:
        if profile.code in known:
            raise ProfileError(profile.code, ["defined twice"])
        known[profile.code] = profile
    return known


def load_profile(file: Path) -> Profile:
    """The checked profile of one file."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - safe
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as fault:
        raise ProfileError(file.stem, [f"not YAML: {fault}"]) from None
    return parse_profile(content, name=file.stem)


def parse_profile(data: Any, *, name: str) -> Profile:
    """The checked profile that a file's content describes; `name` is for messages."""
    try:
        parsed = _File.model_validate(data)
    except ValidationError as fault:
        places = [".".join(map(str, e["loc"])) + ": " + e["msg"] for e in fault.errors()]
        raise ProfileError(name, places) from None
    return check(
        Profile(
            code=parsed.profile,
            vendor=parsed.vendor,
            model=parsed.model,
            sources=tuple(domain.Source(s.what, s.confidence) for s in parsed.sources),
            limits=domain.Limits(**parsed.limits.model_dump()),
            points={key: domain.Point(key, **dict(point)) for key, point in parsed.points.items()},
            resolution_wh=parsed.resolution_wh,
            rollover_wh=parsed.rollover_wh,
            relay=_relay(parsed.relay, name),
            load_limit=relays.LoadLimit(**dict(parsed.load_limit)) if parsed.load_limit else None,
        )
    )


def _relay(relay: _Relay, name: str) -> relays.Relay | None:
    if relay.kind == "none":
        return None
    if relay.read_back is None:
        raise ProfileError(name, ["relay.read_back: a relay that cannot be read is not switched"])
    return relays.Relay(
        kind=relay.kind,
        address=relay.address,
        value_on=relay.value_on,
        value_off=relay.value_off,
        read_table=relay.read_back.table,
        read_address=relay.read_back.address,
        read_on=relay.read_back.value_on,
        read_off=relay.read_back.value_off,
        settle_ms=relay.settle_ms,
    )
