"""Where the portable C++ headers of the installed package are."""

from __future__ import annotations

from pathlib import Path

from photonlink.errors import TargetUnavailable, Unavailable


def get_include() -> str:
    """Folder to give a C++ or CUDA compiler, e.g. ``g++ -std=c++17 -I"$(python -c '...')"``.

    It holds the portable headers: wire format, feature encoding, and the client and server handles of the link. They
    are header-only, need no library, and compile for host and device.

    Returns:
        Absolute path; ``#include "photonlink/link/client.hpp"`` is found below it.

    Raises:
        TargetUnavailable: If the installation has no headers (a source tree that was never installed).

    Examples:
        >>> from pathlib import Path
        >>> import photonlink as phl
        >>> (Path(phl.get_include()) / "photonlink" / "platform.hpp").is_file()
        True
    """
    from photonlink import _core

    # Beside the extension module, which an editable install keeps apart from the Python files.
    folder = Path(_core.__file__).resolve().parent / "include"
    if not (folder / "photonlink" / "platform.hpp").is_file():
        raise TargetUnavailable(
            f"no headers in {folder}: install the package with pip instead of importing its source tree",
            reason=Unavailable.NOT_INSTALLED,
        )
    return str(folder)
