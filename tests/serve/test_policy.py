"""Roles and policy count for the endpoint's users as for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.gateway.faults import refusal, stream
from tests.providers.rawserver import serving
from tests.serve.house import open_house, settings_of

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Count"}]}
GOOD = stream(["one"])
POLICY = """
[roles.pupil]
providers = ["b"]
max_tokens = 40
[users]
anna = "pupil"
may_choose = true
"""


def write_policy(home: Path, text: str) -> None:
    """A policy beside the settings."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "policy.toml").write_text(text, encoding="utf-8")


async def test_a_role_decides_whom_its_users_can_ask_and_see(vpa_home: Path) -> None:
    write_policy(vpa_home, POLICY)
    async with serving(GOOD) as a, serving(GOOD) as b, open_house(vpa_home, settings_of(a, b)) as house:
        anna = {"authorization": f"Bearer {house.tokens.renew('anna')}"}
        _, _, listed = await house.ask(None, method="GET", path="/v1/models", **anna)
        assert [entry["id"] for entry in listed["data"]] == ["auto", "b/m"]
        status, headers, _ = await house.ask(ASK, **anna)
        assert (status, headers["x-vpa-provider"], len(a.requests)) == (200, "b", 0)
        assert b.bodies[0]["max_tokens"] == 40
        status, _, body = await house.ask({**ASK, "model": "a"}, **anna)
        assert (status, body["error"]["code"], len(a.requests)) == (403, "policy_refused", 0)
        assert (await house.ask(ASK))[1]["x-vpa-provider"] == "a"
        rows = await house.system.manager.ledger.rows()
        assert [(row.provider, row.user_id) for row in rows] == [("b", "anna"), ("a", house.system.policy.book.login)]


async def test_failover_does_not_lead_to_whom_a_role_forbids(vpa_home: Path) -> None:
    write_policy(vpa_home, POLICY)
    bad = refusal("500 Internal Server Error")
    async with serving(GOOD) as a, serving(bad) as b, open_house(vpa_home, settings_of(a, b)) as house:
        status, _, _ = await house.ask(ASK, authorization=f"Bearer {house.tokens.renew('anna')}")
        assert (status, len(a.requests), len(b.requests)) == (502, 0, 1)
