// A port, a caller's stream, and what every test of a device link checks at its end.
#pragma once

#include "../device/rows.hpp"
#include "device_link.hpp"
#include "fake_cuda.hpp"

namespace photonlink::cuda::test {

using device::test::honest;
using device::test::kKey;
using device::test::Rows;
using device::test::ScriptEncoding;
using link::testing::patience;
using DoubleRows = Rows<double, double>;

inline constexpr u64 kOutputs = 5;
inline constexpr double kPatience = 240.0;  // seconds; only something broken takes as long

/// Stays for good where a test leaves something that a kernel might still touch: else it would count as leaked.
template <class T>
T* keep(T* object) {
    static auto* const kept = new std::vector<T*>;
    kept->push_back(object);
    return object;
}

/// A stream of the caller's.
class UserStream {
  public:
    UserStream() { cudaStreamCreateWithFlags(&stream_, 0); }
    ~UserStream() { cudaStreamDestroy(stream_); }
    UserStream(const UserStream&) = delete;
    UserStream& operator=(const UserStream&) = delete;
    operator cudaStream_t() const { return stream_; }

  private:
    cudaStream_t stream_ = nullptr;
};

/// A device port, and a server that answers honestly while it is told to.
class Port {
  public:
    explicit Port(u32 slots, bool serving = true) : memory_(link::Geometry{slots, 128, 0}) {
        if (serving) serve();
    }

    LinkConfig config() {
        encoding_ = values_.view();
        LinkConfig config;
        config.geometry = memory_.geometry();
        config.requests = memory_.requests();
        config.responses = const_cast<void*>(memory_.responses());
        config.responses_writable = true;
        config.key = kKey;
        config.output_size = kOutputs;
        config.observable_bytes = sizeof(double);
        config.encoding = &encoding_;
        config.row_timeout = kPatience;
        config.kernel_limit = kPatience;
        return config;
    }
    std::shared_ptr<DeviceLink> open() { return std::make_shared<DeviceLink>(config()); }
    void serve() {
        server_.emplace(memory_.server(), [this](link::ServerHandle& server, const std::vector<link::Arrival>& found) {
            for (const link::Arrival& arrival : found) {
                ids.push_back(device::test::read_request(server, arrival.slot).header.request_id);
                honest(server, arrival);
            }
        });
    }
    void stop_serving() { server_.reset(); }
    /// The client's side, as the session does it before it closes the link.
    void close() {
        link::ClientHandle(memory_.geometry(), memory_.requests(), memory_.responses(), nullptr, nullptr, nullptr)
            .close();
    }

    std::vector<u32> ids;  // of the requests served; complete once the server has stopped

  private:
    ScriptEncoding values_;
    EncodingView encoding_{};
    link::DevicePortMemory memory_;
    std::optional<link::testing::ServerThread> server_;
};

inline RawBatch raw(DoubleRows& rows) {
    return {rows.x.data(),        sizeof(double), rows.feature_stride, rows.y.data(), rows.out_stride,
            rows.statuses.data(), rows.rows};
}

/// Everything that this test handed out is back. Freeing goes on a thread of its own.
inline void expect_nothing_left(u64 before) {
    const u64 limit = patience();
    while (fake::live() != before && platform::clock_ns() < limit) std::this_thread::yield();
    EXPECT_EQ(fake::live(), before);
}

class CudaLink : public ::testing::Test {
  protected:
    void SetUp() override { violations_ = fake::violations(); }
    void TearDown() override { EXPECT_EQ(fake::violations(), violations_); }

  private:
    u64 violations_ = 0;
};

}  // namespace photonlink::cuda::test
