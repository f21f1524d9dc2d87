"""The environment variables of jobs, which are the same whatever a user's shell has set.

`rules/common.smk` calls `settle` before any job starts, in the main process and in the processes
that run jobs on other nodes. Variables that may change numbers, figures or messages in reports are
removed or set. Variables that say where programs, packages and devices are stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from fnmatch import fnmatchcase
from pathlib import Path

from hypertransfer.catalogue.module_source import PACKAGE_ROOT, is_followed

# Removed, as patterns.
REMOVED = (
    "ATEN_*",  # the instructions that torch uses on a CPU
    "BLIS_*",
    "CUBLAS_*",
    "CUDNN_*",
    "DISABLE_ADDMM_CUDA_LT",
    "DNNL_*",
    "GIT_DIR",  # a git hook sets it, and the provenance would name the commit of that repository
    "GIT_INDEX_FILE",
    "GIT_WORK_TREE",
    "GOTO_*",
    "IPYTHON*",  # profiles and their startup files
    "JUPYTER_*",  # kernels, templates and config files
    "LANG",
    "LANGUAGE",
    "LC_*",
    "MATPLOTLIBRC",
    "MALLOC_*",
    "MKL_*",
    "MPL*",
    "NPY_*",
    "NUMEXPR_*",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_*",
    "ONEDNN_*",
    "OPENBLAS_*",  # threads, and the kernels that depend on the processor
    "PANDAS_*",
    "PYTORCH_TUNABLEOP_*",
    "PYTHON*",  # flags, warnings, encodings, files that run at the start
    "SEABORN_*",
    "TORCH_*",
    "TORCHDYNAMO_*",
    "TORCHINDUCTOR_*",
    "VECLIB_*",
)
# Stay, although a pattern above matches: they say where things are, or how libraries are loaded.
KEPT = frozenset(
    {
        "MKL_SERVICE_FORCE_INTEL",
        "MKL_THREADING_LAYER",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHOME",
        "PYTHONNOUSERSITE",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "PYTHONPYCACHEPREFIX",
        "PYTHONUNBUFFERED",
        "PYTHONUSERBASE",
        "TORCHINDUCTOR_CACHE_DIR",
        "TORCH_DEVICE_BACKEND_AUTOLOAD",
        "TORCH_EXTENSIONS_DIR",
        "TORCH_HOME",
        "TORCH_USE_RTLD_GLOBAL",
    }
)
THREADS = (
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
SET = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # makes matrix products on a GPU deterministic
    "LC_ALL": "C",
    # glibc returns large blocks to the system when they are freed, and each new one costs page
    # faults: a quarter of the time of wide networks. Here a process keeps its memory until it ends.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MPLBACKEND": "agg",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    **dict.fromkeys(THREADS, "1"),
}
CACHE = Path(".snakemake") / "matplotlib"  # of fonts; a matplotlibrc of the user is not in it


def settle(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the environment of the processes that this process starts.

    The folder of the library becomes the first of PYTHONPATH, unless the library was installed
    with the other packages, so that no other package of its name is imported. The working folder is
    removed from PYTHONPATH: jobs search it after all others for the user's modules, so that a file
    such as `seaborn.py` hides no installed package.
    """
    for name in list(environment):
        if name not in KEPT and any(fnmatchcase(name, pattern) for pattern in REMOVED):
            del environment[name]
    environment.update(SET)
    environment["MPLCONFIGDIR"] = str(CACHE.absolute())
    own = [str(PACKAGE_ROOT)] if is_followed(PACKAGE_ROOT) else []
    here = Path.cwd().resolve()
    places = environment.get("PYTHONPATH", "").split(os.pathsep)
    others = [place for place in places if place and Path(place).resolve() != here]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*own, *others]))
