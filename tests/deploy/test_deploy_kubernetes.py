"""The Kubernetes manifests: valid, restricted, probed, and without a secret in them."""

import re
import shutil
from typing import Any

import kubernetes_validate
import pytest
from tests.deploy.manifests import (
    BASE,
    OVERLAY,
    SERVICES,
    Manifest,
    kubectl_render,
    load,
    of_kind,
    own_render,
    pod_of,
    render,
    settings_of,
    template_of,
)

from npms_operations import cli as operations
from npms_operations.audit.places import find_places

KUBERNETES = "1.34"
RESERVED_CONNECTIONS = 3
"""`superuser_reserved_connections` as PostgreSQL comes."""


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return render()


@pytest.fixture(scope="module")
def workloads(manifests: list[Manifest]) -> list[Manifest]:
    found = of_kind(manifests, "Deployment", "Job", "CronJob")
    assert len(found) == 3 * len(SERVICES) + 1
    return found


def name_of(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def test_every_manifest_fits_the_published_schema(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_schema_check_finds_a_planted_fault(workloads: list[Manifest]) -> None:
    pod = pod_of(workloads[0])
    broken = {**workloads[0], "spec": {**workloads[0]["spec"], "replicaz": 1}}
    assert pod
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="NO kubectl: own rendering was tested")
def test_own_rendering_agrees_with_kustomize() -> None:
    theirs = kubectl_render(OVERLAY)
    assert theirs is not None
    assert _outline(theirs) == _outline(own_render(OVERLAY))


def _outline(manifests: list[Manifest]) -> list[tuple[str, str, Any, Any]]:
    return sorted(
        (
            manifest["kind"],
            re.sub(r"-config-[a-z0-9]{10}$", "-config", manifest["metadata"]["name"]),
            str(sorted(manifest["metadata"].get("labels", {}).items())),
            str(sorted(manifest.get("data", {}).items()))
            if manifest["kind"] not in {"Deployment", "Job", "CronJob"}
            else str([c["image"] for c in pod_of(manifest)["containers"]]),
        )
        for manifest in manifests
    )


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_api_worker_and_migration_of_one_image(
    service: str, workloads: list[Manifest]
) -> None:
    mine = [w for w in workloads if w["metadata"]["labels"]["app.kubernetes.io/name"] == service]
    commands = {w["metadata"]["name"]: pod_of(w)["containers"][0]["args"] for w in mine}
    assert commands == {
        f"{service}-api": ["api"],
        f"{service}-worker": ["worker"],
        f"{service}-migrate": ["migrate"],
    }
    assert len({pod_of(w)["containers"][0]["image"] for w in mine}) == 1
    assert all(pod_of(w)["serviceAccountName"] == service for w in mine)


@pytest.mark.parametrize("service", SERVICES)
def test_the_files_of_the_services_have_one_shape(service: str) -> None:
    kinds = [(d["kind"], d["metadata"]["name"].removeprefix(service)) for d in _file_of(service)]
    expected = [
        (d["kind"], d["metadata"]["name"].removeprefix("ledger")) for d in _file_of("ledger")
    ]
    assert kinds == expected


def _file_of(service: str) -> list[Manifest]:
    return load(BASE / f"{service}.yaml")


def test_images_carry_a_tag_and_never_latest(workloads: list[Manifest]) -> None:
    for workload in workloads:
        for container in pod_of(workload)["containers"]:
            _, _, tag = container["image"].rpartition("/")[2].partition(":")
            assert tag not in {"", "latest"}, f"{name_of(workload)}: {container['image']}"


def test_pods_are_restricted(workloads: list[Manifest]) -> None:
    for workload in workloads:
        pod, where = pod_of(workload), name_of(workload)
        assert pod["automountServiceAccountToken"] is False, where
        assert pod["securityContext"]["runAsNonRoot"] is True, where
        assert pod["securityContext"]["runAsUser"] >= 10000, where
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), where
        assert all("hostPath" not in volume for volume in pod["volumes"]), where
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False, where
            assert rights["readOnlyRootFilesystem"] is True, where
            assert rights["capabilities"] == {"drop": ["ALL"]}, where


