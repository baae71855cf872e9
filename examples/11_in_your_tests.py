"""Tests of your own project, on the simulated target: fixtures of the pytest plugin that photonlink brings.

Run it with ``pytest``, or as a program. ``pytest --photonlink-target TARGET`` runs the same tests on another target.
"""

import subprocess
import sys

import numpy as np
import pytest

import photonlink as phl

PROGRAM = phl.Program.reservoir(modes=6, photons=2, features=6, seed=1, readout=phl.Readout.mode_expectations())
IMAGES = np.random.default_rng(2).uniform(0, np.pi, (3, 6))


def classify(session: phl.Session, images: np.ndarray) -> np.ndarray:
    """What your project does: here, the mode that most photons leave through."""
    return session.infer(images).argmax(axis=1)


def with_retries(images: np.ndarray, attempts: int = 2) -> np.ndarray | None:
    """Your project's answer to a link that fails."""
    for _ in range(attempts):
        try:
            with phl.reserve("sim", PROGRAM, shots=200, timeout=0.2) as session:
                return classify(session, images)
        except (phl.errors.LinkTimeout, phl.errors.SessionBusy):
            continue
    return None


def test_a_seed_gives_the_same_classes(photonlink_session):
    first, again = (photonlink_session(PROGRAM, shots=200, seed=3) for _ in range(2))  # two controllers
    assert (classify(first, IMAGES) == classify(again, IMAGES)).all()
    assert first.usage.tokens == len(IMAGES)


def test_samples_come_close_to_what_is_exact(photonlink_session):
    y, info = photonlink_session(PROGRAM, shots=2000, seed=4).infer(IMAGES, return_info=True)
    assert np.all(abs(y - PROGRAM.simulate(IMAGES)) < 5 * info.standard_errors + 1e-12)


@pytest.mark.parametrize("fault", ["busy", "timeout"])
def test_a_link_that_fails_is_given_up(photonlink_faulty, fault):
    photonlink_faulty(fault)
    assert with_retries(IMAGES) is None


@pytest.mark.usefixtures("photonlink_leak_check")
def test_nothing_is_left_behind(photonlink_session):
    classify(photonlink_session(PROGRAM), IMAGES)


if __name__ == "__main__":
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]).returncode)
