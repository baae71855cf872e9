"""``python -m photonlink`` is the command ``photonlink``."""

import sys

from photonlink.cli import main

if __name__ == "__main__":
    sys.exit(main())
