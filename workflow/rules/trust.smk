# Before the config is taken in: Snakemake would run a config that asks for it as Python.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Rules' scripts and jobs on other nodes find the library, and the user's own modules.
LIBRARY = [str(Path(workflow.basedir) / "workflow"), str(Path.cwd())]
sys.path[:0] = [path for path in LIBRARY if path not in sys.path]

from hypertransfer.studies.document import ConfigError, read, refuse_templates

try:
    if Path("config/config.yaml").exists():
        refuse_templates(read(Path("config/config.yaml")))
except ConfigError as error:
    raise WorkflowError(str(error)) from None
