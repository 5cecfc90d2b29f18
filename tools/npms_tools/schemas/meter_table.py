"""The table of meters in docs/meters.md."""

from collections.abc import Iterable

from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.profiles import load_profiles

BEGIN, END = "<!-- meters: begin -->", "<!-- meters: end -->"
RELAYS = {
    "fc16_register": "register",
    "fc5_coil": "coil",
    "fc16_keyed": "register, with a key",
    "fc16_timed": "seconds to stay open",
    "dlt645_control": "command, with a password",
    "local": "on the meter only",
}
SIMULATED = frozenset({"npms_street_limiter"})
"""No meter that is sold."""


def with_table(page: str) -> str:
    """The page with its table written anew; ValueError where it has no place for one."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{_table(load_profiles().values())}\n{END}{after}"


def _table(profiles: Iterable[Profile]) -> str:
    rows = [
        "| profile | meter | confidence | relay | also | golden frames |",
        "|---|---|---|---|---|---|",
    ]
    rows += [_row(profile) for profile in profiles if profile.code not in SIMULATED]
    return "\n".join(rows)


def _row(profile: Profile) -> str:
    names = " / ".join((profile.model, *profile.aliases))
    sure = profile.confidence.replace("_", " ")
    relay = RELAYS[profile.relay.kind] if profile.relay else "—"
    cells = (
        f"`{profile.code}`",
        f"{profile.vendor} {names}",
        sure if profile.is_certain else f"**{sure}**",
        relay,
        ", ".join(_extras(profile)) or "—",
        _proofs(profile),
    )
    return f"| {' | '.join(cells)} |"


def _extras(profile: Profile) -> Iterable[str]:
    if profile.driver != "modbus":
        yield f"speaks {profile.driver}"
    for name, has in (
        ("serial number", "serial_number" in profile.points),
        ("load limit", profile.load_limit),
        ("clock", profile.clock),
        ("freezes", profile.freezes),
        ("events", profile.events),
        ("status", profile.status),
    ):
        if has:
            yield name


def _proofs(profile: Profile) -> str:
    printed = sum("manual" in frame.origin for frame in profile.golden)
    if printed:
        return f"{len(profile.golden)}, of them {printed} manual"
    return str(len(profile.golden) or "—")
