// The map from features to phases. Its address leaves as an integer: the CUDA part is a module of its own and shares no
// C++ type.
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

/// A view that has an address, and the map that it looks at.
struct HeldView {
    std::shared_ptr<const Encoding> map;
    EncodingView view;
};

}  // namespace

void bind_encoding(py::module_& module) {
    py::class_<HeldView, std::shared_ptr<HeldView>>(module, "EncodingView", "A map from features to phases, in place.")
        .def_property_readonly(
            "address", [](const HeldView& held) { return reinterpret_cast<u64>(&held.view); },
            "Address of the photonlink::EncodingView, valid while this object lives.");
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
        .def("view",
             [](const std::shared_ptr<Encoding>& map) {
                 return std::make_shared<HeldView>(HeldView{map, map->view()});
             })
        .def("encode", &encode<float>, py::arg("x").noconvert(), "Features (rows, features) to phases (rows, phases).")
        .def("encode", &encode<double>, py::arg("x").noconvert());
}

}  // namespace photonlink::bind
