// Executes a ProgramSpec for batches of phases, exactly or with a number of kept samples per datapoint.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "photonlink/optics/program.hpp"

namespace photonlink::optics {

/// A program that cannot be simulated as asked: the message says what was received, what was expected, and the fix.
struct ProgramError : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

/// Samples were asked for, but no event of this datapoint survives post-selection.
struct PostSelectionError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One datapoint's extra results. Vectors are resized by the simulator; counts are sorted by basis index.
struct RowReport {
    double kept_fraction = 1.0;           // probability that an event lies in the readout's space
    std::vector<double> observables;      // float64, before rounding to the simulator's precision
    std::vector<double> standard_errors;  // of the observables; empty when exact
    std::vector<u32> state_index;         // distinct basis states seen, ascending; empty when exact
    std::vector<u32> counts;              // kept samples per entry of state_index
};

struct SimulationBatch {
    std::size_t rows = 0;
    const double* phases = nullptr;  // rows x spec.phases.size(), radians
    const u64* ids = nullptr;        // rows 64-bit datapoint ids: keys of the random streams; unused when exact
    u64 seed = 0;
    u32 shots = 0;                       // kept samples per datapoint; 0 = exact
    void* const* observables = nullptr;  // rows pointers to output_size() values of the simulator's precision;
                                         // a null row pointer is skipped
    RowReport* reports = nullptr;        // rows reports, or null
    double* kept_fractions = nullptr;    // rows values, or null (cheaper than a report; the clock model needs it)
};

/// In the full Fock space kept_fraction is 1. In a post-selected space it is the probability of the space, and results
/// are renormalised by it. A fraction that rounding alone could produce counts as zero: exact results are then all zero
/// and kept_fraction is 0, and asking for samples throws PostSelectionError. Absolute errors of renormalised results
/// grow with 1 / kept_fraction; float32 keeps them below 2e-6 while a few per cent are kept.
class Simulator {
  public:
    /// Checks the spec (throws ProgramError: shapes, unitarity and by how much, photons, space, groups), predicts the
    /// memory it needs and refuses above `memory_limit_bytes` before allocating. Thread-compatible: one run at a time.
    /// Readouts with a closed form need no distribution when exact. `sampled` builds what sampling takes right away,
    /// and samples without a distribution (see clifford.hpp) where that does not fit into the limit; otherwise the
    /// first run with shots does, and throws ProgramError if that exceeds the limit. Runs use up to `threads` threads
    /// (see usable_threads(); 0 = as many as there are CPUs), fewer where more do not pay or do not fit into the limit,
    /// and none is started before; results are the same for any number.
    static std::unique_ptr<Simulator> create(std::shared_ptr<const ProgramSpec> spec, Precision precision,
                                             std::size_t memory_limit_bytes, bool sampled = false, u32 threads = 0);
    virtual ~Simulator() = default;

    virtual std::size_t output_size() const = 0;  // values per datapoint (0 for ReadoutKind::Samples)
    virtual std::size_t basis_size() const = 0;   // states of the readout's space
    virtual std::size_t preferred_batch() const = 0;
    virtual std::size_t memory_bytes() const = 0;    // tables and scratch
    virtual std::string kernel_profile() const = 0;  // SIMD profile in use, e.g. "avx2"
    virtual u32 threads() const { return 1; }        // that a run uses at most
    /// Nanoseconds of one core that a datapoint takes, roughly; 0 where that is not known.
    virtual double row_ns(u32 /*shots*/) const { return 0; }
    /// How samples are drawn: "inverse_cdf" of the distribution, or where that does not fit "clifford_clifford_2017"
    /// (without noise of the sources) or "sampled_sources" (with it).
    virtual const char* sampler() const { return "inverse_cdf"; }
    /// Throws ProgramError for a phase that is not finite (naming row and column) or an exact Samples readout, and
    /// PostSelectionError; rows before the one it names may have been written.
    virtual void run(const SimulationBatch& batch) = 0;
};

/// Throws ProgramError unless the spec can be simulated (memory aside).
void check_spec(const ProgramSpec& spec);

/// Throws ProgramError if the states of the readout's space are too many to be numbered by sweeps.
void check_numbered(const ProgramSpec& spec);

/// Throws ProgramError unless the batch can be run: finite phases, shots for samples, ids for shots.
void check_batch(const ProgramSpec& spec, const SimulationBatch& batch);

/// The least number of bytes with which create() would succeed, or a run with `sampled` results, without building
/// anything. With more memory a simulator takes more lanes and is faster. Saturates instead of overflowing.
std::size_t predict_bytes(const ProgramSpec& spec, Precision precision, bool sampled = false);

/// Number of values per datapoint of the spec's readout, from combinatorics alone.
std::size_t output_size(const ProgramSpec& spec);

}  // namespace photonlink::optics
