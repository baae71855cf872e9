// The ledger in a file: exact counts whatever instruction the process is killed at, and refusal instead of loss.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <random>

#include "fixture.hpp"
#include "photonlink/qsc/ledger_file.hpp"

namespace photonlink::qsc::test {
namespace {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        char name[] = "/tmp/photonlink-ledger-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::string file() const { return path_ + "/counts"; }

  private:
    std::string path_;
};

Counts counts_of(u64 n) { return Counts{n, 10 * n, 7 * n, static_cast<i64>(1000 * n)}; }

void expect_counts(const Counts& counts, u64 n) {
    EXPECT_EQ(counts.tokens, n);
    EXPECT_EQ(counts.shots, 10 * n);
    EXPECT_EQ(counts.kept_samples, 7 * n);
    EXPECT_EQ(counts.quantum_ns, n == 0 ? kNoQuantumTime : static_cast<i64>(1000 * n));
}

std::string refusal(const std::string& path) {
    try {
        const FileLedger ledger(path);
    } catch (const LedgerError& problem) {
        return problem.what();
    }
    return "";
}

/// Runs `work` in a child and returns how it ended.
template <typename Work>
int in_child(Work work) {
    const pid_t child = fork();
    if (child == 0) {
        work();
        _exit(0);
    }
    int result = -1;
    EXPECT_EQ(waitpid(child, &result, 0), child);
    return result;
}

TEST(FileLedger, AgreesWithTheLedgerInMemory) {
    const TemporaryFolder folder;
    FileLedger file(folder.file(), 8);
    MemoryLedger memory;
    std::mt19937_64 random(4);
    for (u64 session = 3; session < 9; ++session) {
        for (Ledger* ledger : {static_cast<Ledger*>(&file), static_cast<Ledger*>(&memory)})
            ledger->open(session, "digest", 5);
        for (int step = 0; step < 200; ++step) {
            const u64 open = 3 + random() % (session - 2);
            const bool exact = random() % 3 == 0;
            const i64 quantum_ns = exact ? kNoQuantumTime : static_cast<i64>(random() % 1'000'000);
            const Counts more{random() % 300, random() % 5000, random() % 4000, quantum_ns};
            file.count(open, more);
            memory.count(open, more);
        }
        file.close(session, session * 11, EndReason::IdleTimeout);
        memory.close(session, session * 11, EndReason::IdleTimeout);
    }
    const auto expected = memory.entries();
    const auto found = file.entries();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].session, expected[i].session);
        EXPECT_EQ(found[i].digest, "digest");
        EXPECT_EQ(found[i].counts.tokens, expected[i].counts.tokens);
        EXPECT_EQ(found[i].counts.shots, expected[i].counts.shots);
        EXPECT_EQ(found[i].counts.kept_samples, expected[i].counts.kept_samples);
        EXPECT_EQ(found[i].counts.quantum_ns, expected[i].counts.quantum_ns);
        EXPECT_EQ(found[i].configuration_ns, 5);
        EXPECT_EQ(found[i].wall_ns, expected[i].wall_ns);
        EXPECT_EQ(found[i].end, EndReason::IdleTimeout);
        EXPECT_LE(std::abs(found[i].started_unix_ns - expected[i].started_unix_ns), 60'000'000'000);
    }
}

TEST(FileLedger, KeepsADigestOfFullLength) {
    const TemporaryFolder folder;
    const std::string digest(64, 'f');
    FileLedger ledger(folder.file(), 1);
    ledger.open(1, digest, kNoQuantumTime);
    EXPECT_EQ(ledger.find(1)->digest, digest);
    EXPECT_FALSE(ledger.find(2));
}

TEST(FileLedger, IsExactWhereverItsProcessIsKilled) {
    struct Progress {
        std::atomic<u64> begun, done;
    };
    void* const shared = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    Progress& progress = *new (shared) Progress{};
    std::mt19937_64 random(9);
    for (int round = 0; round < 40; ++round) {
        const TemporaryFolder folder;
        progress.begun = progress.done = 0;
        const pid_t child = fork();
        if (child == 0) {
            FileLedger ledger(folder.file());
            ledger.open(12, "abc", 77);
            for (u64 n = 1;; ++n) {
                progress.begun = n;
                ledger.count(12, counts_of(1));
                progress.done = n;
            }
        }
        const u64 enough = 1 + random() % 5000;
        wait_until([&] { return progress.done >= enough; });
        ::kill(child, SIGKILL);
        int result = 0;
        ASSERT_EQ(waitpid(child, &result, 0), child);
        ASSERT_TRUE(WIFSIGNALED(result));

        const FileLedger ledger(folder.file());
        const auto entries = ledger.entries();
        ASSERT_EQ(entries.size(), 1u);
        EXPECT_EQ(entries[0].session, 12u);
        EXPECT_EQ(entries[0].end, EndReason::Interrupted);
        EXPECT_EQ(entries[0].configuration_ns, 77);
        EXPECT_GE(entries[0].counts.tokens, progress.done.load());
        EXPECT_LE(entries[0].counts.tokens, progress.begun.load());
        expect_counts(entries[0].counts, entries[0].counts.tokens);  // no half of a count
    }
    ::munmap(shared, sizeof(Progress));
}

/// Dies with the whole process, at a chosen datapoint.
class DeadlyProcessor : public TestProcessor {
  public:
    DeadlyProcessor(std::shared_ptr<Record> record, u64 at) : TestProcessor(std::move(record)), at_(at) {}
    void run(const optics::SimulationBatch& batch) override {
        if (batch.ids[0] == at_) ::kill(::getpid(), SIGKILL);
        TestProcessor::run(batch);
    }

