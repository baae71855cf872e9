#include "photonlink/optics/simulator.hpp"

#include <utility>

#include "photonlink/optics/noise_simulator.hpp"
#include "slos_simulator.hpp"

namespace photonlink::optics {

std::size_t predict_bytes(const ProgramSpec& spec, Precision precision, bool sampled) {
    if (is_noisy(spec)) return predict_noisy_bytes(spec, precision, sampled);
    return predict_slos_bytes(spec, precision, sampled);
}

std::unique_ptr<Simulator> Simulator::create(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                             std::size_t memory_limit_bytes, bool sampled, u32 threads) {
    check_spec(*spec);
    if (is_noisy(*spec)) return create_noisy_simulator(std::move(spec), precision, memory_limit_bytes, sampled);
    return create_slos_simulator(std::move(spec), precision, memory_limit_bytes, sampled, threads);
}

}  // namespace photonlink::optics
