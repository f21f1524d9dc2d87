"""`python -m hypertransfer`: the command line."""

import sys

from hypertransfer.cli import main

sys.exit(main())
