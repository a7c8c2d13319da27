"""`python -m segdend_plugin` is `segdend`."""

import sys

from segdend_plugin.cli import main

sys.exit(main())
