"""Surroundings that must not change a result: a user's variables, rc files, kernels and modules."""

from __future__ import annotations

import json
from pathlib import Path

RAISE = 'raise SystemExit("a file of the surroundings was run")\n'
NOWHERE = "/dev/null/nowhere"  # a folder that nobody can make
FILES = {
    "home/.config/matplotlib/matplotlibrc": "text.usetex: True\naxes.facecolor: black\n",
    "home/.ipython/profile_default/startup/00-first.py": RAISE,
    "home/.ipython/profile_default/ipython_kernel_config.py": RAISE,
    "home/.ipython/profile_default/ipython_config.py": RAISE,
    "home/.jupyter/jupyter_config.py": RAISE,
    "home/.local/share/jupyter/nbconvert/templates/lab/base.html.j2": "another page",
    "home/.local/share/jupyter/nbconvert/templates/lab/index.html.j2": "another page",
    "home/.local/share/jupyter/nbconvert/templates/report/index.html.j2": "another page",
    "jupyter/kernels/python3/kernel.json": json.dumps(
        {"argv": ["false", "{connection_file}"], "display_name": "Foreign", "language": "python"}
    ),
    "matplotlibrc": "text.usetex: True\nlines.color: red\nsvg.hashsalt: other\nfont.size: 30\n",
    "startup.py": RAISE,
    "modules/hypertransfer/__init__.py": RAISE,
}


def variables(folder: Path) -> dict[str, str]:
    """Write the files into the folder; the environment variables that lead to them, and others."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return {
        "ATEN_CPU_CAPABILITY": "default",
        "GIT_DIR": NOWHERE,
        "HOME": str(folder / "home"),
        "JUPYTER_CONFIG_DIR": str(folder / "home/.jupyter"),
        "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": NOWHERE,
        "LC_ALL": "C",
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        "MKL_NUM_THREADS": "3",
        "MPLBACKEND": "qtagg",
        "MPLCONFIGDIR": NOWHERE,
        "OMP_NUM_THREADS": "3",
        "OPENBLAS_CORETYPE": "Prescott",
        "OPENBLAS_NUM_THREADS": "3",
        "PANDAS_FUTURE_INFER_STRING": "0",
        "PYTHONHASHSEED": "12345",
        "PYTHONIOENCODING": "ascii",
        "PYTHONOPTIMIZE": "1",
        "PYTHONPATH": str(folder / "modules"),
        "PYTHONSTARTUP": str(folder / "startup.py"),
        "PYTHONWARNINGS": "always",
        "SEABORN_DATA": NOWHERE,
        "TMPDIR": NOWHERE,
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
        "TZ": "Asia/Kathmandu",
        "XDG_CACHE_HOME": NOWHERE,
    }
