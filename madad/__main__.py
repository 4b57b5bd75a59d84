"""`python -m madad`."""

import sys

from madad.core.job_client import handed_over

status = handed_over(sys.argv[1:])
if status is None:
    from madad.cli.main import main

    status = main()
sys.exit(status)
