"""Shared by the provider tests: one replay server for the session, one HTTP session for each test."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

import pytest

from tests.wire import KIT, replay_server
from vpa_desktop.providers._http import HttpSession


@pytest.fixture(scope="session")
def replay() -> Iterator[str]:
    """The address of the kit's replay server."""
    if not KIT.is_dir():
        pytest.skip("the wire kit (../shared/wire) is not here")
    with replay_server() as address:
        yield address


@pytest.fixture
async def http() -> AsyncGenerator[HttpSession, None]:
    """A session of its own, closed after the test."""
    session = HttpSession(offline=False)
    yield session
    await session.aclose()
