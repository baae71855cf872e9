// The caller's side of a session on the host: features in, observables out, over one port.
//
// A call encodes rows straight into slots, keeps as many requests in flight as it may, and collects them in row order.
// A request has one row, or a few of a small program. It holds slots only while it also collects, so that callers that
// share a port cannot wait for each other. Thread-safe: any number of threads may call; each call takes a contiguous
// range of 64-bit ids, so that results do not depend on what is in flight. Nothing here waits without a bound.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "photonlink/call_status.hpp"
#include "photonlink/encode.hpp"
#include "photonlink/link/client.hpp"
#include "photonlink/optics/program.hpp"
#include "photonlink/wire/functions.hpp"

namespace photonlink::qsc {

inline constexpr u64 kNever = ~0ULL;

using photonlink::CallStatus;

struct CallResult {
    CallStatus status = CallStatus::Ok;
    u64 row = 0;  // first row without a result: all rows before it were delivered
    u32 column = 0;
    i32 wire_status = 0;
    u32 request_id = 0;    // of `row`
    u64 close_reason = 0;  // of Closed: the server's, 0 if this side closed the port
    u64 elapsed_ns = 0;
};

/// Rows of features in the caller's memory; any stride, each row contiguous.
struct Features {
    const void* data;
    optics::Precision type;
    u64 rows;
    i64 row_stride;  // bytes
};

/// Rows of output_size() values of the session's precision.
struct Output {
    void* data;
    i64 row_stride;  // bytes
    /// Owns the memory. Held as long as a datapoint that was given up may still be written there.
    std::shared_ptr<void> owner;
};

struct CallOptions {
    u64 deadline_ns = kNever;     // of the whole call, on platform::clock_ns()
    u64 row_timeout_ns = kNever;  // longest time from one answer to the next
    u32 in_flight = 0;            // datapoints, at most; 0 = as many as the requests have that the port has slots for
    const std::atomic<bool>* cancelled = nullptr;
    /// Asked at least every 100 ms; true ends the call. Lets an interpreter see its signals.
    bool (*interrupted)(void* context) = nullptr;
    void* context = nullptr;
};

/// What photonlink_report adds to the observables, per row. Null pointers are skipped.
struct Reports {
    double* kept_fraction = nullptr;    // rows
    double* standard_errors = nullptr;  // rows x output_size
    i64* quantum_ns = nullptr;          // rows, -1 when exact
    u32* changed_phases = nullptr;      // rows
    std::vector<u64> row_begin{0};      // rows + 1 offsets into the next two
    std::vector<u32> state_index;
    std::vector<u32> counts;
};

/// A call of any function in encoding B, for callers that bring their arguments encoded. The key is not among them.
struct RawRequest {
    u32 function_id;
    const void* args;
    u64 arg_bytes;  // at most most_arg_bytes()
    void* result;   // receives the result if it fits
    u64 capacity;
    u64 result_bytes = 0;  // what came
};

/// What a session's client must know of its session.
struct ClientConfig {
    u64 key = 0;
    u64 first_id = 0;
    u64 output_size = 0;
    u64 max_counts = 0;  // most distinct states in one report: min(shots, basis size)
    /// Of a datapoint's samples, where the port is for callers that may ask for them.
    u64 sample_bytes = 0;
    u32 most_request_rows = 1;  // datapoints in one request
    optics::Precision precision = optics::Precision::Float64;
    EncodingView encoding{};
};

/// Datapoints that such a client puts into one request: so many that they fit a frame. A frame costs about as much as
/// the smallest datapoints take to compute.
u32 rows_per_request(const ClientConfig& config);

/// Payload bytes of the largest request that such a client sends.
u64 largest_request(const ClientConfig& config);

/// Smallest slot that holds every request of such a session and its results where they are small.
link::Geometry client_geometry(const ClientConfig& config, u32 slots);

/// client_geometry() for a caller whose memory the server cannot reach: large results get an area in the port, samples
/// too if a datapoint has a megabyte of them at most (of more, photonlink_report gives the counts).
link::Geometry remote_geometry(const ClientConfig& config, u32 slots);

class ClientCall;  // qsc/client_calls.hpp: internal

class SessionClient {
  public:
    /// `keep` owns what `port` and `config.encoding` point to.
    SessionClient(const link::ClientHandle& port, const ClientConfig& config, std::shared_ptr<const void> keep);
    SessionClient(const SessionClient&) = delete;
    SessionClient& operator=(const SessionClient&) = delete;

    CallResult infer(const Features& features, const Output& out, const CallOptions& options);
    /// infer() that also asks for counts, errors and times.
    CallResult report(const Features& features, const Output& out, Reports* reports, const CallOptions& options);
    /// `rounds` echoes of 16 bytes, one at a time; nanoseconds of each round trip.
    CallResult echo(u64 rounds, u64* latencies_ns, const CallOptions& options);
    /// One call of any function. Ok says that the controller answered Ok: compare result_bytes with what you expect.
    CallResult call(RawRequest* request, const CallOptions& options);
    u64 most_arg_bytes() const { return geometry().slot_bytes - wire::kHeaderBytes - wire::kKeyBytes; }

    /// Ends every call of every thread with Closed, now and from now on.
    void stop();
    /// Waits until no call is running: true, or false at the deadline. Call after stop().
    bool drained(u64 deadline_ns) const;
    /// stop(), and a bounded wait until the calls have left: what an owner does before the port goes.
    void finish();

    /// Memory that given-up datapoints may still be written into: the server must hold it as long as it serves the
    /// port.
    std::shared_ptr<const void> lent() const { return lent_; }

    /// Slots that are not free; those of given-up datapoints that were answered meanwhile are freed first.
    u32 slots_in_use();
    u32 slots() const { return port_.geometry().slots; }
    const link::Geometry& geometry() const { return port_.geometry(); }
    const ClientConfig& config() const { return config_; }

  private:
    /// Memory lent for one answer that nobody waits for any more.
    struct Orphan {
        link::Ticket ticket;
        std::shared_ptr<void> owner;
    };
    struct Lent {
        std::mutex mutex;
        std::vector<Orphan> orphans;
        std::atomic<bool> any{false};
    };

    /// Upper bounds on the phase encoding: |phase| <= gain * max|feature| + shift.
    struct PhaseBound {
        double gain = 0;
        double shift = 0;
    };
    static PhaseBound phase_bound(const EncodingView& map);

    CallResult checked(const Features& features) const;
    template <class Real>
    bool are_harmless(const Features& features) const;
    template <class Real>
    CallResult checked_as(const Features& features) const;
    CallResult run(ClientCall& call, u64 rows, const CallOptions& options);
    void give_up(link::Ticket ticket, const std::shared_ptr<void>& owner);
    void drop_settled_orphans();

    link::ClientHandle port_;
    const ClientConfig config_;
    const PhaseBound bound_;
    const std::shared_ptr<const void> keep_;
    std::atomic<u64> next_id_;
    std::atomic<bool> stopping_{false};
    std::atomic<u64> running_{0};
    const std::shared_ptr<Lent> lent_ = std::make_shared<Lent>();
};

}  // namespace photonlink::qsc