def test_the_namespace_admits_restricted_pods_only(manifests: list[Manifest]) -> None:
    (namespace,) = of_kind(manifests, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_containers_ask_for_what_they_need(workloads: list[Manifest]) -> None:
    """Memory is bounded; CPU is not, so that a busy worker is slowed by its neighbours only."""
    for workload in workloads:
        for container in pod_of(workload)["containers"]:
            resources = container["resources"]
            assert set(resources["requests"]) == {"cpu", "memory"}, name_of(workload)
            assert set(resources["limits"]) == {"memory"}, name_of(workload)


def test_deployments_have_all_three_probes(manifests: list[Manifest]) -> None:
    paths = {"startupProbe": "startup", "readinessProbe": "ready", "livenessProbe": "live"}
    for deployment in of_kind(manifests, "Deployment"):
        for container in pod_of(deployment)["containers"]:
            for probe, path in paths.items():
                assert container[probe]["httpGet"] == {
                    "path": f"/health/{path}",
                    "port": "internal",
                }


def test_health_details_and_metrics_are_on_no_public_port(manifests: list[Manifest]) -> None:
    for service in of_kind(manifests, "Service"):
        assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    policies = {p["metadata"]["name"]: p["spec"] for p in of_kind(manifests, "NetworkPolicy")}
    for name, port in (("callers-to-apis", "http"), ("monitoring-to-metrics", "internal")):
        [rule] = policies[name]["ingress"]
        assert [entry["port"] for entry in rule["ports"]] == [port]
    for deployment in of_kind(manifests, "Deployment"):
        [container] = pod_of(deployment)["containers"]
        open_ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        expected = {"internal": 9000, **({"http": 8000} if container["args"] == ["api"] else {})}
        assert open_ports == expected
    assert "_DOCS" not in str(manifests)


def test_a_deployment_is_replaced_without_a_gap(manifests: list[Manifest]) -> None:
    for deployment in of_kind(manifests, "Deployment"):
        strategy = deployment["spec"]["strategy"]
        assert strategy["rollingUpdate"]["maxUnavailable"] == 0, deployment["metadata"]["name"]
        assert deployment["spec"]["replicas"] >= 2, deployment["metadata"]["name"]


def test_the_pods_of_a_release_fit_the_connections_that_the_readme_names(
    manifests: list[Manifest],
) -> None:
    """api and worker with one pod more of each, two pools deep, the migration and the audit."""
    readme = (BASE.parent / "README.md").read_text()
    everywhere = 0
    for service in SERVICES:
        pods = sum(
            d["spec"]["replicas"] + d["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
            for d in of_kind(manifests, "Deployment")
            if d["metadata"]["labels"]["app.kubernetes.io/name"] == service
        )
        connections = pods * 2 * _pool_size(service, manifests) + 2
        assert connections <= 100 - RESERVED_CONNECTIONS, service
        assert f"{connections} each" in readme, service
        everywhere += connections
    assert everywhere <= 400 - RESERVED_CONNECTIONS
    assert f"| all on one server | | {everywhere} |" in readme


def _pool_size(service: str, manifests: list[Manifest]) -> int:
    prefix = str(settings_of(service).model_config["env_prefix"])
    (config,) = (
        m["data"]
        for m in of_kind(manifests, "ConfigMap")
        if m["metadata"]["name"].startswith(f"{service}-config")
    )
    return int(config[f"{prefix}DATABASE_POOL_SIZE"])


def test_several_gateway_workers_share_the_meters_and_spread_over_nodes(
    manifests: list[Manifest],
) -> None:
    (worker,) = (
        d
        for d in of_kind(manifests, "Deployment")
        if d["metadata"]["name"] == "meter-gateway-worker"
    )
    assert worker["spec"]["replicas"] >= 2
    (spread,) = pod_of(worker)["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == worker["spec"]["selector"]["matchLabels"]
    assert "is one pod" not in (BASE.parent / "README.md").read_text()


def test_each_service_has_a_broker_user_of_its_own(workloads: list[Manifest]) -> None:
    for workload in workloads:
        if workload["kind"] == "CronJob":
            continue
        (source,) = (
            entry["valueFrom"]["secretKeyRef"]
            for entry in pod_of(workload)["containers"][0]["env"]
            if entry["name"].endswith("_AMQP_URL")
        )
        assert source == {
            "name": workload["metadata"]["labels"]["app.kubernetes.io/name"],
            "key": "amqp-url",
        }


def test_the_audit_runs_every_day_and_is_given_all_that_it_reads(manifests: list[Manifest]) -> None:
    (job,) = of_kind(manifests, "CronJob")
    assert re.fullmatch(r"\d+ \d+ \* \* \*", job["spec"]["schedule"])
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert job["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0
    (container,) = pod_of(job)["containers"]
    command, *options = container["args"]
    assert command in operations.COMMANDS
    assert set(options[::2]) <= {"--drain-seconds", "--sample", "--stale-minutes"}
    given = {entry["name"]: f"http://{entry['name']}" for entry in container["env"]}
    places = find_places(given)
    assert set(places.databases) == set(SERVICES)
    assert places.broker is not None
    secrets = {entry["valueFrom"]["secretKeyRef"]["name"] for entry in container["env"]}
    assert secrets == {"audit"}, "roles of its own, which may only read"


def test_each_replicated_deployment_has_a_disruption_budget(manifests: list[Manifest]) -> None:
    budgets = [
        b["spec"]["selector"]["matchLabels"] for b in of_kind(manifests, "PodDisruptionBudget")
    ]
    for deployment in of_kind(manifests, "Deployment"):
        if deployment["spec"]["replicas"] > 1:
            assert deployment["spec"]["selector"]["matchLabels"] in budgets


def test_services_select_the_api_pods(manifests: list[Manifest]) -> None:
    found = of_kind(manifests, "Service")
    assert len(found) == len(SERVICES)
    pods = [d["spec"]["template"]["metadata"]["labels"] for d in of_kind(manifests, "Deployment")]
    for service in found:
        selected = [p for p in pods if service["spec"]["selector"].items() <= p.items()]
        assert [p["app.kubernetes.io/component"] for p in selected] == ["api"]


def test_no_secret_is_written_down(manifests: list[Manifest], workloads: list[Manifest]) -> None:
    assert not of_kind(manifests, "Secret")
    for workload in workloads:
        for container in pod_of(workload)["containers"]:
            for entry in container.get("env", []):
                assert "secretKeyRef" in entry.get("valueFrom", {}), entry["name"]
    for config in of_kind(manifests, "ConfigMap"):
        for name, value in config["data"].items():
            assert not re.search(r"://[^/]*@", value), name
            assert not re.search(r"PASSWORD|SECRET|PEPPER|API_KEY|DATABASE_URL|AMQP_URL", name)


def test_the_owner_of_a_database_is_known_to_the_migration_only(workloads: list[Manifest]) -> None:
    for workload in workloads:
        env = pod_of(workload)["containers"][0]["env"]
        secrets = {e["valueFrom"]["secretKeyRef"]["name"] for e in env}
        owner = {name for name in secrets if name.endswith("-owner")}
        assert bool(owner) == (workload["kind"] == "Job"), name_of(workload)


def test_business_time_is_never_scaled_in_a_cluster(manifests: list[Manifest]) -> None:
    assert "NPMS_CLOCK" not in str(manifests)


def test_everything_is_denied_before_it_is_allowed(manifests: list[Manifest]) -> None:
    policies = {p["metadata"]["name"]: p["spec"] for p in of_kind(manifests, "NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    workloads = of_kind(manifests, "Deployment", "CronJob")
    pods = [template_of(workload)["metadata"]["labels"] for workload in workloads]
    for name, policy in policies.items():
        selector = policy["podSelector"].get("matchLabels", {})
        assert any(selector.items() <= pod.items() for pod in pods), f"{name} selects nothing"


def test_only_the_gateway_reaches_meters(manifests: list[Manifest]) -> None:
    modbus = [
        policy["spec"]["podSelector"]["matchLabels"]
        for policy in of_kind(manifests, "NetworkPolicy")
        if 502 in _egress_ports(policy)
    ]
    assert modbus == [
        {"app.kubernetes.io/name": "meter-gateway", "app.kubernetes.io/component": "worker"}
    ]


def _egress_ports(policy: Manifest) -> list[Any]:
    return [
        port["port"] for rule in policy["spec"].get("egress", []) for port in rule.get("ports", [])
    ]
