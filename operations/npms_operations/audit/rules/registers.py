"""Energy is conserved: an unbroken chain of charges from the opening to the last rated register."""

from npms_operations.audit.findings import Result
from npms_operations.audit.merging import merged
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Row, Snapshots

SHOWN = 20
RULE = "rated energy is what the registers moved"

_CHAINS = """
    WITH chained AS (
        SELECT installation_id, from_register_wh, to_register_wh, energy_wh, amount_micro,
               tax_micro, lag(to_register_wh) OVER (
                   PARTITION BY installation_id ORDER BY to_at, to_register_wh) AS before_wh
        FROM posting WHERE kind = 'charge'
    ), summed AS (
        SELECT installation_id, count(*) AS charges, sum(energy_wh) AS energy_wh,
               -sum(amount_micro) AS charged_micro, max(to_register_wh) AS register_wh,
               min(from_register_wh) FILTER (WHERE before_wh IS NULL) AS first_wh,
               min(from_register_wh) FILTER (WHERE from_register_wh <> before_wh) AS gap_wh,
               count(*) FILTER (WHERE energy_wh <> to_register_wh - from_register_wh) AS misfits
        FROM chained GROUP BY installation_id
    )
    SELECT coalesce(i.installation_id, s.installation_id) AS installation_id,
           i.opening_register_wh, coalesce(s.charges, 0) AS charges,
           i.closing_register_wh = i.opening_register_wh AS closed_unused,
           CASE WHEN i.rating_ended_at IS NOT NULL THEN i.closing_register_wh END AS closing_wh,
           coalesce(s.energy_wh, 0) AS energy_wh, coalesce(s.charged_micro, 0) AS charged_micro,
           coalesce(s.register_wh, i.opening_register_wh) AS register_wh,
           coalesce(s.first_wh, i.opening_register_wh) AS first_wh, s.gap_wh,
           coalesce(s.misfits, 0) AS misfits
    FROM installation i FULL JOIN summed s ON s.installation_id = i.installation_id ORDER BY 1
"""
_RATED = """
    WITH open AS (
        SELECT s.*, k.hours_from_s FROM rating_state s CROSS JOIN usage_kept k
    ), days AS (
        SELECT d.installation_id, sum(d.wh) FILTER (WHERE d.over) AS wh,
               sum(d.micro) FILTER (WHERE d.over) AS micro,
               min(d.day_s) FILTER (WHERE d.kept) AS from_s,
               sum(d.wh) FILTER (WHERE d.kept) AS kept_wh,
               sum(d.micro) FILTER (WHERE d.kept) AS kept_micro
        FROM (
            SELECT u.installation_id, u.day_s, u.energy_wh AS wh, u.amount_micro AS micro,
                   true AS over, u.day_s >= o.hours_from_s AS kept
            FROM usage_day u JOIN open o USING (installation_id)
            UNION ALL
            SELECT installation_id, day_s, day_wh, day_micro, false, day_s >= hours_from_s
            FROM open
        ) AS d GROUP BY d.installation_id
    ), hours AS (
        SELECT u.installation_id, sum(u.energy_wh) AS wh, sum(u.amount_micro) AS micro
        FROM usage_hour u JOIN days d USING (installation_id)
        WHERE u.hour_s >= d.from_s GROUP BY u.installation_id
    ), months AS (
        SELECT installation_id, sum(energy_wh) AS wh, sum(amount_micro) AS micro
        FROM usage_month GROUP BY installation_id
    ), corrections AS (
        SELECT installation_id, CAST(sum(amount_micro) AS bigint) AS micro
        FROM correction_item GROUP BY installation_id
    )
    SELECT s.installation_id, i.opening_register_wh, s.register_wh, s.read_at_s, s.rated_wh,
           CAST(floor(extract(epoch FROM i.closed_at)) AS bigint) AS closed_s, s.charged_micro,
           s.charged_micro + coalesce(c.micro, 0) AS cost_micro,
           s.hour_wh + s.day_wh + s.month_wh + coalesce(m.wh, 0) AS used_wh,
           s.hour_micro + s.day_micro + s.month_micro + coalesce(m.micro, 0) AS used_micro,
           s.month_wh + coalesce(m.wh, 0) AS months_wh,
           s.month_micro + coalesce(m.micro, 0) AS months_micro,
           coalesce(d.wh, 0) AS days_wh, coalesce(d.micro, 0) AS days_micro,
           coalesce(d.kept_wh, 0) AS kept_wh, coalesce(d.kept_micro, 0) AS kept_micro,
           coalesce(h.wh, 0) AS hours_wh, coalesce(h.micro, 0) AS hours_micro
    FROM rating_state s JOIN installation i USING (installation_id)
    LEFT JOIN days d USING (installation_id) LEFT JOIN hours h USING (installation_id)
    LEFT JOIN months m USING (installation_id)
    LEFT JOIN corrections c USING (installation_id) ORDER BY s.installation_id
"""
"""Hours that were dropped are held by their days: hours are compared from the first day on that
is kept whole."""
_READ = """
    SELECT i.installation_id, i.opening_register_wh, r.register_wh,
           CAST(extract(epoch FROM r.taken_at) AS bigint) AS read_at_s
    FROM installation i LEFT JOIN LATERAL (
        SELECT taken_at, register_wh FROM reading
        WHERE installation_id = i.installation_id ORDER BY taken_at DESC LIMIT 1
    ) AS r ON true ORDER BY i.installation_id
"""
_PARKED = """
    SELECT installation_id, max(taken_at_s) AS taken_at_s FROM parked_reading
    GROUP BY installation_id
"""


