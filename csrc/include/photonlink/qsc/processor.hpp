// A Processor executes one configured program for given phases. The native simulator is one; Perceval, the CUDA
// simulator and hardware drivers are others.
#pragma once

#include <memory>
#include <string>

#include "photonlink/optics/simulator.hpp"

namespace photonlink::qsc {

struct ProcessorInfo {
    std::string name;  // e.g. "native-slos"
    bool simulated = true;
    bool supports_exact = true;      // hardware has no exact results: shots=None is refused there
    std::size_t max_batch = 1;       // hardware 1
    u32 threads = 1;                 // that a batch is executed with at most, once configured
    std::string sampler;             // how samples are drawn, once configured; see optics::Simulator::sampler()
    double datapoint_ns = 0;         // of computing that a datapoint takes, once configured, roughly; 0: not known
    double datapoint_timeout_s = 0;  // that one datapoint may take beyond its modelled time; 0: no time worth naming
};

struct RunOptions {
    u32 shots = 0;  // kept samples per datapoint; 0 = exact
    u64 seed = 0;
    optics::Precision precision = optics::Precision::Float64;
    u32 threads = 0;  // of a simulator, at most; 0 = see optics::usable_threads()
};

/// Thrown by run() when the processor is lost for good: the session ends and the controller goes into its error state.
/// Any other std::exception fails the datapoints of that batch only.
struct ProcessorFatal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Processor {
  public:
    virtual ~Processor() = default;
    virtual ProcessorInfo info() const = 0;
    /// Loads a program; called once per session, by the control plane. Throws ProgramError or std::runtime_error.
    virtual void configure(std::shared_ptr<const optics::ProgramSpec> spec, const RunOptions& options) = 0;
    virtual std::size_t output_size() const = 0;
    virtual std::size_t basis_size() const = 0;
    /// Executes `batch` (seed and shots are those of configure()); called by the dispatcher thread only.
    virtual void run(const optics::SimulationBatch& batch) = 0;
    /// The session is out of patience: configure() or run() should come back soon, with an exception if need be. Called
    /// by other threads, repeatedly, also when neither is running; must not wait.
    virtual void interrupt() {}
};

/// The native CPU simulator as a processor.
std::unique_ptr<Processor> make_native_processor(std::size_t memory_limit_bytes);

}  // namespace photonlink::qsc
