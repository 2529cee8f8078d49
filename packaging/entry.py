"""The first file of the installed program; the same as ``python -m vpa_desktop``."""

import sys

from vpa_desktop.__main__ import main

sys.exit(main())
