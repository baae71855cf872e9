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

    u64 rows() const { return rows_; }
    /// Most rows that a request may have.
    u64 row_limit() const { return row_limit_; }
    /// False if so many datapoints of this kind have to wait for the next batch.
    bool takes(Output output, u64 rows) const;
    /// Where the phases of the next rows go.
    double* next_phases() { return phases_.data() + rows_ * plan_.phases; }
    /// Finds the place of the results and takes the request's rows, or returns ResponseTooLarge.
    wire::Status add(ServedPort& port, const Request& request, u64 rows);

    /// Executes the rows. A std::exception of the processor fails all of them and is kept in error(); ProcessorFatal,
    /// and what is no std::exception, comes through. Either way the rows count as executed.
    void run();

    /// Executed counts of the whole batch.
    Counts counts() const;
    bool failed() const { return failed_; }
    const std::string& error() const { return error_; }

    struct Task {
        Request request;
        Output output;
        u8* result;  // where the answer goes: response payload or result area
        bool in_segment;
        bool direct;  // the processor writes there itself
        u64 first;    // row
        u64 rows;
    };
    /// The requests of the batch, in the order of their rows.
    const std::vector<Task>& tasks() const { return tasks_; }
    i64 quantum_ns(u64 row) const { return quantum_ns_[row]; }

    /// Puts the results of a request into their final form and publishes them.
    void publish(ServedPort& port, const Task& task);
    void clear();

  private:
    u64 element_bytes() const { return plan_.options.precision == optics::Precision::Float64 ? 8 : 4; }
    u64 row_bytes() const { return plan_.output_size * element_bytes(); }
    bool is_direct(Output output, const u8* result) const;
    u8* scratch_row(u64 row) { return scratch_.data() + row * row_bytes(); }
    void execute();
    void place_results(bool report);
    void check_reports() const;
    void check_samples(const optics::RowReport& report) const;
    void keep_time();
    void count_changed();
    void convert(const Task& task);
    u64 store_report(const Task& task);

    Processor& processor_;
    const SessionPlan& plan_;
    u64 row_limit_;
    u64 scratch_limit_;
    u64 rows_ = 0;
    std::vector<Task> tasks_;
    std::vector<double> phases_;
    std::vector<double> last_phases_;  // of the datapoint executed last; empty before the first
    std::vector<u32> changed_;         // phases, where somebody is told of it
    std::vector<i64> quantum_ns_;
    std::vector<u64> ids_;
    std::vector<void*> targets_;
    std::vector<double> kept_fractions_;
    std::vector<optics::RowReport> reports_;
    std::vector<u8> scratch_;
    bool failed_ = false;
    std::string error_;
};

}  // namespace photonlink::qsc
