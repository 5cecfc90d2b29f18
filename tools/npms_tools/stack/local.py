"""The stack of one name: where it lives, what of it runs here, what was given by a URL."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from npms_operations.topology.definitions import BrokerUser, definitions, vhost_of
from npms_operations.topology.management import import_definitions
from npms_shared.messaging.topology import PUBLISHERS
from npms_tools.stack import packages, pid_files, vhosts
from npms_tools.stack.databases import ServiceDatabase, prepare_databases
from npms_tools.stack.errors import StackError
from npms_tools.stack.identity import Identity, unprivileged
from npms_tools.stack.issuer import Issuer
from npms_tools.stack.memory import Memory, locked
from npms_tools.stack.mosquitto import MosquittoNode
from npms_tools.stack.postgres import PostgresNode, StopMode
from npms_tools.stack.rabbitmq import RabbitNode

Progress = Callable[[str], None]

WORKSPACE = Path(__file__).resolve().parents[3]
"""The root of the checkout."""


@dataclass(frozen=True, slots=True)
class StackUrls:
    """Where PostgreSQL (administrator) and RabbitMQ are; `management_url` where it is known."""

    postgres_admin_url: str
    amqp_url: str
    management_url: str | None


class Stack:
    """PostgreSQL and RabbitMQ for one purpose (`demo`, `test`, `bench`) under `<root>/.run/<name>`.

    NPMS_POSTGRES_URL and NPMS_AMQP_URL (with NPMS_MANAGEMENT_URL), where given,
    take the place of a node.
    """

    def __init__(self, name: str = "demo", root: Path = WORKSPACE) -> None:
        self.name = name
        self.folder = root / ".run" / name
        self.memory = Memory(self.folder / "stack.json")
        self._given_postgres = os.environ.get("NPMS_POSTGRES_URL", "")
        self._given_amqp = os.environ.get("NPMS_AMQP_URL", "")
        self._given_management = os.environ.get("NPMS_MANAGEMENT_URL", "")

    def up(self, progress: Progress = print) -> StackUrls:
        """Start what does not run yet; safe to call again, and from several processes at once.

        Raises StackError with the step, its log and what to do.
        """
        own_postgres, own_broker = not self._given_postgres, not self._given_amqp
        self._make_folder()
        with locked(self.folder / "up.lock"):
            packages.ensure(postgres=own_postgres, rabbitmq=own_broker, progress=progress)
            starts = {"PostgreSQL": self.start_postgres, "RabbitMQ": self.start_broker}
            for name, own in (("PostgreSQL", own_postgres), ("RabbitMQ", own_broker)):
                if not own:
                    del starts[name]
                progress(f"{name}: {'starting' if own else 'as given by the environment'}")
            _all_at_once(starts, progress)
        return self.urls()

    def urls(self) -> StackUrls:
        """The URLs, whether or not anything runs."""
        if self._given_amqp:
            amqp_url, management_url = self._given_amqp, self._given_management or None
        else:
            amqp_url, management_url = self._broker().url, self._broker().management_url
        return StackUrls(
            postgres_admin_url=self._given_postgres or self._postgres().url,
            amqp_url=amqp_url,
            management_url=management_url,
        )

    def databases(
        self, services: Iterable[str], prefix: str = "npms"
    ) -> dict[str, ServiceDatabase]:
        """The services' databases and roles, made when missing; the same URLs every time."""
        admin_url = self.urls().postgres_admin_url
        secret = self.memory.secret("databases")
        return prepare_databases(admin_url, services, prefix, secret=secret)

    def vhost(self, name: str) -> str:
        """The administrator's AMQP URL of a virtual host, made with its topology when missing.

        A broker that was given needs its management interface given too.
        """
        urls = self.urls()
        vhosts.ensure_vhost(self._management(urls), name)
        broker = urlsplit(urls.amqp_url)
        url = urlunsplit((broker.scheme, broker.netloc, f"/{name}", broker.query, ""))
        self.prepare_broker(url)
        return url

    def prepare_broker(self, amqp_url: str) -> None:
        """The topology in the virtual host of that URL, and a user for each service.

        Nothing is done to a broker whose management interface is not known: its one user
        then is every service's.
        """
        management_url = self.urls().management_url
        if management_url is not None:
            urls = self.service_amqp_urls(amqp_url)
            users = {service: BrokerUser.of(url) for service, url in urls.items()}
            wanted = definitions(vhost_of(amqp_url), users)
            import_definitions(management_url, wanted)

    def service_amqp_urls(self, amqp_url: str) -> dict[str, str]:
        """Each service's own URL to the virtual host of that URL."""
        if self.urls().management_url is None:
            return dict.fromkeys(PUBLISHERS, amqp_url)
        return {service: self._as_service(service, amqp_url) for service in PUBLISHERS}

    def _as_service(self, service: str, amqp_url: str) -> str:
        password = self.memory.secret(f"rabbitmq {service}")
        broker = urlsplit(amqp_url)
        address = broker.netloc.rpartition("@")[2]
        netloc = f"npms-{self.name}-{service}:{password}@{address}"
        return urlunsplit((broker.scheme, netloc, broker.path, broker.query, ""))

    def drop_vhost(self, name: str) -> None:
        """Remove a virtual host and its queues."""
        vhosts.drop_vhost(self._management(self.urls()), name)

    def _management(self, urls: StackUrls) -> str:
        if urls.management_url is None:
            raise StackError(
                "making virtual hosts needs RabbitMQ's management interface",
                advice="give NPMS_MANAGEMENT_URL=http://user:password@host:15672",
            )
        return urls.management_url

    @property
    def issuer(self) -> Issuer:
        """The development issuer of tokens."""
        return Issuer(self.folder / "issuer")

    def status(self) -> dict[str, str]:
        """A word on each part."""
        postgres, broker = self._postgres(), self._broker()
        return {
            "PostgreSQL": self._word(self._given_postgres, postgres.pid(), postgres.answers),
            "RabbitMQ": self._word(self._given_amqp, broker.pid(), broker.answers),
        }

    def logs(self) -> list[Path]:
        """The log files of nodes and services."""
        nodes = self.folder / "nodes"
        return sorted([*nodes.glob("*/*.log"), *(self.folder / "logs").glob("*.log")])

    def down(self) -> None:
        """Stop what was started here, services that were left behind too; data is kept."""
        if not self.folder.exists():
            return
        pid_files.end_all(self.folder / "services")
        with locked(self.folder / "up.lock"), ThreadPoolExecutor() as pool:
            mqtt = [self._mqtt(folder.name).stop for folder in self._mqtt_folders()]
            stops: tuple[Callable[[], None], ...] = (
                partial(self.stop_postgres, "fast"),
                self._broker().stop,
                *mqtt,
            )
            steps = [pool.submit(stop) for stop in stops]
            for step in steps:
                step.result()

    def clean(self) -> None:
        """Stop, and remove data, logs, keys and passwords."""
        if self.folder.exists():
            self.kill_broker()
        self.down()
        nodes = self.folder / "nodes"
        if nodes.is_symlink():
            shutil.rmtree(nodes.resolve(), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def up_mqtt(self, name: str = "mosquitto", progress: Progress = print) -> MosquittoNode:
        """An MQTT broker, started if need be: only those who listen to one ask for it."""
        self._make_folder()
        with locked(self.folder / "up.lock"):
            packages.ensure(mosquitto=True, progress=progress)
            node = self._mqtt(name)
            node.start()
        return node

    def start_postgres(self) -> None:
        self._postgres().start()

    def stop_postgres(self, mode: StopMode = "immediate") -> None:
        self._postgres().stop(mode)

    def start_broker(self) -> None:
        self._broker().start()

    def kill_broker(self) -> None:
        """SIGKILL.

        RabbitMQ 3.10 forgets a quorum queue that was declared within the last half second, and
        it then stays without a leader: let a queue be a second old before killing its broker.
        """
        self._broker().kill()

    def _word(self, given: str, pid: int | None, answers: Callable[[], bool]) -> str:
        if given:
            return "given by the environment"
        if pid is None:
            return "stopped"
        return f"running, pid {pid}" if answers() else f"not answering, pid {pid}"

    def _postgres(self) -> PostgresNode:
        identity = unprivileged("postgres")
        return PostgresNode(self._node_folder(identity) / "postgres", identity, self.memory)

    def _broker(self) -> RabbitNode:
        identity = unprivileged("rabbitmq")
        folder = self._node_folder(identity) / "rabbitmq"
        return RabbitNode(self.name, folder, identity, self.memory)

    def _mqtt(self, name: str) -> MosquittoNode:
        identity = unprivileged("mosquitto")
        return MosquittoNode(self._node_folder(identity) / name, identity, self.memory)

    def _mqtt_folders(self) -> Iterable[Path]:
        return (self.folder / "nodes").glob("mosquitto*")

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as fault:
            raise StackError(f"cannot make {self.folder}: {fault.strerror}") from None
        if self.folder.stat().st_uid != os.getuid():
            raise StackError(
                f"{self.folder} belongs to another user", advice="run as that user, or remove it"
            )

    def _node_folder(self, identity: Identity) -> Path:
        """Where the nodes keep their data: here, or where their user can get at it."""
        self._make_folder()
        nodes = self.folder / "nodes"
        with locked(self.folder / "nodes.lock"):
            if not nodes.exists():
                nodes.unlink(missing_ok=True)
                if identity.reaches(self.folder):
                    nodes.mkdir(mode=0o755)
                else:
                    nodes.symlink_to(_elsewhere(self.folder))
        return nodes.resolve()


def _all_at_once(starts: dict[str, Callable[[], None]], progress: Progress) -> None:
    with ThreadPoolExecutor() as pool:
        steps = {pool.submit(start): name for name, start in starts.items()}
        for step in as_completed(steps):
            step.result()
            progress(f"{steps[step]}: ready")


def known_stacks(root: Path = WORKSPACE) -> list[str]:
    """The names of the stacks that a checkout has."""
    return sorted(file.parent.name for file in (root / ".run").glob("*/stack.json"))


def _elsewhere(folder: Path) -> Path:
    """A folder of ours under /var/tmp, the same for the same checkout; refuses a stranger's."""
    tag = hashlib.sha256(str(folder).encode()).hexdigest()[:10]
    path = Path("/var/tmp") / f"npms-{tag}-{folder.name}"  # noqa: S108 - owner and kind are checked
    path.mkdir(mode=0o755, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise StackError(f"{path} is not ours", advice="remove it")
    return path
