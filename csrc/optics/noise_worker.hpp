// One thread's share of a noisy simulator: its scratch, and the way of some datapoints from phases to results.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "photonlink/optics/interferometer.hpp"
#include "photonlink/optics/noise_closed_form.hpp"
#include "photonlink/optics/noise_mixture.hpp"
#include "photonlink/optics/noise_readout.hpp"
#include "photonlink/optics/sampling.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {

/// Threads, and datapoints that each computes side by side.
struct NoisyLayout {
    u32 lanes = 1;
    u32 threads = 1;
};

/// What the workers of a noisy simulator share; never written while they work.
struct NoisyShared {
    std::shared_ptr<const ProgramSpec> spec;
    NoisePlan plan;
    Precision precision;
    const KernelProfile* profile;
    std::size_t outputs;
    NoisyLayout layout;
    std::unique_ptr<const MixtureTables> tables;  // of readouts of a distribution, as is what follows
    std::unique_ptr<const SectorReadout> readout;
};

class NoisyWorker {
  public:
    explicit NoisyWorker(const NoisyShared& shared);

    /// Without the tables and the readout; saturates.
    static u64 predict_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes, bool distribution);

    /// Rows first .. first + rows - 1 of a batch that was checked.
    void run(const SimulationBatch& batch, std::size_t first, std::size_t rows);

  private:
    void run_block(const SimulationBatch& batch, std::size_t first, u32 rows, u32 width);
    void finish_closed_form(const SimulationBatch& batch, std::size_t row, const double* columns, u32 lanes);
    double* result_row(const SimulationBatch& batch, std::size_t row, u32 lane);
    void finish_row(const SimulationBatch& batch, std::size_t row, double* distribution);
    void sample(const SimulationBatch& batch, std::size_t row, const double* distribution, RowReport& report);

    const NoisyShared& shared_;
    const ProgramSpec& spec_;
    Interferometer interferometer_;
    NoisyClosedForm closed_form_;
    std::optional<MixtureSweep> sweep_;
    std::vector<double> rows_;  // distributions of the lanes
    std::optional<Sampler> sampler_;
    RowReport scratch_;  // for rows whose caller wants no report
};

}  // namespace photonlink::optics
