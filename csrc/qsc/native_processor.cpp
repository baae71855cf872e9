#include <algorithm>

#include "photonlink/qsc/processor.hpp"

namespace photonlink::qsc {

namespace {

// A batch occupies the dispatcher for as long as it runs: bounded, so that other ports and a release get their turn.
constexpr std::size_t kMostRows = 256;

class NativeProcessor : public Processor {
  public:
    explicit NativeProcessor(std::size_t memory_limit_bytes) : memory_limit_(memory_limit_bytes) {}

    ProcessorInfo info() const override {
        ProcessorInfo info;
        info.name = "native-slos";
        info.max_batch = simulator_ ? std::clamp<std::size_t>(simulator_->preferred_batch(), 1, kMostRows) : kMostRows;
        if (simulator_) info.datapoint_ns = simulator_->row_ns(shots_);
        if (simulator_) info.threads = simulator_->threads();
        if (simulator_) info.sampler = simulator_->sampler();
        return info;
    }

    void configure(std::shared_ptr<const optics::ProgramSpec> spec, const RunOptions& options) override {
        simulator_.reset();  // the old tables are not needed while the new ones are built
        // What sampling needs is built now, so that a refusal comes here and not with the first datapoint.
        shots_ = options.shots;
        const bool sampled = options.shots > 0;
        simulator_ =
            optics::Simulator::create(std::move(spec), options.precision, memory_limit_, sampled, options.threads);
    }

    std::size_t output_size() const override { return simulator_->output_size(); }
    std::size_t basis_size() const override { return simulator_->basis_size(); }
    void run(const optics::SimulationBatch& batch) override { simulator_->run(batch); }

  private:
    std::size_t memory_limit_;
    u32 shots_ = 0;
    std::unique_ptr<optics::Simulator> simulator_;
};

}  // namespace

std::unique_ptr<Processor> make_native_processor(std::size_t memory_limit_bytes) {
    return std::make_unique<NativeProcessor>(memory_limit_bytes);
}

}  // namespace photonlink::qsc
