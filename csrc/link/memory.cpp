#include "photonlink/link/memory.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace photonlink::link {
namespace {

std::string describe(const Geometry& geometry, GeometryError error) {
    switch (error) {
        case GeometryError::Slots:
            return "slots is " + std::to_string(geometry.slots) + ", expected 1 to " + std::to_string(kMaxSlots);
        case GeometryError::SlotBytes:
            return "slot_bytes is " + std::to_string(geometry.slot_bytes) + ", expected a multiple of 8 from " +
                   std::to_string(kMinSlotBytes) + " to " + std::to_string(kMaxSlotBytes);
        case GeometryError::ResultBytes:
            return "result_bytes is " + std::to_string(geometry.result_bytes) + ", expected a multiple of " +
                   std::to_string(kCacheLine) + " up to " + std::to_string(kMaxResultBytes);
        default:
            return "the port would take " + std::to_string(layout_of(geometry).response_bytes) +
                   " bytes, expected at most " + std::to_string(kMaxRegionBytes) +
                   ": use fewer slots or less result_bytes";
    }
}

}  // namespace

void require_valid(const Geometry& geometry) {
    const GeometryError error = validate(geometry);
    if (error != GeometryError::None) throw std::invalid_argument("port geometry: " + describe(geometry, error));
}

Mapping Mapping::map(int fd, u64 bytes, bool writable, int flags) {
    void* const data = ::mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, flags, fd, 0);
    if (data == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(),
                                "cannot map " + std::to_string(bytes) + " bytes of link memory");
    Mapping mapping(static_cast<u8*>(data), bytes, writable);
    if (::madvise(data, bytes, MADV_DONTFORK) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot keep link memory out of forked children");
    return mapping;
}

Mapping Mapping::anonymous(u64 bytes) { return map(-1, bytes, true, MAP_PRIVATE | MAP_ANONYMOUS); }

Mapping Mapping::of_file(int fd, u64 bytes, bool writable) { return map(fd, bytes, writable, MAP_SHARED); }

Mapping::Mapping(Mapping&& other) noexcept { *this = std::move(other); }

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(writable_, other.writable_);
    std::swap(guard_, other.guard_);
    return *this;
}

Mapping::~Mapping() {
    // In a forked child the range is not ours: something else may live there by now.
    if (data_ != nullptr && !guard_.inherited()) ::munmap(data_, size_);
}

void Mapping::prefault(u64 bytes) const {
    // MADV_POPULATE_READ and _WRITE by number: C libraries older than the kernel do not name them. A hint only: before
    // Linux 5.14 the first requests take the faults themselves.
    ::madvise(data_, bytes, writable_ ? 23 : 22);
}

ClientMemory::ClientMemory(const Geometry& geometry, bool with_sinks)
    : states_(std::make_unique<u64[]>(geometry.slots)),
      sinks_(with_sinks ? std::make_unique<Sink[]>(geometry.slots) : nullptr),
      words_(std::make_unique<ClientWords>()) {}

ClientHandle ClientMemory::handle(const Geometry& geometry, void* requests, const void* responses) const {
    return {geometry, requests, responses, states_.get(), sinks_.get(), words_.get()};
}

ServerMemory::ServerMemory(const Geometry& geometry)
    : accepted_(std::make_unique<u64[]>(geometry.slots)),
      memories_(std::make_unique<SlotMemory[]>(geometry.slots)),
      words_(std::make_unique<ServerWords>()) {}

ServerHandle ServerMemory::handle(const Geometry& geometry, const void* requests, void* responses,
                                  const ClientMemory* client) const {
    return {geometry,        requests,        responses,   client != nullptr ? client->sinks_.get() : nullptr,
            accepted_.get(), memories_.get(), words_.get()};
}

DevicePortMemory::DevicePortMemory(const Geometry& geometry)
    : geometry_((require_valid(geometry), geometry)),
      requests_(Mapping::anonymous(layout_of(geometry).request_bytes)),
      responses_(Mapping::anonymous(layout_of(geometry).response_bytes)),
      server_(geometry) {}

InProcessPort::InProcessPort(const Geometry& geometry)
    : geometry_((require_valid(geometry), geometry)),
      requests_(Mapping::anonymous(layout_of(geometry).request_bytes)),
      responses_(Mapping::anonymous(layout_of(geometry).response_bytes)),
      client_(geometry, true),
      server_(geometry) {
    requests_.prefault(requests_.size());
    responses_.prefault(layout_of(geometry).results_offset);
}

}  // namespace photonlink::link
