"""`python -m mailgate`."""

from __future__ import annotations

import sys

from mailgate.cli import main

sys.exit(main())
