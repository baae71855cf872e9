#include "photonlink/optics/readout.hpp"

#include <algorithm>
#include <cmath>

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

std::size_t output_size(const ProgramSpec& spec) {
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

/// visit(mode, occupation) for every occupied mode of a state, ascending.
template <class Visit>
void ReadoutMap::visit_modes(std::size_t state, Visit&& visit) const {
    const u8* const photon = photon_modes_.data() + state * photons_;
    for (u32 first = 0, next; first < photons_; first = next) {
        next = first + 1;
        while (next < photons_ && photon[next] == photon[first]) ++next;
        visit(u32{photon[first]}, next - first);
    }
}

/// visit(output, value) for every output to which a state adds.
template <class Visit>
void ReadoutMap::visit(std::size_t state, Visit&& visit) const {
    switch (kind_) {
        case ReadoutKind::Probabilities:
            if (grouping_ == Grouping::Lex) return visit(state / bucket_, 1.0);
            return visit(grouping_ == Grouping::Mod ? state % outputs_ : state, 1.0);
        case ReadoutKind::ModeExpectations:
            return visit_modes(state, [&](u32 mode, u32 n) { visit(std::size_t{mode}, static_cast<double>(n)); });
        case ReadoutKind::ClickProbabilities:
            return visit_modes(state, [&](u32 mode, u32) { visit(std::size_t{mode}, 1.0); });
        case ReadoutKind::ClickPatterns:
            return visit(pattern_.empty() ? state : std::size_t{pattern_[state]}, 1.0);
        case ReadoutKind::Correlators:
            return visit_modes(state, [&](u32 i, u32 n_i) {
                const std::size_t row = std::size_t{i} * (2 * modes_ - i - 1) / 2;  // pairs (i, i + 1)..
                visit_modes(state, [&](u32 j, u32 n_j) {
                    if (j > i) visit(row + j - i - 1, static_cast<double>(n_i) * n_j);
                });
            });
        case ReadoutKind::Samples:
            return;
    }
}

template <class Real>
void ReadoutMap::exact(const Real* probabilities, double* values) const {
    std::fill(values, values + outputs_, 0.0);
    for (std::size_t state = 0; state < basis_size_; ++state) {
        const double probability = static_cast<double>(probabilities[state]);
        visit(state, [&](std::size_t output, double value) { values[output] += probability * value; });
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

template void ReadoutMap::exact<float>(const float*, double*) const;
template void ReadoutMap::exact<double>(const double*, double*) const;

}  // namespace photonlink::optics
