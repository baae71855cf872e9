// A transport provider of our own behind the public table: CUDA-Q realtime datagrams over UDP on loopback, in both
// forms that a CPU can serve. A frame fills one slot, answers go to where the latest request came from, exactly one
// slot long. Built three times, as version 1, 2 and 3 of the table.
//
//   --port=N --num-slots=N --slot-size=N --unified    as the provider of CUDA-Q has them; others are ignored
//   --fail=CALL         that function of the table returns an internal error
//   --hang=CALL         that function waits for provider_release(), or until disconnect, see --wakes
//   --wakes             disconnect lets a hanging connect return with an error
//   --mute-after=N      after N answers no other leaves: rings stay full, tx_publish fails
//   --foreign-slot      rx_poll hands out a slot that does not exist
//   --device-rings      no host pointers, as rings in the memory of a GPU have none
//   --no-handle         create succeeds and gives no handle
//   --say=TEXT          create prints a line, as some providers do
//
// The environment changes the table before it is handed out: BRIDGE_NULL=CALL leaves a function out, BRIDGE_VERSION=N
// claims a version, BRIDGE_TABLE=none returns no table.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "photonlink/transport/bridge_table.hpp"

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

using namespace photonlink;
using namespace photonlink::transport::bridge;

/// What was called, for tests that load this library, too.
struct History {
    std::mutex mutex;
    std::condition_variable changed;
    std::string calls;
    std::string told;  // what history() returned last
    bool released = false;

    void note(const std::string& call) {
        const std::lock_guard<std::mutex> lock(mutex);
        calls += calls.empty() ? call : " " + call;
        changed.notify_all();
    }
};

/// Never destroyed: a thread that was left behind may call this library while the process ends.
History& history() {
    static History* const kept = new History;
    return *kept;
}

class Provider {
  public:
    bool parse(int count, char** arguments) {
        for (int i = 0; i < count; ++i) {
            const std::string text = arguments[i];
            const std::size_t equals = text.find('=');
            const std::string name = text.substr(0, equals);
            const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
            if (name == "--fail" || name == "--hang")
                (name == "--fail" ? fails_ : hangs_).insert(value);
            else if (name == "--port")
                port_ = static_cast<u16>(std::atoi(value.c_str()));
            else if (name == "--num-slots")
                slots_ = static_cast<u32>(std::atoi(value.c_str()));
            else if (name == "--slot-size")
                slot_bytes_ = static_cast<u32>(std::atoi(value.c_str()));
            else if (name == "--say")
                std::cout << value << std::endl;
            else if (name == "--mute-after")
                answers_left_ = std::atoi(value.c_str());
            else
                flags_.insert(text);
        }
        return slots_ > 0 && slot_bytes_ > 0;
    }

    bool has(const char* flag) const { return flags_.count(flag) != 0; }

