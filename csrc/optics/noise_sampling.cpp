#include "photonlink/optics/noise_sampling.hpp"

#include <algorithm>

#include "photonlink/optics/combinatorics.hpp"
#include "photonlink/optics/philox.hpp"

namespace photonlink::optics {
namespace {

/// Photons per input at most, which is what the boson sampler makes room for.
std::vector<u32> most_shared(const NoisePlan& plan) {
    std::vector<u32> most;
    for (const SourceMode& source : plan.sources) most.push_back(std::max(source.most_common(), 1u));
    return most;
}

ProgramSpec boson_sampler_spec(const ProgramSpec& spec, const NoisePlan& plan) {
    ProgramSpec sampled;
    sampled.modes = spec.modes;
    sampled.input = most_shared(plan);
    return sampled;
}

u32 most_photons(const NoisePlan& plan) {
    u32 most = 0;
    for (const SourceMode& source : plan.sources) most += source.most();
    return most;
}

}  // namespace

/// The uniforms of one attempt, one after the other.
class SourceSampler::Uniforms {
  public:
    Uniforms(u64 seed, u64 id, u32 shot, u32 block) : seed_(seed), id_(id), shot_(shot), block_(block) {}

    double next() {
        if (!half_) shot_uniforms(seed_, id_, shot_, block_++, pair_);
        half_ = !half_;
        return pair_[half_ ? 0 : 1];
    }

  private:
    u64 seed_, id_;
    u32 shot_, block_;
    bool half_ = false;
    double pair_[2] = {};
};

u64 SourceSampler::predict_bytes(const ProgramSpec& spec, const NoisePlan& plan) {
    u64 deliveries = 0;
    for (const SourceMode& source : plan.sources)
        deliveries += u64{source.most_common() + 1} * (source.most_own() + 1) * (plan.least + 1);
    const u64 ranks = u64{plan.most - plan.least + 1} * spec.modes * (plan.most + 1) * sizeof(u64);
    return deliveries * sizeof(Delivery) + ranks + plan.sources.size() * spec.modes * sizeof(double) +
           CliffordSampler::predict_bytes(boson_sampler_spec(spec, plan));
}

SourceSampler::SourceSampler(const ProgramSpec& spec, const NoisePlan& plan, const KernelProfile& profile)
    : plan_(plan),
      modes_(spec.modes),
      blocks_(static_cast<u32>(plan.sources.size() + 1) / 2 + most_photons(plan) + 1),
      cumulative_(plan.sources.size() * spec.modes),
      order_(plan.space, spec.modes, plan.least, plan.most),
      clifford_(boson_sampler_spec(spec, plan), most_shared(plan), profile) {
    const std::size_t inputs = plan.sources.size();
    // enough[k]: probability that the inputs behind this one deliver k photons or more
    std::vector<double> enough(plan.least + 1u, 0.0);
    enough[0] = 1;
    deliveries_.resize(inputs);
    for (std::size_t input = inputs; input-- > 0;) {
        const SourceMode& source = plan.sources[input];
        std::vector<double> with_this;
        for (u32 needed = 0; needed <= plan.least; ++needed) {
            std::vector<Delivery>& choices = deliveries_[input].emplace_back();
            double sum = 0;
            for (u32 c = 0; c <= source.most_common(); ++c)
                for (u32 d = 0; d <= source.most_own(); ++d) {
                    const double weight = source.weight(c, d) * enough[needed > c + d ? needed - c - d : 0];
                    if (weight > 0) choices.push_back({c, d, sum += weight});
                }
            with_this.push_back(sum);
        }
        enough = with_this;
    }
    shared_.reserve(most_photons(plan));
    own_.reserve(most_photons(plan));
}

void SourceSampler::load(const double* columns) {
    const std::size_t inputs = plan_.sources.size();
    clifford_.load(columns);
    for (std::size_t input = 0; input < inputs; ++input) {
        double sum = 0;
        for (u32 mode = 0; mode < modes_; ++mode) {
            const double* const v = columns + (mode * inputs + input) * 2;
            sum += v[0] * v[0] + v[1] * v[1];
            cumulative_[input * modes_ + mode] = sum;
        }
    }
}

/// What an input delivers, given that it and those behind it deliver `needed` photons or more.
const SourceSampler::Delivery& SourceSampler::deliver(std::size_t input, u32 needed, double uniform) const {
    const std::vector<Delivery>& choices = deliveries_[input][needed];
    const double mass = uniform * choices.back().cumulative;
    return *std::find_if(choices.begin(), choices.end() - 1, [&](const Delivery& d) { return d.cumulative > mass; });
}

/// The mode in which a photon of its own leaves.
u32 SourceSampler::leave(std::size_t input, double uniform) const {
    const double* const begin = cumulative_.data() + input * modes_;
    const double mass = uniform * begin[modes_ - 1];
    return static_cast<u32>(
        std::min<std::ptrdiff_t>(std::upper_bound(begin, begin + modes_, mass) - begin, std::ptrdiff_t{modes_} - 1));
}

bool SourceSampler::draw(u64 seed, u64 id, u32 shot, u32 attempt, u8* state) {
    Uniforms uniforms(seed, id, shot, 1 + attempt * blocks_);
    shared_.clear();
    own_.clear();
    u32 needed = plan_.least;
    for (std::size_t input = 0; input < plan_.sources.size(); ++input) {
        const Delivery& delivery = deliver(input, needed, uniforms.next());
        shared_.insert(shared_.end(), delivery.shared, static_cast<u32>(input));
        own_.insert(own_.end(), delivery.own, static_cast<u32>(input));
        needed -= std::min(needed, delivery.shared + delivery.own);
    }
    draws_.clear();
    for (std::size_t i = 0; i < 2 * shared_.size(); ++i) draws_.push_back(uniforms.next());
    clifford_.send(shared_);
    clifford_.draw(draws_.data(), state);
    for (const u32 input : own_) ++state[leave(input, uniforms.next())];
    u32 seen = 0;
    for (u32 mode = 0; mode < modes_; ++mode) {
        if (plan_.clicks) state[mode] = std::min<u8>(state[mode], 1);
        seen += state[mode];
    }
    return seen >= plan_.least && seen <= plan_.most && lies_in(plan_.space, state, modes_);
}

}  // namespace photonlink::optics
