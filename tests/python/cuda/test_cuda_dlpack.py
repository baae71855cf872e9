"""Arrays from DLPack capsules, against what their owners say about them."""

import ctypes
import gc
import sys
import weakref

import numpy as np
import pytest

from photonlink import _core

CASES = {
    "matrix": lambda: np.arange(12.0).reshape(3, 4),
    "float32": lambda: np.arange(6, dtype=np.float32),
    "column": lambda: np.arange(12.0).reshape(3, 4)[:, 1],
    "backwards": lambda: np.arange(10, dtype=np.int16)[::-2],
    "transposed": lambda: np.arange(24, dtype=np.uint32).reshape(2, 3, 4).T,
    "complex": lambda: np.ones((2, 2), np.complex128),
    "bool": lambda: np.ones(3, bool),
    "empty": lambda: np.empty((0, 5)),
    "scalar": lambda: np.array(2.5),
}


def _named(dtype):
    return dtype.name


@pytest.mark.parametrize("case", CASES)
def test_numpy_arrays(case):
    array = CASES[case]()
    taken = _core.DlpackArray(array.__dlpack__())
    assert taken.shape == array.shape
    assert taken.dtype == _named(array.dtype)
    assert (taken.device_type, taken.device_id) == (1, 0)
    if array.size:
        assert taken.pointer == array.__array_interface__["data"][0]
        # The stride of a dimension of one element means nothing.
        for extent, ours, theirs in zip(array.shape, taken.strides, array.strides, strict=True):
            assert extent == 1 or ours * array.itemsize == theirs


def test_what_is_read_is_the_array():
    array = np.random.default_rng(1).normal(size=(4, 6))[1:, ::2]
    taken = _core.DlpackArray(array.__dlpack__())
    start = (ctypes.c_double * 18).from_address(taken.pointer)
    rows, columns = taken.shape
    read = [[start[i * taken.strides[0] + j * taken.strides[1]] for j in range(columns)] for i in range(rows)]
    assert np.array_equal(read, array)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="numpy before 2.1 has no versioned capsules")
@pytest.mark.parametrize("writeable", [True, False])
def test_versioned_capsules_say_whether_one_may_write(writeable):
    array = np.arange(4.0)
    array.setflags(write=writeable)
    assert _core.DlpackArray(array.__dlpack__(max_version=(1, 0))).read_only is not writeable


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    tensor = torch.arange(24, dtype=torch.float32).reshape(4, 6)[:, 1:5]
    for arguments in ({}, {"max_version": (1, 0)}):
        taken = _core.DlpackArray(tensor.__dlpack__(**arguments))
        assert taken.pointer == tensor.data_ptr()
        assert (taken.shape, taken.strides, taken.dtype) == ((4, 4), (6, 1), "float32")
    assert _core.DlpackArray(torch.zeros(2, dtype=torch.bfloat16).__dlpack__()).dtype == "bfloat16"


def test_a_capsule_is_used_once():
    capsule = np.arange(3.0).__dlpack__()
    taken = _core.DlpackArray(capsule)
    with pytest.raises(BufferError, match="used_dltensor"):
        _core.DlpackArray(capsule)
    assert taken.shape == (3,)


class _Noticed(np.ndarray):
    """An array of which one can see that it went."""


@pytest.mark.parametrize("use", [True, False])
def test_memory_is_held_for_as_long_as_needed(use):
    """Used or not, a capsule gives its array back exactly once."""
    array = np.arange(5.0).view(_Noticed)
    references = sys.getrefcount(array)
    gone = weakref.ref(array)
    capsule = array.__dlpack__()
    taken = _core.DlpackArray(capsule) if use else None
    del capsule
    assert (sys.getrefcount(array) > references) is use
    del array
    gc.collect()
    assert (gone() is not None) is use
    del taken
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("other", [object(), None, np.arange(3.0), 7])
def test_what_is_no_capsule_is_refused(other):
    with pytest.raises(TypeError):
        _core.DlpackArray(other)


def test_other_capsules_are_refused():
    from datetime import datetime_CAPI as capsule

    with pytest.raises(BufferError, match="fresh DLPack capsule"):
        _core.DlpackArray(capsule)


def test_an_unknown_version_is_refused_unread():
    """Of another major version, only version and deleter lie at known places: nothing else may be looked at."""
    block = (ctypes.c_uint32 * 20)(9, 0)
    make = ctypes.pythonapi.PyCapsule_New
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    capsule = make(ctypes.addressof(block), b"dltensor_versioned", None)
    with pytest.raises(BufferError, match="DLPack version 9"):
        _core.DlpackArray(capsule)
