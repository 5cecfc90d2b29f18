"""docker-compose.yml: accepted by the oldest tool we support, and without a secret that works."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.manifests import ROOT, SERVICES

from npms_tools.cli import COMMANDS
from npms_tools.stack.services import variable_of

FILE = ROOT / "docker-compose.yml"
TEXT = FILE.read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]

KNOWN_TO_1_29 = {
    "build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck",
    "hostname", "image", "network_mode", "ports", "profiles", "read_only", "restart",
    "security_opt", "shm_size", "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip
"""What of the format this file uses; more is fine as long as docker-compose 1.29 takes it."""


def variables_of_example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]", line))


def config(folder: Path, **secrets: str) -> subprocess.CompletedProcess[str]:
    """Run the tool in an empty folder, so that nobody's .env is read."""
    tool = shutil.which("docker-compose")
    if tool is None:
        pytest.skip("NO docker-compose: only our own rules were checked on docker-compose.yml")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **secrets}
    return subprocess.run(
        [tool, "--project-directory", str(folder), "--file", str(FILE), "config", "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tool_accepts_it(tmp_path: Path) -> None:
    done = config(tmp_path, **dict.fromkeys(variables_of_example(), "x1"))
    assert done.returncode == 0, done.stderr


def test_the_tool_refuses_it_without_secrets(tmp_path: Path) -> None:
    done = config(tmp_path)
    assert done.returncode != 0
    assert "new-env" in done.stderr


def test_it_keeps_to_the_old_format() -> None:
    assert {key for key in COMPOSE if not key.startswith("x-")} == {"services", "volumes"}
    for name, container in CONTAINERS.items():
        assert set(container) <= KNOWN_TO_1_29, name


def test_every_secret_must_be_given_and_none_has_a_default() -> None:
    used = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert used == {name for name, value in variables_of_example().items() if not value}
    for name in re.findall(r"\$\{(\w+):-", TEXT):
        assert name in {"NPMS_TAG", "NPMS_CLOCK", "NPMS_POLL_INTERVAL_S"}, f"{name} has a default"


def test_passwords_are_in_no_line() -> None:
    for password in re.findall(r"://[^:/\s]+:([^@\s]+)@", TEXT):
        assert re.fullmatch(r"\$\{\w+:\?[^}]*\}", password), password


def test_images_carry_a_tag_and_never_latest() -> None:
    for name, container in CONTAINERS.items():
        _, _, tag = container["image"].partition(":")
        assert tag not in {"", "latest"}, name


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_after_its_migration(service: str) -> None:
    migration = CONTAINERS[f"{service}-migrate"]
    assert migration["command"] == ["migrate"]
    assert migration["restart"] == "no"
    assert migration["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert CONTAINERS[service]["depends_on"] == {
        f"{service}-migrate": {"condition": "service_completed_successfully"},
        "topology": {"condition": "service_completed_successfully"},
    }
    assert CONTAINERS[service]["build"]["args"] == {"SERVICE": service}


def test_each_service_has_a_broker_user_of_its_own_and_no_service_the_administrators() -> None:
    urls = {service: CONTAINERS[service]["environment"][amqp(service)] for service in SERVICES}
    users = {service: url.split(":")[1].strip("/") for service, url in urls.items()}
    assert users == {service: f"npms-{service}" for service in SERVICES}
    assert len({re.findall(r"\$\{(\w+)", url)[0] for url in urls.values()}) == len(SERVICES)
    wanted = CONTAINERS["topology"]["environment"]
    assert {amqp(service): url for service, url in urls.items()}.items() <= wanted.items()
    administered = {
        name
        for name, container in CONTAINERS.items()
        if "${NPMS_AMQP_PASSWORD" in str(container.get("environment"))
    }
    assert administered == {"rabbitmq", "topology", "audit"}


def amqp(service: str) -> str:
    return variable_of(service, "amqp_url")


def test_secrets_that_a_release_added_are_written_into_an_env_that_is_there(
    tmp_path: Path,
) -> None:
    script = tmp_path / "deploy/compose/new-env"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "deploy/compose/new-env", script)
    shutil.copy(ROOT / ".env.example", tmp_path)
    (tmp_path / ".env").write_text("NPMS_AMQP_PASSWORD=of-before\n")
    for _ in range(2):
        subprocess.run(["/bin/sh", str(script)], check=True, capture_output=True)
    lines = (tmp_path / ".env").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]", line))
    assert values.keys() == variables_of_example().keys()
    assert values.pop("NPMS_AMQP_PASSWORD") == "of-before"
    assert all(len(value) == 48 for value in values.values())


def test_only_migrations_know_the_owner() -> None:
    for name, container in CONTAINERS.items():
        owns = any("MIGRATION_DATABASE_URL" in key for key in container.get("environment", {}))
        assert owns == name.endswith("-migrate"), name


def test_our_containers_are_confined() -> None:
    ours = {name: c for name, c in CONTAINERS.items() if c["image"].startswith("npms/")}
    assert len(ours) > 2 * len(SERVICES)
    for name, container in ours.items():
        assert container["read_only"] is True, name
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in container, name


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for container in CONTAINERS.values() for port in container.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len(set(ports)) == len(ports)


def test_the_tools_have_what_they_are_started_with() -> None:
    """A module with a command line, or a command of `npms`."""
    for name, container in CONTAINERS.items():
        if container["image"].startswith("npms/tools") and name != "keys":
            entry = container.get("entrypoint", ["npms"])
            if entry[:2] == ["python", "-m"]:
                assert importlib.util.find_spec(entry[2]) is not None, name
            else:
                assert container["command"][0] in COMMANDS, name


def test_every_service_has_its_databases_in_the_init_script() -> None:
    script = (ROOT / "deploy/compose/postgres/10-databases.sh").read_text()
    named = re.search(r"for service in ([\w ]+);", script)
    assert named is not None
    assert named[1].split() == [service.replace("-", "_") for service in SERVICES]


def test_named_volumes_are_declared_and_used() -> None:
    used = {
        volume.partition(":")[0]
        for container in CONTAINERS.values()
        for volume in container.get("volumes", [])
    }
    assert {name for name in used if not name.startswith(".")} == set(COMPOSE["volumes"])
