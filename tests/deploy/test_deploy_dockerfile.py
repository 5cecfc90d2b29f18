"""The Dockerfile: pinned base, hashed installs, nobody's root, a health check."""

import re

from tests.deploy.manifests import ROOT, SERVICES

TEXT = (ROOT / "Dockerfile").read_text()
CODE = re.sub(r"^\s*#.*$", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ")
FINAL = CODE[CODE.rindex("\nFROM ") :]


def test_every_base_image_has_an_exact_line() -> None:
    bases = re.findall(r"^FROM (\S+)", CODE, flags=re.MULTILINE)
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.11-slim(-\w+)?", base) for base in bases)


def test_nothing_is_installed_without_a_hash() -> None:
    installs = re.findall(r"pip (?:install|wheel)[^&\n]*", CODE)
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or "--no-deps --no-index" in install, install


def test_the_builder_finds_its_tools_in_the_lock() -> None:
    """The names in the awk filter are locked, so that pip can insist on their hashes."""
    names = re.search(r"keep = /\^\(([^)]*)\)==/", TEXT)
    assert names is not None
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert set(names[1].split("|")) <= set(locked)


def test_it_runs_as_nobody_in_particular() -> None:
    assert re.search(r"^USER 10001:10001$", FINAL, flags=re.MULTILINE)
    after = FINAL[FINAL.index("USER 10001") :]
    assert "RUN" not in after


def test_it_starts_the_service_and_watches_it() -> None:
    assert 'ENTRYPOINT ["service"]' in FINAL
    assert 'CMD ["run"]' in FINAL
    assert re.search(r"HEALTHCHECK .*/health/live", FINAL)


def test_every_service_has_the_command_that_the_image_links_to() -> None:
    for service in SERVICES:
        project = (ROOT / "services" / service / "pyproject.toml").read_text()
        assert f"\nnpms-{service} = " in project


def test_the_build_context_is_what_the_recipe_copies() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = set(re.findall(r"^COPY (?!--from)(.*) \S+$", CODE, flags=re.MULTILINE))
    assert {source for c in copied for source in c.split()} == allowed
