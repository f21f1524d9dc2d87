"""`python -m hypertransfer`: the command line."""

import sys

from hypertransfer.cli.main import main

sys.exit(main())
