#include "photonlink/optics/sampling.hpp"

#include <algorithm>

#include "photonlink/optics/combinatorics.hpp"
#include "photonlink/optics/philox.hpp"

namespace photonlink::optics {

u64 Sampler::predict_bytes(u64 basis_size) {
    return saturating_add(saturating_mul(basis_size, sizeof(double) + sizeof(u32)),
                          (basis_size / kWordStates + 1) * sizeof(u64));
}

Sampler::Sampler(std::size_t basis_size)
    : prefix_(basis_size), histogram_(basis_size), drawn_(basis_size / kWordStates + 1) {}

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
    // One sum waits for the other only from group to group: summed state by state, the additions' latency would count.
    constexpr std::size_t kGroup = 8;
    std::size_t i = 0;
    for (; i + kGroup <= states; i += kGroup) {
        double within[kGroup];
        within[0] = static_cast<double>(probabilities[i]);
        for (std::size_t j = 1; j < kGroup; ++j) within[j] = within[j - 1] + static_cast<double>(probabilities[i + j]);
        for (std::size_t j = 0; j < kGroup; ++j) prefix[i + j] = total + within[j];
        total = prefix[i + kGroup - 1];
    }
    for (; i < states; ++i) prefix[i] = total += static_cast<double>(probabilities[i]);
    known_ += states;
}

void Sampler::draw(u64 seed, u64 id, u32 shots, std::vector<u32>& states, std::vector<u32>& counts) {
    const double total = prefix_.back();
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
        for (u32 i = 0; i < count; ++i) {
            ++histogram_[drawn[i]];
            drawn_[drawn[i] / kWordStates] |= u64{1} << drawn[i] % kWordStates;
        }
    }
    collect(states, counts);
}

/// Lists the states that were drawn and takes their counts out of the histogram.
void Sampler::collect(std::vector<u32>& states, std::vector<u32>& counts) {
    states.clear();
    counts.clear();
    for (std::size_t word = 0; word < drawn_.size(); ++word) {
        for (u64 bits = drawn_[word]; bits != 0; bits &= bits - 1) {
            const std::size_t state = word * kWordStates + static_cast<u32>(__builtin_ctzll(bits));
            states.push_back(static_cast<u32>(state));
            counts.push_back(histogram_[state]);
            histogram_[state] = 0;
        }
        drawn_[word] = 0;
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
