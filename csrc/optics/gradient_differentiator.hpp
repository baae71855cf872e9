// What differentiators do alike: threads that take the rows of a batch, and derivatives that are summed over them.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "batch_split.hpp"
#include "gradient_batch.hpp"

namespace photonlink::optics {

/// Real: of values and cotangents. Shared: a GradientCommon, which its workers are made of. Worker::run(batch, first,
/// rows, sum) computes what is asked for of some rows, and adds the derivatives with respect to the interferometers to
/// `sum`, unless null.
template <class Real, class Shared, class Worker>
class BatchDifferentiator : public Differentiator {
  public:
    explicit BatchDifferentiator(Shared shared) : shared_(std::move(shared)) {
        for (u32 t = 0; t < shared_.layout.threads; ++t) workers_.push_back(std::make_unique<Worker>(shared_));
    }

    std::size_t output_size() const final { return shared_.outputs; }
    std::size_t memory_bytes() const final { return shared_.layout.bytes; }
    std::string kernel_profile() const final { return shared_.profile.name; }
    u32 lanes() const final { return shared_.layout.lanes; }
    u32 threads() const final { return shared_.layout.threads; }
    u32 levels() const final { return shared_.levels; }
    u32 kept_levels() const final { return shared_.kept_levels; }
    void set_interferometers(const Complex* matrices) final { shared_.set_interferometers(matrices); }

    void run(const GradientBatch& batch) final {
        begin_batch(*shared_.spec, batch);
        if (batch.cotangents != nullptr) return run_derivatives(batch);
        if (batch.values != nullptr) run_values(batch);
    }

  protected:
    virtual void run_values(const GradientBatch& batch) {
        const std::size_t block = value_rows(batch.rows);
        pool_.share(threads_for(batch.rows), (batch.rows + block - 1) / block, [&](u32 thread, std::size_t index) {
            const std::size_t first = index * block;
            workers_[thread]->run(batch, first, std::min(block, batch.rows - first), nullptr);
        });
    }

    /// How many threads pay for datapoints that each take `work` times what the values of one take.
    u32 threads_for(std::size_t rows, double work = 1) const {
        return threads_worth(work * shared_.row_ns * static_cast<double>(rows), shared_.layout.threads);
    }

    /// Rows that a worker is given at a time where only values are asked for, at most.
    std::size_t value_rows(std::size_t rows) const { return block_rows(rows, threads_for(rows), shared_.layout.lanes); }

    Shared shared_;
    std::vector<std::unique_ptr<Worker>> workers_;
    ThreadPool pool_;

  private:
    /// How much longer derivatives take than values, roughly.
    static constexpr double kBackward = 4;

    void run_derivatives(const GradientBatch& batch) {
        sums_.run(pool_, threads_for(batch.rows, kBackward), batch, shared_.network.elements(),
                  [&](u32 thread, std::size_t first, std::size_t rows, Complex* sum) {
                      workers_[thread]->run(batch, first, rows, sum);
                  });
        check_cotangents<Real>(shared_, batch);
    }

    GroupSums sums_;
};

}  // namespace photonlink::optics
