"""The job path beside the link: equal results, stages that add up, delays that are named, and nothing made up."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest

import photonlink as phl
from photonlink.bench import cloud, cloud_report
from photonlink.bench.cloud_jobs import Delays, _Client, through_jobs
from photonlink.bench.cloud_paths import STAGES, Pass, Work, check_equal, reference
from photonlink.cli import main
from photonlink.errors import PhotonLinkError, ProgramError, ServiceError
from photonlink.trace import Trace

QUEUE, SCHEDULING = 0.05, 0.02
NAMES = [stage.name for stage in STAGES]
LINK = "link"


@pytest.fixture(scope="module", params=["virtual", "realtime"])
def measured(request):
    work = Work.reservoir(34, modes=4, photons=2, shots=20, clock=request.param)
    report, trace = cloud.run(work, Delays(QUEUE, SCHEDULING, 0.001), delayed=2)
    return work, report, trace


def paths(report):
    return {path["path"]: path for path in report["paths"]}


def test_every_path_ran_the_same_datapoints(measured):
    _, report, _ = measured
    assert report["equal_results"] is True
    sizes = {name: (path["datapoints"], path["datapoints_per_request"]) for name, path in paths(report).items()}
    assert sizes == {
        LINK: (34, 1),
        "link-calls-of-32": (34, 32),
        "jobs": (34, 1),
        "jobs-of-32": (34, 32),
        "jobs-delayed": (2, 1),
    }


def test_stages_add_up_and_none_is_negative(measured):
    _, report, _ = measured
    for path in report["paths"]:
        assert list(path["stages_ms"]) == NAMES
        assert sum(path["stages_ms"].values()) == pytest.approx(path["ms_per_datapoint"])
        assert all(value >= 0 for value in path["stages_ms"].values()), path
        assert path["ratio_to_link"] == pytest.approx(path["ms_per_datapoint"] / report["paths"][0]["ms_per_datapoint"])


def test_modelled_stages_are_the_presets_and_marked(measured):
    _, report, _ = measured
    kinds = {stage["name"]: stage["kind"] for stage in report["stages"]}
    assert {name for name, kind in kinds.items() if kind == "modelled"} == {"phase update", "acquisition"}
    for path in report["paths"]:
        assert path["stages_ms"]["phase update"] == pytest.approx(20.0)  # article: 20 ms
        assert path["stages_ms"]["acquisition"] == pytest.approx(0.2)  # article: 20 samples at 100 kHz
        assert path["ms_beyond_modelled"] == pytest.approx(path["ms_per_datapoint"] - 20.2)


def test_delays_are_in_the_queue_of_one_path_and_nowhere_else(measured):
    _, report, _ = measured
    named = {name: path["configured_delays_s"] for name, path in paths(report).items()}
    delayed = named.pop("jobs-delayed")
    assert delayed == {"queue": QUEUE, "scheduling": SCHEDULING, "poll_interval": 0.001}
    assert all(delays == {} for delays in named.values())
    assert paths(report)["jobs-delayed"]["stages_ms"]["queue"] >= 1e3 * (QUEUE + SCHEDULING)


def test_only_jobs_are_polled_and_decoded(measured):
    _, report, _ = measured
    for name, path in paths(report).items():
        if name.startswith(LINK):
            assert path["stages_ms"]["poll"] == path["stages_ms"]["decode"] == 0.0
        else:
            assert path["stages_ms"]["decode"] > 0.0


def test_published_figures_are_beside_the_measured_ones(measured):
    _, report, _ = measured
    assert report["published"] == {"cloud_job_stack_s_per_datapoint": 5.0, "photonic_processor_s_per_datapoint": 0.03}
    text = cloud_report.render(report)
    assert "published, not measured: 5 s per datapoint" in text
    assert ("modelled, waited out" in text) == (report["clock"] == "realtime")
    assert "queue 0.05 s, scheduling 0.02 s" in text


def test_trace_shows_each_job_from_encode_to_decode(measured):
    _, _, trace = measured
    steps = {}
    for span in trace.spans:
        steps.setdefault((span.process, span.name), []).append(span)
    assert len(steps["jobs-of-32: job service", "run"]) == 2
    for name in ("encode", "submit", "fetch", "decode"):
        assert len(steps["jobs: client", name]) == 34
    for before, after in (("encode", "submit"), ("fetch", "decode")):
        for first, second in zip(steps["jobs: client", before], steps["jobs: client", after], strict=True):
            assert first.end_ns == second.start_ns
    queued, run = steps["jobs-delayed: job service", "queue"], steps["jobs-delayed: job service", "run"]
    assert all(first.end_ns == second.start_ns for first, second in zip(queued, run, strict=True))
    assert all(span.end_ns - span.start_ns >= 1e9 * (QUEUE + SCHEDULING) for span in queued)


def test_results_are_those_of_a_plain_session(measured):
    work, _, _ = measured
    with phl.Controller() as mine, phl.reserve("sim", work.program, shots=20, seed=7, controller=mine) as session:
        np.testing.assert_array_equal(reference(work).results, session.infer(work.x))


def test_other_results_are_reported_as_nothing():
    expected = reference(Work.reservoir(2, modes=4, photons=1, shots=5, clock="virtual"))
    done = Pass("jobs", "", 1, expected.results.copy(), np.zeros((2, len(STAGES))), 0.0)
    check_equal(done, expected.results)
    with pytest.raises(PhotonLinkError, match="nothing is reported"):
        check_equal(replace(done, results=done.results + 1e-12), expected.results)


def test_a_service_that_refuses_is_a_typed_error():
    work = replace(Work.reservoir(1, modes=4, photons=1, shots=5, clock="virtual"), timing="nowhere")
    expected = reference(replace(work, timing="article"))
    with pytest.raises(ServiceError, match="422"):
        through_jobs(work, expected, Trace(), path="jobs", label="", rows=1, delays=Delays())


def test_nobody_there_is_a_typed_error():
    client = _Client("127.0.0.1:1")
    with pytest.raises(ServiceError, match="did not answer"):
        client.call("GET", "/v1/jobs/1")


@pytest.mark.parametrize("wrong", [{"queue": -1.0}, {"poll": float("nan")}, {"scheduling": float("inf")}])
def test_delays_are_checked(wrong):
    with pytest.raises(ProgramError, match="expected seconds"):
        Delays(**wrong)


def test_command_writes_report_picture_and_trace(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    png, trace = tmp_path / "cloud.png", tmp_path / "cloud.json"
    size = ["--datapoints", "2", "--delayed", "1", "--modes", "4", "--photons", "1", "--shots", "10"]
    delays = ["--queue-delay", "0.01", "--scheduling-delay", "0", "--poll", "0.001", "--clock", "virtual"]
    assert main(["bench", "cloud", *size, *delays, "--png", str(png), "--trace", str(trace), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["machine"]["date"]
    assert [path["datapoints"] for path in report["paths"]] == [2, 2, 2, 2, 1]
    assert png.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert json.loads(trace.read_text())["otherData"]["clock"] == "virtual"


def test_wrong_sizes_are_named(capsys):
    for wrong in (["--datapoints", "0"], ["--delayed", "0"], ["--shots", "0"]):
        assert main(["bench", "cloud", "--clock", "virtual", *wrong]) == 1
        assert wrong[0].strip("-") in capsys.readouterr().err


def test_missing_packages_name_the_extra(monkeypatch, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "fastapi" else real(name, *rest)
    )
    assert main(["bench", "cloud"]) == 1
    assert "photonlink[qsc]" in capsys.readouterr().err
