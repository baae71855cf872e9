#include "bind.hpp"

namespace photonlink::bind {

void bind_qsc(pybind11::module_&) {}

}  // namespace photonlink::bind
