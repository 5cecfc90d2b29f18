"""A rate of OpenEI's Utility Rate Database (URDB, API versions 3 to 8) as a plan document.

Prices, tiers by kWh, schedules by month, weekday and hour, fixed charges, the
minimum and charges for demand are carried over. Everything else is told in the
findings: a plan must not look complete where it is not.
"""

from collections.abc import Mapping
from typing import Any

from npms_tariff.importing import urdb_charges, urdb_demand, urdb_energy, urdb_schedule
from npms_tariff.importing.findings import CannotImport, Imported

READ = frozenset({
    "energyratestructure", "energytoulabels", "energyweekdayschedule", "energyweekendschedule",
    "demandratestructure", "demandweekdayschedule", "demandweekendschedule", "demandwindow",
    "demandrateunit", "demandrateunits", "demandunits", "flatdemandstructure", "flatdemandmonths",
    "flatdemandunit", "flatdemandunits",
    "fixedchargefirstmeter", "fixedchargeunits", "fixedmonthlycharge", "mincharge",
    "minchargeunits", "minmonthlycharge",
})  # fmt: skip
DESCRIBES = frozenset({
    "label", "utility", "utility_id", "eiaid", "name", "uri", "startdate", "enddate", "sector",
    "country", "description", "source", "sourceparent", "basicinformationcomments",
    "energycomments", "demandcomments", "approved", "is_default", "isdefault", "supersedes",
    "revisions", "latest_update", "sourcereference", "mindemand", "maxdemand", "servicemin",
    "servicemax", "supercedes", "servicetype", "voltagecategory", "voltageminimum",
    "voltagemaximum", "phasewiring", "peakkwcapacitymin", "peakkwcapacitymax",
    "peakkwcapacityhistory", "peakkwhusagemin", "peakkwhusagemax", "peakkwhusagehistory",
})  # fmt: skip
"""What a rate says of itself and of who may have it; no price."""
NOT_CARRIED = {
    "dgrules": "what a customer feeds in is not paid for",
    "usenetmetering": "what a customer feeds in is not paid for",
    "demandratchetpercentage": "a demand of earlier months does not count in later ones",
    "demandreactpwrcharge": "reactive power is not measured",
    "demandreactivepowercharge": "reactive power is not measured",
    "fixedchargeeaaddl": "an account's further meters pay like its first one",
    "annualmincharge": "a minimum is a month's, not a year's",
    "fueladjustmentsmonthly": "an adjustment by month is a new version of the plan each month",
    "fixedattrs": "charges told in words have to be read and entered by hand",
    "energyattrs": "charges told in words have to be read and entered by hand",
    "demandattrs": "charges told in words have to be read and entered by hand",
}  # fmt: skip
LATER = "a demand of earlier months does not count in later ones"
COINCIDENT = "the utility's own peak is not known when energy is used"


def convert(rate: Mapping[str, Any]) -> Imported:
    """The plan document of one URDB rate; raises CannotImport where energy has no usable price."""
    rate = {str(name).lower(): value for name, value in rate.items()}
    made = Imported()
    tariffs = urdb_energy.tariffs_of(rate, made)
    demands = urdb_demand.demands_of(rate, made)
    schedule = urdb_schedule.schedule_of(rate, tariffs=len(tariffs), demands=demands)
    made.document = urdb_energy.energy_part(tariffs, schedule, made)
    urdb_demand.add_demand(made.document, demands, schedule)
    urdb_charges.add_fixed(made, rate)
    urdb_charges.add_minimum(made, rate)
    _tell_the_rest(rate, made)
    return made


def rates_of(body: Any) -> list[Mapping[str, Any]]:
    """The rates in what the API answered, a list of rates, or one rate. Raises CannotImport."""
    if isinstance(body, Mapping):
        body = body.get("items", [body])
    if not isinstance(body, list) or not all(isinstance(part, Mapping) for part in body):
        raise CannotImport("", "this is no rate of the Utility Rate Database")
    return body


def _tell_the_rest(rate: Mapping[str, Any], made: Imported) -> None:
    for name in sorted(set(rate) - READ - DESCRIBES):
        if not _says_something(rate[name]):
            continue
        if name.startswith("lookback"):
            made.left_out(f"/{name}", LATER)
        elif name.startswith("coincident"):
            made.left_out(f"/{name}", COINCIDENT)
        else:
            made.left_out(f"/{name}", NOT_CARRIED.get(name, "this field is not known here"))


def _says_something(value: Any) -> bool:
    """Whether a value is more than nothing, nought and lists of them."""
    if isinstance(value, Mapping):
        return any(_says_something(part) for part in value.values())
    if isinstance(value, list):
        return any(_says_something(part) for part in value)
    return bool(value)
