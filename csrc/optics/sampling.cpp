#include "photonlink/optics/sampling.hpp"

#include <algorithm>

#include "photonlink/optics/combinatorics.hpp"
#include "photonlink/optics/philox.hpp"

namespace photonlink::optics {

u64 Sampler::predict_bytes(u64 basis_size) { return saturating_mul(basis_size, sizeof(double) + sizeof(u32)); }

Sampler::Sampler(std::size_t basis_size) : prefix_(basis_size), histogram_(basis_size) {}

/// First state whose prefix sum exceeds each of the masses, by searches without jumps, half of which would be
/// mispredicted. Side by side, they wait for memory together.
void Sampler::locate(const double* masses, u32* states) const {
    const double* base[kAtATime];
    std::fill(base, base + kAtATime, prefix_.data());
    for (std::size_t size = prefix_.size(); size > 1;) {
        const std::size_t half = size / 2;
        for (u32 i = 0; i < kAtATime; ++i)  // a product: compilers turn ?: into a jump
            base[i] += half * static_cast<std::size_t>(base[i][half - 1] <= masses[i]);
        size -= half;
    }
    for (u32 i = 0; i < kAtATime; ++i) {
        std::size_t state = static_cast<std::size_t>(base[i] - prefix_.data());
        while (state > 0 && prefix_[state - 1] == prefix_[state])
            --state;  // mass rounded up to the total: skip empty states
        states[i] = static_cast<u32>(state);
    }
}

template <class Real>
void Sampler::add(const Real* probabilities, std::size_t states) {
    double total = known_ == 0 ? 0.0 : prefix_[known_ - 1];
    double* const prefix = prefix_.data() + known_;
    for (std::size_t i = 0; i < states; ++i) {
        total += static_cast<double>(probabilities[i]);
        prefix[i] = total;
    }
    known_ += states;
}

void Sampler::draw(u64 seed, u64 id, u32 shots, std::vector<u32>& states, std::vector<u32>& counts) {
    const double total = prefix_.back();
    states.clear();
    for (u32 first = 0, count = 0; first < shots; first += count) {
        count = std::min(kAtATime, shots - first);
        double masses[kAtATime] = {};
        for (u32 i = 0; i < count; i += 2) {
            double uniforms[2];
            sampling_uniforms(seed, id, (first + i) / 2, uniforms);
            masses[i] = uniforms[0] * total;
            masses[i + 1] = uniforms[1] * total;
        }
        u32 drawn[kAtATime];
        locate(masses, drawn);
        for (u32 i = 0; i < count; ++i)
            if (histogram_[drawn[i]]++ == 0) states.push_back(drawn[i]);
    }
    collect(states, counts);
}

/// Sorts the states that were drawn and takes their counts out of the histogram.
void Sampler::collect(std::vector<u32>& states, std::vector<u32>& counts) {
    constexpr std::size_t kScanned = 32;  // states that a scan passes in the time that sorting takes for one
    if (states.size() * kScanned > histogram_.size()) {
        states.clear();
        for (std::size_t state = 0; state < histogram_.size(); ++state)
            if (histogram_[state] != 0) states.push_back(static_cast<u32>(state));
    } else {
        std::sort(states.begin(), states.end());
    }
    counts.clear();
    for (const u32 state : states) {
        counts.push_back(histogram_[state]);
        histogram_[state] = 0;
    }
}

template <class Real>
void Sampler::draw(const Real* probabilities, u64 seed, u64 id, u32 shots, std::vector<u32>& states,
                   std::vector<u32>& counts) {
    begin();
    add(probabilities, prefix_.size());
    draw(seed, id, shots, states, counts);
}

template void Sampler::add<float>(const float*, std::size_t);
template void Sampler::add<double>(const double*, std::size_t);
template void Sampler::draw<float>(const float*, u64, u64, u32, std::vector<u32>&, std::vector<u32>&);
template void Sampler::draw<double>(const double*, u64, u64, u32, std::vector<u32>&, std::vector<u32>&);

}  // namespace photonlink::optics