    int open() {
        rx_flags_.resize(slots_);
        tx_flags_.resize(slots_);
        rx_.resize(std::size_t{slots_} * slot_bytes_);
        tx_.resize(std::size_t{slots_} * slot_bytes_);
        socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port_);
        socklen_t length = sizeof address;
        if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), length) != 0) return kInternal;
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
        port_ = ntohs(address.sin_port);
        return kOk;
    }

    ~Provider() {
        stop();
        if (socket_ >= 0) ::close(socket_);
    }

    /// Notes the call; what it returns unless the arguments say otherwise.
    int called(const char* name) {
        history().note(name);
        if (hangs_.count(name) != 0 && !hang(name)) return kInternal;
        return fails_.count(name) != 0 ? kInternal : kOk;
    }

    int fill(Rings* rings) {
        if (has("--device-rings")) return kOk;
        rings->rx_flags = rings->rx_flags_host = rx_flags_.data();
        rings->tx_flags = rings->tx_flags_host = tx_flags_.data();
        rings->rx_data = rings->rx_data_host = rx_.data();
        rings->tx_data = rings->tx_data_host = tx_.data();
        rings->rx_stride = rings->tx_stride = slot_bytes_;
        return kOk;
    }

    int start() {
        if (!has("--unified") && !thread_.joinable()) thread_ = std::thread(&Provider::move_frames, this);
        return kOk;
    }

    void stop() {
        stopping_ = true;
        history().changed.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    /// Hook: one datagram into the next slot, if its answer is not awaited any more.
    int rx_poll(u32* slot) {
        if (has("--foreign-slot")) {
            *slot = slots_;
            return kReady;
        }
        if (load(tx_flags_, rx_next_) != 0 || !receive(rx_next_)) return kEmpty;
        *slot = rx_next_;
        rx_next_ = (rx_next_ + 1) % slots_;
        return kReady;
    }
    int tx_publish(u32 slot) { return send(slot) ? kOk : kInternal; }

    u32 slots() const { return slots_; }
    u32 slot_bytes() const { return slot_bytes_; }
    u16 port() const { return port_; }

  private:
    bool hang(const std::string& name) {
        std::unique_lock<std::mutex> lock(history().mutex);
        const bool wakes = has("--wakes") && name == "connect";
        history().changed.wait(lock, [&] { return history().released || (wakes && stopping_); });
        return !wakes;
    }

    static u64 load(const std::vector<u64>& flags, u32 slot) { return __atomic_load_n(&flags[slot], __ATOMIC_ACQUIRE); }
    static void store(std::vector<u64>& flags, u32 slot, u64 value) {
        __atomic_store_n(&flags[slot], value, __ATOMIC_RELEASE);
    }

    /// Form of rings: both directions in strict order.
    void move_frames() {
        u32 tx_next = 0;
        while (!stopping_) {
            bool moved = false;
            const u64 answer = load(tx_flags_, tx_next);
            if (answer == reinterpret_cast<u64>(tx_.data() + std::size_t{tx_next} * slot_bytes_) && send(tx_next)) {
                store(tx_flags_, tx_next, 0);
                tx_next = (tx_next + 1) % slots_;
                moved = true;
            }
            if (load(rx_flags_, rx_next_) == 0 && load(tx_flags_, rx_next_) == 0 && receive(rx_next_)) {
                store(rx_flags_, rx_next_, reinterpret_cast<u64>(rx_.data() + std::size_t{rx_next_} * slot_bytes_));
                rx_next_ = (rx_next_ + 1) % slots_;
                moved = true;
            }
            pollfd entry{socket_, POLLIN, 0};
            if (!moved) ::poll(&entry, 1, 1);
        }
    }

    bool receive(u32 slot) {
        std::vector<u8> datagram(std::size_t{slot_bytes_} + 1);
        socklen_t length = sizeof peer_;
        const ssize_t bytes = ::recvfrom(socket_, datagram.data(), datagram.size(), MSG_DONTWAIT,
                                         reinterpret_cast<sockaddr*>(&peer_), &length);
        if (bytes < 0 || static_cast<std::size_t>(bytes) > slot_bytes_) return false;
        std::memcpy(rx_.data() + std::size_t{slot} * slot_bytes_, datagram.data(), slot_bytes_);
        return true;
    }

    bool send(u32 slot) {
        if (answers_left_ == 0) return false;
        if (answers_left_ > 0) --answers_left_;
        return ::sendto(socket_, tx_.data() + std::size_t{slot} * slot_bytes_, slot_bytes_, MSG_NOSIGNAL,
                        reinterpret_cast<const sockaddr*>(&peer_), sizeof peer_) > 0;
    }

    std::set<std::string> fails_;
    std::set<std::string> hangs_;
    std::set<std::string> flags_;
    u16 port_ = 0;
    u32 slots_ = 8;
    u32 slot_bytes_ = 256;
    int answers_left_ = -1;
    int socket_ = -1;
    std::vector<u64> rx_flags_;
    std::vector<u64> tx_flags_;
    std::vector<u8> rx_;
    std::vector<u8> tx_;
    u32 rx_next_ = 0;
    sockaddr_in peer_{};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

Provider& of(Handle handle) { return *static_cast<Provider*>(handle); }

int create(Handle* handle, int count, char** arguments) {
    auto provider = std::make_unique<Provider>();
    if (!provider->parse(count, arguments)) return kInvalidArgument;
    if (const int status = provider->called("create"); status != kOk) return status;
    if (const int status = provider->open(); status != kOk) return status;
    if (!provider->has("--no-handle")) *handle = provider.release();
    return kOk;
}

int destroy(Handle handle) {
    const int status = of(handle).called("destroy");
    delete &of(handle);
    return status;
}

int get_transport_context(Handle handle, int type, void* context) {
    if (const int status = of(handle).called("get_transport_context"); status != kOk) return status;
    if (type != kRingBuffer || of(handle).has("--unified")) return kUnsupported;
    return of(handle).fill(static_cast<Rings*>(context));
}

int connect_peer(Handle handle) { return of(handle).called("connect"); }

int launch(Handle handle) {
    const int status = of(handle).called("launch");
    return status == kOk ? of(handle).start() : status;
}

int disconnect(Handle handle) {
    const int status = of(handle).called("disconnect");
    of(handle).stop();
    return status;
}

#if PROVIDER_VERSION >= 2
int rx_poll(void* context, u32* slot) { return of(context).rx_poll(slot); }
int tx_publish(void* context, u32 slot) { return of(context).tx_publish(slot); }

int get_cpu_dataplane(Handle handle, CpuDataplane* plane) {
    if (const int status = of(handle).called("get_cpu_dataplane"); status != kOk) return status;
    if (!of(handle).has("--unified")) return kUnsupported;
    *plane = {};
    plane->context = handle;
    plane->rx_poll = rx_poll;
    plane->tx_publish = tx_publish;
    return of(handle).fill(&plane->rings);
}

int get_endpoint_info(Handle handle, char* text, std::size_t bytes) {
    if (const int status = of(handle).called("get_endpoint_info"); status != kOk) return status;
    const int length = std::snprintf(text, bytes, "transport=udp port=%u", static_cast<unsigned>(of(handle).port()));
    return length > 0 && static_cast<std::size_t>(length) < bytes ? kOk : kInvalidArgument;
}

int get_ring_geometry(Handle handle, u32* slots, u32* slot_bytes) {
    *slots = of(handle).slots();
    *slot_bytes = of(handle).slot_bytes();
    return of(handle).called("get_ring_geometry");
}
#endif

#if PROVIDER_VERSION >= 3
int set_function_table(Handle handle, const FunctionTable* table) {
    for (u32 i = 0; i < table->count; ++i)
        if (table->entries[i].handler == nullptr || table->entries[i].dispatch_mode != kHostCall)
            return kInvalidArgument;
    return of(handle).called(("set_function_table:" + std::to_string(table->count)).c_str());
}
#endif

Table make_table() {
    Table table{};
    table.version = PROVIDER_VERSION;
    table.create = create;
    table.destroy = destroy;
    table.get_transport_context = get_transport_context;
    table.connect = connect_peer;
    table.launch = launch;
    table.disconnect = disconnect;
#if PROVIDER_VERSION >= 2
    table.get_cpu_dataplane = get_cpu_dataplane;
    table.get_endpoint_info = get_endpoint_info;
    table.get_ring_geometry = get_ring_geometry;
#else
    // Behind the end of a table of version 1: whoever calls these has read too far.
    table.get_cpu_dataplane = [](Handle, CpuDataplane*) -> int { std::abort(); };
    table.get_endpoint_info = [](Handle, char*, std::size_t) -> int { std::abort(); };
    table.get_ring_geometry = [](Handle, u32*, u32*) -> int { std::abort(); };
#endif
#if PROVIDER_VERSION >= 3
    table.set_function_table = set_function_table;
#else
    table.set_function_table = [](Handle, const FunctionTable*) -> int { std::abort(); };
#endif
    return table;
}

void leave_out(Table& table, const std::string& name) {
    if (name == "create") table.create = nullptr;
    if (name == "destroy") table.destroy = nullptr;
    if (name == "get_transport_context") table.get_transport_context = nullptr;
    if (name == "connect") table.connect = nullptr;
    if (name == "launch") table.launch = nullptr;
    if (name == "disconnect") table.disconnect = nullptr;
    if (name == "get_cpu_dataplane") table.get_cpu_dataplane = nullptr;
    if (name == "get_endpoint_info") table.get_endpoint_info = nullptr;
    if (name == "get_ring_geometry") table.get_ring_geometry = nullptr;
    if (name == "set_function_table") table.set_function_table = nullptr;
}

}  // namespace

EXPORTED Table* cudaq_realtime_get_bridge_interface() {
    static Table table;
    table = make_table();
    if (const char* name = std::getenv("BRIDGE_NULL")) leave_out(table, name);
    if (const char* version = std::getenv("BRIDGE_VERSION")) table.version = std::atoi(version);
    return std::getenv("BRIDGE_TABLE") == nullptr ? &table : nullptr;
}

/// What was called since provider_reset(), separated by spaces; valid until the next call of this function.
EXPORTED const char* provider_history() {
    const std::lock_guard<std::mutex> lock(history().mutex);
    history().told = history().calls;
    return history().told.c_str();
}

EXPORTED void provider_reset() {
    const std::lock_guard<std::mutex> lock(history().mutex);
    history().calls.clear();
    history().released = false;
}

/// Everything that hangs goes on.
EXPORTED void provider_release() {
    const std::lock_guard<std::mutex> lock(history().mutex);
    history().released = true;
    history().changed.notify_all();
}
