"""One SLURM for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.slurm.cluster import Cluster, NoCluster, install


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A booted cluster, to which every process that tests start belongs."""
    try:
        install()
    except NoCluster as error:
        pytest.skip(str(error))
    made = Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    with pytest.MonkeyPatch.context() as patch:
        try:
            made.start()
            for name in ("PATH", "SLURM_CONF"):
                patch.setenv(name, made.environment()[name])
            yield made
        finally:
            made.stop()
