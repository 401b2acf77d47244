"""Invariant 9: an error that nobody foresaw is logged by its kind and place; no value of a frame reaches a log."""

from __future__ import annotations

import re
from pathlib import Path

import wireproxy
from wireproxy.traces import where


def fails(secret: str) -> None:
    raise ValueError(f"cannot read {secret}")


def test_a_place_names_files_lines_and_functions_and_no_value() -> None:
    try:
        fails("hunter2")
    except ValueError as error:
        said = where(error)
    assert re.fullmatch(r"test_traces\.py:\d+ fails < test_traces\.py:\d+ test_\w+", said)


def test_no_log_line_of_the_gateway_renders_a_traceback() -> None:
    """structlog's `exception` and `exc_info` print messages of errors, and with rich the locals of every frame."""
    files = list(Path(wireproxy.__file__).parent.rglob("*.py"))
    assert len(files) > 50
    assert [file.name for file in files if re.search(r"\.exception\(\s*[\"']|exc_info\s*=", file.read_text())] == []
