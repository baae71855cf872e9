// Arrays of other libraries, taken out of their DLPack capsules. Nothing is copied, and device memory is not touched.
#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "dlpack.hpp"

namespace py = pybind11;

namespace photonlink::bind {

namespace {

/// An array that is ours until this object goes. Python destroys it, so the interpreter lock is held then, which
/// deleters of array libraries need.
class DlpackArray {
  public:
    explicit DlpackArray(const py::capsule& capsule) {
        const std::string name = capsule.name() == nullptr ? "" : capsule.name();
        if (name == "dltensor") {
            auto* const managed = static_cast<dlpack::Managed*>(capsule.get_pointer());
            take(capsule, managed, managed->tensor, "used_dltensor");
        } else if (name == "dltensor_versioned") {
            auto* const managed = static_cast<dlpack::ManagedVersioned*>(capsule.get_pointer());
            // Of another major version only the version and the deleter lie where we know them.
            if (managed->version.major != dlpack::kKnownMajor)
                throw py::buffer_error("the array is in DLPack version " + std::to_string(managed->version.major) +
                                       ", expected " + std::to_string(dlpack::kKnownMajor));
            read_only_ = (managed->flags & dlpack::kReadOnly) != 0;
            take(capsule, managed, managed->tensor, "used_dltensor_versioned");
        } else {
            throw py::buffer_error("expected a fresh DLPack capsule, got one named \"" + name +
                                   "\": a capsule can be used once");
        }
    }

    ~DlpackArray() { free_(managed_); }
    DlpackArray(const DlpackArray&) = delete;
    DlpackArray& operator=(const DlpackArray&) = delete;

    u64 pointer() const { return reinterpret_cast<u64>(tensor_->data) + tensor_->byte_offset; }
    std::vector<i64> shape() const { return {tensor_->shape, tensor_->shape + tensor_->ndim}; }

    std::vector<i64> strides() const {
        if (tensor_->strides != nullptr) return {tensor_->strides, tensor_->strides + tensor_->ndim};
        std::vector<i64> packed(static_cast<std::size_t>(tensor_->ndim), 1);
        for (std::size_t i = packed.size(); i > 1; --i) packed[i - 2] = packed[i - 1] * tensor_->shape[i - 1];
        return packed;
    }

    std::string dtype() const {
        const dlpack::DataType type = tensor_->dtype;
        static constexpr const char* kKinds[] = {"int", "uint", "float", "opaque", "bfloat", "complex", "bool"};
        const std::string kind = type.code < std::size(kKinds) ? kKinds[type.code] : "type" + std::to_string(type.code);
        const std::string name = type.code == kBool ? kind : kind + std::to_string(type.bits);
        return type.lanes == 1 ? name : name + "x" + std::to_string(type.lanes);
    }

    dlpack::Device device() const { return tensor_->device; }
    bool read_only() const { return read_only_; }

  private:
    static constexpr u8 kBool = 6;

    template <class Pack>
    void take(const py::capsule& capsule, Pack* managed, const dlpack::Tensor& tensor, const char* used_name) {
        // The new name tells its producer that the array is no longer its to free.
        if (PyCapsule_SetName(capsule.ptr(), used_name) != 0) throw py::error_already_set();
        tensor_ = &tensor;
        managed_ = managed;
        free_ = [](void* held) {
            auto* const array = static_cast<Pack*>(held);
            if (array->deleter != nullptr) array->deleter(array);
        };
    }

    const dlpack::Tensor* tensor_ = nullptr;
    bool read_only_ = false;
    void* managed_ = nullptr;
    void (*free_)(void*) = nullptr;
};

}  // namespace

void bind_dlpack(py::module_& module) {
    py::class_<DlpackArray>(module, "DlpackArray", "An array of another library, held while this object lives.")
        .def(py::init<const py::capsule&>(), py::arg("capsule"), "Takes what the capsule holds; it can be used once.")
        .def_property_readonly("pointer", &DlpackArray::pointer, "Address of the first element.")
        .def_property_readonly("shape", [](const DlpackArray& a) { return py::tuple(py::cast(a.shape())); })
        .def_property_readonly(
            "strides", [](const DlpackArray& a) { return py::tuple(py::cast(a.strides())); }, "In elements.")
        .def_property_readonly("dtype", &DlpackArray::dtype, "numpy's name of the type, where numpy has it.")
        .def_property_readonly("device_type", [](const DlpackArray& a) { return a.device().type; })
        .def_property_readonly("device_id", [](const DlpackArray& a) { return a.device().id; })
        .def_property_readonly("read_only", &DlpackArray::read_only);
}

}  // namespace photonlink::bind
