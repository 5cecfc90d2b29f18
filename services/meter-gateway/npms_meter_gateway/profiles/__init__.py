"""Device profiles: one YAML file a device type, checked when the service starts."""

from npms_meter_gateway.profiles.loading import load_profiles

__all__ = ["load_profiles"]
