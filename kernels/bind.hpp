// What the binding files share: addresses, and objects that let other Python threads run while they end.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include "error.hpp"
#include "photonlink/platform.hpp"

namespace photonlink::cuda {

namespace py = pybind11;

using ReleaseGil = py::call_guard<py::gil_scoped_release>;

template <class T>
T* pointer(u64 address) {
    return reinterpret_cast<T*>(address);
}

inline cudaStream_t stream_of(u64 handle) { return pointer<CUstream_st>(handle); }

/// Lets go of an object whose destructor may wait for the device or for other threads.
template <class T>
void destroy(std::shared_ptr<T>& object) {
    if (Py_IsInitialized() != 0 && PyGILState_Check() != 0) {
        const py::gil_scoped_release released;
        object.reset();
    } else {
        object.reset();
    }
}

/// For Python: a pointer that is dropped by destroy().
template <class T>
std::shared_ptr<T> for_python(std::shared_ptr<T> object) {
    T* const raw = object.get();
    return {raw, [object = std::move(object)](T*) mutable { destroy(object); }};
}

void bind_simulator(py::module_& module);
void bind_staging(py::module_& module);

}  // namespace photonlink::cuda
