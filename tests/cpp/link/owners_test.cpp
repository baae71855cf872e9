// Owners: fork, descriptors, sealing, and refusal of segments that are not what they were said to be.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "link_testing.hpp"
#include "photonlink/link/shared_port.hpp"

namespace photonlink::link {
namespace {

using testing::open_fds;

constexpr Geometry kGeometry{4, 120, 64};

/// Runs `child` in a forked process and returns its exit status.
int in_child(const std::function<int()>& child) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(child());
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool is_mapped(const void* address) {
    unsigned char residency = 0;
    const auto page = reinterpret_cast<std::uintptr_t>(address) / kPageBytes * kPageBytes;
    return ::mincore(reinterpret_cast<void*>(page), 1, &residency) == 0;
}

TEST(Fork, ChildFindsItsPortsGoneAndDestroysThemSafely) {
    auto port = std::make_unique<InProcessPort>(kGeometry);
    const void* const frame = port->client().request_frame(Ticket{0, 1});
    EXPECT_FALSE(port->inherited());
    EXPECT_TRUE(is_mapped(frame));
    EXPECT_EQ(in_child([&] {
                  if (!port->inherited()) return 1;
                  if (is_mapped(frame)) return 2;
                  port.reset();
                  const InProcessPort own(kGeometry);  // a child may open ports of its own
                  return own.inherited() ? 3 : 0;
              }),
              0);
    EXPECT_FALSE(port->inherited());
    Ticket ticket{};
    EXPECT_EQ(port->client().try_claim(&ticket), LinkStatus::Ok);
}

TEST(Fork, ChildDoesNotUnmapWhatLiesThereNow) {
    auto mapping = std::make_unique<Mapping>(Mapping::anonymous(kPageBytes));
    EXPECT_EQ(in_child([&] {
                  void* const place = mapping->data();
                  void* const other = ::mmap(place, kPageBytes, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
                  if (other != place) return 1;
                  mapping.reset();
                  return is_mapped(place) ? 0 : 2;
              }),
              0);
}

TEST(Fork, ParentOnlyDescriptorsAreClosedInTheChild) {
    const std::size_t before = open_fds();
    {
        const ParentOnlyFd fd(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
        EXPECT_EQ(in_child([&] { return ::fcntl(fd.get(), F_GETFD) == -1 ? 0 : 1; }), 0);
        EXPECT_NE(::fcntl(fd.get(), F_GETFD), -1);
    }
    EXPECT_EQ(open_fds(), before);
}

TEST(SharedPort, BothHalvesSeeOnePort) {
    const std::size_t before = open_fds();
    {
        SharedServerPort server_port(kGeometry);
        SharedClientPort client_port(kGeometry, server_port.request_fd(), server_port.response_fd());
        server_port.close_fds();
        EXPECT_EQ(open_fds(), before) << "mappings need no descriptors";
        ClientHandle client = client_port.client();
        ServerHandle server = server_port.server();
        for (u64 call = 0; call < 20; ++call) {
            Ticket ticket{};
            ASSERT_EQ(client.try_claim(&ticket), LinkStatus::Ok);
            EXPECT_FALSE(client.set_sink(ticket, &call, sizeof call)) << "another process cannot follow a pointer";
            testing::write_words(client.request_frame(ticket), call, 15);
            client.submit(ticket);
            Arrival arrival{};
            ASSERT_EQ(server.poll(&arrival, 1), 1u);
            ASSERT_TRUE(testing::words_match(server.request_frame(arrival.slot), call, 15));
            u64 capacity = 0;
            testing::write_words(server.result_area(arrival.slot, &capacity), ~call, 8);
            ASSERT_EQ(capacity, 64u);
            server.publish(arrival.slot, arrival.generation);
            ASSERT_EQ(client.poll(ticket), LinkStatus::Ok);
            ASSERT_TRUE(testing::words_match(client.result_area(ticket), ~call, 8));
            client.release(ticket);
        }
        client.close();
        EXPECT_TRUE(server.client_closed());
    }
    EXPECT_EQ(open_fds(), before);
}

TEST(SharedPort, SegmentsCannotBeResized) {
    const SharedServerPort port(kGeometry);
    for (const int fd : {port.request_fd(), port.response_fd()}) {
        EXPECT_EQ(::ftruncate(fd, 1), -1);
        EXPECT_EQ(::ftruncate(fd, 1 << 24), -1);
        EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    }
}

class Refusal : public ::testing::Test {
  protected:
    static UniqueFd segment(u64 bytes, int seals, const RegionHeader& header) {
        UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
        EXPECT_EQ(::pwrite(fd.get(), &header, sizeof header, 0), static_cast<ssize_t>(sizeof header));
        EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, seals), 0);
        return fd;
    }
    void expect_refused(const Geometry& geometry, int requests, int responses, const char* reason) {
        const std::size_t before = open_fds();
        try {
            const SharedClientPort port(geometry, requests, responses);
            ADD_FAILURE() << "accepted; expected a refusal about " << reason;
        } catch (const LinkError& error) {
            EXPECT_EQ(error.status(), LinkStatus::ProtocolError);
            EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
        }
        EXPECT_EQ(open_fds(), before);
    }

    static constexpr int kAll = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    SharedServerPort good{kGeometry};
    PortLayout layout = layout_of(kGeometry);
    RegionHeader request_header = region_header(kGeometry, false);
};

TEST_F(Refusal, MissingSeals) {
    for (const int seals : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SHRINK | F_SEAL_GROW, kAll | F_SEAL_WRITE}) {
        const UniqueFd fd = segment(layout.request_bytes, seals, request_header);
        expect_refused(kGeometry, fd.get(), good.response_fd(), "seals");
    }
}

TEST_F(Refusal, WrongSize) {
    for (const u64 bytes : {u64{4096} * 7, layout.request_bytes - 1, layout.request_bytes + 1}) {
        const UniqueFd fd = segment(bytes, kAll, request_header);
        expect_refused(kGeometry, fd.get(), good.response_fd(), "size");
    }
}

TEST_F(Refusal, ForeignFirstLine) {
    RegionHeader header = request_header;
    header.version += 1;
    const UniqueFd fd = segment(layout.request_bytes, kAll, header);
    expect_refused(kGeometry, fd.get(), good.response_fd(), "first line");
    const Geometry same_size{4, 112, 64};  // rounds to the same layout, yet is another promise
    ASSERT_EQ(layout_of(same_size).request_bytes, layout.request_bytes);
    expect_refused(same_size, good.request_fd(), good.response_fd(), "first line");
}

TEST_F(Refusal, GeometryBeyondLimits) {
    expect_refused(Geometry{0, 64, 0}, good.request_fd(), good.response_fd(), "geometry");
    expect_refused(Geometry{~0u, ~0u, ~0ULL}, good.request_fd(), good.response_fd(), "geometry");
}

TEST_F(Refusal, SwappedSegments) {
    const Geometry flat{4, 120, 0};  // both regions of one size
    const SharedServerPort port(flat);
    ASSERT_EQ(layout_of(flat).request_bytes, layout_of(flat).response_bytes);
    expect_refused(flat, port.response_fd(), port.request_fd(), "first line");
}

}  // namespace
}  // namespace photonlink::link
