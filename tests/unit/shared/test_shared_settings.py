from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from npms_shared.settings import ServiceSettings, SettingsError, load_settings, read_settings
from npms_shared.web.limits import Limits


class ExampleSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="NPMS_EXAMPLE_")


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    keys = tmp_path / "jwks.json"
    keys.write_text('{"keys": []}')
    monkeypatch.setenv("NPMS_EXAMPLE_DATABASE_URL", "postgresql://a:b@127.0.0.1/c")
    monkeypatch.setenv("NPMS_EXAMPLE_AMQP_URL", "amqp://a:b@127.0.0.1/c")
    monkeypatch.setenv("NPMS_EXAMPLE_JWKS_PATH", str(keys))
    return keys


@pytest.mark.usefixtures("complete")
def test_secrets_do_not_show() -> None:
    settings = read_settings(ExampleSettings)
    assert "a:b" not in repr(settings)
    assert settings.partitions == 16


@pytest.mark.usefixtures("complete")
def test_limits_that_nobody_sets_are_those_that_are_tested() -> None:
    assert read_settings(ExampleSettings).limits() == Limits()


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "here"),
        ("PORT", "seventy"),
        ("PORT", "70000"),
        ("JWKS_PATH", "/does/not/exist"),
        ("LOG_LEVEL", "loud"),
        ("PARTITIONS", "0"),
    ],
)
def test_what_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(f"NPMS_EXAMPLE_{variable}", value)
    with pytest.raises(SystemExit) as stop:
        load_settings(ExampleSettings)
    assert stop.value.code == 2
    assert f"NPMS_EXAMPLE_{variable}:" in capsys.readouterr().err


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as fault:
        read_settings(ExampleSettings)
    named = {problem.split(":")[0] for problem in fault.value.problems}
    assert named == {
        "NPMS_EXAMPLE_DATABASE_URL",
        "NPMS_EXAMPLE_AMQP_URL",
        "NPMS_EXAMPLE_JWKS_PATH",
    }


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize(
    "value",
    [
        "nonsense",
        "{}",
        '[{"issuer": "http://login.example"}]',
        '[{"issuer": "https://login.example", "roles": ["king"]}]',
        '[{"issuer": "https://login.example", "jwks_url": "file:///etc/keys"}]',
    ],
)
def test_an_issuer_that_cannot_be_trusted_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("NPMS_EXAMPLE_TOKEN_ISSUERS", value)
    with pytest.raises(SettingsError, match="NPMS_EXAMPLE_TOKEN_ISSUERS"):
        read_settings(ExampleSettings)


def test_issuers_of_the_environment_need_no_file_of_keys(
    monkeypatch: pytest.MonkeyPatch, complete: Path
) -> None:
    monkeypatch.delenv("NPMS_EXAMPLE_JWKS_PATH")
    monkeypatch.setenv(
        "NPMS_EXAMPLE_TOKEN_ISSUERS", '[{"issuer": "https://login.example", "roles": ["customer"]}]'
    )
    [issuer] = read_settings(ExampleSettings).token_issuers
    assert (issuer.issuer, issuer.roles) == ("https://login.example", {"customer"})
