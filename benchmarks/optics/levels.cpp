// Where the time of a sweep goes, level by level: processor time beside the multiply-add peak of the same run, with
// datapoints in as many lanes as the simulator takes and with vectors over states, and how many loads of parents miss
// the caches.
//
//     optics_levels MODES PHOTONS [REPEATS]
//
// Misses are those of a model, since virtual machines rarely hand out a processor's counters: a 32 KiB and a 1 MiB
// cache of eight ways, least recently used lines leave, and every load of the lane kernels passes in their order.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "optics/slos_layout.hpp"
#include "photonlink/optics/combinatorics.hpp"
#include "photonlink/optics/interferometer.hpp"
#include "photonlink/optics/machine_peak.hpp"
#include "photonlink/optics/row_tables.hpp"
#include "photonlink/optics/slos_tables.hpp"

namespace {

using namespace photonlink;
using namespace photonlink::optics;

class Cache {
  public:
    explicit Cache(std::size_t bytes) : sets_(bytes / kCacheLine / kWays), lines_(sets_ * kWays, ~u64{0}) {}

    bool holds(u64 line) {
        const auto set = lines_.begin() + static_cast<std::ptrdiff_t>(line % sets_ * kWays);
        const auto at = std::find(set, set + kWays, line);
        const bool hit = at != set + kWays;
        std::rotate(set, hit ? at : set + kWays - 1, hit ? at + 1 : set + kWays);
        *set = line;
        return hit;
    }

  private:
    static constexpr std::size_t kWays = 8;
    std::size_t sets_;
    std::vector<u64> lines_;
};

struct Misses {
    u64 loads = 0, first = 0, second = 0;
};

/// The caches of one core while lane kernels go through the levels.
class CacheModel {
  public:
    explicit CacheModel(u32 lanes) : state_lines_(std::max<u64>(1, 2 * lanes * sizeof(float) / kCacheLine)) {}

    Misses step(const LevelView& level, bool stores) {
        Misses misses;
        for (u32 b = 0; b < level.block_count; ++b) {
            const SlosBlock& block = level.blocks[b];
            const SuffixView& suffix = level.suffixes[block.suffix];
            for (u32 e = block.entry; e < block.entry + block.entries; ++e)
                for (u32 s = 0; s < suffix.states; ++s) load(level.entries[e].parent + s, misses);
            for (u32 s = 0; s < suffix.states; ++s) {
                for (u32 e = suffix.begin[s]; e < suffix.begin[s + 1]; ++e)
                    load(block.parent + suffix.entries[e].parent, misses);
                if (stores) touch(kOther - turn_, block.child + s, nullptr);
            }
        }
        turn_ = kOther - turn_;
        return misses;
    }

  private:
    static constexpr u64 kOther = u64{1} << 40;  // levels take turns in two buffers that share no line

    void load(u64 state, Misses& misses) { touch(turn_, state, &misses); }

    void touch(u64 buffer, u64 state, Misses* misses) {
        for (u64 i = 0; i < state_lines_; ++i) {
            const u64 line = buffer + state * state_lines_ + i;
            const bool in_first = first_.holds(line), in_second = in_first || second_.holds(line);
            if (misses == nullptr) continue;
            ++misses->loads;
            misses->first += !in_first;
            misses->second += !in_second;
        }
    }

