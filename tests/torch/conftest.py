"""What every test of layers and MerLin models runs under. Without torch and MerLin, every file says it is skipped."""

import importlib.util
import os

import pytest

# Pools of other libraries look like leaked threads; read when those are imported.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

_MISSING = [name for name in ("torch", "merlin") if importlib.util.find_spec(name) is None]


if not _MISSING:
    import torch

    torch.sparse.check_sparse_tensor_invariants.disable()  # MerLin's states are sparse; torch asks for a decision


class _Skipped(pytest.Module):
    def collect(self):
        pytest.skip(
            f"not installed: {', '.join(_MISSING)}; pip install 'photonlink[torch,merlin]'", allow_module_level=True
        )


def pytest_pycollect_makemodule(module_path, parent):
    return _Skipped.from_parent(parent, path=module_path) if _MISSING else None


@pytest.fixture(autouse=True)
def _nothing_left_behind(photonlink_leak_check):
    """Every test: no thread, memory file or socket outlives it."""


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(1)


@pytest.fixture(scope="session")
def compiler():
    """The compiler's threads start with its first use and stay: a leak check must not see them start."""
    torch.compile(lambda x: x * 2, backend="aot_eager")(torch.ones(1, requires_grad=True)).sum().backward()
