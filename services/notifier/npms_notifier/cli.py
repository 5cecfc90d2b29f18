"""`npms-notifier run | api | worker | migrate | restored | tell-again | parked …`"""

from npms_notifier.bootstrap import build
from npms_notifier.settings import NotifierSettings
from npms_shared.cli import make_cli

app = make_cli(NotifierSettings, build, help_text="Tells people: e-mail, SMS, support tickets.")

if __name__ == "__main__":
    app()
