#include <algorithm>
#include <utility>

#include "photonlink/qsc/driver.hpp"

namespace photonlink::qsc {

namespace {

class DriverProcessor final : public Processor {
  public:
    DriverProcessor(std::shared_ptr<DriverDesk> desk, std::size_t memory_limit_bytes)
        : desk_(std::move(desk)), memory_limit_(memory_limit_bytes) {}
    ~DriverProcessor() override { desk_->close(); }

    ProcessorInfo info() const override {
        ProcessorInfo info;
        info.name = desk_->info().name;
        info.simulated = desk_->info().simulated;
        info.supports_exact = desk_->info().exact;
        info.datapoint_timeout_s = desk_->info().timeout_s;
        info.sampler = desk_->info().exact ? "inverse_cdf" : "processor";
        return info;
    }

    void configure(std::shared_ptr<const optics::ProgramSpec> spec, const RunOptions& options) override {
        readout_.reset();  // the old tables are not needed while the new ones are built
        readout_ =
            std::make_unique<optics::DetectionReadout>(spec, options.precision, memory_limit_, desk_->info().exact);
        phases_ = spec->phases.size();
        Order order;
        order.program = std::move(spec);
        order.options = options;
        desk_->ask(std::move(order), deadline_ns());
    }

    std::size_t output_size() const override { return readout_->output_size(); }
    std::size_t basis_size() const override { return readout_->basis_size(); }
    void interrupt() override { desk_->interrupt(); }

    void run(const optics::SimulationBatch& batch) override {
        for (std::size_t row = 0; row < batch.rows; ++row) {
            if (desk_->info().exact)
                readout_->finish(batch, row, desk_->ask(order_for(batch, row, 0), deadline_ns()).probabilities);
            else
                collect(batch, row);
        }
    }

  private:
    u64 deadline_ns() const {
        return platform::clock_ns() + static_cast<u64>(std::min(desk_->info().timeout_s, 9e9) * 1e9);
    }

    Order order_for(const optics::SimulationBatch& batch, std::size_t row, u64 events) const {
        Order order;
        order.phases.assign(batch.phases + row * phases_, batch.phases + (row + 1) * phases_);
        order.datapoint = batch.ids[row];
        order.events = events;
        return order;
    }

    /// Asks for more events until enough of them are kept; all of it within the limit of one datapoint.
    void collect(const optics::SimulationBatch& batch, std::size_t row) {
        const u64 deadline = deadline_ns();
        readout_->begin();
        while (readout_->kept() < batch.shots) {
            const u64 missing = batch.shots - readout_->kept();
            readout_->add(desk_->ask(order_for(batch, row, missing), deadline).events, missing);
        }
        readout_->finish(batch, row);
    }

    std::shared_ptr<DriverDesk> desk_;
    std::size_t memory_limit_;
    std::unique_ptr<optics::DetectionReadout> readout_;
    std::size_t phases_ = 0;
};

}  // namespace

std::unique_ptr<Processor> make_driver_processor(std::shared_ptr<DriverDesk> desk, std::size_t memory_limit_bytes) {
    if (!desk) throw std::invalid_argument("a driver's processor needs a desk, received none");
    return std::make_unique<DriverProcessor>(std::move(desk), memory_limit_bytes);
}

}  // namespace photonlink::qsc
