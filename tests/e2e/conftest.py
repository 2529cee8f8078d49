"""Fixtures of the runs of the real program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import LLMock, Program, llmock_server


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program with an empty home."""
    return Program(tmp_path / "home")


@pytest.fixture(scope="session")
def _llmock() -> Iterator[LLMock]:
    with llmock_server() as server:
        yield server


@pytest.fixture
def llmock(_llmock: LLMock) -> LLMock:
    """The mock server, well-behaved at the start of each test."""
    _llmock.reset()
    return _llmock
