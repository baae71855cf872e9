#include "photonlink/optics/readout.hpp"

#include <algorithm>
#include <cmath>

#include "photonlink/optics/noise_readout.hpp"
#include "photonlink/optics/simulator.hpp"

namespace photonlink::optics {
namespace {

bool needs_photon_modes(ReadoutKind kind) {
    return kind == ReadoutKind::ModeExpectations || kind == ReadoutKind::Correlators ||
           kind == ReadoutKind::ClickProbabilities;
}

bool needs_patterns(const ReadoutSpec& readout) {
    return readout.kind == ReadoutKind::ClickPatterns && readout.space == Space::Fock;
}

}  // namespace

template <class Real>
void LaneSum::add(const Real* values, std::size_t first, std::size_t states, u32 lanes, double* sums) {
    for (std::size_t state = first; state < first + states; ++state, values += lanes) {
        double* const partial = partial_.data() + taken_++ % 8 * lanes;
        for (u32 lane = 0; lane < lanes; ++lane) partial[lane] += static_cast<double>(values[lane]);
        if ((state + 1) % kTileStates == 0) finish(sums, lanes);
    }
}

void LaneSum::finish(double* sums, u32 lanes) {
    const double* const p = partial_.data();
    for (u32 lane = 0; lane < lanes; ++lane) {
        const auto at = [&](u32 k) { return p[k * lanes + lane]; };
        sums[lane] += ((at(0) + at(1)) + (at(2) + at(3))) + ((at(4) + at(5)) + (at(6) + at(7)));
    }
    std::fill(partial_.begin(), partial_.end(), 0.0);
    taken_ = 0;
}

std::size_t output_size(const ProgramSpec& spec) {
    if (has_source_noise(spec)) return noisy_output_size(spec, plan_noise(spec));
    const ReadoutSpec& readout = spec.readout;
    switch (readout.kind) {
        case ReadoutKind::Probabilities:
            return readout.grouping == Grouping::None ? state_count(readout.space, spec.modes, spec.photons())
                                                      : readout.groups;
        case ReadoutKind::ModeExpectations:
        case ReadoutKind::ClickProbabilities:
            return spec.modes;
        case ReadoutKind::Correlators:
            return std::size_t{spec.modes} * (spec.modes - 1) / 2;
        case ReadoutKind::ClickPatterns:
            return click_pattern_count(readout.space, spec.modes, spec.photons());
        case ReadoutKind::Samples:
            return 0;
    }
    return 0;
}

u64 ReadoutMap::predict_bytes(const ProgramSpec& spec) {
    const u64 states = state_count(spec.readout.space, spec.modes, spec.photons());
    if (needs_photon_modes(spec.readout.kind)) return saturating_mul(states, spec.photons());
    return needs_patterns(spec.readout) ? saturating_mul(states, sizeof(u32)) : 0;
}

ReadoutMap::ReadoutMap(const ProgramSpec& spec)
    : kind_(spec.readout.kind),
      grouping_(spec.readout.grouping),
      modes_(spec.modes),
      photons_(spec.photons()),
      basis_size_(state_count(spec.readout.space, modes_, photons_)),
      outputs_(output_size(spec)) {
    if (grouping_ == Grouping::Lex) bucket_ = (basis_size_ + outputs_ - 1) / outputs_;
    if (needs_photon_modes(kind_)) photon_modes_.reserve(basis_size_ * photons_);
    if (needs_patterns(spec.readout)) pattern_.reserve(basis_size_);
    if (photon_modes_.capacity() == 0 && pattern_.capacity() == 0) return;
    walk_prefixes(spec.readout.space, modes_, photons_, modes_, [&](const u8* state, u32) {
        if (kind_ == ReadoutKind::ClickPatterns) {
            pattern_.push_back(static_cast<u32>(click_pattern_rank(modes_, photons_, state)));
            return;
        }
        for (u32 mode = 0; mode < modes_; ++mode)
            photon_modes_.insert(photon_modes_.end(), state[mode], static_cast<u8>(mode));
    });
}

/// Occupied modes of a state, ascending, and their occupations.
struct ReadoutMap::Occupied {
    u32 size = 0;
    u32 mode[kMaxPhotons];
    double photons[kMaxPhotons];
};

void ReadoutMap::list_occupied(std::size_t state, Occupied& occupied) const {
    const u8* const photon = photon_modes_.data() + state * photons_;
    occupied.size = 0;
    for (u32 p = 0; p < photons_; ++p) {
        if (p == 0 || photon[p] != photon[p - 1]) {
            occupied.mode[occupied.size] = photon[p];
            occupied.photons[occupied.size++] = 0;
        }
        occupied.photons[occupied.size - 1] += 1;
    }
}

template <class Visit>
void ReadoutMap::visit_occupied(std::size_t state, Visit& visit) const {
    Occupied at;
    list_occupied(state, at);
    for (u32 a = 0; a < at.size; ++a) {
        if (kind_ == ReadoutKind::ModeExpectations) visit(std::size_t{at.mode[a]}, at.photons[a]);
        if (kind_ == ReadoutKind::ClickProbabilities) visit(std::size_t{at.mode[a]}, 1.0);
        if (kind_ != ReadoutKind::Correlators) continue;
        const std::size_t i = at.mode[a];
        const std::size_t row = i * (2 * modes_ - i - 1) / 2;  // where the pairs (i, i + 1), (i, i + 2).. begin
        for (u32 b = a + 1; b < at.size; ++b) visit(row + at.mode[b] - i - 1, at.photons[a] * at.photons[b]);
    }
}

/// visit(output, value) for every output to which a state adds.
template <class Visit>
void ReadoutMap::visit(std::size_t state, Visit&& visit) const {
    switch (kind_) {
        case ReadoutKind::Probabilities:
            if (grouping_ == Grouping::Lex) return visit(state / bucket_, 1.0);
            return visit(grouping_ == Grouping::Mod ? state % outputs_ : state, 1.0);
        case ReadoutKind::ClickPatterns:
            return visit(pattern_.empty() ? state : std::size_t{pattern_[state]}, 1.0);
        case ReadoutKind::ModeExpectations:
        case ReadoutKind::ClickProbabilities:
        case ReadoutKind::Correlators:
            return visit_occupied(state, visit);
        case ReadoutKind::Samples:
            return;
    }
}

/// Sums without asking state by state where it belongs.
template <class Real>
void ReadoutMap::add_groups(const Real* probabilities, std::size_t first, std::size_t states, double* values) const {
    const u64 run = grouping_ == Grouping::Lex ? bucket_ : outputs_;  // states up to the next group, or round of groups
    for (std::size_t at = 0; at < states;) {
        const std::size_t state = first + at;
        const std::size_t size = std::min<std::size_t>(run - state % run, states - at);
        if (grouping_ == Grouping::Lex)
            values[state / run] += striped_sum(probabilities + at, size);
        else
            for (std::size_t i = 0; i < size; ++i)
                values[state % run + i] += static_cast<double>(probabilities[at + i]);
        at += size;
    }
}

template <class Real>
void ReadoutMap::add(const Real* probabilities, std::size_t first, std::size_t states, double* values) const {
    if (grouping_ != Grouping::None) return add_groups(probabilities, first, states, values);
    for (std::size_t i = 0; i < states; ++i) {
        const double probability = static_cast<double>(probabilities[i]);
        visit(first + i, [&](std::size_t output, double value) { values[output] += probability * value; });
    }
}

template <class Real>
void ReadoutMap::exact(const Real* probabilities, double* values) const {
    std::fill(values, values + outputs_, 0.0);
    add(probabilities, 0, basis_size_, values);
}

template <class Real>
void ReadoutMap::accumulate_buckets(const Real* probabilities, u32 lanes, std::size_t first, std::size_t states,
                                    LaneSum& sum, double* values) const {
    for (std::size_t at = 0; at < states;) {
        const std::size_t state = first + at;
        const std::size_t size = std::min<std::size_t>(bucket_ - state % bucket_, states - at);
        double* const total = values + state / bucket_ * lanes;
        sum.add(probabilities + at * lanes, state, size, lanes, total);
        at += size;
        if ((state + size) % bucket_ == 0 || state + size == basis_size_) sum.finish(total, lanes);
    }
}

template <class Real>
void ReadoutMap::accumulate(const Real* probabilities, u32 lanes, std::size_t first_state, std::size_t states,
                            LaneSum& sum, double* values) const {
    if (grouping_ == Grouping::Lex) return accumulate_buckets(probabilities, lanes, first_state, states, sum, values);
    for (std::size_t state = 0; state < states; ++state) {
        const Real* const probability = probabilities + state * lanes;
        visit(first_state + state, [&](std::size_t output, double value) {
            double* const total = values + output * lanes;
            for (u32 lane = 0; lane < lanes; ++lane) total[lane] += value * static_cast<double>(probability[lane]);
        });
    }
}

template <class Real>
void ReadoutMap::pull_back(const Real* cotangents, u32 lanes, std::size_t first_state, std::size_t states,
                           Real* per_state) const {
    std::fill(per_state, per_state + states * lanes, Real{0});
    for (std::size_t state = 0; state < states; ++state) {
        Real* const sum = per_state + state * lanes;
        visit(first_state + state, [&](std::size_t output, double value) {
            const Real* const cotangent = cotangents + output * lanes;
            for (u32 lane = 0; lane < lanes; ++lane) sum[lane] += static_cast<Real>(value) * cotangent[lane];
        });
    }
}

void ReadoutMap::estimate(const std::vector<u32>& states, const std::vector<u32>& counts, u32 shots, double* values,
                          double* errors) const {
    const double weight = 1.0 / shots;
    std::fill(values, values + outputs_, 0.0);
    if (errors != nullptr) std::fill(errors, errors + outputs_, 0.0);
    for (std::size_t entry = 0; entry < states.size(); ++entry)
        visit(states[entry], [&](std::size_t output, double value) {
            values[output] += counts[entry] * weight * value;
            if (errors != nullptr) errors[output] += counts[entry] * weight * value * value;
        });
    if (errors == nullptr) return;
    for (std::size_t o = 0; o < outputs_; ++o)
        errors[o] = std::sqrt(std::max(0.0, errors[o] - values[o] * values[o]) * weight);
}

template void LaneSum::add<float>(const float*, std::size_t, std::size_t, u32, double*);
template void LaneSum::add<double>(const double*, std::size_t, std::size_t, u32, double*);
template void ReadoutMap::add<float>(const float*, std::size_t, std::size_t, double*) const;
template void ReadoutMap::add<double>(const double*, std::size_t, std::size_t, double*) const;
template void ReadoutMap::exact<float>(const float*, double*) const;
template void ReadoutMap::exact<double>(const double*, double*) const;
template void ReadoutMap::accumulate<float>(const float*, u32, std::size_t, std::size_t, LaneSum&, double*) const;
template void ReadoutMap::accumulate<double>(const double*, u32, std::size_t, std::size_t, LaneSum&, double*) const;
template void ReadoutMap::pull_back<float>(const float*, u32, std::size_t, std::size_t, float*) const;
template void ReadoutMap::pull_back<double>(const double*, u32, std::size_t, std::size_t, double*) const;

}  // namespace photonlink::optics
