"""What fingerprints remember of modules on disk: never anything but what a fresh reading gives."""

from __future__ import annotations

import json
import os

import pytest
from tests.support.known_values import forgetting, project_of

from hypertransfer.planning import fingerprint
from hypertransfer.runs.canonical import digest
from hypertransfer.storage import known_values

anew = forgetting(fingerprint._read)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder in which Snakemake has run, whose modules a test writes."""
    yield from project_of(tmp_path, monkeypatch, anew)


def cache(project):
    (file,) = (project / ".snakemake").iterdir()
    return file


@pytest.fixture
def parsed(monkeypatch):
    """The sources that are parsed."""
    found = []
    plain = fingerprint.code_hash
    monkeypatch.setattr(fingerprint, "code_hash", lambda text: (found.append(text), plain(text))[1])
    return found


def test_a_second_process_parses_nothing(project, parsed):
    (project / "start.py").write_text("import end")
    (project / "end.py").write_text("x = 1")
    first = fingerprint.fingerprint("start")
    assert sorted(parsed) == ["import end", "x = 1"]
    anew()
    parsed.clear()
    assert fingerprint.fingerprint("start") == first
    assert parsed == []


def test_another_content_is_read_although_size_and_time_are_equal(project, parsed):
    file = project / "start.py"
    file.write_text("x = 1")
    before, stat = fingerprint.fingerprint("start"), file.stat()
    file.write_text("x = 2")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    anew()
    assert fingerprint.fingerprint("start") != before
    assert parsed == ["x = 1", "x = 2"]


def test_one_content_in_a_module_and_in_a_package_imports_others(project):
    for name in ("pack/one", "pack/two/__init__"):
        file = project / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("from . import three")
    (project / "pack" / "three.py").write_text("")
    (project / "pack" / "two" / "three.py").write_text("")
    for _ in range(2):
        assert set(fingerprint.fingerprint("pack.one")) == {"pack.one", "pack.three"}
        assert "pack.three" not in fingerprint.fingerprint("pack.two")
        assert "pack.two.three" in fingerprint.fingerprint("pack.two")
        anew()


def test_other_rules_read_anew(project, parsed, monkeypatch):
    (project / "start.py").write_text("x = 1")
    fingerprint.fingerprint("start")
    anew()
    monkeypatch.setattr(fingerprint, "RULES", "other code")
    fingerprint.fingerprint("start")
    assert parsed == ["x = 1", "x = 1"]


def changed(file):
    content = json.loads(file.read_text())
    content["entries"][0][1][0] = "0" * 16
    file.write_text(json.dumps(content))


def without_digest(file):
    file.write_text(json.dumps({"entries": [["a", ["b", []]]]}))


def entries_of_another_form(file):
    file.write_text(json.dumps({"entries": 3, "digest": digest(3)}))


def linked(file):
    other = file.parent.parent / "elsewhere.json"
    changed(file)
    file.rename(other)
    file.symlink_to(other)


@pytest.mark.parametrize(
    "damage",
    [
        changed,
        without_digest,
        entries_of_another_form,
        linked,
        lambda file: file.write_text(file.read_text()[:-40]),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: file.unlink(),
    ],
)
def test_a_damaged_file_is_read_as_none_and_written_anew(project, parsed, damage):
    (project / "start.py").write_text("x = 1")
    first = fingerprint.fingerprint("start")
    file = cache(project)
    damage(file)
    anew()
    assert fingerprint.fingerprint("start") == first
    anew()
    parsed.clear()
    assert fingerprint.fingerprint("start") == first
    assert parsed == []


def test_without_the_folder_nothing_is_written(project):
    (project / ".snakemake").rmdir()
    (project / "start.py").write_text("x = 1")
    fingerprint.fingerprint("start")
    assert [file.name for file in project.iterdir()] == ["start.py"]


def test_a_file_that_cannot_be_written_stops_nothing(project, monkeypatch):
    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(known_values, "replace_atomically", fail)
    (project / "start.py").write_text("x = 1")
    assert set(fingerprint.fingerprint("start")) == {"start"}


def test_the_file_keeps_the_latest_entries(project, monkeypatch):
    monkeypatch.setattr(known_values, "MOST", 2)
    for value in range(4):
        (project / "start.py").write_text(f"x = {10**value}")
        fingerprint.fingerprint("start")
        anew()
    assert len(json.loads(cache(project).read_text())["entries"]) == 2
