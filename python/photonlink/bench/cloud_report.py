"""Turns what ``photonlink bench cloud`` measured into text and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["figure", "render"]

_WIDTH = 15
_STAGE_COLOURS = {
    "encode": "#7b6ba8",
    "transport": "#4878a8",
    "queue": "#c8553d",
    "phase update": "#c9c9c9",
    "acquisition": "#e4e4e4",
    "readout": "#6a9f58",
    "poll": "#e49444",
    "decode": "#85b6b2",
}


def render(report: dict[str, Any]) -> str:
    """The report as a table: milliseconds per datapoint, stages down, paths across."""
    paths = report["paths"]
    modelled = "modelled, waited out" if report["clock"] == "realtime" else "modelled, not waited"
    work = f"{report['modes']} modes, {report['photons']} photons, {report['shots']} kept samples"
    lines = [
        f"{work}, simulated processor, {report['clock']} clock, timing {report['preset']}",
        "the same datapoints on every path, results equal bit by bit; milliseconds per datapoint (means)",
        "",
        _line("", "", [_heading(path)[0] for path in paths]),
        _line("stage", "", [_heading(path)[1] for path in paths]),
    ]
    for stage in report["stages"]:
        kind = modelled if stage["kind"] == "modelled" else "measured"
        lines.append(_line(stage["name"], kind, [f"{path['stages_ms'][stage['name']]:.5f}" for path in paths]))
    for name, kind, key in (
        ("together", "", "ms_per_datapoint"),
        ("beyond the chip", "all that was measured", "ms_beyond_modelled"),
        ("times the link", "", "ratio_to_link"),
    ):
        lines.append(_line(name, kind, [f"{path[key]:.4f}" for path in paths]))
    until = [f"{path['ms_until_result']['p50']:.4f}" for path in paths]
    return "\n".join(
        [
            *lines,
            _line("until a result", "p50 over requests", until),
            _line("datapoints", "", [str(path["datapoints"]) for path in paths]),
            "",
            *_footnotes(report),
        ]
    )


def _line(name: str, kind: str, cells: list[str]) -> str:
    return f"{name:<17}{kind:<22}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells)


def _heading(path: dict[str, Any]) -> tuple[str, str]:
    rows = path["datapoints_per_request"]
    if path["path"].startswith("link"):
        return "link", f"calls of {rows}"
    return f"jobs of {rows}", "with delays" if path["configured_delays_s"] else "no added delay"


def _footnotes(report: dict[str, Any]) -> list[str]:
    delays = report["paths"][-1]["configured_delays_s"]
    configured = ", ".join(f"{name.replace('_', ' ')} {value:g} s" for name, value in delays.items()) or "none"
    cloud = report["published"]["cloud_job_stack_s_per_datapoint"]
    chip = 1e3 * report["published"]["photonic_processor_s_per_datapoint"]
    loading = ", ".join(f"{path['configuration_s']:.2f} s" for path in report["paths"])
    return [
        f"configured delays: {configured}; without them a finished job is asked for every millisecond",
        f"the program was loaded once on every path, before the first datapoint ({loading})",
        f"published, not measured: {cloud:g} s per datapoint through a cloud job stack, about {chip:g} ms on the chip",
    ]


def figure(report: dict[str, Any], path: Path) -> None:
    """Write a PNG: where the time goes on the paths without added delay, and all paths beside the published figures.

    Raises:
        TargetUnavailable: matplotlib is missing.
    """
    from photonlink.bench.pictures import canvas_of

    canvas, (stages_axes, totals_axes) = canvas_of(2, size=(13, 5))
    plain = [entry for entry in report["paths"] if not entry["configured_delays_s"]]
    _draw_stages(stages_axes, report, plain)
    _draw_totals(totals_axes, report)
    canvas.figure.savefig(path, dpi=130, format="png")


def _draw_stages(axes: Any, report: dict[str, Any], paths: list[dict[str, Any]]) -> None:
    names = [", ".join(_heading(entry)) for entry in paths]
    left = [0.0] * len(paths)
    for stage in report["stages"]:
        widths = [entry["stages_ms"][stage["name"]] for entry in paths]
        modelled = stage["kind"] == "modelled"
        axes.barh(
            names,
            widths,
            left=left,
            color=_STAGE_COLOURS[stage["name"]],
            hatch="//" if modelled else None,
            edgecolor="white",
            label=f"{stage['name']} ({stage['kind']})",
        )
        left = [begin + width for begin, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="milliseconds per datapoint", title=f"no delay added, {report['clock']} clock, simulated processor")
    axes.legend(fontsize=7, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.15))


def _draw_totals(axes: Any, report: dict[str, Any]) -> None:
    published = report["published"]
    bars = [(", ".join(_heading(entry)), entry["ms_per_datapoint"], "#4878a8") for entry in report["paths"]]
    bars += [
        ("processor (published)", 1e3 * published["photonic_processor_s_per_datapoint"], "#c9c9c9"),
        ("cloud job stack (published)", 1e3 * published["cloud_job_stack_s_per_datapoint"], "#c9c9c9"),
    ]
    axes.barh([name for name, _, _ in bars], [ms for _, ms, _ in bars], color=[colour for _, _, colour in bars])
    for row, (_, ms, _) in enumerate(bars):
        axes.text(ms, row, f" {ms:.4g} ms", va="center", fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.invert_yaxis()
    axes.set(xlabel="milliseconds per datapoint", title="all paths beside published figures")
