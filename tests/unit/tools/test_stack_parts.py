import base64
import hashlib
import os
from pathlib import Path

import pytest

from npms_operations.topology.definitions import password_hash
from npms_tools.stack import Stack, StackError, packages, processes
from npms_tools.stack.databases import name_of, with_login
from npms_tools.stack.identity import Identity, unprivileged


def test_an_error_names_the_log_its_end_and_what_to_do(tmp_path: Path):
    log = tmp_path / "node.log"
    log.write_text("first\n" * 20 + "last\n")

    said = str(StackError("it did not start", log=log, advice="make clean"))

    assert said.startswith("it did not start\n")
    assert str(log) in said
    assert "  | last\nwhat to do: make clean" in said


def test_an_error_without_its_log_is_still_said(tmp_path: Path):
    assert "gone" in str(StackError("gone", log=tmp_path / "none"))


def test_a_login_replaces_user_and_database_and_keeps_the_rest():
    url = with_login(
        "postgresql+asyncpg://root:pw@db:5433/postgres?sslmode=require",
        user="u",
        password="p",
        database="d",
    )

    assert url == "postgresql://u:p@db:5433/d?sslmode=require"


def test_a_database_is_named_after_its_service():
    assert name_of("npms", "meter-gateway") == "npms_meter_gateway"


def test_the_brokers_password_hash_is_salted_sha256():
    raw = base64.b64decode(password_hash("secret"))

    assert raw[4:] == hashlib.sha256(raw[:4] + b"secret").digest()


def test_given_urls_take_the_place_of_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NPMS_POSTGRES_URL", "postgresql://db/postgres")
    monkeypatch.setenv("NPMS_AMQP_URL", "amqp://broker/npms")
    said: list[str] = []

    urls = Stack("given", tmp_path).up(said.append)

    assert (urls.postgres_admin_url, urls.amqp_url) == (
        "postgresql://db/postgres",
        "amqp://broker/npms",
    )
    assert urls.management_url is None
    assert sorted(said) == [
        "PostgreSQL: as given by the environment",
        "RabbitMQ: as given by the environment",
    ]
    assert not (tmp_path / ".run/given/nodes").exists()


def test_a_stack_that_never_ran_can_be_stopped_and_removed(tmp_path: Path):
    Stack("never", tmp_path).clean()

    assert not (tmp_path / ".run").exists()


def test_without_root_and_sudo_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(packages.shutil, "which", lambda name: name if name == "apt-get" else None)

    with pytest.raises(StackError, match="rabbitmq-server not found") as caught:
        packages.install(["rabbitmq-server"], progress=print)

    assert "NPMS_AMQP_URL" in caught.value.advice


def test_without_apt_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packages.shutil, "which", lambda _name: None)

    with pytest.raises(StackError, match="no apt-get"):
        packages.install(["postgresql"], progress=print)


def test_one_who_is_not_root_runs_the_nodes_himself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)

    assert unprivileged("postgres").options() == {}


def test_a_private_file_is_private(tmp_path: Path):
    me = Identity(name="me", uid=os.getuid(), gid=os.getgid(), switched=False)

    file = me.file(me.folder(tmp_path / "node") / "secret", "x")

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_number_without_a_process_is_not_living():
    assert processes.living(2**22 + 1) is None


def test_a_pid_file_that_is_no_pid_file_gives_none(tmp_path: Path):
    (tmp_path / "pid").write_text("what")

    assert processes.pid_in(tmp_path / "pid") is None
    assert processes.pid_in(tmp_path / "none") is None
