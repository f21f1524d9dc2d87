"""Stable names: copies of made files, put in place and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypertransfer.execution.publish import publish
from hypertransfer.planning.publication import Publication


class Place:
    """A folder of stable names, and files made for them."""

    def __init__(self, folder):
        self.folder = folder

    def publication(self, **files):
        """A publication of names with the given content, whose made files are there."""
        made = {}
        for name, content in files.items():
            path = self.folder / "made" / "figures" / f"{name}-{content}.svg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            made[f"figures/{name}.svg"] = str(path)
        return Publication(self.folder, made)

    def publish(self, publication):
        publish(str(publication.root), publication.files, str(publication.marker))

    def stable(self):
        """What stands under the stable names."""
        return {path.stem: path.read_text() for path in (self.folder / "figures").iterdir()}

    def markers(self):
        return list((self.folder / "made" / "published").iterdir())


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "results" / "mine")


def test_publishing_there_and_back(place):
    a, b = place.publication(one="a", two="same"), place.publication(one="b", two="same")
    assert a.marker != b.marker
    for publication, content in ((a, "a"), (b, "b"), (a, "a")):
        assert not publication.stands()
        place.publish(publication)
        assert publication.stands()
        assert place.stable() == {"one": content, "two": "same"}
        assert place.markers() == [publication.marker]
    assert not b.stands()


def test_names_that_are_no_longer_meant_go(place):
    a, b = place.publication(one="a", two="a"), place.publication(two="a", three="a")
    place.publish(a)
    (place.folder / "figures" / "mine.svg").write_text("a reader's own")
    place.publish(b)
    assert set(place.stable()) == {"two", "three", "mine"}


def test_a_publication_cut_short_has_no_marker(place):
    a, b = place.publication(one="a", two="a"), place.publication(one="b", two="b")
    place.publish(a)
    Path(b.files["figures/two.svg"]).unlink()
    with pytest.raises(FileNotFoundError):
        place.publish(b)
    assert place.markers() == []
    assert not a.stands()
    assert not b.stands()
    place.publish(a)
    assert place.stable() == {"one": "a", "two": "a"}


def remove(path):
    path.unlink()


def lengthen(path):
    path.write_text("edited")


def rewrite(path):
    path.write_text("A")


@pytest.mark.parametrize("harm", [remove, lengthen, rewrite])
def test_a_stable_file_that_is_not_the_one_put_there(place, harm):
    publication = place.publication(one="a", two="a")
    place.publish(publication)
    publication.retract_if_false()
    assert publication.stands()
    harm(place.folder / "figures" / "two.svg")
    assert not publication.stands()
    publication.retract_if_false()
    assert place.markers() == []
    place.publish(publication)
    assert publication.stands()
    assert place.stable() == {"one": "a", "two": "a"}


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", '{"nowhere.svg": [1, 2]}'])
def test_a_marker_that_says_nothing_true(place, content):
    publication = place.publication(one="a")
    place.publish(publication)
    publication.marker.write_text(content)
    assert not publication.stands()
    publication.retract_if_false()
    assert not publication.marker.exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", "3"])
def test_a_broken_marker_does_not_stop_a_publication(place, content):
    a, b = place.publication(one="a"), place.publication(one="b")
    place.publish(a)
    a.marker.write_text(content)
    place.publish(b)
    assert b.stands()
    assert place.markers() == [b.marker]
