"""Reads profile files; whatever is wrong in one is named with its place."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from npms_meter_gateway.domain import profile as domain
from npms_meter_gateway.domain.checking import check
from npms_meter_gateway.domain.profile import Profile, ProfileError
from npms_meter_gateway.profiles.golden_block import golden_of
from npms_meter_gateway.profiles.point_block import points_of, probe_of
from npms_meter_gateway.profiles.records_block import clock_of, events_of, freezes_of, status_of
from npms_meter_gateway.profiles.relay_block import load_limit_of, relay_of
from npms_meter_gateway.profiles.schema import ProfileFile

SHIPPED = Path(__file__).parent


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same in C where it was built: a quarter of the time."""


class _Loader(_Base):  # type: ignore[misc]
    """Refuses what stands twice: the first of two points of one name would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's own
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name!r} stands there twice", node.start_mark
                )
        return dict(super().construct_mapping(node, deep=deep))


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
    """The checked profile of one file. Raises ProfileError."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - safe
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as fault:
        raise ProfileError(file.stem, [f"not YAML: {fault}"]) from None
    return parse_profile(content, name=file.stem)


def parse_profile(data: Any, *, name: str) -> Profile:
    """The checked profile that a file's content describes; `name` is for messages.

    Raises ProfileError.
    """
    try:
        parsed = ProfileFile.model_validate(data)
    except ValidationError as fault:
        places = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in fault.errors()]
        raise ProfileError(name, places) from None
    return check(_profile(parsed, name))


def _profile(file: ProfileFile, name: str) -> Profile:
    return Profile(
        code=file.profile,
        vendor=file.vendor,
        model=file.model,
        aliases=tuple(file.aliases),
        driver=file.driver,
        notes=file.notes.strip(),
        sources=tuple(domain.Source(s.what, s.confidence) for s in file.sources),
        probe=tuple(map(probe_of, file.probe)),
        limits=domain.Limits(**dict(file.limits)),
        points=points_of(file.points),
        resolution_wh=file.resolution_wh,
        rollover_wh=file.rollover_wh,
        relay=relay_of(file.relay, name),
        load_limit=load_limit_of(file.load_limit),
        clock=clock_of(file.clock),
        freezes=tuple(map(freezes_of, file.freezes)),
        events=events_of(file.events),
        status=tuple(map(status_of, file.status)),
        golden=tuple(map(golden_of, file.golden)),
    )
