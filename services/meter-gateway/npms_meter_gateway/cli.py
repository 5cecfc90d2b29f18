"""`npms-meter-gateway run | api | worker | migrate | check-config | invariants | parked …`"""

from npms_meter_gateway.bootstrap import build
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.cli import make_cli

app = make_cli(MeterGatewaySettings, build, help_text="Reads meters and works their relays.")

if __name__ == "__main__":
    app()
