"""Run under a private session bus: uses KeyringVault in one situation and prints what happened as JSON.

Not a test itself: ``test_keyring.py`` starts it in a process of its own, since a bus and its keyring are
found through the environment, once a process.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from vpa_desktop.errors import SecretError
from vpa_desktop.security.vault import KeyringVault, forget_everything
from vpa_desktop.trials import selftest as trial


async def round_trip() -> dict[str, object]:
    vault = KeyringVault()
    missing = await vault.get("openai")
    await vault.set("openai", "sk-first-0001")
    await vault.set("anthropic", "sk-second-0002")
    await vault.set("openai", "sk-changed-0003")
    ids = await KeyringVault().ids()
    got = await KeyringVault().get("openai")
    await vault.delete("openai")
    await vault.delete("openai")
    return {"missing": missing, "ids": ids, "got": got, "after": await vault.get("openai"), "left": await vault.ids()}


async def one_get() -> dict[str, object]:
    return {"got": await KeyringVault().get("openai")}


async def one_set() -> dict[str, object]:
    await KeyringVault().set("openai", "sk-first-0001")
    return {}


async def forget() -> dict[str, object]:
    from secretstorage import dbus_init, get_default_collection

    vault = KeyringVault()
    for entry in ("openai", "openai#team", "anthropic"):
        await vault.set(entry, f"sk-{entry}-0001")
    gone = await forget_everything(vault)
    items = [each.get_label() for each in get_default_collection(dbus_init()).get_all_items()]
    return {"gone": gone, "ids": await KeyringVault().ids(), "items": items}


async def selftest() -> dict[str, object]:
    vault = KeyringVault()
    await vault.set("openai", "sk-first-0001")
    steps = tuple(each for each in trial.STEPS if each[0] == "System keyring")
    trial.STEPS = steps  # type: ignore[misc]

    async def nobody(system: object) -> str:
        return ""

    (step,) = [step async for step in trial.run_selftest(nobody)]
    return {"outcome": step.outcome, "detail": step.detail, "ids": await vault.ids()}


async def look() -> dict[str, object]:
    from secretstorage import dbus_init, get_all_collections

    await KeyringVault(timeout_s=20.0).look()
    return {"collections": [each.get_label() for each in get_all_collections(dbus_init())]}


async def hung() -> dict[str, object]:
    from jeepney.bus_messages import DBus  # type: ignore[import-untyped]
    from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

    service = open_dbus_connection("SESSION")
    request = DBus().RequestName("org.freedesktop.secrets")
    service.send_and_get_reply(request)
    vault = KeyringVault(timeout_s=1.0)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.02)
            ticks += 1

    ticking = asyncio.create_task(tick())
    start = time.monotonic()
    try:
        await vault.get("openai")
    except SecretError as error:
        first_s, first = time.monotonic() - start, error
    ticking.cancel()
    start = time.monotonic()
    try:
        await vault.get("openai")
    except SecretError as error:
        second_s, kind = time.monotonic() - start, type(error).__name__
    return {"first_s": first_s, "second_s": second_s, "kind": kind, "sentence": str(first), "ticks": ticks}


def main() -> None:
    start = time.monotonic()
    try:
        found = asyncio.run(globals()[sys.argv[1]]())
    except SecretError as error:
        found = {"error": type(error).__name__, "sentence": str(error)}
    found["seconds"] = time.monotonic() - start
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
