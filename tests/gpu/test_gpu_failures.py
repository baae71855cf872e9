"""What happens when something goes wrong: NaN rows, statuses, one typed error on the host, and a kernel that ends."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import photonlink as phl
from photonlink import _core
from photonlink.errors import LinkClosed, LinkTimeout, ProgramError, SessionClosed

STATUS = _core.CallStatus
SERVE = Path(__file__).with_name("serve.py")
# A launch may take its limit of one second; anything near this is a hang.
HANG_SECONDS = 20.0


def look(xp, y, statuses):
    """Statuses as int, and which rows are NaN."""
    return xp.get(statuses).astype(int), np.isnan(xp.get(y)).all(axis=1)


def test_bad_features_harm_their_own_row_only(xp, program, x):
    bad = x.copy()
    bad[3, 2], bad[17, 0] = np.nan, np.inf
    statuses = xp.statuses(len(x))
    with phl.reserve("sim", program) as session:
        y = session.infer(xp.put(bad), statuses=statuses)
        with pytest.raises(ProgramError, match="not finite") as raised:
            session.synchronize()
        assert raised.value.row in (3, 17)
        session.check()  # raised once
        assert session.usage.tokens == len(x) - 2
    found, nan = look(xp, y, statuses)
    assert np.flatnonzero(nan).tolist() == np.flatnonzero(found).tolist() == [3, 17]
    assert set(found[[3, 17]]) == {STATUS.BAD_FEATURE.value}
    good = np.setdiff1d(np.arange(len(x)), [3, 17])
    np.testing.assert_allclose(xp.get(y)[good], program.simulate(x[good]), rtol=1e-12)


def test_the_next_call_raises_what_the_last_one_met(xp, program, x):
    bad = x.copy()
    bad[0] = np.nan
    with phl.reserve("sim", program) as session:
        session.infer(xp.put(bad))
        time.sleep(1.0)  # more than a launch may take: the failure is there by now
        with pytest.raises(ProgramError, match="not finite"):
            session.infer(xp.put(x))
        y = session.infer(xp.put(x))
        session.synchronize()
    np.testing.assert_allclose(xp.get(y), program.simulate(x), rtol=1e-12)


def test_a_silent_controller_ends_in_a_timeout(xp, program, x):
    statuses = xp.statuses(20)
    with phl.Controller(fault="timeout", fault_at=5) as controller:
        session = phl.reserve("sim", program, controller=controller)
        began = time.monotonic()
        y = session.infer(xp.put(x[:20]), statuses=statuses, timeout=0.3)
        with pytest.raises(LinkTimeout):
            session.synchronize()
        assert time.monotonic() - began < HANG_SECONDS
        found, nan = look(xp, y, statuses)
        session.close()
    assert (found[:5] == 0).all()
    assert (found[5:] == STATUS.TIMEOUT.value).all()
    assert np.array_equal(nan, found != 0)


def test_a_controller_that_dies_ends_the_kernel(xp, program, x):
    statuses = xp.statuses(20)
    with phl.Controller(fault="dead", fault_at=5) as controller:
        session = phl.reserve("sim", program, controller=controller)
        y = session.infer(xp.put(x[:20]), statuses=statuses)
        with pytest.raises(LinkClosed):
            session.synchronize()
        found, nan = look(xp, y, statuses)
        session.close()
    assert set(found[5:]) <= {STATUS.CLOSED.value, STATUS.PEER_LOST.value}
    assert np.array_equal(nan, found != 0)


def test_a_spent_budget_refuses_the_rest(xp, program, x):
    statuses = xp.statuses(len(x))
    with phl.reserve("sim", program, token_budget=30) as session:
        y = session.infer(xp.put(x), statuses=statuses)
        with pytest.raises(SessionClosed, match="budget"):
            session.synchronize()
        assert session.usage.tokens == 30
    found, nan = look(xp, y, statuses)
    assert (found == 0).sum() == 30
    assert np.array_equal(nan, found != 0)


def test_closing_lets_a_launch_end(xp, program, x):
    """30 ms per datapoint: the launch is in flight when the block ends, and gets its time."""
    with phl.reserve("sim", program, shots=1000, seed=3, clock="realtime") as session:
        y = session.infer(xp.put(x[:10]))
    assert np.array_equal(xp.get(y), program.simulate(x[:10], shots=1000, seed=3))


def test_closing_ends_launches_that_take_longer(xp, program, x):
    """Ten launches of half a second are queued; two seconds are given."""
    session = phl.reserve("sim", program, shots=1000, clock="realtime")
    y = session.infer(xp.put(x[:160]))
    began = time.monotonic()
    with pytest.raises(SessionClosed):
        session.close()
    assert time.monotonic() - began < HANG_SECONDS
    assert session.closed
    found = xp.get(y)
    assert np.isnan(found[-1]).all()
    assert not np.isnan(found[0]).any()


@pytest.fixture
def server(tmp_path, program):
    """Starts a controller in another process; returns it and its address."""
    program.save(tmp_path / "program.phl")
    processes = []

    def start(shots=0, clock="virtual", precision="float64"):
        address = f"@photonlink-gpu-{time.monotonic_ns()}"
        arguments = [address, tmp_path / "program.phl", shots, clock, precision]
        process = subprocess.Popen(
            [sys.executable, str(SERVE), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline().strip() == "READY"
        return process, address

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_controller_in_another_process(xp, program, x, server, remote, precision):
    process, address = server(precision=precision)
    client = remote(address, program, precision)
    y = client.infer(xp.put(x), None, None, None, None)
    client.synchronize(None, None)
    assert np.array_equal(xp.get(y), program.simulate(x, precision=precision))
    output, _ = process.communicate("", timeout=HANG_SECONDS)
    assert output.strip() == f"TOKENS {len(x)}"


def test_a_controller_that_is_killed_mid_kernel(xp, program, x, server, remote):
    """30 ms per datapoint: at 100 ms some are answered and the kernel waits for the others."""
    process, address = server(shots=1000, clock="realtime")
    client = remote(address, program, shots=1000, modelled_seconds=0.03)
    client.link(None, None, None)
    statuses = xp.statuses(16)
    y = client.infer(xp.put(x[:16]), None, None, None, statuses)
    time.sleep(0.1)
    process.kill()
    process.wait()
    began = time.monotonic()
    with pytest.raises(LinkClosed):
        client.synchronize(None, None)
    assert time.monotonic() - began < HANG_SECONDS
    found, nan = look(xp, y, statuses)
    assert found[-1] in (STATUS.PEER_LOST.value, STATUS.CLOSED.value)
    assert np.array_equal(nan, found != 0)
    # The device works on, and so does another session.
    with phl.reserve("sim", program) as session:
        again = session.infer(xp.put(x))
        session.synchronize()
    np.testing.assert_allclose(xp.get(again), program.simulate(x), rtol=1e-12)
