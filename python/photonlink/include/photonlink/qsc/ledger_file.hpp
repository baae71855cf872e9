// A ledger whose counts survive the death of its process: one record per session in a mapped file.
//
// Counts are plain stores into a mapping of a file that was allocated whole beforehand: nothing can fail between an
// execution and its count, and what was stored is the kernel's to keep when the process is killed. The file says what a
// crash left; the long memory is elsewhere (python/photonlink/qsc/usage.py folds it into SQLite). Loss of power, which
// takes the page cache along, is outside the promise, and so are file systems that copy on write and run full.
#pragma once

#include "photonlink/link/memory.hpp"
#include "photonlink/qsc/ledger.hpp"

namespace photonlink::qsc {

/// What the file begins with. Native byte order: the file belongs to its machine.
struct LedgerHeader {
    u64 magic;  // stored last when the file is made
    u32 version;
    u32 record_bytes;
    u32 records;
    u32 reserved[11];
};
static_assert(sizeof(LedgerHeader) == 64, "the header is a file format");

/// A session in the file.
struct LedgerRecord {
    u64 state;  // 0 free, 1 running, 2 ended; stored last, so that a record that counts is a whole one
    u64 session;
    i64 started_unix_ns;
    i64 configuration_ns;
    u64 wall_ns;
    u64 end;      // EndReason
    u64 current;  // which of the totals is whole
    u64 reserved;
    Counts totals[2];  // the next one is written where `current` does not point
    char digest[64];   // hexadecimal, padded with zeros
};
static_assert(sizeof(LedgerRecord) == 192, "the records are a file format");

class FileLedger : public Ledger {
  public:
    /// Opens `path`, or creates it with room for `records` sessions that are not yet forgotten. Sessions that an
    /// earlier process left running end with EndReason::Interrupted. Throws LedgerError if the file cannot be created,
    /// allocated, locked (another controller uses it) or understood.
    explicit FileLedger(std::string path, u32 records = 64);

    void open(u64 session, const std::string& digest, i64 configuration_ns) override;
    void count(u64 session, const Counts& executed) override;
    void close(u64 session, u64 wall_ns, EndReason end) override;
    std::optional<LedgerEntry> find(u64 session) const override;
    std::vector<LedgerEntry> entries() const override;

    /// Gives the room of an ended session back, once it is kept elsewhere; it is not known here any more.
    void forget(u64 session);

  private:
    void prepare(u32 records);
    void lock_file() const;
    void allocate(u64 bytes) const;
    u32 check_header(const LedgerHeader& header, u64 file_bytes) const;
    void take_over();
    LedgerRecord* find_record(u64 session) const;
    LedgerRecord& record_of(u64 session) const;  // throws std::out_of_range
    [[noreturn]] void fail(const std::string& problem) const;

    const std::string path_;
    link::UniqueFd fd_;  // holds the lock
    link::Mapping memory_;
    LedgerRecord* records_ = nullptr;
    u32 capacity_ = 0;
    mutable std::mutex mutex_;  // guards the records
};

}  // namespace photonlink::qsc
