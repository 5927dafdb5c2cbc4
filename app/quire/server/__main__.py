"""Starts the background engine; what it says on stderr until it is ready is for the client that starts it."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Leave the starting process behind, and serve."""
    if os.fork():
        os._exit(0)
    from quire.server.process import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
