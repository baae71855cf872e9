#include "photonlink/link/shared_port.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace photonlink::link {
namespace {

// No F_SEAL_WRITE: both sides need their writable mapping. Sealing the seals keeps the others from adding it.
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

UniqueFd make_segment(const char* name, u64 bytes, const RegionHeader& header) {
    UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd) fail("cannot create a link segment");
    if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) fail("cannot size a link segment");
    // Written through the file, before anybody has it: the server never maps the requests for writing.
    if (::pwrite(fd.get(), &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header))
        fail("cannot initialise a link segment");
    if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) fail("cannot seal a link segment");
    return fd;
}

[[noreturn]] void refuse(const std::string& what) {
    throw LinkError(LinkStatus::ProtocolError, "the server offered a link segment that is refused: " + what);
}

/// Checks size and seals before anything is mapped: an unsealed file could be cut short under our feet.
Mapping open_segment(int fd, u64 bytes, bool writable) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) fail("cannot inspect a link segment");
    if (static_cast<u64>(info.st_size) != bytes)
        refuse("its size is " + std::to_string(info.st_size) + " bytes, expected " + std::to_string(bytes));
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals != kSeals) refuse("its seals are " + std::to_string(seals) + ", expected " + std::to_string(kSeals));
    return Mapping::of_file(fd, bytes, writable);
}

void check_header(const Mapping& region, const RegionHeader& expected) {
    if (std::memcmp(region.data(), &expected, sizeof expected) != 0)
        refuse("its first line does not state this port's magic, version and geometry");
}

const Geometry& offered(const Geometry& geometry) {
    if (validate(geometry) != GeometryError::None) refuse("its geometry is outside the limits of this library");
    return geometry;
}

}  // namespace

SharedServerPort::SharedServerPort(const Geometry& geometry)
    : geometry_((require_valid(geometry), geometry)),
      request_fd_(
          make_segment("photonlink-requests", layout_of(geometry).request_bytes, region_header(geometry, false))),
      response_fd_(
          make_segment("photonlink-responses", layout_of(geometry).response_bytes, region_header(geometry, true))),
      requests_(Mapping::of_file(request_fd_.get(), layout_of(geometry).request_bytes, false)),
      responses_(Mapping::of_file(response_fd_.get(), layout_of(geometry).response_bytes, true)),
      memory_(geometry) {
    requests_.prefault(requests_.size());
    responses_.prefault(layout_of(geometry).results_offset);
}

void SharedServerPort::close_fds() {
    request_fd_ = UniqueFd();
    response_fd_ = UniqueFd();
}

SharedClientPort::SharedClientPort(const Geometry& geometry, int request_fd, int response_fd)
    : geometry_(offered(geometry)),
      requests_(open_segment(request_fd, layout_of(geometry).request_bytes, true)),
      responses_(open_segment(response_fd, layout_of(geometry).response_bytes, false)),
      memory_(geometry, false) {
    check_header(requests_, region_header(geometry, false));
    check_header(responses_, region_header(geometry, true));
    requests_.prefault(requests_.size());
    responses_.prefault(layout_of(geometry).results_offset);
}

}  // namespace photonlink::link
