// Owners of threads that can be closed before Python lets go of them.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "session_calls.hpp"

namespace photonlink::bind {

template <class Object>
struct Closable {
    std::unique_ptr<Object> object;
    const char* name = "";  // in errors

    Object& open() const {
        if (!object) throw std::invalid_argument(std::string("the ") + name + " is closed");
        return *object;
    }
};

template <class Object>
std::shared_ptr<Closable<Object>> closable(std::unique_ptr<Object> object, const char* name) {
    return {new Closable<Object>{std::move(object), name}, WithoutGil{}};
}

/// What every closable can be asked, also when it is closed.
template <class Object>
void define_closable(py::class_<Closable<Object>, std::shared_ptr<Closable<Object>>>& type) {
    using Unlocked = py::call_guard<py::gil_scoped_release>;
    type.def_property_readonly("accepted",
                               [](const Closable<Object>& c) { return c.object ? c.object->accepted() : 0; })
        .def(
            "close", [](Closable<Object>& c) { c.object.reset(); }, Unlocked());
}

/// What a gateway counted; nothing once it is closed.
template <class Gateway>
py::dict counts_of(const Closable<Gateway>& gateway) {
    using Counts = decltype(gateway.object->counts());
    const Counts counts = gateway.object ? gateway.object->counts() : Counts{};
    py::dict result;
    result["received"] = counts.received;
    result["dropped"] = counts.dropped;
    result["refused"] = counts.refused;
    result["repeated"] = counts.repeated;
    return result;
}

}  // namespace photonlink::bind
