"""The notice of a newer release: asked for, once a day, over real TLS, and silent where anything is wrong."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.fakes import FakeClock
from tests.providers.rawserver import RawServer, reply, serving
from vpa_desktop import __version__
from vpa_desktop.assistant.policy_desk import PolicyDesk
from vpa_desktop.assistant.update_notice import UpdateNotice
from vpa_desktop.config import Paths, Settings, UpdateSettings
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.settings_file import parse_settings
from vpa_desktop.storage.database import Database
from vpa_desktop.system import build_system


def says(**answer: Any) -> bytes:
    return reply("200 OK", "application/json", json.dumps(answer).encode())


NEWER = says(version="99.1.0", page="https://example.org/new")


class House:
    """A notice over a real database and file, whose clock a test moves."""

    def __init__(self, folder: Path, db: Database, clock: FakeClock) -> None:
        self.notices: dict[str, str] = {}
        self.settings = Settings()
        self.audit = AuditLog(db)
        self.file = folder / "updates.json"
        self.clock = clock
        policy = PolicyDesk(Paths(folder, folder / "settings.toml"), None, folder / "policy.toml")
        self.notice = UpdateNotice(
            lambda: self.settings, self.file, self.notices, lambda: policy.book, self.audit.append, now=clock.now
        )

    def wants(self, address: str, ca_file: Path | str = "", *, check: bool = True, offline: bool = False) -> None:
        """What settings say."""
        self.settings = Settings(updates=UpdateSettings(check, address, str(ca_file)), offline=offline)

    async def look(self) -> str:
        """Look once; returns what is said."""
        await self.notice.look()
        return self.notices.get("updates", "")


@pytest.fixture
async def house(tmp_path: Path, clock: FakeClock) -> AsyncIterator[House]:
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield House(tmp_path, db, clock)
    await db.aclose()


@asynccontextmanager
async def https_server(folder: Path, answer: bytes) -> AsyncIterator[tuple[RawServer, str, Path]]:
    """A server with a certificate of an authority that only ``ca.pem`` trusts; its address, and that file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with serving(answer, context=context) as server:
        yield server, f"{server.url}/latest.json", folder / "ca.pem"


async def test_a_newer_release_is_told_and_asked_for_once_a_day(house: House, tmp_path: Path) -> None:
    async with https_server(tmp_path, NEWER) as (server, address, ca_file):
        house.wants(address, ca_file)
        said = f"VPA Desktop 99.1.0 is out; you have {__version__}. See https://example.org/new"
        assert await house.look() == said
        house.notices.clear()
        house.clock.advance(23 * 3600)
        assert await house.look() == said  # from the file
        assert len(server.requests) == 1
        house.clock.advance(2 * 3600)
        assert await house.look() == said
        assert len(server.requests) == 2
        assert "authorization" not in server.requests[0].lower()
    entries = await house.audit.entries()
    assert [(e.action, e.result, e.facts) for e in entries] == [("update check", "done", {"version": "99.1.0"})] * 2
    assert entries[0].target == address.split("/")[2]
    assert house.file.stat().st_mode & 0o777 == 0o600


async def test_nobody_is_asked_unless_the_person_wants_it_and_never_offline(house: House, tmp_path: Path) -> None:
    async with https_server(tmp_path, NEWER) as (server, address, ca_file):
        assert await house.look() == ""
        house.wants(address, ca_file, check=False)
        assert await house.look() == ""
        house.wants(address, ca_file, offline=True)
        assert await house.look() == ""
        house.wants("")
        assert "no address is set" in await house.look()
        assert server.requests == []
    assert not house.file.exists()
    assert await house.audit.entries() == []


async def test_a_policy_that_does_not_list_the_address_forbids_it(house: House, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('[providers]\nallowed_hosts = ["api.openai.com"]\n')
    policy = PolicyDesk(Paths(tmp_path, tmp_path / "settings.toml"), None)
    policy.applied(Settings())
    house.notice._book = lambda: policy.book
    async with https_server(tmp_path, NEWER) as (server, address, ca_file):
        house.wants(address, ca_file)
        assert "Newer releases are not looked for" in await house.look()
        assert server.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        says(version=__version__),
        says(version="0.0.1"),
        says(version="next"),
        says(version=7),
        says(),
        reply("200 OK", "application/json", b'["9.9"]'),
        reply("200 OK", "text/html", b"<html>"),
        reply("404 Not Found", "application/json", b"{}"),
        reply("302 Found", "text/plain", b"", "Location: https://example.org/"),
        says(version="99.0.0", page="x" * 20_000),
        b"",
    ],
)
async def test_an_answer_that_is_none_is_silent_and_waits_a_day(answer: bytes, house: House, tmp_path: Path) -> None:
    async with https_server(tmp_path, answer) as (server, address, ca_file):
        house.wants(address, ca_file)
        assert await house.look() == ""
        asked = len(server.requests)  # a connection that breaks before an answer may be tried twice
        assert await house.look() == ""
        assert len(server.requests) == asked
    assert len(await house.audit.entries()) == 1


async def test_only_a_page_that_is_an_https_address_is_shown(house: House, tmp_path: Path) -> None:
    async with https_server(tmp_path, says(version="99.0", page="javascript:alert(1)")) as (_, address, ca_file):
        house.wants(address, ca_file)
        assert await house.look() == f"VPA Desktop 99.0 is out; you have {__version__}."


async def test_an_untrusted_server_is_told_nothing_and_a_changed_file_is_no_harm(house: House, tmp_path: Path) -> None:
    house.file.write_text('{"asked_at": 7}')
    async with https_server(tmp_path, NEWER) as (server, address, _):
        house.wants(address)
        assert await house.look() == ""
        assert server.requests == []
    (entry,) = await house.audit.entries()
    assert entry.result == "failed"


async def test_another_address_is_asked_at_once_and_a_clock_set_back_too(house: House, tmp_path: Path) -> None:
    async with https_server(tmp_path, NEWER) as (server, address, ca_file):
        house.wants(address, ca_file)
        await house.look()
        house.wants(f"{address}?2", ca_file)
        await house.look()
        house.clock.advance(-timedelta(hours=1).total_seconds())
        await house.look()
        assert len(server.requests) == 3


@pytest.mark.parametrize("address", ["http://example.org/x", "https://u:p@example.org/", "ftp://x", "example.org"])
def test_settings_take_https_addresses_only(address: str) -> None:
    loaded = parse_settings(f'[updates]\ncheck = true\naddress = "{address}"\n')
    assert "https://" in loaded.problems[0]
    assert loaded.settings.updates == UpdateSettings(check=True)


async def test_an_open_program_looks_by_itself_and_says_it_in_the_status_line(tmp_path: Path) -> None:
    async with https_server(tmp_path, NEWER) as (server, address, ca_file):
        home = tmp_path / "home"
        home.mkdir()
        text = f'[updates]\ncheck = true\naddress = "{address}"\nca_file = "{ca_file}"\n'
        (home / "settings.toml").write_text(text)
        system = await build_system(
            Paths(home, home / "settings.toml"),
            environ={"VPA_VAULT": "memory"},
            background=True,
            system_policy=tmp_path / "no-policy.toml",
        )
        try:
            await asyncio.wait_for(server.asked.wait(), 60)
            async with asyncio.timeout(60):
                while not any("99.1.0 is out" in each for each in (await system.status()).notices):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        finally:
            await system.aclose()
