// The module photonlink._cuda: the device link for Python. No logic; addresses and streams are integers, and whatever
// may block lets other Python threads run.
#include "bind.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <map>

#include "availability.hpp"
#include "bench.hpp"
#include "device_link.hpp"

namespace py = pybind11;

namespace photonlink::cuda {
namespace {

RawBatch batch_of(u64 features, u32 feature_bytes, i64 feature_stride, u64 out, i64 out_stride, u64 statuses, u64 rows,
                  u64 first_row = 0) {
    return {pointer<const void>(features), feature_bytes, feature_stride, pointer<void>(out), out_stride,
            pointer<u32>(statuses),        rows,          first_row};
}

py::dict as_dict(const Device& device) {
    py::dict result;
    result["index"] = device.index;
    result["name"] = device.name;
    result["compute_capability"] = device.compute_capability;
    result["multiprocessors"] = device.multiprocessors;
    result["usable"] = device.usable;
    result["can_register"] = device.can_register;
    result["can_register_read_only"] = device.can_register_read_only;
    result["memory_bytes"] = device.memory_bytes;
    result["native_atomics"] = device.native_atomics;
    return result;
}

py::array_t<double> as_array(const std::vector<double>& values) {
    return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

std::shared_ptr<DeviceLink> open(int device, u32 slots, u32 slot_bytes, u64 result_bytes, u64 requests, u64 responses,
                                 bool responses_writable, u64 key, u64 output_size, u32 observable_bytes, u64 encoding,
                                 double row_timeout, double kernel_limit) {
    const LinkConfig config{device,
                            {slots, slot_bytes, result_bytes},
                            pointer<void>(requests),
                            pointer<void>(responses),
                            responses_writable,
                            key,
                            output_size,
                            observable_bytes,
                            pointer<const EncodingView>(encoding),
                            row_timeout,
                            kernel_limit};
    const py::gil_scoped_release released;
    return for_python(std::make_shared<DeviceLink>(config));
}

void bind_availability(py::module_& module) {
    module.def(
        "status",
        [] {
            const Status found = status();
            return std::make_pair(found.reason, found.detail);
        },
        ReleaseGil(),
        "('ok' | 'no_driver' | 'driver_too_old' | 'no_device' | 'device_too_old' | 'error', a sentence with the fix).");
    module.def(
        "versions",
        [] {
            const Versions found = versions();
            return std::map<std::string, int>{{"runtime", found.runtime}, {"driver", found.driver}};
        },
        "CUDA versions in integer form: of the runtime built against, and the driver's newest (0 = no driver).");
    module.def(
        "devices",
        [] {
            std::vector<Device> found;
            {
                const py::gil_scoped_release released;
                found = devices();
            }
            py::typing::List<py::typing::Dict<py::str, py::object>> result;
            for (const Device& device : found) result.append(as_dict(device));
            return result;
        },
        "What each GPU is and can do; empty without GPU.");
}

void bind_failure(py::module_& module) {
    using device::Failure;
    py::class_<Failure>(module, "Failure", "The first datapoint that failed.")
        .def_property_readonly("status", [](const Failure& f) { return static_cast<u32>(f.status); })
        .def_readonly("wire_status", &Failure::wire_status)
        .def_readonly("row", &Failure::row)
        .def_readonly("id", &Failure::id)
        .def_readonly("close_reason", &Failure::close_reason)
        .def_property_readonly(
            "elapsed", [](const Failure& f) { return static_cast<double>(f.elapsed_ns) * 1e-9; }, "Seconds.");
}

void bind_link(py::module_& module) {
    using namespace pybind11::literals;
    py::class_<Submitted, std::shared_ptr<Submitted>>(module, "Submitted", "A batch on its way.")
        .def_property_readonly("rows", &Submitted::rows);
    py::class_<DeviceLink, std::shared_ptr<DeviceLink>>(module, "DeviceLink", "A session's link for kernels.")
        .def(py::init(&open), py::kw_only(), "device"_a, "slots"_a, "slot_bytes"_a, "result_bytes"_a, "requests"_a,
             "responses"_a, "responses_writable"_a, "key"_a, "output_size"_a, "observable_bytes"_a, "encoding"_a,
             "row_timeout"_a, "kernel_limit"_a)
        .def_property_readonly(
            "argument",
            [](DeviceLink& link) {
                const device::Link argument = link.argument();
                return py::bytes(reinterpret_cast<const char*>(&argument), sizeof argument);
            },
            "The device::Link struct, a kernel argument by value. Graphs that hold it must not outlive the link.")
        .def_property_readonly("pointer", &DeviceLink::pointer, "Device address of a copy of the argument.")
        .def_property_readonly("device", &DeviceLink::device)
        .def_property_readonly("slots", &DeviceLink::slots)
        .def_property_readonly("multiprocessors", &DeviceLink::multiprocessors)
        .def(
            "infer",
            [](DeviceLink& link, u64 features, u32 feature_bytes, i64 feature_stride, u64 out, i64 out_stride,
               u64 statuses, u64 rows, double timeout, u64 stream, u64 first_row) {
                link.infer(
                    batch_of(features, feature_bytes, feature_stride, out, out_stride, statuses, rows, first_row),
                    timeout, stream_of(stream));
            },
            "features"_a, "feature_bytes"_a, "feature_stride"_a, "out"_a, "out_stride"_a, "statuses"_a, "rows"_a,
            "timeout"_a, "stream"_a, "first_row"_a = 0, ReleaseGil(),
            "One launch. A failure's row counts from `first_row`: batches may be split over several launches.")
        .def(
            "submit",
            [](DeviceLink& link, u64 features, u32 feature_bytes, i64 feature_stride, u64 out, i64 out_stride,
               u64 statuses, u64 rows, double timeout, u64 stream) {
                return for_python(
                    link.submit(batch_of(features, feature_bytes, feature_stride, out, out_stride, statuses, rows),
                                timeout, stream_of(stream)));
            },
            "features"_a, "feature_bytes"_a, "feature_stride"_a, "out"_a, "out_stride"_a, "statuses"_a, "rows"_a,
            "timeout"_a, "stream"_a, ReleaseGil())
        .def(
            "collect",
            [](DeviceLink& link, Submitted& submitted, double timeout, u64 stream) {
                link.collect(submitted, timeout, stream_of(stream));
            },
            "submitted"_a, "timeout"_a, "stream"_a, ReleaseGil())
        .def(
            "encode",
            [](DeviceLink& link, u64 features, u32 feature_bytes, i64 feature_stride, u64 phases, u64 statuses,
               u64 rows, u64 stream) {
                link.encode(batch_of(features, feature_bytes, feature_stride, phases, 0, statuses, rows),
                            stream_of(stream));
            },
            "features"_a, "feature_bytes"_a, "feature_stride"_a, "phases"_a, "statuses"_a, "rows"_a, "stream"_a,
            ReleaseGil())
        .def("take_failure", &DeviceLink::take_failure, ReleaseGil())
        .def(
            "synchronize",
            [](DeviceLink& link, u64 stream, double timeout) { return link.synchronize(stream_of(stream), timeout); },
            "stream"_a, "timeout"_a, ReleaseGil())
        .def("captured", &DeviceLink::captured, ReleaseGil())
        .def("close", &DeviceLink::close, "timeout"_a, ReleaseGil());
}

void bind_bench(py::module_& module) {
    using namespace pybind11::literals;
    py::class_<EchoReport>(module, "EchoReport", "Echo calls from kernels, measured.")
        .def_property_readonly("latencies_ns", [](const EchoReport& r) { return as_array(r.latencies_ns); })
        .def_readonly("answered", &EchoReport::answered)
        .def_readonly("wrong", &EchoReport::wrong)
        .def_readonly("incomplete", &EchoReport::incomplete)
        .def_readonly("ended", &EchoReport::ended)
        .def_readonly("seconds", &EchoReport::seconds);
    py::class_<PingPongReport>(module, "PingPongReport", "A word bounced between device and host, measured.")
        .def_property_readonly("latencies_ns", [](const PingPongReport& r) { return as_array(r.latencies_ns); })
        .def_readonly("rounds", &PingPongReport::rounds)
        .def_readonly("seconds", &PingPongReport::seconds);
    module.def("measure_echo", &measure_echo, "link"_a, "callers"_a, "calls"_a, "timeout"_a, ReleaseGil());
    module.def("measure_ping_pong", &measure_ping_pong, "device"_a, "rounds"_a, "timeout"_a, ReleaseGil());
}

}  // namespace
}  // namespace photonlink::cuda

PYBIND11_MODULE(_cuda, module) {
    module.doc() = "Calls from a GPU. Private: use photonlink.cuda.";
    py::register_exception<photonlink::cuda::CudaError>(module, "CudaError", PyExc_RuntimeError);
    photonlink::cuda::bind_availability(module);
    photonlink::cuda::bind_failure(module);
    photonlink::cuda::bind_link(module);
    photonlink::cuda::bind_simulator(module);
    photonlink::cuda::bind_staging(module);
    photonlink::cuda::bind_bench(module);
}
