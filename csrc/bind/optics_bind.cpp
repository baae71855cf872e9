#include "bind.hpp"

namespace photonlink::bind {

void bind_optics(pybind11::module_&) {}

}  // namespace photonlink::bind
