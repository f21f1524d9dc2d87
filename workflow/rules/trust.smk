# Included before the config is read, because Snakemake would run the values of a config with the key
# `__use_yte__` as Python.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The library is found in the workflow's own folder before all others, so that no other package of
# its name hides it. The user's modules are found in the working directory after all others, so
# that none hides a module of Python. The scripts of rules get this path from Snakemake.
WORKFLOW, HERE = (
    str(Path(folder).resolve())
    for folder in (Path(str(workflow.current_basedir)).parent, Path.cwd())
)
LIBRARY = [WORKFLOW] if Path(WORKFLOW).is_dir() else []
sys.path[:] = [*LIBRARY, *(p for p in sys.path if p not in (WORKFLOW, HERE, "")), HERE]

try:
    from hypertransfer.studies.document import ConfigError, read, refuse_templates
except ModuleNotFoundError as error:
    raise WorkflowError(
        f"{error}: this workflow needs its library. Clone its repository, and install the clone "
        "into the environment of Snakemake: pip install --editable PATH_OF_THE_CLONE"
    ) from None

try:
    if Path("config/config.yaml").exists():
        refuse_templates(read(Path("config/config.yaml")))
except ConfigError as error:
    raise WorkflowError(str(error)) from None
