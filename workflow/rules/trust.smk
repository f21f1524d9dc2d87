# Included before the config is read, because Snakemake would run the values of a config with the key
# `__use_yte__` as Python.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The scripts of rules and jobs on other nodes find the library in the workflow's own folder, and
# the user's modules in the working directory.
WORKFLOW = Path(str(workflow.current_basedir)).resolve().parent
LIBRARY = [str(path) for path in (WORKFLOW, Path.cwd()) if path.is_dir()]
sys.path[:0] = [path for path in LIBRARY if path not in sys.path]

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
