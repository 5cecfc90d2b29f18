"""What a soak runs on: fresh databases and queues, the five services, a street of its own."""

import httpx
import psutil

from npms_tools.demo.helpers import Helper
from npms_tools.stack.databases import drop_databases
from npms_tools.stack.local import Stack
from npms_tools.stack.ports import LOOPBACK
from npms_tools.stack.services import SERVICES, Services
from npms_tools.street.fault_plan import FaultPlan

VHOST = "soak"
GATEWAY = "NPMS_METER_GATEWAY_"
POLL = f"{GATEWAY}POLL"


class Scene:
    """Real time, real sockets. Meters are not polled before `begin_polling`."""

    def __init__(
        self, *, meters: int, gateways: int, seed: int, interval_s: float, profiles: str
    ) -> None:
        self.stack = Stack("soak")
        self.stack.up(lambda _line: None)
        drop_databases(self.stack.urls().postgres_admin_url, SERVICES, "npms")
        self.stack.drop_vhost(VHOST)
        self.services = Services(
            self.stack,
            amqp_url=self.stack.vhost(VHOST),
            extra={"meter-gateway": _gateway_settings(interval_s)},
        )
        port = self.stack.memory.free_port("street")
        self.street_url = f"http://{LOOPBACK}:{port}"
        options = {
            "port-base": 0,
            "control-port": port,
            "meters": meters,
            "gateways": gateways,
            "seed": seed,
            "profiles": profiles,
            "transport": "mixed",
            "loads": "standard",
            "relay-ms": 80,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        (self.stack.folder / "logs").mkdir(parents=True, exist_ok=True)
        self.street = Helper(
            "street",
            words=["npms_tools.street.cli", *words, "--feeders", "--record"],
            folder=self.stack.folder,
            environment={},
            url=f"{self.street_url}/faults/log?since_s=1e12",
        )

    def start(self) -> None:
        self.services.migrate(lambda _line: None)
        self.street.start()
        self.services.start(lambda _line: None)

    def begin_polling(self) -> None:
        gateway = self.services["meter-gateway"]
        gateway.stop()
        gateway.environment[POLL] = "true"
        gateway.start()
        gateway.wait_ready()

    def stop(self) -> None:
        self.services.stop()
        self.street.stop()

    def trouble(self, plan: FaultPlan) -> None:
        httpx.post(
            f"{self.street_url}/faults", json=plan.model_dump(mode="json"), timeout=60
        ).raise_for_status()

    def calm(self) -> None:
        """No faults any more, and nobody draws power: every register comes to rest."""
        httpx.delete(f"{self.street_url}/faults", timeout=60).raise_for_status()
        self.set_loads(0)

    def set_loads(self, power_w: int | None) -> None:
        httpx.post(
            f"{self.street_url}/load", json={"power_w": power_w}, timeout=60
        ).raise_for_status()

    def cpu_seconds(self) -> dict[str, float]:
        """What each process has used of the processors so far."""
        pids = {process.service: process.pid for process in self.services}
        pids["street"] = self.street.pid
        return {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in pids.items() if pid}


def _gateway_settings(interval_s: float) -> dict[str, str]:
    """Hurried where the pauses of years are too long for minutes."""
    return {
        POLL: "false",
        f"{GATEWAY}POLL_INTERVAL_S": str(interval_s),
        f"{GATEWAY}SLOW_INTERVAL_S": str(interval_s * 5),
        f"{GATEWAY}UNIT_FIRST_PAUSE_S": "2",
        f"{GATEWAY}UNIT_LONGEST_PAUSE_S": "20",
        f"{GATEWAY}RELAY_FIRST_PAUSE_S": "2",
        f"{GATEWAY}RELAY_LONGEST_PAUSE_S": "20",
    }