    u64 state_lines_;
    Cache first_{32 << 10}, second_{1 << 20};
    u64 turn_ = 0;
};

/// Seconds of this thread's processor time that `work` takes, the best of `repeats`.
double best_seconds(u32 repeats, const std::function<void()>& work) {
    const auto now = [] {
        timespec at{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
        return static_cast<double>(at.tv_sec) + 1e-9 * static_cast<double>(at.tv_nsec);
    };
    double best = 1e9;
    for (u32 repeat = 0; repeat < repeats; ++repeat) {
        const double started = now();
        work();
        best = std::min(best, now() - started);
    }
    return best;
}

/// Microseconds per datapoint of each level, levels from 1 on.
using Times = std::vector<double>;

struct Sizes {
    u32 modes, photons, repeats;
    u64 largest;  // states of the last level but one, which no level before it exceeds
};

Times time_lanes(const Sizes& sizes, const SlosTables& tables, const SlosKernels<float>& kernels) {
    const u32 lanes = kernels.lanes;
    AlignedVector<float> levels[2], column(sizes.modes * 2 * lanes, 0.2F);
    for (auto& level : levels) level.resize(sizes.largest * 2 * lanes);
    const u64 room = std::max<u64>(256, SlosTables::largest_block(Space::Fock, sizes.modes, sizes.photons));
    AlignedVector<float> tile(room * lanes), rows(u64{lanes} * tables.states(sizes.photons));
    std::vector<float*> targets(lanes);
    for (u32 lane = 0; lane < lanes; ++lane) targets[lane] = rows.data() + u64{lane} * tables.states(sizes.photons);
    std::fill_n(levels[0].begin(), lanes, 1.0F);
    Times times(1);
    for (u32 k = 1; k < sizes.photons; ++k)
        times.push_back(best_seconds(sizes.repeats, [&] {
            kernels.step(tables.level(k), column.data(), levels[(k - 1) % 2].data(), levels[k % 2].data());
        }));
    const LevelView last = tables.level(sizes.photons);
    times.push_back(best_seconds(sizes.repeats, [&] {
        for (u32 begin = 0, end = 0; begin < last.block_count; begin = end) {
            u32 states = 0;
            while (end < last.block_count && states + last.suffixes[last.blocks[end].suffix].states <= room)
                states += last.suffixes[last.blocks[end++].suffix].states;
            kernels.finish(last, begin, end, column.data(), levels[(sizes.photons - 1) % 2].data(), 1.0, tile.data());
            kernels.scatter_rows(tile.data(), states, targets.data(), last.blocks[begin].child);
        }
    }));
    for (double& time : times) time *= 1e6 / lanes;
    return times;
}

Times time_rows(const Sizes& sizes, const SlosTables& slos, const RowKernels<float>& kernels) {
    const auto tables = RowTables::shared(Space::Fock, sizes.modes, sizes.photons, kernels.chunk);
    const u64 stride = (sizes.largest + 2 * kernels.chunk) / kernels.chunk * kernels.chunk;
    AlignedVector<float> levels[2], column(sizes.modes * 2 * kernels.rows, 0.2F);
    for (auto& level : levels) level.resize(stride * 2 * kernels.rows);
    AlignedVector<float> rows(kernels.rows * (u64{slos.states(sizes.photons)} + kMostLanes));
    float* targets[kMostKernelRows];
    for (u32 row = 0; row < kernels.rows; ++row) {
        targets[row] = rows.data() + row * (u64{slos.states(sizes.photons)} + kMostLanes);
        levels[0][2 * row * stride] = 1;
    }
    Times times(1);
    for (u32 k = 1; k <= sizes.photons; ++k)
        times.push_back(best_seconds(sizes.repeats, [&] {
            const float* const parents = levels[(k - 1) % 2].data();
            const RowView view = tables->level(k);
            if (k < sizes.photons)
                kernels.step(view, column.data(), parents, stride, levels[k % 2].data(), stride);
            else
                kernels.finish(view, 0, view.chunks, column.data(), parents, stride, nullptr, 1, targets);
        }));
    for (double& time : times) time *= 1e6 / kernels.rows;
    return times;
}

/// Flops that a level needs: see photonlink.bench.optics_limits.exact_flops.
double flops(const Sizes& sizes, const SlosTables& tables, u32 level) {
    const double parents = static_cast<double>(sizes.modes) * tables.states(level - 1);
    return level < sizes.photons ? 8 * parents : 4 * parents + 4 * static_cast<double>(tables.states(level));
}

/// Those that the simulator takes for a large batch.
const SlosKernels<float>& kernels_of(const Sizes& sizes, const KernelProfile& profile) {
    ProgramSpec spec;
    spec.modes = sizes.modes;
    spec.input.assign(sizes.modes, 0);
    spec.input[0] = sizes.photons;
    spec.readout.space = Space::Fock;
    const SlosLayout layout = choose_layout<float>(spec, profile, {true, false}, 1, ~u64{0});
    const SlosKernels<float>* kernels = profile.widths<float>();
    while (layout.lanes != 0 && kernels->lanes > layout.lanes) ++kernels;
    return *kernels;
}

void report(const Sizes& sizes) {
    const auto tables = SlosTables::shared(Space::Fock, sizes.modes, sizes.photons);
    const KernelProfile& profile = select_kernel_profile();
    const SlosKernels<float>& kernels = kernels_of(sizes, profile);
    const Times lanes = time_lanes(sizes, *tables, kernels);
    const bool has_rows = profile.row_count > 0;
    const Times rows = has_rows ? time_rows(sizes, *tables, profile.rows<float>()[0]) : Times(sizes.photons + 1u, 0.0);
    const double peak = multiply_add_peak(Precision::Float32);
    CacheModel caches(kernels.lanes);
    std::printf("%s, %u lanes, peak %.1f GFLOP/s; microseconds per datapoint and share of the peak\n", profile.name,
                kernels.lanes, peak * 1e-9);
    std::printf("level    states  lanes us  share  miss 32K  miss 1M   rows us  share\n");
    double needed = 0, lanes_us = 0, rows_us = 0;
    const auto share = [peak](double work, double us) { return us > 0 ? 100 * work / (us * 1e-6 * peak) : 0.0; };
    for (u32 k = 1; k <= sizes.photons; ++k) {
        const Misses misses = caches.step(tables->level(k), k < sizes.photons);
        const double work = flops(sizes, *tables, k), loads = static_cast<double>(misses.loads);
        std::printf("%5u %9u %9.2f %5.1f%% %9.3f %8.3f %9.2f %5.1f%%\n", k, tables->states(k), lanes[k],
                    share(work, lanes[k]), static_cast<double>(misses.first) / loads,
                    static_cast<double>(misses.second) / loads, rows[k], share(work, rows[k]));
        needed += work, lanes_us += lanes[k], rows_us += rows[k];
    }
    std::printf("  all           %9.2f %5.1f%% %27.2f %5.1f%%\n", lanes_us, share(needed, lanes_us), rows_us,
                share(needed, rows_us));
}

}  // namespace

int main(int count, char** arguments) {
    const auto number = [&](int i, int otherwise) { return i < count ? std::atoi(arguments[i]) : otherwise; };
    const int modes = number(1, 0), photons = number(2, 0), repeats = number(3, 9);
    if (modes < 2 || photons < 2 || repeats < 1 ||
        !SlosTables::can_number(Space::Fock, static_cast<u32>(modes), static_cast<u32>(photons))) {
        std::fprintf(stderr, "usage: optics_levels MODES PHOTONS [REPEATS], at least 2 modes and 2 photons\n");
        return 2;
    }
    const u32 m = static_cast<u32>(modes), n = static_cast<u32>(photons);
    report({m, n, static_cast<u32>(repeats), state_count(Space::Fock, m, n - 1)});
    return 0;
}
