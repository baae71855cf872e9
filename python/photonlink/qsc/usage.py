"""What every session has used, kept for good: a mapped file for what runs, SQLite for what has ended.

The native controller stores counts in the mapped file before an answer is published (``FileLedger``), so that they
survive the process being killed at any instruction. A session that has ended is folded into the SQLite database beside
it; while that cannot be written, ended sessions stay in the mapped file, and when that is full, reservations are
refused: nothing is executed that could not be counted.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from photonlink import _core
from photonlink.errors import LedgerError

__all__ = ["SessionUsage", "UsageLedger"]

_log = logging.getLogger(__name__)

_FORMAT = 1
_LARGEST = 2**63 - 1  # what SQLite can hold
_COLUMNS = "session, digest, tokens, shots, kept_samples, quantum_ns, configuration_ns, wall_ns, end, started_unix_ns"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    session INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    shots INTEGER NOT NULL,
    kept_samples INTEGER NOT NULL,
    quantum_ns INTEGER,
    configuration_ns INTEGER,
    wall_ns INTEGER,
    end TEXT,
    started_unix_ns INTEGER NOT NULL
) STRICT
"""


@dataclass(frozen=True)
class SessionUsage:
    """What one session has used.

    Attributes:
        session: Its number; never used again by this ledger.
        digest: Digest of its program.
        tokens: Datapoints executed.
        shots: Kept samples asked for.
        kept_samples: Kept samples that came back.
        quantum_ns: Modelled time of the datapoints in nanoseconds; ``None`` when exact or without a clock.
        configuration_ns: Modelled time of loading the program, likewise.
        wall_ns: Length of the session in nanoseconds; ``None`` while it runs, and if the controller was killed.
        end: Why it ended, ``None`` while it runs.
        started_unix_ns: When it was reserved, in nanoseconds since 1970.
    """

    session: int
    digest: str
    tokens: int
    shots: int
    kept_samples: int
    quantum_ns: int | None
    configuration_ns: int | None
    wall_ns: int | None
    end: str | None
    started_unix_ns: int

    def as_json(self) -> dict[str, Any]:
        """The fields, and the start as a date."""
        started = datetime.datetime.fromtimestamp(self.started_unix_ns * 1e-9, datetime.UTC)
        return {**asdict(self), "started": started.isoformat(timespec="milliseconds")}


def _usage_of(entry: _core.LedgerEntry) -> SessionUsage:
    def time(value: int) -> int | None:
        return None if value < 0 else min(value, _LARGEST)

    return SessionUsage(
        session=entry.session,
        digest=entry.digest,
        tokens=min(entry.tokens, _LARGEST),
        shots=min(entry.shots, _LARGEST),
        kept_samples=min(entry.kept_samples, _LARGEST),
        quantum_ns=time(entry.quantum_ns),
        configuration_ns=time(entry.configuration_ns),
        wall_ns=entry.wall_ns or None,
        end=entry.end if entry.ended else None,
        started_unix_ns=entry.started_unix_ns,
    )


class UsageLedger:
    """The ledger of one service. Thread-safe.

    Args:
        path: SQLite database; the mapped file lies beside it, with ``.counts`` appended. Both are made if absent.
        records: Sessions that the mapped file holds until they are folded.

    Raises:
        LedgerError: A file cannot be made, written or understood, or belongs to a running controller.
    """

    def __init__(self, path: Path, *, records: int = 64) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"the folder of ledger {str(path)!r} cannot be made: {error}") from error
        self.counts = _core.FileLedger(f"{path}.counts", records)  # first: it holds the lock on both
        with self._reported("be opened"):
            self._database = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
            self._fold()
        except BaseException:
            self._database.close()
            raise

    @contextlib.contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(
                f"ledger {str(self.path)!r} cannot {what}: {error}; make room for it, or choose another file"
            ) from error

    def _prepare(self) -> None:
        with self._reported("be written"):
            (found,) = self._database.execute("PRAGMA user_version").fetchone()
            if found not in (0, _FORMAT):
                raise LedgerError(
                    f"ledger {str(self.path)!r} has format {found}, expected {_FORMAT}: use the photonlink that made it"
                )
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(_SCHEMA)
            self._database.execute(f"PRAGMA user_version = {_FORMAT}")
            self._database.execute("COMMIT")

    def _fold(self) -> None:
        """Move what has ended into the database; the mapped file forgets only what is committed there."""
        ended = [entry for entry in self.counts.entries() if entry.ended]
        if not ended:
            return
        rows = [tuple(asdict(_usage_of(entry)).values()) for entry in ended]
        places = ", ".join("?" * len(rows[0]))
        with self._reported("take the counts of ended sessions"):
            try:
                self._database.execute("BEGIN IMMEDIATE")
                # A kill between commit and forget brings a session here twice, with the same counts.
                self._database.executemany(f"INSERT OR REPLACE INTO sessions ({_COLUMNS}) VALUES ({places})", rows)
                self._database.execute("COMMIT")
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise
        for entry in ended:
            self.counts.forget(entry.session)

    def fold(self) -> str | None:
        """Move ended sessions into the database.

        Returns:
            ``None``, or why that is not possible now; nothing is lost then.
        """
        with self._lock:
            try:
                self._fold()
            except LedgerError as error:
                _log.error("%s", error)
                return str(error)
        return None

    @property
    def next_session(self) -> int:
        """The first session number that was never used."""
        with self._lock, self._reported("be read"):
            (last,) = self._database.execute("SELECT max(session) FROM sessions").fetchone()
            return max(last or 0, *(entry.session for entry in self.counts.entries()), 0) + 1

    def find(self, session: int) -> SessionUsage | None:
        """Usage of a session, running or ended; ``None`` if there never was one."""
        with self._lock, self._reported("be read"):
            for entry in self.counts.entries():
                if entry.session == session:
                    return _usage_of(entry)
            query = f"SELECT {_COLUMNS} FROM sessions WHERE session = ?"
            row = self._database.execute(query, (min(session, _LARGEST),)).fetchone()
        return None if row is None else SessionUsage(*row)

    def recent(self, limit: int) -> list[SessionUsage]:
        """Usage of the latest `limit` sessions, newest first."""
        with self._lock, self._reported("be read"):
            live = [_usage_of(entry) for entry in self.counts.entries()]
            query = f"SELECT {_COLUMNS} FROM sessions ORDER BY session DESC LIMIT ?"
            folded = [SessionUsage(*row) for row in self._database.execute(query, (limit,))]
        return sorted(live + folded, key=lambda usage: usage.session, reverse=True)[:limit]

    def totals(self) -> dict[str, int]:
        """Sums over all sessions: sessions, tokens, shots, kept_samples, quantum_ns."""
        with self._lock, self._reported("be read"):
            live = [_usage_of(entry) for entry in self.counts.entries()]
            # total() has no overflow; sums beyond 2**53 lose their last digits, not the ledger.
            query = "SELECT count(*), total(tokens), total(shots), total(kept_samples), total(quantum_ns) FROM sessions"
            sums = [int(value) for value in self._database.execute(query).fetchone()]
        for usage in live:
            own = (1, usage.tokens, usage.shots, usage.kept_samples, usage.quantum_ns or 0)
            sums = [total + value for total, value in zip(sums, own, strict=True)]
        return dict(zip(("sessions", "tokens", "shots", "kept_samples", "quantum_ns"), sums, strict=True))

    def close(self) -> None:
        """Fold what has ended and close the database. The mapped file closes with its last user."""
        self.fold()
        with self._lock:
            self._database.close()
