"""Every example runs alone on the simulated target, and so does the README's; those with kernels need a GPU."""

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import photonlink as phl

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
# Those that bring a kernel of their own.
NEED_GPU = [path for path in EXAMPLES if path.with_suffix(".cu").exists()]
OPTIONAL = ("cudaq", "torch", "merlin")
APPLICATIONS = "from comparison import"  # several seeds and controls: their reduced setting will do here


def _run(arguments, cwd):
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _skip_without_packages(text):
    for package in OPTIONAL:
        if re.search(rf"^(import|from) {package}\b", text, re.MULTILINE) and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path not in NEED_GPU], ids=lambda path: path.stem)
def test_example(path, tmp_path):
    text = path.read_text()
    _skip_without_packages(text)
    assert _run([str(path), *(["--quick"] if APPLICATIONS in text else [])], tmp_path).strip()


@pytest.mark.parametrize("path", NEED_GPU, ids=lambda path: path.stem)
def test_example_with_a_kernel(path, tmp_path):
    if phl.doctor()["cuda"]["status"] == "ok":
        assert _run([str(path)], tmp_path).strip()
        return
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("this example needs a GPU: ")
    assert "Traceback" not in done.stderr


def test_feedback_loop_locks_on_the_host():
    """The loop that 06 compares its kernel with is itself a loop that locks."""
    example = runpy.run_path(str(ROOT / "examples" / "06_feedback_loop.py"), run_name="not main")
    with phl.reserve("sim", example["program"]) as session:
        trace = example["on_the_host"](session)
    assert abs(trace[0] - 0.5) > 0.4
    assert abs(trace[50:] - 0.5).max() < 0.1


README_BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("block", README_BLOCKS, ids=range(len(README_BLOCKS)))
def test_readme_example(block, tmp_path):
    _skip_without_packages(block)
    if "def test_" in block:
        path = tmp_path / "test_readme.py"
        path.write_text(block)
        _run(["-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)], tmp_path)
    else:
        path = tmp_path / "readme.py"
        path.write_text(block)
        assert _run([str(path)], tmp_path) or "print" not in block


# The other pages have tests of their own, beside what they are about.
PAGES = ("programs", "processors", "cudaq", "photonic_kernels")


@pytest.mark.parametrize("page", PAGES)
def test_page_beyond_the_readme(page, tmp_path):
    """From top to bottom, as a reader would type it."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), flags=re.DOTALL)
    assert blocks
    script = tmp_path / "page.py"  # not the name of a package that it imports
    script.write_text("\n".join(blocks))
    _skip_without_packages(script.read_text())
    _run([str(script)], tmp_path)


def test_links_of_pages_lead_somewhere():
    pages = [
        ROOT / "README.md",
        *(page for name in ("docs", "examples", "benchmarks") for page in (ROOT / name).rglob("*.md")),
    ]
    links = [(page, link) for page in pages for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())]
    assert len(links) > 20
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []
