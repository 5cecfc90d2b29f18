"""`npms-tariff run | api | worker | migrate | restored | tell-again | parked …`"""

from npms_shared.cli import make_cli
from npms_tariff.bootstrap import build
from npms_tariff.settings import TariffSettings

app = make_cli(TariffSettings, build, help_text="Rates readings into charges.")

if __name__ == "__main__":
    app()
