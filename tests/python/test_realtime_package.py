"""photonlink.realtime stands alone, and its page says what is true."""

import re
import subprocess
import sys
from pathlib import Path

import photonlink as phl
from photonlink import realtime

PAGE = Path(__file__).resolve().parents[2] / "docs" / "realtime.md"


def _python(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_needs_numpy_and_nothing_else():
    """Neither the compiled core nor any package of photonics."""
    _python(
        "import sys\n"
        "for name in ('photonlink._core', 'perceval', 'scipy', 'torch', 'cudaq'): sys.modules[name] = None\n"
        "import photonlink.realtime\n"
        "for name in photonlink.realtime.__all__: getattr(photonlink.realtime, name)\n"
    )


def test_it_is_found_by_name():
    assert phl.realtime is realtime


def test_code_of_the_page():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert _python("\n".join(blocks)).startswith("True\n[False, True,")


def test_listing_of_the_page():
    """The frames that the page shows are those of a capture that the tests read."""
    capture = realtime.read_capture((Path(__file__).parent / "captures" / "loopback.pcap").read_bytes())
    frames = realtime.Decoder(["addThem(i32 a, i32 b) -> i32"]).decode(realtime.Capture(capture.datagrams[:4]))
    assert realtime.table(frames) in PAGE.read_text()
