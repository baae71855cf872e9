// What differentiators have in common, whatever computes the rows of a batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "photonlink/optics/gradient_network.hpp"
#include "photonlink/optics/gradient_plan.hpp"
#include "photonlink/optics/thread_pool.hpp"

namespace photonlink::optics {

/// What the workers of a differentiator share; never written while they work.
struct GradientCommon {
    GradientCommon(std::shared_ptr<const ProgramSpec> program, std::size_t output_count, const GradientLayout& chosen);

    /// Replaces the interferometers by layers + 1 others, one after the other; throws ProgramError unless they are
    /// unitary.
    void set_interferometers(const Complex* matrices);

    std::shared_ptr<const ProgramSpec> spec;
    const KernelProfile& profile;
    const GradientProfile& gradients;
    std::size_t outputs;
    GradientLayout layout;
    GradientNetwork network;
    // To be completed by what computes the rows.
    double row_ns;             // of one core for the values of a datapoint, roughly: of the network alone
    u32 levels = 0;            // see Differentiator
    u32 kept_levels = 0;       // likewise
    bool keeps_events = true;  // else derivatives are zero, whatever the cotangents
};

/// Adds up derivatives with respect to interferometers over the rows of a batch, in an order that does not depend on
/// who computes them.
class GroupSums {
  public:
    /// Rows whose derivatives are added up on their own, whatever the lanes and threads: at least the lanes of any
    /// kernel.
    static constexpr std::size_t kGroup = 16;

    static u64 predict_bytes(const ProgramSpec& spec);

    /// Calls run(thread, first_row, rows, sum) for every group, on up to `threads` threads; `sum` are as many numbers
    /// as the batch has elements, to which the group's derivatives are to be added, or null where nobody asks.
    template <class Run>
    void run(ThreadPool& pool, u32 threads, const GradientBatch& batch, std::size_t elements, const Run& run) {
        Complex* const total = batch.interferometer_gradients;
        const std::size_t groups = (batch.rows + kGroup - 1) / kGroup;
        for (std::size_t first = 0; first < groups; first += kWave) {
            const std::size_t count = std::min(kWave, groups - first);
            if (total != nullptr) sums_.assign(count * elements, Complex{0});
            pool.share(threads, count, [&](u32 thread, std::size_t group) {
                const std::size_t row = (first + group) * kGroup;
                run(thread, row, std::min(kGroup, batch.rows - row),
                    total == nullptr ? nullptr : sums_.data() + group * elements);
            });
            if (total == nullptr) continue;
            for (std::size_t group = 0; group < count; ++group)
                for (std::size_t e = 0; e < elements; ++e) total[e] += sums_[group * elements + e];
        }
    }

  private:
    /// Groups between two times that their derivatives are added up: bounds the memory that these take.
    static constexpr std::size_t kWave = 64;

    std::vector<Complex> sums_;  // per group of a wave
};

/// Throws ProgramError unless the spec can be simulated and its readout has derivatives.
void check_differentiable(const ProgramSpec& spec);

/// Throws ProgramError unless every phase is finite; clears the derivatives that are sums.
void begin_batch(const ProgramSpec& spec, const GradientBatch& batch);

/// Throws ProgramError unless every cotangent is finite. Looks for it at the derivatives, which are far fewer, where a
/// cotangent that is not finite makes derivatives that are not.
template <class Real>
void check_cotangents(const GradientCommon& common, const GradientBatch& batch);

}  // namespace photonlink::optics
