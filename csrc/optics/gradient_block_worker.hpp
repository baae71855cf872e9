// What the workers of differentiators do alike: the way of some datapoints through the network and back, whatever lies
// between its matrices and the values.
#pragma once

#include <algorithm>
#include <vector>

#include "batch_split.hpp"
#include "gradient_batch.hpp"
#include "photonlink/optics/gradient_readout.hpp"

namespace photonlink::optics {

/// Real: of values and cotangents. Calc: of the kernels.
template <class Real, class Calc>
class BlockWorker {
  protected:
    /// `outputs`: of rows that are computed one by one in double precision; 0 if none are.
    BlockWorker(const GradientCommon& common, std::size_t outputs)
        : network_(common.network, common.layout.lanes), values_(outputs), cotangents_(outputs), common_(common) {}

    /// The matrices of some rows of a batch.
    const double* propagate(const GradientBatch& batch, std::size_t first, u32 rows, u32 width) {
        return network_.propagate(common_.profile.template widths<Calc>()[width],
                                  common_.gradients.template widths<Calc>()[width],
                                  batch.phases + first * common_.spec->phases.size(), rows);
    }

    /// Takes rows first .. first + rows - 1 of a batch side by side in lanes. compute(rows, width, matrices) delivers
    /// the values of a block and leaves the derivatives with respect to its matrices in the network's adjoint. `sum`:
    /// see NetworkState::pull_back().
    template <class Compute>
    void run_blocks(const GradientBatch& batch, std::size_t first, std::size_t rows, Complex* sum,
                    const Compute& compute) {
        const std::size_t outputs = common_.outputs, phases = common_.spec->phases.size();
        for_lane_blocks<
            Calc>(common_.profile, first, rows, common_.layout.lanes, [&](std::size_t row, u32 count, u32 width) {
            GradientRows<Real> at{count, static_cast<const Real*>(batch.cotangents), static_cast<Real*>(batch.values)};
            if (at.cotangents != nullptr) at.cotangents += row * outputs;
            if (at.values != nullptr) at.values += row * outputs;
            compute(at, width, propagate(batch, row, count, width));
            if (at.cotangents == nullptr) return;
            double* const gradients = batch.phase_gradients;
            network_.pull_back(common_.gradients.template widths<Calc>()[width], count,
                               gradients == nullptr ? nullptr : gradients + row * phases, sum);
        });
    }

    /// Rows of a closed form, whose values and derivatives may be of one object.
    template <class Values, class Derivatives>
    void run_closed_form(Values& values, Derivatives& derivatives, const GradientRows<Real>& rows, u32 width,
                         const double* matrices) {
        const u32 lanes = common_.profile.template widths<Calc>()[width].lanes;
        if (rows.cotangents != nullptr) clear_adjoint(lanes);  // of lanes without a row, too
        for (u32 row = 0; row < rows.rows; ++row, ++matrices) {
            if (rows.values != nullptr) {
                values.evaluate(matrices, matrices + lanes, lanes, values_.data());
                publish(rows, row);
            }
            if (rows.cotangents == nullptr) continue;
            double* const adjoint = network_.adjoint() + row;
            derivatives.pull_back(matrices, matrices + lanes, lanes, load_cotangents(rows, row), adjoint,
                                  adjoint + lanes);
        }
    }

    void clear_adjoint(u32 lanes) {
        std::fill_n(network_.adjoint(), u64{common_.network.modes()} * common_.network.columns() * 2 * lanes, 0.0);
    }

    /// Delivers the values of one row.
    void publish(const GradientRows<Real>& rows, u32 row) const {
        if (rows.values == nullptr) return;
        std::transform(values_.begin(), values_.end(), rows.values + row * values_.size(),
                       [](double value) { return static_cast<Real>(value); });
    }

    /// The cotangents of one row, until those of the next are asked for.
    const double* load_cotangents(const GradientRows<Real>& rows, u32 row) {
        std::copy_n(rows.cotangents + row * cotangents_.size(), cotangents_.size(), cotangents_.begin());
        return cotangents_.data();
    }

    NetworkState network_;
    std::vector<double> values_;  // of one row

  private:
    std::vector<double> cotangents_;  // likewise
    const GradientCommon& common_;
};

}  // namespace photonlink::optics