async def check_registers(snapshots: Snapshots, _: Options) -> Result:
    """What the gateway read, the tariff rated and the ledger charged, one by one."""
    result = Result(RULE)
    untaken: list[int] = []
    parked = {
        row["installation_id"]: row["taken_at_s"] for row in await snapshots.tariff.rows(_PARKED)
    }
    streams = (
        snapshots.ledger.stream(_CHAINS),
        snapshots.tariff.stream(_RATED),
        snapshots.gateway.stream(_READ),
    )
    async for installation_id, (charged, rated, read) in merged(*streams):
        subject = f"installation {installation_id}"
        result.count("installations")
        parked_s = parked.get(installation_id)
        if charged is None or rated is None or read is None:
            if _was_never_taken_up(charged, rated=rated, read=read, parked_s=parked_s):
                untaken.append(installation_id)
            else:
                _say_unknown(result, subject, ledger=charged, tariff=rated, gateway=read)
            continue
        result.count("charges", charged["charges"])
        result.count("Wh", charged["energy_wh"])
        _check_openings(result, subject, charged=charged, rated=rated, read=read)
        _check_chain(result, subject, charged)
        _check_rated(result, subject, charged=charged, rated=rated)
        if read["read_at_s"] is not None and parked_s != read["read_at_s"]:
            _check_last(result, subject, rated=rated, read=read)
    if untaken:
        numbers = ", ".join(map(str, untaken[:SHOWN]))
        words = f"closed without ever being taken up by every service: installations {numbers}"
        result.notes.append(words if len(untaken) <= SHOWN else f"{words}, … ({len(untaken)})")
    return result


def _was_never_taken_up(
    charged: Row | None, *, rated: Row | None, read: Row | None, parked_s: int | None
) -> bool:
    """Closed where it was opened, before everybody knew of it: nothing was rated or charged, and
    what was read, tariff has parked.
    """
    return (
        charged is not None
        and bool(charged["closed_unused"])
        and not charged["charges"]
        and (rated is None or not rated["rated_wh"])
        and (read is None or read["read_at_s"] in {None, parked_s})
    )


def _check_last(result: Result, subject: str, *, rated: Row, read: Row) -> None:
    """Rating has come to the last reading, or past it to the closing."""
    if rated["closed_s"] is not None and rated["read_at_s"] == rated["closed_s"]:
        return
    last, seen = ((row["read_at_s"], row["register_wh"]) for row in (read, rated))
    result.expect(subject, "(time, Wh) rated last", found=seen, expected=last)


def _say_unknown(result: Result, subject: str, **sides: Row | None) -> None:
    strangers = [service for service, row in sides.items() if row is None]
    result.broken(subject, f"not known to {' and '.join(strangers)}")


def _check_openings(result: Result, subject: str, *, charged: Row, rated: Row, read: Row) -> None:
    """The register at which everything begins is the same everywhere."""
    opening_wh = charged["opening_register_wh"]
    if opening_wh is None:
        result.broken(subject, "has charges, and the ledger does not know it")
    for service, row in (("tariff", rated), ("gateway", read)):
        found = row["opening_register_wh"]
        result.expect(subject, f"opening Wh in {service}", found=found, expected=opening_wh)


def _check_chain(result: Result, subject: str, charged: Row) -> None:
    first_wh, opening_wh = charged["first_wh"], charged["opening_register_wh"]
    result.expect(subject, "first charged Wh", found=first_wh, expected=opening_wh)
    if charged["gap_wh"] is not None:
        result.broken(subject, f"the charge from {charged['gap_wh']} Wh does not follow the last")
    if charged["misfits"]:
        result.broken(subject, f"{charged['misfits']} charges for more or less than they span")
    if opening_wh is not None:
        moved_wh = charged["register_wh"] - opening_wh
        result.expect(subject, "charged Wh", found=charged["energy_wh"], expected=moved_wh)
    if charged["closing_wh"] is not None:
        found = charged["closing_wh"]
        result.expect(subject, "closing Wh", found=found, expected=charged["register_wh"])


def _check_rated(result: Result, subject: str, *, charged: Row, rated: Row) -> None:
    """Tariff's state against its own usage, rolled up, and against what the ledger posted."""
    moved_wh = rated["register_wh"] - rated["opening_register_wh"]
    result.expect(subject, "rated Wh", found=rated["rated_wh"], expected=moved_wh)
    for what, found, expected in (
        ("Wh by month", "used_wh", "rated_wh"),
        ("micro by month", "used_micro", "cost_micro"),
        ("Wh by day", "days_wh", "months_wh"),
        ("micro by day", "days_micro", "months_micro"),
        ("Wh by hour", "hours_wh", "kept_wh"),
        ("micro by hour", "hours_micro", "kept_micro"),
    ):
        result.expect(subject, what, found=rated[found], expected=rated[expected])
    for what, key in (
        ("last charged Wh", "register_wh"),
        ("charged micro", "charged_micro"),
    ):
        result.expect(subject, what, found=charged[key], expected=rated[key])
    result.expect(subject, "posted Wh", found=charged["energy_wh"], expected=rated["rated_wh"])
