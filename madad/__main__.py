"""`python -m madad`."""

import sys

from madad.cli.main import main

sys.exit(main())
