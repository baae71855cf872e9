#include "photonlink/optics/gpu/vjp_plan.hpp"

#include <algorithm>
#include <string>

#include "photonlink/optics/basis.hpp"
#include "photonlink/optics/closed_forms.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics::gpu {
namespace {

/// Lays out the levels and writes down the tasks. Derivatives of a level lie by turns where those of the last level and
/// where those of the one below it do: two of them are alive at a time.
class Planner {
  public:
    Planner(const ProgramSpec& spec, u32 kept_levels)
        : spec_(spec), photons_(spec.photons()), kept_levels_(kept_levels) {
        for (u32 k = 0; k <= photons_; ++k) states_.push_back(state_count(spec.readout.space, spec.modes, k));
        lay_out();
    }

    u64 value_states() const { return end_; }

    std::vector<VjpTask> tasks() {
        add(VjpTaskKind::Clear, 0, 0, 0, 2 * u64{spec_.modes} * occupied_modes(spec_));
        for (u32 k = 1; k < photons_; ++k) step(k);
        add(VjpTaskKind::Level, photons_, amplitudes(photons_ - 1), adjoint_at_[0], states_[photons_]);
        if (spec_.readout.space != Space::Fock) add_moments();
        add(VjpTaskKind::BackReadout, photons_, 0, adjoint_at_[0], states_[photons_]);
        for (u32 k = photons_; k > 0; --k) back(k);
        return std::move(tasks_);
    }

  private:
    void lay_out() {
        u64 scratch[2] = {0, 0}, adjoints[2] = {0, 0};
        for (u32 k = 0; k < photons_; ++k) {
            place_.push_back(end_);
            if (k <= kept_levels_)
                end_ = saturating_add(end_, states_[k]);
            else
                scratch[k % 2] = std::max(scratch[k % 2], states_[k]);
        }
        for (u32 k = kept_levels_ + 1; k < photons_; ++k)
            place_[k] = k % 2 == 0 ? end_ : saturating_add(end_, scratch[0]);
        end_ = saturating_add(end_, saturating_add(scratch[0], scratch[1]));
        for (u32 k = 1; k <= photons_; ++k)
            adjoints[(photons_ - k) % 2] = std::max(adjoints[(photons_ - k) % 2], states_[k]);
        adjoint_at_[0] = end_;
        adjoint_at_[1] = saturating_add(end_, adjoints[0]);
        end_ = saturating_add(adjoint_at_[1], adjoints[1]);
    }

    void add(VjpTaskKind kind, u32 level, u64 from, u64 to, u64 items) {
        tasks_.push_back({kind, level, from, to, items});
    }

    void step(u32 level) {
        add(VjpTaskKind::Level, level, place_[level - 1], place_[level], states_[level]);
        if (level > kept_levels_) scratch_level_[level % 2] = level;
    }

    /// Where the amplitudes of a level are: still there, or computed from the highest level below that is.
    u64 amplitudes(u32 level) {
        const auto present = [&](u32 k) { return k <= kept_levels_ || scratch_level_[k % 2] == k; };
        u32 from = level;
        while (!present(from)) --from;
        while (from < level) step(++from);
        return place_[level];
    }

    void add_moments() {
        add(VjpTaskKind::Moments, photons_, adjoint_at_[0], 0, chunks_of(states_[photons_]));
        add(VjpTaskKind::SumMoments, photons_, 0, 0, 2 * u64{kSegments});
        add(VjpTaskKind::AddMoments, photons_, 0, 0, 2);
    }

    void back(u32 level) {
        const u64 from = adjoint_at_[(photons_ - level) % 2], below = adjoint_at_[(photons_ - level + 1) % 2];
        const u64 column = 2 * u64{spec_.modes};
        add(VjpTaskKind::Column, level, from, amplitudes(level - 1), chunks_of(states_[level - 1]) * spec_.modes);
        add(VjpTaskKind::SumColumn, level, 0, 0, kSegments * column);
        add(VjpTaskKind::AddColumn, level, 0, 0, column);
        if (level > 1) add(VjpTaskKind::BackLevel, level, from, below, states_[level - 1]);
    }

    const ProgramSpec& spec_;
    u32 photons_;
    u32 kept_levels_;
    std::vector<u64> states_;        // by photon number
    std::vector<u64> place_;         // of the amplitudes of each level below the last
    u32 scratch_level_[2] = {0, 0};  // what lies in the shared places, by parity; 0: nothing
    u64 adjoint_at_[2] = {0, 0};
    u64 end_ = 0;
    std::vector<VjpTask> tasks_;
};

u64 sum_of(std::initializer_list<u64> terms) {
    u64 sum = 0;
    for (const u64 term : terms) sum = saturating_add(sum, term);
    return sum;
}

}  // namespace

