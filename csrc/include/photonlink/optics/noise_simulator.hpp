// Simulators of programs with noise; Simulator::create() chooses.
#pragma once

#include <memory>
#include <string>

#include "photonlink/optics/noise_plan.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

/// True if the spec takes more than the noiseless simulator.
inline bool is_noisy(const ProgramSpec& spec) { return has_source_noise(spec) || has_phase_noise(spec); }

/// Where noise changes nothing but the kept fraction and the phases (see executed_phase()): the noiseless program of
/// the same results, for instance where every photon must arrive and those that do are alike. Else null. Requires
/// check_spec() and is_noisy().
std::shared_ptr<const ProgramSpec> ideal_program(const ProgramSpec& spec);

/// The phase that is set where a request asks for `phase`: reduced to [0, 2 pi), off by `error`, and rounded to a
/// multiple of spec.noise.phase_imprecision.
double executed_phase(const NoiseSpec& noise, double phase, double error);

/// Requires check_spec() and is_noisy(). Throws ProgramError as Simulator::create() does. Sampled sources
/// take one thread whatever `threads` says.
std::unique_ptr<Simulator> create_noisy_simulator(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                                  std::size_t memory_limit_bytes, bool sampled, u32 threads);

/// Of predict_bytes() for such a spec.
std::size_t predict_noisy_bytes(const ProgramSpec& spec, Precision precision, bool sampled);

/// How exact or `sampled` results of a checked spec are simulated where memory permits, in words for people: "none",
/// "ideal", "closed form" or "exact mixture". Where that does not fit, Simulator::sampler() says "sampled_sources".
std::string noise_method(const ProgramSpec& spec, bool sampled);

}  // namespace photonlink::optics