  private:
    u64 at_;
};

TEST(FileLedger, EveryAnswerOfAKilledControllerWasCounted) {
    const TemporaryFolder folder;
    constexpr u64 kDies = 37;
    const int result = in_child([&] {
        ControllerOptions options;
        options.ledger = std::make_shared<FileLedger>(folder.file());
        options.first_session = 41;
        const auto record = std::make_shared<Record>(ProcessorSettings{});
        Controller controller(std::make_unique<DeadlyProcessor>(record, kDies), options);
        SessionOptions sampled;
        sampled.shots = 10;
        const SessionGrant grant = controller.reserve(test_program(), sampled);
        Caller caller;
        controller.attach(grant.session, caller.attachment());
        for (u64 id = 0;; ++id)
            caller.call(wire::kInfer, infer_payload<double>(grant.key, {1, 2, 3, double(id)}, grant.output_size), id);
    });
    ASSERT_TRUE(WIFSIGNALED(result));
    const FileLedger ledger(folder.file());
    const auto entry = ledger.find(41);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->counts.tokens, kDies);
    EXPECT_EQ(entry->counts.shots, 10 * kDies);
    EXPECT_GT(entry->counts.quantum_ns, 0);
    EXPECT_EQ(entry->end, EndReason::Interrupted);
    EXPECT_EQ(entry->digest, "digest-of-test");
}

TEST(FileLedger, RemembersWhatWasNotForgotten) {
    const TemporaryFolder folder;
    for (u64 run = 0; run < 3; ++run) {
        FileLedger ledger(folder.file(), 4);
        EXPECT_EQ(ledger.entries().size(), run);
        ledger.open(10 + run, "d", 0);
        ledger.count(10 + run, counts_of(run + 1));
        ledger.close(10 + run, 5, EndReason::Released);
    }
    FileLedger ledger(folder.file(), 4);
    for (u64 run = 0; run < 3; ++run) {
        expect_counts(ledger.find(10 + run)->counts, run + 1);
        EXPECT_EQ(ledger.find(10 + run)->end, EndReason::Released);
        ledger.forget(10 + run);
        EXPECT_FALSE(ledger.find(10 + run));
    }
    EXPECT_TRUE(ledger.entries().empty());
    ledger.open(20, "d", 0);
    ledger.forget(20);
    EXPECT_TRUE(ledger.find(20)) << "a running session cannot be forgotten";
}

TEST(FileLedger, AFullOneRefusesSessionsAndLosesNone) {
    const TemporaryFolder folder;
    ControllerOptions options;
    const auto ledger = std::make_shared<FileLedger>(folder.file(), 1);
    options.ledger = ledger;
    const auto record = std::make_shared<Record>(ProcessorSettings{});
    Controller controller(std::make_unique<TestProcessor>(record), options);
    const SessionGrant first = controller.reserve(test_program(), {});
    controller.release(first.session);
    EXPECT_THROW(controller.reserve(test_program(), {}), LedgerError);
    EXPECT_EQ(controller.status().state, State::Idle);
    EXPECT_EQ(controller.usage(first.session).end, EndReason::Released);
    ledger->forget(first.session);
    EXPECT_GT(controller.reserve(test_program(), {}).session, first.session);
}

TEST(FileLedger, BelongsToOneController) {
    const TemporaryFolder folder;
    {
        const FileLedger ledger(folder.file());
        EXPECT_NE(refusal(folder.file()).find("another controller"), std::string::npos);
    }
    EXPECT_EQ(refusal(folder.file()), "");
}

TEST(FileLedger, RefusesFilesThatAreNoLedgers) {
    const TemporaryFolder folder;
    std::ofstream(folder.file()) << std::string(500, 'x');
    EXPECT_NE(refusal(folder.file()).find("no ledger"), std::string::npos);
    std::ofstream(folder.file()) << "short";
    EXPECT_NE(refusal(folder.file()).find("no ledger"), std::string::npos);
    EXPECT_EQ(std::filesystem::file_size(folder.file()), 5u) << "and leaves them alone";
    std::filesystem::remove(folder.file());
    { const FileLedger ledger(folder.file(), 2); }
    std::filesystem::resize_file(folder.file(), 100);
    EXPECT_NE(refusal(folder.file()).find("damaged"), std::string::npos);
    EXPECT_NE(refusal(folder.file() + "/below").find("ledger file"), std::string::npos);
    EXPECT_THROW(FileLedger(folder.file(), 0), LedgerError);
}

TEST(FileLedger, OneThatWasKilledWhileItWasMadeIsMadeAgain) {
    const TemporaryFolder folder;
    std::ofstream(folder.file()) << std::string(200, '\0');
    FileLedger ledger(folder.file(), 3);
    EXPECT_TRUE(ledger.entries().empty());
    ledger.open(1, "d", 0);
    EXPECT_TRUE(ledger.find(1));
}

TEST(FileLedger, NoRoomIsFoundOutAtTheStart) {
    const TemporaryFolder folder;
    const int result = in_child([&] {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{4096, 4096};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        if (refusal(folder.file()).find("no room") == std::string::npos) _exit(1);
    });
    EXPECT_TRUE(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    EXPECT_EQ(refusal(folder.file()), "") << "nothing half-made is left";
}

}  // namespace
}  // namespace photonlink::qsc::test
