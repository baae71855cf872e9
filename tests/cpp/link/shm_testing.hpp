// A peer process under test control.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "link_testing.hpp"
#include "photonlink/link/fork.hpp"

namespace photonlink::link::testing {

/// Starts link_shm_peer, waits for its READY, kills and reaps it at the end.
class PeerProcess {
  public:
    explicit PeerProcess(std::vector<std::string> arguments) {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        output_ = UniqueFd(ends[0]);
        const UniqueFd input(ends[1]);
        arguments.insert(arguments.begin(), PHL_SHM_PEER);
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(input.get(), STDOUT_FILENO);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
    }
    ~PeerProcess() {
        kill();
        wait_for_exit();
    }

    bool ready() {
        std::string text;
        char buffer[64];
        pollfd entry{output_.get(), POLLIN, 0};
        while (text.find("READY") == std::string::npos && ::poll(&entry, 1, 60'000) == 1) {
            const ssize_t got = ::read(output_.get(), buffer, sizeof buffer);
            if (got <= 0) return false;
            text.append(buffer, static_cast<std::size_t>(got));
        }
        return text.find("READY") != std::string::npos;
    }
    void kill() const {
        if (pid_ > 0) ::kill(pid_, SIGKILL);
    }
    void wait_for_exit() {
        if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
    UniqueFd output_;
};

/// An abstract address that no other test run uses.
inline std::string fresh_address() {
    static int count = 0;
    return "@photonlink-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

}  // namespace photonlink::link::testing
