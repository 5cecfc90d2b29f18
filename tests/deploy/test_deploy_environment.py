"""What manifests set is what services read: no unknown variable, no missing one."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.manifests import (
    SERVICES,
    known_variables,
    of_kind,
    pod_of,
    render,
    required_variables,
    secret_variables,
    settings_of,
    variables_of,
)
from tests.deploy.test_deploy_compose import CONTAINERS

from npms_shared.settings import read_settings

EVERYWHERE = {"NPMS_CLOCK"}
"""Read by the clock itself, not by a service's settings."""


def containers_on_kubernetes(service: str) -> dict[str, set[str]]:
    manifests = render()
    return {
        workload["metadata"]["name"]: variables_of(pod_of(workload)["containers"][0], manifests)
        for workload in of_kind(manifests, "Deployment", "Job")
        if workload["metadata"]["labels"]["app.kubernetes.io/name"] == service
    }


def containers_of_compose(service: str) -> dict[str, set[str]]:
    found: dict[str, Any] = {name: CONTAINERS[name] for name in (service, f"{service}-migrate")}
    return {name: set(container["environment"]) for name, container in found.items()}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("where", [containers_on_kubernetes, containers_of_compose])
def test_each_variable_is_one_that_the_service_knows(service: str, where: Any) -> None:
    known = known_variables(settings_of(service)) | EVERYWHERE
    for container, variables in where(service).items():
        assert variables <= known, f"{container} sets {sorted(variables - known)}"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("where", [containers_on_kubernetes, containers_of_compose])
def test_each_container_has_what_the_service_cannot_start_without(service: str, where: Any) -> None:
    required = required_variables(settings_of(service))
    assert required, "nothing is required: the settings were not read"
    for container, variables in where(service).items():
        assert required <= variables, f"{container} lacks {sorted(required - variables)}"


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_secret_comes_from_secrets(service: str) -> None:
    manifests = render()
    secret = secret_variables(settings_of(service))
    assert len(secret) >= 3, "database, its owner and broker at least"
    for config in of_kind(manifests, "ConfigMap"):
        assert not secret & set(config["data"])


def given(value: str) -> str:
    """A value of the compose file with its variables filled as deploy/compose/new-env does."""
    return re.sub(
        r"\$\{\w+:(?:-([^}]*)|\?[^}]*)\}",
        lambda found: found[1] if found[1] is not None else "0123456789abcdef" * 3,
        value,
    )


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("container", ["{}", "{}-migrate"])
def test_the_values_of_compose_are_ones_that_the_service_accepts(
    service: str, container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = CONTAINERS[container.format(service)]["environment"]
    for name, value in environment.items():
        monkeypatch.setenv(name, given(value))
    keys = tmp_path / "jwks.json"
    keys.touch()
    settings = read_settings(settings_of(service), jwks_path=keys)
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)  # noqa: S104


@pytest.mark.parametrize("service", SERVICES)
def test_the_values_of_the_cluster_are_ones_that_the_service_accepts(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = render()
    maps = of_kind(manifests, "ConfigMap")
    (values,) = (m["data"] for m in maps if m["metadata"]["name"].startswith(f"{service}-config"))
    settings_class = settings_of(service)
    for name in secret_variables(settings_class) & required_variables(settings_class):
        scheme = "amqp" if name.endswith("AMQP_URL") else "postgresql"
        monkeypatch.setenv(name, f"{scheme}://somebody:{'secret' * 8}@nowhere/npms")
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    keys = tmp_path / "jwks.json"
    keys.touch()
    settings = read_settings(settings_class, jwks_path=keys)
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)  # noqa: S104