u32 VjpPlan::levels(const ProgramSpec& program) { return has_closed_form(program) ? 0 : program.photons() - 1; }

VjpPlan::VjpPlan(const ProgramSpec& program, Precision real, u32 kept)
    : spec(&program), precision(real), closed_form(has_closed_form(program)), kept_levels(kept) {
    if (closed_form) return;
    Planner planner(program, kept);
    value_states = planner.value_states();
    tasks = planner.tasks();
}

u32 VjpPlan::most_rows(u64 bytes) const {
    if (table_bytes() > bytes) return 0;
    return static_cast<u32>(std::min<u64>((bytes - table_bytes()) / row_bytes(), ~0U));
}

VjpPlan VjpPlan::within(const ProgramSpec& program, Precision precision, u32 rows, u64 bytes) {
    constexpr u32 kFewRows = 8;  // fewer read tables and fill memory lines at more cost than a level computed again
    for (u32 kept = levels(program);; --kept) {
        VjpPlan plan(program, precision, kept);
        plan.rows = std::min(rows, plan.most_rows(bytes));
        if (plan.rows >= std::min(rows, kFewRows) || (kept == 0 && plan.rows > 0)) return plan;
        if (kept > 0) continue;
        const u64 needed = saturating_add(plan.table_bytes(), plan.row_bytes());
        throw ProgramError("derivatives of " + std::to_string(program.photons()) + " photons in " +
                           std::to_string(program.modes) + " modes need " + count_text(needed) +
                           " bytes of device memory beside those of the simulation, but " + std::to_string(bytes) +
                           " are left; use fewer photons or modes, a smaller space, or raise the limit");
    }
}

u64 VjpPlan::part_bytes() const {
    const u64 numbers = spec->interference ? 2 : 1;
    u64 parents = 0;
    for (u32 k = 0; k < spec->photons(); ++k)
        parents = std::max(parents, state_count(spec->readout.space, spec->modes, k));
    const u64 states = state_count(spec->readout.space, spec->modes, spec->photons());
    const u64 columns = chunks_of(parents) * spec->modes * numbers * real_bytes();
    const u64 moments = chunks_of(states) * 2 * sizeof(double);
    return (std::max(columns, moments) + sizeof(double) - 1) / sizeof(double) * sizeof(double);
}

u64 VjpPlan::table_bytes() const {
    const u64 states = state_count(spec->readout.space, spec->modes, spec->photons());
    const u64 inputs = occupied_modes(*spec) * sizeof(u32);
    if (closed_form) return inputs;
    return sum_of({inputs, spec->photons() * sizeof(u32),
                   ChildTables::predict_bytes(spec->readout.space, spec->modes, spec->photons()),
                   predict_level_bytes(spec->readout.space, spec->modes, spec->photons()),
                   spec->readout.kind == ReadoutKind::ClickPatterns ? saturating_mul(states, sizeof(u32)) : 0,
                   tasks.size() * sizeof(VjpTask)});
}

u64 VjpPlan::row_bytes() const {
    const u64 elements = u64{spec->modes} * occupied_modes(*spec);
    const u64 network =
        2 * spec->interferometers.size() * elements * sizeof(Complex64) + spec->phases.size() * sizeof(double);
    if (closed_form) return network;
    const u64 numbers = spec->interference ? 2 : 1;
    const u64 columns = numbers * elements * (real_bytes() + sizeof(double)) + spec->modes * real_bytes();
    const u64 sums = (kSegments * numbers * spec->modes + 2) * sizeof(double);
    return sum_of({network, columns, sums, part_bytes(), saturating_mul(value_states, numbers * real_bytes())});
}

std::vector<u32> state_outputs(const ProgramSpec& spec, const Readout& readout) {
    if (readout.gather != Gather::Lists) return {};
    const ReadoutTables tables(spec, readout);
    std::vector<u32> outputs(readout.states);
    for (u32 output = 0; output < readout.outputs; ++output)
        for (u32 i = tables.list_begin[output]; i < tables.list_begin[output + 1u]; ++i)
            outputs[tables.list[i]] = output;
    return outputs;
}

}  // namespace photonlink::optics::gpu
