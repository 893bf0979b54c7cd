"""``python -m hfpl.cli``."""

import sys

from hfpl.cli import main

sys.exit(main())
