// What a client does with servers that offer nonsense, nothing, or are not there.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "photonlink/transport/shm.hpp"
#include "shm_testing.hpp"

namespace photonlink::transport {
namespace {

using namespace link;
using namespace link::testing;

constexpr u64 kSecond = 1'000'000'000;
constexpr Geometry kGeometry{4, 120, 0};

/// Address of an abstract socket and its length, for bare socket calls.
std::pair<sockaddr_un, socklen_t> raw_address(const std::string& address) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path + 1, address.data() + 1, address.size() - 1);
    return {name, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size())};
}

/// A server made of bare socket calls, which can say anything.
class RawServer {
  public:
    explicit RawServer(const std::string& address) : fd_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
        const auto [name, length] = raw_address(address);
        EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&name), length), 0);
        EXPECT_EQ(::listen(fd_.get(), 1), 0);
    }

    /// Accepts one client, sends `bytes` with `fds`, and keeps the connection until destroyed.
    void offer(const std::vector<u8>& bytes, const std::vector<int>& fds) {
        client_ = UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        iovec part{const_cast<u8*>(bytes.data()), bytes.size()};
        alignas(cmsghdr) char control[256] = {};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        if (!fds.empty()) {
            header.msg_control = control;
            header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
            cmsghdr* const rights = CMSG_FIRSTHDR(&header);
            rights->cmsg_level = SOL_SOCKET;
            rights->cmsg_type = SCM_RIGHTS;
            rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
            std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
        }
        EXPECT_EQ(::sendmsg(client_.get(), &header, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    void hang_up() { client_ = UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)), client_ = UniqueFd(); }

  private:
    UniqueFd fd_;
    UniqueFd client_;
};

std::vector<u8> offer_bytes(u64 magic, u32 version, const Geometry& geometry) {
    std::vector<u8> bytes(40);
    const u64 key = 5;
    std::memcpy(bytes.data(), &magic, 8);
    std::memcpy(bytes.data() + 8, &version, 4);
    std::memcpy(bytes.data() + 12, &geometry.slots, 4);
    std::memcpy(bytes.data() + 16, &geometry.slot_bytes, 4);
    std::memcpy(bytes.data() + 24, &geometry.result_bytes, 8);
    std::memcpy(bytes.data() + 32, &key, 8);
    return bytes;
}

class ShmOffer : public ::testing::Test {
  protected:
    void SetUp() override { fds_before_ = open_fds(); }
    void TearDown() override { EXPECT_EQ(open_fds(), fds_before_) << "descriptors were left behind"; }

    void expect_refused(const std::vector<u8>& bytes, const std::vector<int>& fds) {
        const std::string address = fresh_address();
        RawServer server(address);
        std::thread offering([&] { server.offer(bytes, fds); });
        EXPECT_EQ(connect_status(address), LinkStatus::ProtocolError);
        offering.join();
    }
    static LinkStatus connect_status(const std::string& address, u64 timeout_ns = 30 * kSecond) {
        try {
            ShmClient::connect(address, timeout_ns, kSecond);
        } catch (const LinkError& error) {
            EXPECT_FALSE(std::string(error.what()).empty());
            return error.status();
        }
        return LinkStatus::Ok;
    }

  private:
    std::size_t fds_before_ = 0;
};

TEST_F(ShmOffer, GoodOneIsTakenSoThatTheOthersFailForTheirOwnReasons) {
    const SharedServerPort port(kGeometry);
    const std::string address = fresh_address();
    RawServer server(address);
    std::thread offering([&] {
        server.offer(offer_bytes(kPortMagic, kPortVersion, kGeometry), {port.request_fd(), port.response_fd()});
    });
    const auto connection = ShmClient::connect(address, 30 * kSecond, kSecond);
    offering.join();
    EXPECT_EQ(connection->session_key(), 5u);
    Ticket ticket{};
    EXPECT_EQ(connection->client().try_claim(&ticket), LinkStatus::Ok);
}

