"""Paths that a person writes: what is left of `~` and of variables is refused in words."""

from __future__ import annotations

import pytest

from hypertransfer.runs.paths import is_file, path_fault


@pytest.mark.parametrize(
    "path", ["a.csv", "/x/y", "../a", "a~b", "x/~", "cost$/a", "a$b", "$1", ""]
)
def test_plain_paths_have_no_fault(path):
    assert path_fault(path) is None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("$HOME/a", "$HOME in '$HOME/a' is not replaced by its value: write the path, or use ~"),
        ("/x/${USER}/a", "${USER} in '/x/${USER}/a' is not replaced"),
        ("~nobody/a", "the home folder of ~nobody is not known: write the whole path"),
    ],
)
def test_what_would_become_a_folder_of_this_name_is_refused(path, words):
    assert path_fault(path).startswith(words)


def test_texts_that_no_path_can_be_are_no_files(tmp_path):
    file = tmp_path / "corpus"
    file.touch()
    assert is_file(str(file))
    for text in (str(tmp_path), "a" * 300, "a\0b", ""):
        assert not is_file(text)
