// One thread's share of a noiseless simulation: its scratch, and the way of a datapoint from phases to results.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "photonlink/optics/closed_forms.hpp"
#include "photonlink/optics/interferometer.hpp"
#include "photonlink/optics/readout.hpp"
#include "photonlink/optics/row_sweep.hpp"
#include "photonlink/optics/sampling.hpp"
#include "photonlink/optics/simulator.hpp"
#include "photonlink/optics/slos_sweep.hpp"
#include "slos_layout.hpp"

namespace photonlink::optics {

/// What the workers of a simulator share; never written after it was built.
template <class Real>
struct SlosShared {
    std::shared_ptr<const ProgramSpec> spec;
    const KernelProfile* profile;
    std::size_t outputs;
    u64 basis_size;
    SlosNeeds needs;
    SlosLayout layout;
    std::unique_ptr<const ReadoutMap> readout;      // with a distribution
    std::shared_ptr<const RowPlan<Real>> row_plan;  // with layout.rows
};

template <class Real>
class SlosWorker {
  public:
    explicit SlosWorker(const SlosShared<Real>& shared);

    /// Makes room for the counts of `shots` samples: runs allocate nothing once warm, whichever worker takes a row.
    void reserve(u32 shots);

    /// Rows first .. first + rows - 1 of a batch that was checked.
    void run(const SimulationBatch& batch, std::size_t first, std::size_t rows);

    /// True if workers can share the states of the batch's only row among them.
    bool shares_states(const SimulationBatch& batch) const;

    /// This worker's part of the states of that row.
    void run_states(const SimulationBatch& batch, u32 part, u32 parts);

  private:
    const SlosKernels<Real>& kernels_for(std::size_t rows, u32 max_lanes) const;
    const double* compose(const SimulationBatch& batch, std::size_t first, u32 rows, const SlosKernels<Real>& kernels);
    void run_closed_form(const SimulationBatch& batch, std::size_t first, u32 rows, u32 lanes, const double* columns);
    void begin_rows(const SimulationBatch& batch, std::size_t first, const RowKernels<Real>& kernels);
    void run_rows(const SimulationBatch& batch, std::size_t first, const RowKernels<Real>& kernels);
    void run_lanes(const SimulationBatch& batch, std::size_t first, u32 rows, const SlosKernels<Real>& kernels);
    Real* result_row(const SimulationBatch& batch, std::size_t row) const;
    const RowKernels<Real>& row_kernels_for(std::size_t rows) const;
    bool fits_lanes(const SimulationBatch& batch, std::size_t first, std::size_t rows) const;
    /// A datapoint whose distribution comes by, tile by tile in the order of states.
    struct Passing {
        std::size_t row;
        RowReport* report;
        bool read_out;
        double kept;
    };
    Passing begin_row(const SimulationBatch& batch, std::size_t row, u32 place);
    void take(const SimulationBatch& batch, Passing& passing, u64 first, u64 states, const Real* probabilities);
    void end_row(const SimulationBatch& batch, const Passing& passing);
    void scale_results(const SimulationBatch& batch, std::size_t row, double scale, RowReport& report);
    void sample_row(const SimulationBatch& batch, std::size_t row, RowReport& report);
    void publish(const SimulationBatch& batch, std::size_t row, const RowReport& report) const;

    const SlosShared<Real>& shared_;
    const ProgramSpec& spec_;
    Interferometer interferometer_;
    ClosedForm closed_form_;
    std::optional<SlosSweep<Real>> lanes_;
    std::vector<Real> stored_;  // distributions of the lanes, where they are not the result
    std::optional<RowSweep<Real>> rows_;
    std::optional<SweepColumns<Real>> row_columns_;
    std::vector<Real> tiles_;
    std::optional<Sampler> sampler_;
    RowReport scratch_[2];  // for rows whose caller wants no report, as many as may pass at a time
};

}  // namespace photonlink::optics
