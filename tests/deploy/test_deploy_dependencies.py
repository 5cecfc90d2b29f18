"""Each package declares what it imports, and each image carries what its code needs, no more."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.deploy.manifests import ROOT, SERVICES

from npms_tools.locks import FOLDER, IMAGES, cut, declared, names_in

PLACES = {
    **{f"npms-{service}": ROOT / "services" / service for service in SERVICES},
    **{f"npms-{place}": ROOT / place for place in ("shared", "operations", "tools")},
}
UNSEEN = {"npms-shared": {"asyncpg", "tzdata"}, "npms-meter-gateway": {"pyserial"}}
"""Needed and never imported: named by a URL, read as data, asked for by another package."""
DISTRIBUTIONS = packages_distributions()


def imported(package: str) -> Iterator[str]:
    own = package.replace("-", "_")
    for path in (PLACES[package] / own).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                yield str(node.module).partition(".")[0]
            elif isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)


def distribution_of(module: str) -> str:
    if module.startswith("npms_"):
        return module.replace("_", "-")
    return canonicalize_name(DISTRIBUTIONS[module][0])


@pytest.mark.parametrize("package", PLACES)
def test_a_package_declares_what_it_imports_and_nothing_else(package: str) -> None:
    outside = set(imported(package)) - sys.stdlib_module_names - {package.replace("-", "_")}
    wanted = {distribution_of(module) for module in outside} | UNSEEN.get(package, set())
    assert {Requirement(words).name for words in declared(ROOT)[package]} == wanted


def test_every_member_of_the_workspace_was_looked_at() -> None:
    assert declared(ROOT).keys() == PLACES.keys()


@pytest.mark.parametrize("image", IMAGES)
def test_the_lock_of_an_image_is_what_its_code_needs(image: str) -> None:
    assert (ROOT / FOLDER / f"{image}.lock").read_text() == cut(ROOT)[image], "run: npms locks"


def test_no_service_s_image_carries_another_s_dependencies() -> None:
    carried = {
        image: set(names_in((ROOT / FOLDER / f"{image}.lock").read_text())) for image in IMAGES
    }
    only = {
        "meter-gateway": {"pymodbus", "pyserial", "aiomqtt", "dlt645"},
        "ledger": {"reportlab"},
        "notifier": {"aiosmtplib", "phonenumbers"},
        "payments": {"python-stdnum"},
    }
    for owner, names in only.items():
        assert names <= carried[owner]
        for image in set(SERVICES) - {owner}:
            assert not names & carried[image], image
    assert not {"aio-pika", "asyncpg", "sqlalchemy"} - carried["tariff"]


def test_what_images_need_is_what_requirements_in_asks_for() -> None:
    asked = re.findall(r"^[a-z0-9-]+", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    direct = {
        Requirement(words).name
        for package, words_of in declared(ROOT).items()
        if package != "npms-tools"
        for words in words_of
    }
    with_others = {"aiormq", "h11", "pydantic-core", "starlette"}
    assert set(asked) == {name for name in direct if not name.startswith("npms-")} - with_others
