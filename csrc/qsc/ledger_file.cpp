#include "photonlink/qsc/ledger_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace photonlink::qsc {

namespace {

constexpr u64 kMagic = 0x314744454c4c4850;  // "PHLLEDG1"
constexpr u32 kVersion = 1;
constexpr u32 kMostRecords = 1u << 16;
constexpr char kNoLedger[] = "it is no ledger of photonlink; choose another file";

enum RecordState : u64 { kFree = 0, kRunning = 1, kEnded = 2 };

u64 file_bytes_for(u32 records) { return sizeof(LedgerHeader) + u64{records} * sizeof(LedgerRecord); }

// The reader of these words is the next process, after this one was killed at any instruction: it finds every store
// that came before in program order. Release keeps the compiler from moving those behind this one; partner: the kernel.
void store_last(u64& word, u64 value) { __atomic_store_n(&word, value, __ATOMIC_RELEASE); }

LedgerEntry entry_of(const LedgerRecord& record) {
    LedgerEntry entry;
    entry.session = record.session;
    entry.digest.assign(record.digest, ::strnlen(record.digest, sizeof record.digest));
    entry.counts = record.totals[record.current & 1];
    entry.configuration_ns = record.configuration_ns;
    entry.wall_ns = record.wall_ns;
    entry.end = static_cast<EndReason>(record.end);
    entry.started_unix_ns = record.started_unix_ns;
    return entry;
}

}  // namespace

FileLedger::FileLedger(std::string path, u32 records) : path_(std::move(path)) {
    if (records == 0 || records > kMostRecords)
        fail("room for " + std::to_string(records) + " sessions was asked for, expected 1 to " +
             std::to_string(kMostRecords));
    fd_ = link::UniqueFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd_) fail(std::string(std::strerror(errno)) + "; choose a file in a folder that can be written");
    lock_file();
    prepare(records);
    take_over();
}

void FileLedger::fail(const std::string& problem) const {
    throw LedgerError("ledger file \"" + path_ + "\": " + problem);
}

void FileLedger::lock_file() const {
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return;
    if (errno == EWOULDBLOCK) fail("another controller uses it; stop that one, or choose another ledger");
    fail(std::string("it cannot be locked: ") + std::strerror(errno));
}

void FileLedger::prepare(u32 records) {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) fail(std::strerror(errno));
    const u64 found = static_cast<u64>(status.st_size);
    LedgerHeader header{};
    const bool read = ::pread(fd_.get(), &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header);
    if (found != 0 && !read) fail(kNoLedger);
    const bool fresh = header.magic == 0;  // new, or killed while it was made
    capacity_ = fresh ? records : check_header(header, found);
    const u64 bytes = file_bytes_for(capacity_);
    if (fresh) allocate(bytes);
    try {
        memory_ = link::Mapping::of_file(fd_.get(), bytes, true);
    } catch (const std::exception& problem) {
        fail(problem.what());
    }
    records_ = reinterpret_cast<LedgerRecord*>(memory_.data() + sizeof(LedgerHeader));
    if (!fresh) return;
    LedgerHeader& made = *reinterpret_cast<LedgerHeader*>(memory_.data());
    made.version = kVersion;
    made.record_bytes = sizeof(LedgerRecord);
    made.records = capacity_;
    store_last(made.magic, kMagic);
}

// Every block now: a store into a hole of a full disk would kill the controller in the middle of a session.
void FileLedger::allocate(u64 bytes) const {
    int problem = ::ftruncate(fd_.get(), 0) == 0 ? 0 : errno;
    if (problem == 0) problem = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(bytes));
    if (problem == 0) return;
    static_cast<void>(::ftruncate(fd_.get(), 0));
    fail("no room for its " + std::to_string(bytes) + " bytes: " + std::strerror(problem));
}

u32 FileLedger::check_header(const LedgerHeader& header, u64 file_bytes) const {
    if (header.magic != kMagic) fail(kNoLedger);
    if (header.version != kVersion || header.record_bytes != sizeof(LedgerRecord))
        fail("it has format " + std::to_string(header.version) + ", expected " + std::to_string(kVersion) +
             "; use the version of photonlink that made it");
    if (header.records == 0 || header.records > kMostRecords || file_bytes != file_bytes_for(header.records))
        fail("it is damaged: " + std::to_string(file_bytes) + " bytes for " + std::to_string(header.records) +
             " records");
    return header.records;
}

/// Sessions that were running when the process before this one was killed.
void FileLedger::take_over() {
    for (u32 i = 0; i < capacity_; ++i) {
        if (records_[i].state != kRunning) continue;
        records_[i].end = static_cast<u64>(EndReason::Interrupted);
        store_last(records_[i].state, kEnded);
    }
}

LedgerRecord* FileLedger::find_record(u64 session) const {
    LedgerRecord* const end = records_ + capacity_;
    LedgerRecord* const found = std::find_if(records_, end, [session](const LedgerRecord& record) {
        return record.state != kFree && record.session == session;
    });
    return found == end ? nullptr : found;
}

LedgerRecord& FileLedger::record_of(u64 session) const {
    LedgerRecord* const record = find_record(session);
    if (record == nullptr) throw std::out_of_range("session " + std::to_string(session) + " has no ledger record");
    return *record;
}

void FileLedger::open(u64 session, const std::string& digest, i64 configuration_ns) {
    const std::lock_guard<std::mutex> lock(mutex_);
    LedgerRecord* const end = records_ + capacity_;
    LedgerRecord* const record =
        std::find_if(records_, end, [](const LedgerRecord& candidate) { return candidate.state == kFree; });
    if (record == end)
        fail("all " + std::to_string(capacity_) +
             " records wait to be folded into the usage database; make room for it and start the controller again");
    *record = LedgerRecord{};
    record->session = session;
    record->started_unix_ns = unix_time_ns();
    record->configuration_ns = configuration_ns;
    std::memcpy(record->digest, digest.data(), std::min(digest.size(), sizeof record->digest));
    store_last(record->state, kRunning);
}

void FileLedger::count(u64 session, const Counts& executed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    LedgerRecord& record = record_of(session);
    const u64 next = 1 - (record.current & 1);
    record.totals[next] = record.totals[1 - next];
    record.totals[next].add(executed);
    store_last(record.current, next);
}

void FileLedger::close(u64 session, u64 wall_ns, EndReason end) {
    const std::lock_guard<std::mutex> lock(mutex_);
    LedgerRecord& record = record_of(session);
    record.wall_ns = wall_ns;
    record.end = static_cast<u64>(end);
    store_last(record.state, kEnded);
}

std::optional<LedgerEntry> FileLedger::find(u64 session) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const LedgerRecord* const record = find_record(session);
    if (record == nullptr) return std::nullopt;
    return entry_of(*record);
}

std::vector<LedgerEntry> FileLedger::entries() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<LedgerEntry> all;
    for (u32 i = 0; i < capacity_; ++i)
        if (records_[i].state != kFree) all.push_back(entry_of(records_[i]));
    return all;
}

void FileLedger::forget(u64 session) {
    const std::lock_guard<std::mutex> lock(mutex_);
    LedgerRecord* const record = find_record(session);
    if (record != nullptr && record->state == kEnded) store_last(record->state, kFree);
}

}  // namespace photonlink::qsc
