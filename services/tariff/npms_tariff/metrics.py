"""What tariff measures besides what every service does."""

from prometheus_client import Counter

READINGS_RATED = Counter("npms_tariff_readings_rated", "Readings billed")
READINGS_PARKED = Counter("npms_tariff_readings_parked", "Readings kept aside", ["reason"])
CHARGES_MADE = Counter("npms_tariff_charges", "Charges put into batches")
PROVISIONAL_CHARGED = Counter("npms_tariff_provisional", "Days charged by estimate")
INSTALLATIONS_CORRECTED = Counter("npms_tariff_corrected", "Installations corrected")
STATE_STALE = Counter("npms_tariff_state_stale", "Batches rated again since state had changed")
HOURS_NOT_DROPPED = Counter(
    "npms_tariff_hours_not_dropped", "Times that days did not hold the hours to be dropped"
)