TEST_F(ShmOffer, ForeignOrTruncatedOnesAreRefused) {
    const SharedServerPort port(kGeometry);
    const std::vector<int> fds{port.request_fd(), port.response_fd()};
    const std::vector<u8> good = offer_bytes(kPortMagic, kPortVersion, kGeometry);
    expect_refused(offer_bytes(kPortMagic + 1, kPortVersion, kGeometry), fds);
    expect_refused(offer_bytes(kPortMagic, kPortVersion + 1, kGeometry), fds);
    expect_refused({good.begin(), good.end() - 1}, fds);
    std::vector<u8> longer = good;
    longer.push_back(0);
    expect_refused(longer, fds);
}

TEST_F(ShmOffer, WrongNumberOfDescriptorsIsRefusedAndNoneLeaks) {
    const SharedServerPort port(kGeometry);
    const std::vector<u8> good = offer_bytes(kPortMagic, kPortVersion, kGeometry);
    expect_refused(good, {});
    expect_refused(good, {port.request_fd()});
    expect_refused(good, {port.request_fd(), port.response_fd(), port.request_fd(), port.response_fd()});
}

TEST_F(ShmOffer, GeometryThatDoesNotFitTheSegmentsIsRefused) {
    const SharedServerPort port(kGeometry);
    const std::vector<int> fds{port.request_fd(), port.response_fd()};
    for (const Geometry& geometry : {Geometry{0, 120, 0}, Geometry{4096, 120, 0}, Geometry{4, ~0u, 0},
                                     Geometry{4, 120, ~63ULL}, Geometry{5, 120, 0}, Geometry{4, 112, 0}})
        expect_refused(offer_bytes(kPortMagic, kPortVersion, geometry), fds);
}

TEST_F(ShmOffer, DescriptorsThatAreNoSegmentsAreRefused) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    expect_refused(offer_bytes(kPortMagic, kPortVersion, kGeometry), {null.get(), null.get()});
}

TEST_F(ShmOffer, NobodyListens) { EXPECT_EQ(connect_status(fresh_address()), LinkStatus::Closed); }

TEST_F(ShmOffer, SilentServerCostsTheTimeoutOnly) {
    const std::string address = fresh_address();
    const RawServer server(address);
    const u64 begin = platform::clock_ns();
    EXPECT_EQ(connect_status(address, 20'000'000), LinkStatus::Timeout);
    EXPECT_GE(platform::clock_ns(), begin + 20'000'000);
}

TEST_F(ShmOffer, ServerThatHangsUpIsARejection) {
    const std::string address = fresh_address();
    RawServer server(address);
    std::thread hanging_up([&] { server.hang_up(); });
    EXPECT_EQ(connect_status(address), LinkStatus::Rejected);
    hanging_up.join();
}

// Runs as another user in a child: connects without the library's own check of the server, and expects to be turned
// away.
int call_as_nobody(const std::string& address) {
    constexpr uid_t kNobody = 65534;
    if (::seteuid(kNobody) != 0) return 1;
    const UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const auto [name, length] = raw_address(address);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0) return 2;
    char byte = 0;
    return ::recv(fd.get(), &byte, 1, 0) == 0 ? 0 : 3;
}

TEST_F(ShmOffer, ClientOfAnotherUserGetsNothing) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can play another user";
    const std::string address = fresh_address();
    ShmServer listener(address);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(call_as_nobody(address));
    int status = 0;
    pid_t ended = 0;
    for (const u64 limit = patience(); ended == 0 && platform::clock_ns() < limit;) {
        EXPECT_EQ(listener.accept(kSecond / 20, kGeometry, 1), nullptr);
        ended = ::waitpid(child, &status, WNOHANG);
    }
    ASSERT_EQ(ended, child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(ShmOffer, ServerOfAnotherUserIsNotTrusted) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can play another user";
    const std::string address = fresh_address();
    ShmServer listener(address);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::seteuid(65534) == 0 && connect_status(address) == LinkStatus::Rejected ? 0 : 1);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(ShmOffer, UnusableAddressesAreNamed) {
    for (const std::string& address :
         {std::string(), std::string("@"), std::string(200, 'x'), std::string("a\0b", 3)}) {
        EXPECT_THROW(ShmClient::connect(address, kSecond, kSecond), std::invalid_argument);
        EXPECT_THROW(ShmServer{address}, std::invalid_argument);
    }
}

}  // namespace
}  // namespace photonlink::transport
