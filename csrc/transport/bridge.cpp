#include "photonlink/transport/bridge.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>

#include "photonlink/link/port.hpp"
#include "photonlink/wire/datagram.hpp"

namespace photonlink::transport {

namespace {

using Kind = BridgeError::Kind;
using bridge::Table;

constexpr std::size_t kEndpointBytes = 512;

const char* name_of(int status) {
    switch (status) {
        case bridge::kInvalidArgument:
            return "invalid argument";
        case bridge::kInternal:
            return "internal error";
        case bridge::kCuda:
            return "CUDA error";
        case bridge::kUnsupported:
            return "unsupported";
        default:
            return "unknown status";
    }
}

/// Never closed again: threads and exit handlers of a provider may outlive its last transport.
void* load(const std::string& file) {
    ::dlerror();
    if (void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    const char* problem = ::dlerror();
    throw BridgeError(Kind::NotFound, "the transport provider " + file +
                                          " cannot be loaded: " + (problem ? problem : "no reason given") +
                                          "; give its path, or add its folder to LD_LIBRARY_PATH");
}

const Table* table_of(const std::string& file) {
    void* const symbol = ::dlsym(load(file), bridge::kBridgeSymbol);
    if (symbol == nullptr)
        throw BridgeError(Kind::NoTable,
                          file + " is no transport provider: it does not export " + std::string(bridge::kBridgeSymbol));
    const Table* const table = reinterpret_cast<bridge::GetTable>(symbol)();
    if (table == nullptr) throw BridgeError(Kind::NoTable, "the transport provider " + file + " returned no table");
    if (table->version < 1 || table->version > bridge::kNewestVersion)
        throw BridgeError(Kind::UnknownVersion, "the transport provider " + file + " has a table of version " +
                                                    std::to_string(table->version) + ", expected 1 to " +
                                                    std::to_string(bridge::kNewestVersion));
    return table;
}

/// A provider with a null slot would fail in the middle of a session: better before anything exists.
const Table* complete(const std::string& file, const Table* table) {
    const std::array<std::pair<const char*, bool>, 6> needed{
        {{"create", table->create != nullptr},
         {"destroy", table->destroy != nullptr},
         {"get_transport_context", table->get_transport_context != nullptr},
         {"connect", table->connect != nullptr},
         {"launch", table->launch != nullptr},
         {"disconnect", table->disconnect != nullptr}}};
    for (const auto& [name, there] : needed)
        if (!there)
            throw BridgeError(Kind::MissingFunction,
                              "the transport provider " + file + " has no " + name + " in its table");
    return table;
}

/// Whoever calls past the rings gets an answer, too: that nothing is served there.
void refuse_outside_rings(const void* request, void* response, std::size_t slot_bytes) {
    wire::RequestHeader header;
    if (wire::parse_request(request, slot_bytes, &header) == wire::ParseError::TooShort) return;
    wire::write_response(response, header, wire::Status::NotServing, 0);
}

bridge::FunctionTable* function_table() {
    static constexpr std::array kFunctions{wire::kEcho,       wire::kInfer,  wire::kInferF32,
                                           wire::kInferMixed, wire::kReport, wire::kSamples,
                                           wire::kStatus,     wire::kPing,   wire::kFetch};
    static std::array<bridge::FunctionEntry, kFunctions.size()> entries{};
    static bridge::FunctionTable table = [] {
        for (std::size_t i = 0; i < entries.size(); ++i) {
            entries[i].handler = refuse_outside_rings;
            entries[i].function_id = kFunctions[i];
            entries[i].dispatch_mode = bridge::kHostCall;
        }
        return bridge::FunctionTable{entries.data(), static_cast<u32>(entries.size())};
    }();
    return &table;
}

bool has_host_view(const bridge::Rings& rings) {
    return rings.rx_data_host != nullptr && rings.tx_data_host != nullptr && rings.tx_flags_host != nullptr;
}

}  // namespace

Bridge::Bridge(const std::string& library, const std::vector<std::string>& arguments)
    : file_(file_of(library)), table_(complete(file_, table_of(file_))) {
    std::vector<std::string> copies = arguments;  // the interface takes them as writable
    std::vector<char*> pointers;
    for (std::string& argument : copies) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    require_ok("create", table_->create(&handle_, static_cast<int>(copies.size()), pointers.data()));
    if (handle_ == nullptr)
        throw BridgeError(Kind::Broken, "create of the transport provider " + file_ + " succeeded without a handle");
}

Bridge::~Bridge() { table_->destroy(handle_); }

std::string Bridge::file_of(const std::string& library) {
    const bool is_file = library.find('/') != std::string::npos || library.find(".so") != std::string::npos;
    if (is_file) return library;
    std::string name = library;
    std::replace(name.begin(), name.end(), '_', '-');
    return "libcudaq-realtime-bridge-" + name + ".so";
}

void Bridge::require_ok(const char* name, int status) const {
    if (status == bridge::kOk) return;
    throw BridgeError(Kind::CallFailed,
                      std::string(name) + " of the transport provider " + file_ + " failed with status " +
                          std::to_string(status) + " (" + name_of(status) +
                          "); the provider may have said more on standard error",
                      status);
}

void Bridge::call(const char* name, Call function) const { require_ok(name, function(handle_)); }

std::string Bridge::endpoint() const {
    if (version() < 2 || table_->get_endpoint_info == nullptr) return {};
    std::array<char, kEndpointBytes> text{};
    const int status = table_->get_endpoint_info(handle_, text.data(), text.size());
    if (status == bridge::kUnsupported) return {};
    require_ok("get_endpoint_info", status);
    return {text.begin(), std::find_if(text.begin(), text.end(), [](char c) { return c == '\0' || c == '\n'; })};
}

/// False if the provider has none: then it has rings with flags.
bool Bridge::get_hooks(bridge::CpuDataplane* plane) const {
    if (version() < 2 || table_->get_cpu_dataplane == nullptr) return false;
    const int status = table_->get_cpu_dataplane(handle_, plane);
    if (status == bridge::kUnsupported) return false;
    require_ok("get_cpu_dataplane", status);
    if (plane->rx_poll == nullptr || plane->tx_publish == nullptr || !has_host_view(plane->rings))
        throw BridgeError(Kind::MissingFunction, "the CPU data plane of the transport provider " + file_ +
                                                     " lacks rx_poll, tx_publish, or rings that a CPU reaches");
    return true;
}

void Bridge::get_rings(bridge::Rings* rings) const {
    const int status = table_->get_transport_context(handle_, bridge::kRingBuffer, rings);
    if (status == bridge::kUnsupported)
        throw BridgeError(Kind::Unservable, "the transport provider " + file_ +
                                                " offers neither a CPU data plane nor rings in the shape that its "
                                                "arguments chose: choose one that a CPU dispatches");
    require_ok("get_transport_context", status);
    if (rings->rx_flags_host == nullptr || !has_host_view(*rings))
        throw BridgeError(Kind::Unservable, "the rings of the transport provider " + file_ +
                                                " lie in memory that a CPU does not reach (no host pointers), and this "
                                                "controller answers on a CPU: use a provider with host rings");
}

BridgePlane Bridge::plane(std::optional<u32> slots) const {
    BridgePlane found{};
    found.form = get_hooks(&found.plane) ? BridgePlane::Form::Hooks : BridgePlane::Form::Rings;
    if (found.form == BridgePlane::Form::Rings) get_rings(&found.plane.rings);

    const bridge::Rings& rings = found.plane.rings;
    std::size_t bytes = std::min(rings.rx_stride, rings.tx_stride);
    int status = bridge::kUnsupported;
    if (version() >= 2 && table_->get_ring_geometry != nullptr) {
        u32 slot_bytes = 0;
        status = table_->get_ring_geometry(handle_, &found.slots, &slot_bytes);
        if (status == bridge::kOk) bytes = std::min<std::size_t>(bytes, slot_bytes);
    }
    if (status == bridge::kUnsupported && slots)
        found.slots = *slots;
    else if (status == bridge::kUnsupported)
        throw BridgeError(Kind::Unservable, "the transport provider " + file_ +
                                                " does not say how many slots its rings have: say so (slots)");
    else
        require_ok("get_ring_geometry", status);
    if (found.slots < 1 || found.slots > link::kMaxSlots || bytes < link::kMinSlotBytes || bytes > link::kMaxSlotBytes)
        throw BridgeError(Kind::Unservable, "the transport provider " + file_ + " has " + std::to_string(found.slots) +
                                                " slots of " + std::to_string(bytes) + " bytes, expected 1 to " +
                                                std::to_string(link::kMaxSlots) + " of " +
                                                std::to_string(link::kMinSlotBytes) + " to " +
                                                std::to_string(link::kMaxSlotBytes));
    found.slot_bytes = static_cast<u32>(bytes) & ~7u;
    return found;
}

void Bridge::offer_functions() const {
    if (version() < 3 || table_->set_function_table == nullptr) return;
    require_ok("set_function_table", table_->set_function_table(handle_, function_table()));
}

}  // namespace photonlink::transport
