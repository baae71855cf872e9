// The map from features to phases.
#include "arrays.hpp"
#include "bind.hpp"
#include "photonlink/encoding.hpp"

namespace photonlink::bind {

namespace {

template <class Real>
py::array_t<double> encode(const Encoding& map, const py::array_t<Real, py::array::c_style>& features) {
    const std::size_t rows = check_rows(features, map.features(), "features");
    py::array_t<double> phases({rows, std::size_t{map.phases()}});
    double* const out = phases.mutable_data();
    const Real* const in = features.data();
    const py::gil_scoped_release release;
    map.encode(in, rows, out);
    return phases;
}

}  // namespace

void bind_encoding(py::module_& module) {
    py::class_<Encoding, std::shared_ptr<Encoding>>(module, "Encoding")
        .def(py::init([](u32 features, const Array<u32>& row_begin, const Array<u32>& term_feature,
                         const Array<double>& term_weight, const Array<double>& offset, bool wrap, u32 dac_bits) {
                 return std::make_shared<Encoding>(
                     features, to_vector(row_begin, "row_begin"), to_vector(term_feature, "term_feature"),
                     to_vector(term_weight, "term_weight"), to_vector(offset, "offset"), wrap, dac_bits);
             }),
             py::arg("features"), py::arg("row_begin"), py::arg("term_feature"), py::arg("term_weight"),
             py::arg("offset"), py::arg("wrap"), py::arg("dac_bits") = 0)
        .def_property_readonly("features", &Encoding::features)
        .def_property_readonly("phases", &Encoding::phases)
        .def("encode", &encode<float>, py::arg("x").noconvert(), "Features (rows, features) to phases (rows, phases).")
        .def("encode", &encode<double>, py::arg("x").noconvert());
}

}  // namespace photonlink::bind
