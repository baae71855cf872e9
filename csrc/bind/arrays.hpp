// NumPy arrays in and out of the bindings, with errors that say what was received.
#pragma once

#include <pybind11/numpy.h>

#include <algorithm>
#include <string>
#include <vector>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::bind {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

inline std::string shape_of(const py::array& array) {
    std::string text = "(";
    for (py::ssize_t i = 0; i < array.ndim(); ++i) text += (i > 0 ? ", " : "") + std::to_string(array.shape(i));
    return text + ")";
}

template <class T>
std::vector<T> to_vector(const Array<T>& array, const char* name) {
    if (array.ndim() != 1)
        throw optics::ProgramError(std::string(name) + " has shape " + shape_of(array) + "; expected one dimension");
    return std::vector<T>(array.data(), array.data() + array.size());
}

template <class T>
py::array_t<T> to_matrix(const std::vector<T>& values, std::size_t columns) {
    py::array_t<T> out({values.size() / columns, columns});
    std::copy(values.begin(), values.end(), out.mutable_data());
    return out;
}

template <class T>
py::array_t<T> to_array(const std::vector<T>& values) {
    return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

inline optics::Precision precision_of(const std::string& name) {
    if (name == "float32") return optics::Precision::Float32;
    if (name == "float64") return optics::Precision::Float64;
    throw optics::ProgramError("unknown precision \"" + name + "\"; expected one of float32, float64");
}

/// Reads a (rows, columns) array of phases or features, or says what was wrong with it.
inline std::size_t check_rows(const py::array& array, std::size_t columns, const char* what) {
    if (array.ndim() != 2 || static_cast<std::size_t>(array.shape(1)) != columns)
        throw optics::ProgramError(std::string(what) + " have shape " + shape_of(array) + "; expected (rows, " +
                                   std::to_string(columns) + ")");
    return static_cast<std::size_t>(array.shape(0));
}

}  // namespace photonlink::bind
