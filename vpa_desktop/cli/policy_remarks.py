"""What ``doctor`` says about policies: which is in force, from where, and what would make it weaker than it looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vpa_desktop.config import Paths, apply_environment
from vpa_desktop.errors import VPAError
from vpa_desktop.security.policy import Policy, PolicyBook
from vpa_desktop.security.policy_file import Found, policies_in_force, read_policy
from vpa_desktop.security.tightening import doubtful
from vpa_desktop.settings_file import load_settings


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence. ``needed`` False marks what is only worth knowing."""

    text: str
    ok: bool = True
    fix: str = ""
    needed: bool = True


def policy_remarks(paths: Paths, system_file: Path | None = None) -> list[Remark]:
    """Return what there is to say of the policies in force."""
    try:
        settings = apply_environment(load_settings(paths.settings_file).settings)
    except VPAError:  # the check of the settings says so
        return []
    found = read_policy(paths, system_file)
    book = policies_in_force(settings, found)
    remarks = [_in_force(book, policy) for policy in book.policies] or [Remark("none; the settings alone count")]
    if found is not None:
        remarks += _weak(found)
    for provider_id in doubtful(settings.providers):
        said = f"{provider_id} is set to local_only, but its address is another machine's"
        remarks.append(Remark(said, False, "What is meant to stay on this machine can go there.", needed=False))
    return remarks


def _in_force(book: PolicyBook, policy: Policy) -> Remark:
    if policy.broken:
        return Remark(policy.broken, False, "Mend that line.")
    role = policy.users.get(book.login.casefold(), policy.default_role)
    place = f" ({policy.source})" if policy.source else ""
    return Remark(f"{policy.whose}{place} is in force for {book.login}, {f'role {role}' if role else 'without a role'}")


def _weak(found: Found) -> list[Remark]:
    remarks = []
    policy, path = found.policy, found.path
    if found.weakness and not policy.users_may_choose:
        fix = f"As root: chown root {path.parent} {path}; chmod 755 {path.parent}; chmod 644 {path}"
        remarks.append(Remark(f"{found.weakness}: it can be changed by those it is meant for", False, fix))
    elif found.weakness:
        said = f"{path} is beside the settings: whoever may change them may change it too"
        remarks.append(Remark(said, False, "An administrator's policy lies in the system's own place.", needed=False))
    if found.passed_over is not None:
        said = f"{found.passed_over} does not count: {path} wins"
        remarks.append(Remark(said, False, "Delete it, so that nobody relies on it.", needed=False))
    rules = (policy.everybody, *policy.roles.values())
    if policy.everybody.hosts is None and any(r.providers is not None for r in rules):
        said = "It lists names and no hosts: a name counts only for the vendor's own address and for this machine"
        remarks.append(Remark(said, False, "List allowed_hosts too: an address cannot be renamed.", needed=False))
    return remarks
