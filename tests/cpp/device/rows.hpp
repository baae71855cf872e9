// A batch in memory, with gaps between its rows, and the launches that work on it.
#pragma once

#include "photonlink/device/launch.hpp"
#include "scripted.hpp"

namespace photonlink::device::test {

/// Shape of a launch.
struct Grid {
    u32 groups;
    u32 size;  // threads per group
    u32 window;
};

/// Rows whose gaps hold a mark that nobody may touch.
template <class Real, class Out>
struct Rows {
    static constexpr Out kMark = Out(-77);

    Rows(u64 count, u64 outputs_of_row, u64 seed, i64 feature_gap = 2, i64 out_gap = 3)
        : rows(count),
          outputs(outputs_of_row),
          feature_stride(kFeatures + feature_gap),
          out_stride(static_cast<i64>(outputs) + out_gap),
          x(random_features<Real>(count, feature_stride, seed)),
          y(count * static_cast<u64>(out_stride), kMark),
          statuses(count, 99) {}

    Batch<Real, Out> batch() { return {x.data(), feature_stride, y.data(), out_stride, statuses.data(), rows}; }
    Real* features(u64 row) { return x.data() + row * static_cast<u64>(feature_stride); }
    const Out* result(u64 row) const { return y.data() + row * static_cast<u64>(out_stride); }
    CallStatus status(u64 row) const { return static_cast<CallStatus>(statuses[row]); }
    u64 count(CallStatus status) const {
        return static_cast<u64>(std::count(statuses.begin(), statuses.end(), static_cast<u32>(status)));
    }

    /// The row has this status; an honest result if that is Ok, else NaN; and nothing behind it.
    void expect_row(u64 row, CallStatus expected) {
        ASSERT_EQ(status(row), expected) << "row " << row;
        const Out* const got = result(row);
        if (expected == CallStatus::Ok) {
            EXPECT_TRUE(same_bits(got, honest_row<Out>(features(row), outputs).data(), outputs)) << "row " << row;
        } else {
            for (u64 k = 0; k < outputs; ++k) EXPECT_TRUE(std::isnan(got[k])) << "row " << row;
        }
        for (i64 gap = static_cast<i64>(outputs); gap < out_stride; ++gap) EXPECT_EQ(got[gap], kMark) << "row " << row;
    }
    void expect_all(CallStatus expected) {
        for (u64 row = 0; row < rows; ++row) expect_row(row, expected);
    }

    u64 rows;
    u64 outputs;
    i64 feature_stride;
    i64 out_stride;
    std::vector<Real> x;
    std::vector<Out> y;
    std::vector<u32> statuses;
};

/// The kernel body of a whole batch.
template <class Real, class Out>
void run_infer(const Link& link, const Batch<Real, Out>& batch, const Grid& grid, LaunchWords* words,
               u64 limit_ns = link::testing::kPatienceNs) {
    const Launch shape{grid.groups, limit_ns, grid.window};
    launch(grid.groups, grid.size,
           [&](const HostGroup& group, u32 index) { infer_group(group, link, batch, words, shape, index); });
}

template <class Real, class Out>
void run_submit(const Link& link, const Batch<Real, Out>& batch, const Grid& grid, LaunchWords* words, Pending* pending,
                u64 limit_ns = link::testing::kPatienceNs) {
    const Launch shape{grid.groups, limit_ns, grid.window};
    launch(grid.groups, grid.size,
           [&](const HostGroup& group, u32 index) { submit_group(group, link, batch, words, shape, index, pending); });
}

template <class Real, class Out>
void run_collect(const Link& link, const Batch<Real, Out>& batch, const Grid& grid, Pending* pending,
                 u64 limit_ns = link::testing::kPatienceNs) {
    const Launch shape{grid.groups, limit_ns, grid.window};
    launch(grid.groups, grid.size,
           [&](const HostGroup& group, u32 index) { collect_group(group, link, batch, shape, index, pending); });
}

}  // namespace photonlink::device::test
