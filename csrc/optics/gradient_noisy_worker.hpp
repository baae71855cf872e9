// One thread's share of the differentiator of a noisy program: its scratch, and the way of some datapoints from phases
// to derivatives.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gradient_block_worker.hpp"
#include "photonlink/optics/gradient_mixture.hpp"
#include "photonlink/optics/gradient_noisy_closed_form.hpp"
#include "photonlink/optics/noise_readout.hpp"

namespace photonlink::optics {

/// With noise that makes a mixture.
struct NoisyGradientShared : GradientCommon {
    NoisyGradientShared(const std::shared_ptr<const ProgramSpec>& program, NoisePlan noise_plan,
                        const GradientLayout& chosen);

    NoisePlan plan;
    std::unique_ptr<const MixtureTables> tables;  // null for closed forms, as is what follows
    std::unique_ptr<const SectorReadout> readout;
};

/// Real: of values and cotangents; all else is in double precision.
template <class Real>
class NoisyGradientWorker : BlockWorker<Real, double> {
  public:
    explicit NoisyGradientWorker(const NoisyGradientShared& shared);

    /// Without what workers share; saturates.
    static u64 predict_bytes(const ProgramSpec& spec, const NoisePlan& plan, u32 lanes);

    /// Rows first .. first + rows - 1 of a batch. Adds the derivatives with respect to the interferometers to `sum`,
    /// unless null.
    void run(const GradientBatch& batch, std::size_t first, std::size_t rows, Complex* sum);

  private:
    using Block = BlockWorker<Real, double>;
    using Block::network_;
    using Block::values_;

    void mixture_block(const GradientRows<Real>& rows, u32 width, const double* matrices);
    void load_rows(u32 rows, u32 lanes);
    void finish_row(const GradientRows<Real>& rows, u32 row, double* distribution);

    const NoisyGradientShared& shared_;
    std::optional<NoisyClosedFormGradient> closed_form_;
    std::optional<MixtureGradientSweep> sweep_;
    std::vector<double> rows_;  // of the lanes: distributions, and then the derivatives with respect to them
};

}  // namespace photonlink::optics
