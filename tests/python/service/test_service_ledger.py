"""The usage ledger: what ended is folded, nothing is lost when it cannot be, and nothing runs uncounted."""

import sqlite3
import stat

import numpy as np
import pytest

import photonlink as phl
from photonlink import _core, _options
from photonlink.errors import LedgerError
from photonlink.qsc.usage import UsageLedger


def run_session(ledger, program, x, *, controller=None, **options):
    """One session on a controller with that ledger; the session's number."""
    fit = program.fit("article")
    chosen = {
        "shots": 10,
        "seed": 1,
        "clock": "virtual",
        "precision": "float64",
        "token_budget": None,
        "idle_timeout": None,
        "max_duration": None,
        **options,
    }
    native = _options.session_options(program, fit, **chosen)
    own = controller or _core.Controller(2**30, ledger=ledger.counts, first_session=ledger.next_session)
    session = _core.LocalSession(own, program.spec, program.encoder, native, 8)
    out = np.empty((len(x), program.output_size))
    assert session.infer(x, out, _core.CallLimits(timeout=60.0)).status == _core.CallStatus.OK
    session.close()
    number = own.status().session or max(entry.session for entry in ledger.counts.entries())
    if controller is None:
        own.shutdown()
    return number


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "ledger.sqlite"


def test_sessions_are_folded_and_found_again(path, program, x):
    ledger = UsageLedger(path)
    numbers = [run_session(ledger, program, x[:count]) for count in (1, 7, 40)]
    assert numbers == [1, 2, 3]
    before = [ledger.find(number) for number in numbers]
    assert ledger.fold() is None
    assert ledger.counts.entries() == []
    assert [ledger.find(number) for number in numbers] == before
    assert [usage.tokens for usage in before] == [1, 7, 40]
    assert [usage.shots for usage in before] == [10, 70, 400]
    assert all(usage.end == "released" and usage.wall_ns > 0 and usage.digest == program.digest for usage in before)
    assert ledger.totals()["tokens"] == 48
    assert [usage.session for usage in ledger.recent(2)] == [3, 2]
    assert ledger.find(4) is None
    ledger.close()
    del ledger
    # Anybody can read it: the sums, by another reader.
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT sum(tokens), sum(shots) FROM sessions").fetchone() == (48, 480)
    database.close()
    again = UsageLedger(path)
    assert again.next_session == 4
    assert again.find(2) == before[1]
    again.close()


def test_exact_results_and_sessions_without_clock_have_no_quantum_time(path, program, x):
    ledger = UsageLedger(path)
    exact = run_session(ledger, program, x, shots=None)
    ledger.fold()
    untimed = run_session(ledger, program, x, clock="none")
    ledger.fold()
    timed = run_session(ledger, program, x)
    ledger.fold()
    assert ledger.find(exact).quantum_ns is None
    assert ledger.find(exact).configuration_ns is None
    assert ledger.find(untimed).quantum_ns is None
    assert ledger.find(timed).quantum_ns > 0
    assert ledger.find(timed).configuration_ns == 10**9
    ledger.close()


def test_totals_count_live_and_folded_sessions_once(path, program, x):
    ledger = UsageLedger(path)
    run_session(ledger, program, x[:5])
    assert (ledger.totals()["tokens"], ledger.totals()["sessions"]) == (5, 1)
    ledger.fold()
    run_session(ledger, program, x[:6])
    assert (ledger.totals()["tokens"], ledger.totals()["sessions"]) == (11, 2)
    assert len(ledger.recent(10)) == 2
    ledger.close()


def test_a_full_disk_loses_nothing_and_refuses_when_there_is_no_room_left(path, program, x):
    """SQLite's own limit on pages stands for the full disk: it raises the same error."""
    ledger = UsageLedger(path, records=3)
    controller = _core.Controller(2**30, ledger=ledger.counts)
    (pages,) = ledger._database.execute("PRAGMA page_count").fetchone()
    ledger._database.execute(f"PRAGMA max_page_count = {pages}")
    # Rows go into the pages that are there, until those are full.
    filled = 0
    for number in range(1000, 100_000):
        try:
            ledger._database.execute(
                "INSERT INTO sessions VALUES (?, 'filler', 0, 0, 0, NULL, NULL, NULL, 'released', 0)", (number,)
            )
            filled += 1
        except sqlite3.OperationalError:
            break
    assert filled > 0
    for count in (1, 2, 3):
        run_session(ledger, program, x[:count], controller=controller)
        assert "full" in ledger.fold()
    assert [ledger.find(number).tokens for number in (1, 2, 3)] == [1, 2, 3]
    with pytest.raises(LedgerError, match="wait to be folded"):
        run_session(ledger, program, x[:1], controller=controller)
    assert controller.status().state == "idle"
    # Room again: everything is folded, and sessions run again.
    ledger._database.execute("PRAGMA max_page_count = 100000")
    assert ledger.fold() is None
    assert [ledger.find(number).tokens for number in (1, 2, 3)] == [1, 2, 3]
    run_session(ledger, program, x[:4], controller=controller)
    assert ledger.totals()["tokens"] == 10
    controller.shutdown()
    ledger.close()


def test_a_ledger_belongs_to_one_controller(path):
    ledger = UsageLedger(path)
    with pytest.raises(LedgerError, match="another controller"):
        UsageLedger(path)
    ledger.close()


def test_files_that_are_no_ledgers_are_refused_and_left_alone(path):
    path.parent.mkdir()
    path.write_bytes(b"dear diary" * 500)
    with pytest.raises(LedgerError, match="ledger"):
        UsageLedger(path)
    assert path.read_bytes() == b"dear diary" * 500
    path.unlink()
    counts = path.with_name(path.name + ".counts")
    counts.write_bytes(b"x" * 1000)
    with pytest.raises(LedgerError, match="no ledger"):
        UsageLedger(path)


def test_a_ledger_of_another_format_is_refused(path):
    UsageLedger(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(LedgerError, match="format 99"):
        UsageLedger(path)


def test_paths_that_cannot_be_written_are_refused(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(LedgerError, match="folder"):
        UsageLedger(blocked / "ledger.sqlite")
    with pytest.raises(LedgerError):
        UsageLedger(tmp_path)  # a folder


def test_the_counts_are_private(path):
    ledger = UsageLedger(path)
    assert stat.S_IMODE(path.with_name(path.name + ".counts").stat().st_mode) == 0o600
    ledger.close()


def test_a_controller_without_a_ledger_starts_at_its_first_session():
    controller = _core.Controller(2**30, first_session=17)
    program = phl.Program.reservoir(4, 2, features=4)
    grant = controller.reserve(program.spec, _core.SessionOptions())
    assert grant.session == 17
    assert controller.status().session == 17
    controller.release(17)
    assert controller.shutdown()
