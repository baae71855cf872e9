"""Files that commands write: whether they can be is known before the work begins, so that no result of it is lost."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

__all__ = ["output_file"]


def output_file(text: str) -> Path:
    """An argument of a command line as the file that it will write.

    Raises:
        argparse.ArgumentTypeError: No file can be written there; argparse shows the reason.
    """
    path = Path(text)
    try:
        folder = path.parent.is_dir()
        writable = os.access(path if path.exists() else path.parent, os.W_OK)
    except (OSError, ValueError) as error:  # a name that is too long, or that no file can have
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no name of a file: {error}") from None
    if not folder:
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}: create it, or give another file")
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder, expected the name of a file")
    if not writable:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: no permission")
    return path
