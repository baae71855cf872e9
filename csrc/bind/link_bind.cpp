#include "bind.hpp"

namespace photonlink::bind {

void bind_link(pybind11::module_&) {}

}  // namespace photonlink::bind
