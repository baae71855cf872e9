"""The error tree: builtin bases, fields, and that errors survive a process boundary."""

import pickle

import pytest

from photonlink import errors


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ProgramError", ValueError),
        ("TargetUnavailable", RuntimeError),
        ("SessionBusy", RuntimeError),
        ("SessionClosed", RuntimeError),
        ("LinkTimeout", TimeoutError),
        ("LinkClosed", ConnectionError),
        ("ProtocolError", RuntimeError),
        ("ProcessorError", RuntimeError),
    ],
)
def test_each_error_is_also_the_builtin_that_callers_catch(name, builtin):
    assert issubclass(getattr(errors, name), (errors.PhotonLinkError, builtin))
    assert issubclass(getattr(errors, name), errors.PhotonLinkError)


def _examples():
    common = {"target": "sim", "request_id": 7, "row": 3, "elapsed": 0.5, "status": "timeout"}
    for name in ("ProgramError", "SessionClosed", "LinkTimeout", "LinkClosed", "ProtocolError", "ProcessorError"):
        yield getattr(errors, name)("text", **common)
    yield errors.SessionBusy("text", retry_after=2.5, target="sim")
    yield errors.TargetUnavailable("text", reason=errors.Unavailable.NO_DRIVER, target="sim:cuda")


@pytest.mark.parametrize("error", list(_examples()), ids=lambda error: type(error).__name__)
def test_errors_cross_a_process_boundary_with_their_fields(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == "text"
    assert vars(copy) == vars(error)
