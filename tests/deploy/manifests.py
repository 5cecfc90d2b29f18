"""What deploy/, the compose file and the services' settings say, as plain data for the tests."""

import importlib
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from npms_shared.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
SERVICES = ("ledger", "tariff", "meter-gateway", "payments", "notifier")
BASE = ROOT / "deploy/k8s/base"
OVERLAY = ROOT / "deploy/k8s/overlays/example"

Manifest = dict[str, Any]


def load(path: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def kubectl_render(overlay: Path) -> list[Manifest] | None:
    """What `kubectl kustomize` makes of the overlay; None where there is no kubectl."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return None
    done = subprocess.run(
        [kubectl, "kustomize", str(overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def own_render(overlay: Path) -> list[Manifest]:
    """The part of kustomize that deploy/k8s uses, without the hashes in names."""
    return [_finish(document, overlay) for document in _collect(overlay)]


@cache
def render(overlay: Path = OVERLAY) -> list[Manifest]:
    return kubectl_render(overlay) or own_render(overlay)


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def pod_of(manifest: Manifest) -> Manifest:
    """The pod template's spec of a Deployment, Job or CronJob."""
    spec: Manifest = template_of(manifest)["spec"]
    return spec


def template_of(manifest: Manifest) -> Manifest:
    """The pod template of a Deployment, Job or CronJob."""
    spec = manifest["spec"].get("jobTemplate", manifest)["spec"]
    template: Manifest = spec["template"]
    return template


def variables_of(container: Manifest, manifests: list[Manifest]) -> set[str]:
    """The environment variables a container gets, those of its config maps included."""
    names = {entry["name"] for entry in container.get("env", [])}
    maps = {m["metadata"]["name"]: m["data"] for m in of_kind(manifests, "ConfigMap")}
    for source in container.get("envFrom", []):
        names |= set(maps[source["configMapRef"]["name"]])
    return names


def settings_of(service: str) -> type[ServiceSettings]:
    """The settings class of a service."""
    module = importlib.import_module(f"npms_{service.replace('-', '_')}.settings")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, ServiceSettings)
        and value.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{module.__name__} has {len(found)} settings classes"
    return found[0]


def known_variables(settings: type[ServiceSettings]) -> set[str]:
    prefix = str(settings.model_config["env_prefix"])
    return {prefix + name for name in _names(settings, required=False)}


def required_variables(settings: type[ServiceSettings]) -> set[str]:
    prefix = str(settings.model_config["env_prefix"])
    return {prefix + name for name in _names(settings, required=True)}


def secret_variables(settings: type[ServiceSettings]) -> set[str]:
    prefix = str(settings.model_config["env_prefix"])
    return {
        prefix + name.upper()
        for name, field in settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }


def _names(model: type[BaseModel], *, required: bool) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if required and not field.is_required():
            continue
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from (f"{name.upper()}__{inner}" for inner in _names(nested, required=required))
        if not required or not (isinstance(nested, type) and issubclass(nested, BaseModel)):
            yield name.upper()


def _collect(folder: Path) -> Iterator[Manifest]:
    kustomization = load(folder / "kustomization.yaml")[0]
    for resource in kustomization.get("resources", []):
        path = folder / resource
        yield from _collect(path) if path.is_dir() else load(path)
    for generator in kustomization.get("configMapGenerator", []):
        if "behavior" not in generator:
            data = _literals(generator)
            metadata = {"name": generator["name"]}
            yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _literals(generator: Manifest) -> dict[str, str]:
    return dict(literal.split("=", 1) for literal in generator["literals"])


def _finish(manifest: Manifest, overlay: Path) -> Manifest:
    kustomization, done = load(overlay / "kustomization.yaml")[0], deepcopy(manifest)
    labels = load(BASE / "kustomization.yaml")[0]["labels"][0]["pairs"]
    if done["kind"] == "Namespace":
        return done
    done["metadata"].setdefault("labels", {}).update(labels)
    done["metadata"]["namespace"] = kustomization["namespace"]
    if done["kind"] in {"Deployment", "Job", "CronJob"}:
        template_of(done)["metadata"]["labels"].update(labels)
        _retag(pod_of(done), kustomization["images"])
    for generator in kustomization["configMapGenerator"]:
        if done["kind"] == "ConfigMap" and done["metadata"]["name"] == generator["name"]:
            done["data"].update(_literals(generator))
    for entry in kustomization["replicas"]:
        if done["kind"] == "Deployment" and done["metadata"]["name"] == entry["name"]:
            done["spec"]["replicas"] = entry["count"]
    return done


def _retag(pod: Manifest, images: list[dict[str, str]]) -> None:
    tags = {image["name"]: f"{image['newName']}:{image['newTag']}" for image in images}
    for container in pod["containers"]:
        container["image"] = tags.get(container["image"], container["image"])
