"""The pinned environment: one set of versions, within the ranges that the project states."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
ENVS = ROOT / "envs"
BUILD_TOOLS = {"setuptools", "wheel"}  # for installing the project itself, which conda does not


def pins(lines):
    """Name → version of lines such as `numpy==2.4.6`."""
    found = {}
    for line in lines:
        text = line.partition("#")[0].strip()
        if text:
            name, separator, version = text.partition("==")
            assert separator, f"{text!r} is not pinned"
            found[canonicalize_name(name)] = Version(version)
    return found


def locked(name):
    return pins((ENVS / name).read_text().splitlines())


def conda():
    return yaml.safe_load((ENVS / "hypertransfer.yaml").read_text())


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_conda_has_the_versions_of_the_lock():
    (by_pip,) = [part["pip"] for part in conda()["dependencies"] if isinstance(part, dict)]
    lock = locked("requirements.txt")
    assert pins(by_pip) == {n: v for n, v in lock.items() if n not in BUILD_TOOLS}


def test_conda_has_a_python_that_the_project_allows():
    (python,) = [part for part in conda()["dependencies"] if str(part).startswith("python=")]
    version = Version(python.partition("=")[2])
    assert version in Requirement(f"python{project()['project']['requires-python']}").specifier


@pytest.mark.parametrize("dependency", project()["project"]["dependencies"])
def test_every_dependency_is_locked_within_its_range(dependency):
    wanted = Requirement(dependency)
    lock = locked("requirements.txt")
    assert canonicalize_name(wanted.name) in lock
    assert lock[canonicalize_name(wanted.name)] in wanted.specifier


def test_the_build_tool_is_locked_within_its_range():
    (wanted,) = map(Requirement, project()["build-system"]["requires"])
    assert locked("requirements.txt")[wanted.name] in wanted.specifier


@pytest.mark.parametrize(
    "name", ["requirements-test.txt", "requirements-docs.txt", "requirements-references.txt"]
)
def test_what_tests_and_docs_need_is_pinned_and_does_not_contradict(name):
    lock, more = locked("requirements.txt"), locked(name)
    assert more
    assert not {n: (v, lock[n]) for n, v in more.items() if lock.get(n, v) != v}


@pytest.mark.parametrize("path", [*sorted(ENVS.glob("*.*")), ROOT / "pyproject.toml"], ids=str)
def test_no_file_names_a_registry(path):
    # A registry named in a file would win over the one that the user's machine is set up for.
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"--(?:extra-)?index-url|--find-links|--trusted-host|https?://\S+", text)
    assert not [word for word in found if "github.com" not in word]


def test_vendored_data_stand_beside_their_notice():
    vendored = ROOT / "workflow" / "hypertransfer" / "data" / "vendored"
    data = [path for path in vendored.iterdir() if path.suffix in (".npz", ".gz")]
    text = (vendored / "README.md").read_text(encoding="utf-8")
    assert data
    assert "The MIT License" in text
    assert "Copyright © 2017 Zalando SE" in text
    assert "Permission is hereby granted" in text
    assert not [path.name for path in data if path.name not in text]


def test_vendored_data_and_templates_are_part_of_the_package():
    patterns = project()["tool"]["setuptools"]["package-data"]["hypertransfer"]
    package = ROOT / "workflow" / "hypertransfer"
    packaged = {path.relative_to(package) for pattern in patterns for path in package.glob(pattern)}
    assert Path("data/vendored/README.md") in packaged
    assert {path.suffix for path in packaged} >= {".npz", ".html"}
