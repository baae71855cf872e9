"""Every example in a docstring of the package runs and says what it says."""

import doctest
import importlib
import pkgutil

import pytest

import photonlink

# Integrations whose examples need the other framework.
_NEEDS = {
    "photonlink.cudaq.device": "cudaq",
    "photonlink.demo.kernel": "cudaq",
    "photonlink.merlin": "merlin",
    "photonlink.torch": "torch",
}


def _modules():
    names = (module.name for module in pkgutil.walk_packages(photonlink.__path__, prefix="photonlink."))
    return ["photonlink", *(name for name in names if not name.endswith("._core"))]


@pytest.mark.parametrize("name", _modules())
def test_docstring_examples(name):
    for package, framework in _NEEDS.items():
        if name == package or name.startswith(f"{package}."):
            pytest.importorskip(framework)
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert results.failed == 0, f"{results.failed} of {results.attempted} examples failed in {name}"


def test_public_names_have_examples():
    """The entry points that users meet first carry a runnable example."""
    for name in ("Program", "Readout", "reserve", "Session"):
        finder = doctest.DocTestFinder(exclude_empty=True)
        public = getattr(photonlink, name)
        examples = [t for t in finder.find(public, module=importlib.import_module(public.__module__)) if t.examples]
        assert examples, f"{name} has no runnable example"
