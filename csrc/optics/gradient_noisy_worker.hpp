// One thread's share of the differentiator of a noisy program: its scratch, and the way of some datapoints from phases
// to derivatives.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "photonlink/optics/gradient_mixture.hpp"
#include "photonlink/optics/gradient_network.hpp"
#include "photonlink/optics/gradient_noisy_closed_form.hpp"
#include "photonlink/optics/gradients.hpp"
#include "photonlink/optics/noise_readout.hpp"

namespace photonlink::optics {

/// What the workers share; never written while they work.
struct NoisyGradientShared {
    NoisyGradientShared(std::shared_ptr<const ProgramSpec> program, u32 max_lanes);

    std::shared_ptr<const ProgramSpec> spec;
    NoisePlan plan;
    const KernelProfile& profile;
    const GradientProfile& gradients;
    std::size_t outputs;
    u32 lanes;
    GradientNetwork network;
    std::unique_ptr<const MixtureTables> tables;  // null for closed forms, as is what follows
    std::unique_ptr<const SectorReadout> readout;
};

/// Real: of values and cotangents.
template <class Real>
class NoisyGradientWorker {
  public:
    explicit NoisyGradientWorker(const NoisyGradientShared& shared);

    /// Without what workers share; saturates.
    static u64 predict_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes);

    /// Rows first .. first + rows - 1 of a batch. Adds the derivatives with respect to the interferometers to `sum`,
    /// unless null.
    void run(const GradientBatch& batch, std::size_t first, std::size_t rows, Complex* sum);

  private:
    void run_block(const GradientBatch& batch, std::size_t first, u32 rows, u32 width, Complex* sum);
    void mixture_block(const GradientBatch& batch, std::size_t first, u32 rows, u32 width, const double* matrices);
    void closed_block(const GradientBatch& batch, std::size_t first, u32 rows, u32 lanes, const double* matrices);
    void load_rows(u32 rows, u32 lanes);
    void clear_adjoint(u32 lanes);
    void finish_row(const GradientBatch& batch, std::size_t row, double* distribution);
    void publish(const GradientBatch& batch, std::size_t row) const;
    const double* load_cotangents(const GradientBatch& batch, std::size_t row);

    const NoisyGradientShared& shared_;
    NetworkState network_;
    std::optional<NoisyClosedFormGradient> closed_form_;
    std::optional<MixtureGradientSweep> sweep_;
    std::vector<double> rows_;  // of the lanes: distributions, and then the derivatives with respect to them
    std::vector<double> values_;
    std::vector<double> cotangents_;
};

}  // namespace photonlink::optics
