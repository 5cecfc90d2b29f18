"""Everything that runs in the demonstration, started in order and stopped in order."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

from npms_tools.demo.helpers import Helper
from npms_tools.demo.timeline import Timeline
from npms_tools.stack import development, ports
from npms_tools.stack.local import Stack
from npms_tools.stack.ports import LOOPBACK
from npms_tools.stack.services import Services

METERS = 25
"""One more than the story needs: it waits for whoever moves in next."""
GATEWAYS = 4
PORTS = ("street", "paysim", development.SMTP_PORT, development.SMS_PORT)
POLL_INTERVAL_S = 600
"""Business seconds between two readings: one a second on the wall."""

Progress = Callable[[str], None]


class Scene:
    def __init__(self, stack: Stack, progress: Progress) -> None:
        self.stack, self._progress = stack, progress
        stack.up(progress)
        memory = stack.memory
        self.timeline = Timeline(stack.folder / "clock.json")
        self._sms_key = memory.secret(development.SMS_KEY)
        self._webhook_secret = _webhook_secret(memory.secret("webhook"))
        self._ports = {name: memory.free_port(name) for name in PORTS}
        self.street, self.paysim, self.sinks = self._street(), self._paysim(), self._sinks()
        self.services = Services(
            stack, extra=self._service_settings(), common=self.timeline.environment()
        )

    def start(self) -> None:
        """Migrate, then the world outside, then the services."""
        self.services.migrate(self._progress)
        try:
            for helper in (self.sinks, self.paysim, self.street):
                helper.start()
                self._progress(f"{helper.name}: running, {helper.url}")
            self.services.start(self._progress)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """The services first, so that nothing they still say is lost; the nodes stay."""
        self.services.stop()
        self.timeline.keep()
        for helper in (self.street, self.paysim, self.sinks):
            helper.stop()

    def _street(self) -> Helper:
        words = ["npms_tools.street.cli", *self._street_options()]
        return self._helper("street", words, f"{self._place('street')}/meters")

    def _paysim(self) -> Helper:
        words = ["npms_tools.provider.cli", "run", "--port", str(self._ports["paysim"])]
        secret = {"NPMS_PAYSIM_WEBHOOK_SECRET": self._webhook_secret}
        return self._helper("paysim", words, f"{self._place('paysim')}/settled", **secret)

    def _sinks(self) -> Helper:
        smtp, http = str(self._ports[development.SMTP_PORT]), str(self._ports[development.SMS_PORT])
        words = ["npms_tools.sinks.cli", "--smtp-port", smtp, "--http-port", http]
        key = {"NPMS_SINKS_API_KEY": self._sms_key}
        return self._helper("sinks", words, f"{self._place(development.SMS_PORT)}/", **key)

    def _place(self, name: str) -> str:
        return f"http://{LOOPBACK}:{self._ports[name]}"

    def _helper(self, name: str, words: list[str], url: str, **environment: str) -> Helper:
        (self.stack.folder / "logs").mkdir(parents=True, exist_ok=True)
        return Helper(
            name,
            words=words,
            folder=self.stack.folder,
            environment={**self.timeline.environment(), **environment},
            url=url,
        )

    def _street_options(self) -> list[str]:
        """Its gateways keep their addresses, since installations remember them."""
        options = {
            "port-base": _gateway_ports(self.stack.folder / "gateways.json"),
            "control-port": self._ports["street"],
            "meters": METERS,
            "gateways": GATEWAYS,
            "state": self.stack.folder / "street.json",
        }
        return [word for name, value in options.items() for word in (f"--{name}", str(value))]

    def _service_settings(self) -> dict[str, dict[str, str]]:
        """The demonstration's own sinks and secrets, whatever the environment says."""
        told = development.development_variables(self.stack.memory)
        return {
            "meter-gateway": {
                "NPMS_METER_GATEWAY_POLL_INTERVAL_S": str(POLL_INTERVAL_S),
                "NPMS_METER_GATEWAY_RELAY_FIRST_PAUSE_S": "1",
                "NPMS_METER_GATEWAY_UNIT_FIRST_PAUSE_S": "1",
                "NPMS_METER_GATEWAY_FUTURE_TOLERANCE_S": "3600",
            },
            "payments": {
                **told["payments"],
                "NPMS_PAYMENTS_PAYSIM_URL": self._place("paysim"),
                "NPMS_PAYMENTS_PAYSIM_WEBHOOK_SECRETS": self._webhook_secret,
            },
            "notifier": told["notifier"],
        }


def _gateway_ports(file: Path) -> int:
    """The first of GATEWAYS free ports in a row, the same at every start."""
    if file.exists():
        return int(json.loads(file.read_text())["first_port"])
    while True:
        first = ports.free_port()
        if all(ports.is_free(first + n) for n in range(GATEWAYS)):
            file.write_text(json.dumps({"first_port": first}))
            return first


def _webhook_secret(hexadecimal: str) -> str:
    return "whsec_" + base64.b64encode(hexadecimal.encode()).decode()
