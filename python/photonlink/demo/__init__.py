"""The main job: a photonic reservoir reads handwritten digits through the whole data path."""

from __future__ import annotations

from photonlink.demo.job import DemoResult, run

__all__ = ["DemoResult", "run"]
