#include "photonlink/optics/simulator.hpp"

#include <algorithm>
#include <utility>

#include "clifford_simulator.hpp"
#include "photonlink/optics/noise_simulator.hpp"
#include "slos_simulator.hpp"

namespace photonlink::optics {

std::size_t predict_bytes(const ProgramSpec& spec, Precision precision, bool sampled) {
    if (is_noisy(spec)) return predict_noisy_bytes(spec, precision, sampled);
    const std::size_t enumerated = predict_slos_bytes(spec, precision, sampled);
    return sampled ? std::min<std::size_t>(enumerated, predict_clifford_bytes(spec)) : enumerated;
}

std::unique_ptr<Simulator> Simulator::create(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                             std::size_t memory_limit_bytes, bool sampled, u32 threads) {
    check_spec(*spec);
    if (is_noisy(*spec))
        return create_noisy_simulator(std::move(spec), precision, memory_limit_bytes, sampled, threads);
    if (sampled && predict_slos_bytes(*spec, precision, sampled) > memory_limit_bytes)
        return create_clifford_simulator(std::move(spec), precision, memory_limit_bytes, threads);
    return create_slos_simulator(std::move(spec), precision, memory_limit_bytes, sampled, threads);
}

}  // namespace photonlink::optics
