// The readout of what somebody else found out about a datapoint: another simulator's distribution over detected states,
// or the events that real detectors saw. Basis, post-selection, samples and readouts are those of the native simulator.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "photonlink/optics/noise_readout.hpp"
#include "photonlink/optics/sampling.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

/// Detected states, row-major states x modes, and how often each was seen. A state may be listed several times.
struct DetectedEvents {
    std::vector<u8> states;
    std::vector<u32> counts;
};

/// Throws std::runtime_error for what cannot belong to the program; the message says what is wrong with it.
class DetectionReadout {
  public:
    /// `distribution`: finish() will be called. Throws ProgramError for a spec that check_spec() refuses, and above
    /// `memory_limit_bytes`.
    DetectionReadout(std::shared_ptr<const ProgramSpec> spec, Precision precision, std::size_t memory_limit_bytes,
                     bool distribution);

    std::size_t output_size() const { return rule_.outputs(); }
    /// Detected states of kept events; their order is that of Program.output_keys.
    std::size_t basis_size() const { return states_; }

    /// Fills a row of the batch from the probabilities of the kept states, whose sum is the kept fraction; draws
    /// samples from them if the batch has shots. Throws PostSelectionError if samples are asked for and nothing is
    /// kept.
    void finish(const SimulationBatch& batch, std::size_t row, std::vector<double> probabilities);

    /// Begins the collection of events of a datapoint.
    void begin();
    /// Takes up to `most` events, and keeps those that the program keeps. Throws if there is none, or more
    /// than `most`.
    void add(const DetectedEvents& events, u64 most);
    u64 kept() const { return kept_; }
    /// Fills a row of the batch from the kept events, which must be as many as the batch has shots.
    void finish(const SimulationBatch& batch, std::size_t row);

  private:
    struct Seen {
        u32 position;
        u32 count;
        u64 state;  // where its occupation numbers begin in seen_states_
    };

    bool keeps(const u8* state) const;
    void check(const std::vector<double>& probabilities) const;
    double normalise(std::vector<double>& probabilities) const;

    std::shared_ptr<const ProgramSpec> spec_;
    NoisePlan plan_;
    Precision precision_;
    OutputRule rule_;
    std::size_t states_;
    SectorOrder order_;
    std::optional<SectorReadout> readout_;
    std::optional<Sampler> sampler_;
    std::vector<u8> seen_states_;
    std::vector<Seen> seen_;
    u64 kept_ = 0;
    u64 events_ = 0;
    RowReport scratch_;  // for rows whose caller wants no report
};

}  // namespace photonlink::optics
