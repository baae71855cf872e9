// Complex output amplitudes of noiseless programs, for what needs more than probabilities: fidelity kernels, states.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

/// Amplitudes of the states of the readout's space, whatever the readout makes of them. Those of the full Fock space
/// have norm 1. In a post-selected space they are the same numbers, those of fewer states: their squares sum up to the
/// probability of the space. Results are bit-identical for any split of the rows into batches and any number of
/// threads, within one kernel profile.
class AmplitudeSimulator {
  public:
    /// Checks the spec and refuses what does not fit the limit, before allocating: throws ProgramError as
    /// Simulator::create, and for noise or distinguishable photons, whose output is no pure state. Takes as many of
    /// `threads` threads (see usable_threads()) and then of the widest lanes as fit.
    static std::unique_ptr<AmplitudeSimulator> create(const ProgramSpec& spec, Precision precision,
                                                      std::size_t memory_limit_bytes, u32 threads = 0);
    virtual ~AmplitudeSimulator() = default;

    virtual std::size_t basis_size() const = 0;
    virtual std::size_t memory_bytes() const = 0;  // tables and scratch of all threads, without results
    virtual u32 threads() const = 0;
    virtual u32 lanes() const = 0;

    /// Writes rows x basis_size() complex numbers of the precision. Throws ProgramError for a phase that is not finite.
    /// One run at a time.
    virtual void run(std::size_t rows, const double* phases, void* amplitudes) = 0;
};

/// The least number of bytes with which create() would succeed. Saturates.
std::size_t predict_amplitude_bytes(const ProgramSpec& spec, Precision precision);

}  // namespace photonlink::optics
