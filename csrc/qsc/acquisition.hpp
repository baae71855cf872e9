// One batch of datapoints on its way through the processor: phases in a contiguous buffer of our own, results written
// where the caller will read them, time and changed phases worked out per datapoint as if each had come alone.
#pragma once

#include <string>
#include <vector>

#include "request.hpp"
#include "served_port.hpp"

namespace photonlink::qsc {

class Acquisition {
  public:
    Acquisition(Processor& processor, const SessionPlan& plan);

    u64 rows() const { return rows_.size(); }
    /// False if a datapoint of this kind has to wait for the next batch.
    bool takes(Output output) const;
    /// Where the phases of the next row go.
    double* next_phases() { return phases_.data() + rows() * plan_.phases; }
    /// Finds the place of the result and takes the row, or returns ResponseTooLarge.
    wire::Status add(ServedPort& port, const Request& request);

    /// Executes the rows. A std::exception of the processor fails all of them and is kept in error(); ProcessorFatal,
    /// and what is no std::exception, comes through. Either way the rows count as executed.
    void run();

    /// Executed counts of the whole batch.
    Counts counts() const;
    bool failed() const { return failed_; }
    const std::string& error() const { return error_; }
    const Request& request(u64 row) const { return rows_[row].request; }
    i64 quantum_ns(u64 row) const { return rows_[row].quantum_ns; }

    /// Puts the result of a row into its final form and publishes it.
    void publish(ServedPort& port, u64 row);
    void clear();

  private:
    struct Row {
        Request request;
        Output output;
        u8* result;  // where the answer goes: response payload or result area
        bool in_segment;
        bool direct;  // the processor writes there itself
        u32 changed = 0;
        i64 quantum_ns = kNoQuantumTime;
    };

    u64 element_bytes() const { return plan_.options.precision == optics::Precision::Float64 ? 8 : 4; }
    bool is_direct(Output output, const u8* result) const;
    u8* scratch_row(u64 row) { return scratch_.data() + row * plan_.output_size * element_bytes(); }
    void execute();
    void check_reports() const;
    void check_samples(const optics::RowReport& report) const;
    void keep_time();
    u32 count_changed(u64 row);
    void convert(u64 row);
    u64 store_report(u64 row);

    Processor& processor_;
    const SessionPlan& plan_;
    u64 row_limit_;
    u64 scratch_limit_;
    std::vector<Row> rows_;
    std::vector<double> phases_;
    std::vector<double> last_phases_;  // of the datapoint executed last; empty before the first
    std::vector<u64> ids_;
    std::vector<void*> targets_;
    std::vector<double> kept_fractions_;
    std::vector<optics::RowReport> reports_;
    std::vector<u8> scratch_;
    bool failed_ = false;
    std::string error_;
};

}  // namespace photonlink::qsc
