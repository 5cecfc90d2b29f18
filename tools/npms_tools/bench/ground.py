"""What a phase of the bench runs on: fresh databases and a fresh virtual host, five processes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import psutil

from npms_tools.bench import seeding
from npms_tools.demo.helpers import Helper
from npms_tools.stack.databases import drop_databases
from npms_tools.stack.local import Stack
from npms_tools.stack.ports import LOOPBACK
from npms_tools.stack.services import SERVICES, Services

PARTITIONS = 16
VHOST = "bench"
PROVEN_BY_OTHERS = {
    "payments": {"NPMS_PAYMENTS_VOUCHER_PEPPER": "only-for-the-bench-0123456789abcdef"},
    "notifier": {
        "NPMS_NOTIFIER_SMTP_HOST": LOOPBACK,
        "NPMS_NOTIFIER_SMTP_SENDER": "bench@npms.example",
        "NPMS_NOTIFIER_SMS_URL": f"http://{LOOPBACK}:9/sms",
        "NPMS_NOTIFIER_SMS_API_KEY": "only-for-the-bench",
        "NPMS_NOTIFIER_CODE_PEPPER": "only-for-the-bench-0123456789abcdef",
    },
    "meter-gateway": {"NPMS_METER_GATEWAY_POLL": "false"},
    # The readings are of last year: to the clock on the wall every meter is silent.
    "tariff": {"NPMS_TARIFF_PROVISIONAL_AFTER_H": "0"},
}
"""Nothing is paid and nobody is told during the bench; these services run and wait."""


class Ground:
    def __init__(self, stack: Stack, extra: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """`extra` has further variables of single services."""
        self.stack = stack
        drop_databases(stack.urls().postgres_admin_url, SERVICES, "npms")
        stack.drop_vhost(VHOST)
        self.amqp_url = stack.vhost(VHOST)
        self.services = Services(
            stack, amqp_url=self.amqp_url, extra={**PROVEN_BY_OTHERS, **(extra or {})}
        )
        self.databases = self.services.databases
        self._bare: list[Helper] = []

    async def prepare(self, installations: int, opened_at: datetime) -> None:
        self.services.migrate(lambda _line: None)
        await seeding.seed(
            self.databases, count=installations, partitions=PARTITIONS, opened_at=opened_at
        )

    @contextmanager
    def running(self, *, bare: bool) -> Iterator[None]:
        """All five; with `bare`, tariff and ledger by their stand-ins."""
        stand_ins = {"tariff", "ledger"} if bare else set()
        try:
            for process in self.services:
                if process.service in stand_ins:
                    self._start_bare(process.service)
                else:
                    process.start()
            for process in self.services:
                if process.service not in stand_ins:
                    process.wait_ready()
            yield
        finally:
            for helper in self._bare:
                helper.stop()
            self.services.stop()

    def _start_bare(self, service: str) -> None:
        process = self.services[service]
        helper = Helper(
            f"bare-{service}",
            words=["npms_tools.bench.bare", service],
            folder=self.stack.folder,
            environment={**process.environment, **process.ports()},
            url=f"{process.internal_url}/health/live",
        )
        self._bare.append(helper)
        helper.start()

    def cpu_seconds(self) -> dict[str, float]:
        """What each service's process has used of the processors so far."""
        return {
            process.service: sum(psutil.Process(process.pid).cpu_times()[:2])
            for process in self.services
            if process.pid is not None
        }

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each service's process."""
        return {
            process.service: round(psutil.Process(process.pid).memory_info().rss / 1e6, 1)
            for process in self.services
            if process.pid is not None
        }
