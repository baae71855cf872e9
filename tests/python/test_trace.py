"""Traces hold the documented fields of the Trace Event Format, and what they say happened in that order."""

import json

import numpy as np
import pytest

import photonlink as phl
from photonlink.cli import main
from photonlink.trace import Trace

# "Trace Event Format", JSON object form: fields that complete ("X") and metadata ("M") events must have.
COMPLETE = {"name": str, "cat": str, "ph": str, "ts": (int, float), "dur": (int, float), "pid": int, "tid": int}
METADATA = {"name": str, "ph": str, "pid": int, "args": dict}
NAMED = {"process_name", "thread_name"}


def check_events(trace):
    """Every event is of a documented kind, with its fields; returns the complete ones."""
    assert isinstance(trace["traceEvents"], list)
    assert trace["displayTimeUnit"] in ("ms", "ns")
    named = {kind: set() for kind in NAMED}
    complete = []
    for event in trace["traceEvents"]:
        fields = {"X": COMPLETE, "M": METADATA}[event["ph"]]
        for name, kind in fields.items():
            assert isinstance(event[name], kind), (name, event)
        if event["ph"] == "M":
            assert event["name"] in NAMED
            assert isinstance(event["args"]["name"], str)
            named[event["name"]].add((event["pid"], event["tid"] if event["name"] == "thread_name" else 0))
        else:
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            complete.append(event)
    assert {(event["pid"], 0) for event in complete} <= named["process_name"]
    assert {(event["pid"], event["tid"]) for event in complete} <= named["thread_name"]
    return complete


def test_spans_become_complete_events_in_microseconds():
    trace = Trace()
    trace.add("a", "x", "late", 5_000_500, 5_002_000)
    trace.add("b", "x", "early", 5_000_000, 5_000_000, {"row": 3})
    late, early = check_events(trace.as_json())
    assert (late["ts"], late["dur"]) == (0.5, 1.5)
    assert (early["ts"], early["dur"], early["args"]) == (0.0, 0.0, {"row": 3})
    assert (late["pid"], late["tid"]) != (early["pid"], early["tid"])


def test_a_trace_without_spans_is_one():
    assert check_events(Trace().as_json()) == []


@pytest.mark.parametrize(("clock", "rows"), [("virtual", 1), ("virtual", 3), ("realtime", 2)])
def test_trace_command_shows_every_datapoint_in_order(tmp_path, capsys, clock, rows):
    path = tmp_path / "trace.json"
    size = ["--datapoints", "6", "--modes", "4", "--photons", "1", "--shots", "10"]
    assert main(["trace", *size, "--clock", clock, "--rows", str(rows), "--out", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["datapoints"] == 6
    trace = json.loads(path.read_text())
    assert trace["otherData"]["clock"] == clock
    assert trace["otherData"]["simulated"] is True
    events = check_events(trace)
    spans = {name: [event for event in events if event["name"] == name] for name in {e["name"] for e in events}}
    assert len(spans["infer"]) == 6 / rows
    for name in ("queue", "simulate", "publish", "phase update", "acquisition"):
        assert [event["args"]["id"] for event in spans[name]] == list(range(6)), name
    for before, after in (("queue", "simulate"), ("simulate", "publish"), ("phase update", "acquisition")):
        for first, second in zip(spans[before], spans[after], strict=True):
            assert first["ts"] + first["dur"] == pytest.approx(second["ts"], abs=1e-2)
    # The clock's figures, wherever they lie: 20 ms for a phase update, 10 samples at 100 kHz.
    assert [event["dur"] for event in spans["phase update"]] == pytest.approx([20_000.0] * 6)
    assert [event["dur"] for event in spans["acquisition"]] == pytest.approx([100.0] * 6)


def test_stages_are_recorded_before_answers_are_seen_and_only_as_many_as_asked():
    program = phl.Program.reservoir(4, 1, features=4)
    with phl.Controller(record_stages=5) as controller:
        for session_number in (1, 2):
            with phl.reserve("sim", program, controller=controller) as session:
                for _ in range(2):
                    session.infer(np.zeros(4))
                    times = controller.stages()
                    newest = times[-1]
                    assert newest["session"] == session_number
                    order = [int(newest[name]) for name in times.dtype.names[2:]]
                    assert order == sorted(order)
                    assert order[0] > 0
        with phl.reserve("sim", program, controller=controller) as session:
            session.infer(np.zeros((4, 4)))
        assert controller.stages()["id"].tolist() == [0, 1, 0, 1, 0]
        assert controller.core.stages()[0] == 8


def test_a_realtime_answer_is_published_after_its_modelled_time():
    program = phl.Program.reservoir(4, 1, features=4)
    options = {"shots": 10, "clock": "realtime"}
    with (
        phl.Controller(record_stages=3) as controller,
        phl.reserve("sim", program, controller=controller, **options) as s,
    ):
        _, info = s.infer(np.random.default_rng(0).uniform(0, 3, (3, 4)), return_info=True)
        times = controller.stages()
    waited = (times["published_ns"] - times["begun_ns"]).astype(np.int64)
    assert (waited >= np.floor(info.quantum_seconds * 1e9)).all()


def test_without_asking_nothing_is_recorded():
    program = phl.Program.reservoir(4, 1, features=4)
    with phl.Controller() as controller, phl.reserve("sim", program, controller=controller) as session:
        session.infer(np.zeros(4))
        assert controller.stages().shape == (0,)
    with pytest.raises(phl.errors.ProgramError, match="record_stages"):
        phl.Controller(record_stages=-1)
