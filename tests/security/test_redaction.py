"""Secrets are found and taken out; ordinary text is left alone; no log line carries one."""

from __future__ import annotations

import base64
import io
import logging
import string
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpa_desktop.security import redaction
from vpa_desktop.security.redaction import (
    RedactingFilter,
    find_secrets,
    install_log_redaction,
    mask_secrets,
    redact,
    register_secret,
)

# Put together here, so that no scanner takes this file for a leak.
_TAIL = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0"
_HEX = "0123456789abcdef" * 4
SAMPLES = {
    "OpenAI key": "sk-" + "proj-" + _TAIL,
    "Anthropic key": "sk-" + "ant-api03-" + _TAIL,
    "OpenRouter key": "sk-" + "or-v1-" + _HEX,
    "Stripe key": "sk_" + "live_" + _TAIL,
    "Google key": "AI" + "za" + _TAIL[:35],
    "Google token": "ya" + "29." + _TAIL,
    "AWS key id": "AK" + "IA" + "ABCDEFGH234567AB",
    "GitHub token": "gh" + "p_" + _TAIL[:36],
    "GitLab token": "gl" + "pat-" + _TAIL[:20],
    "Slack token": "xo" + "xb-123456789012-" + _TAIL[:24],
    "Hugging Face token": "hf" + "_" + _TAIL[:34],
    "Groq key": "gs" + "k_" + _TAIL + _TAIL[:12],
    "xAI key": "xa" + "i-" + _TAIL * 2,
    "Perplexity key": "pp" + "lx-" + _TAIL,
    "npm token": "np" + "m_" + _TAIL[:36],
    "PyPI token": "py" + "pi-AgE" + _TAIL * 2,
    "SendGrid key": "S" + "G." + _TAIL[:22] + "." + _TAIL,
    "Twilio key": "S" + "K" + _HEX[:32],
    "Telegram token": "123456789:" + "AA" + _TAIL[:33],
    "Databricks token": "da" + "pi" + _HEX[:32],
    "JSON web token": ".".join(["ey" + "J" + _TAIL[:20], "ey" + "J" + _TAIL[:30], _TAIL]),
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + _TAIL + "\n-----END RSA PRIVATE KEY-----",
}

PROSE = """
The sk-learn-compatible-interface and a task-management-2024-overview are not keys, nor is the git commit
3f786850e387550fdab836ed7e6dc881de23001b or the id 123e4567-e89b-12d3-a456-426614174000. The order 1234567890123
came on 2026-11-22 10:00:00, at 1732269600000 ms; pi is 3.14159265358979; call +49 30 1234567. A key insight:
tokens are cheap. A bearer of news. Use basic authentication. https://example.org/path?page=2&keyboard=qwertzuiopasdfghjk
DE44 is a road, SK8 a sport; data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ 4111 1111 1111 1112
"""


@pytest.fixture(autouse=True, scope="module")
def own_register() -> Iterator[None]:
    """What is registered here must not colour other tests' texts."""
    before, redaction._registered = redaction._registered, redaction._Registered()
    yield
    redaction._registered = before


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize(
    "context", ["{}", "key: {}.", '{{"k":"{}"}}', "export X={}\n", "({})", "ab cd {}, ef", "k={}&x=1"]
)
def test_each_known_key_is_named_and_masked_whole(kind: str, context: str) -> None:
    text = context.format(SAMPLES[kind])
    assert SAMPLES[kind][:30] not in redact(text)
    assert [each.kind for each in find_secrets(text)] == [kind]
    masked, secrets = mask_secrets(text)
    assert masked == context.format("[SECRET_1]")
    assert secrets == {"[SECRET_1]": SAMPLES[kind]}


def test_ordinary_text_is_left_alone() -> None:
    assert redact(PROSE) == PROSE
    assert find_secrets(PROSE) == []


def test_numbers_must_pass_their_checksum_and_addresses_are_only_reported() -> None:
    text = "Pay 4111 1111 1111 1111 or DE89 3704 0044 0532 0130 00, tell bob@example.org or postgres://u:hunter22@h/d"
    assert [each.kind for each in find_secrets(text)] == ["card number", "bank account", "e-mail address", "password"]
    masked, _ = mask_secrets(text)
    assert masked == "Pay [SECRET_1] or [SECRET_2], tell bob@example.org or postgres://u:[SECRET_3]@h/d"
    assert [each.kind for each in find_secrets("4111 1111 1111 1112, DE88 3704 0044 0532 0130 00")] == []


def test_the_same_secret_has_the_same_mask() -> None:
    key, other = SAMPLES["OpenAI key"], SAMPLES["Google key"]
    assert mask_secrets(f"{key} {other} {key}")[0] == "[SECRET_1] [SECRET_2] [SECRET_1]"


@given(
    before=st.text(max_size=40),
    after=st.text(max_size=40),
    secret=st.text(alphabet=string.ascii_letters + string.digits + "-_+/=", min_size=8, max_size=60),
)
def test_a_registered_secret_never_survives(before: str, after: str, secret: str) -> None:
    register_secret(secret)
    assert secret not in redact(before + secret + after) or secret in "[REDACTED]"


@given(st.text(max_size=300))
def test_findings_are_in_order_and_inside_the_text(text: str) -> None:
    found = find_secrets(text + SAMPLES["Groq key"] + text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(0 <= each.start < each.end for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "sk-" * 40_000,
        "-----BEGIN RSA " * 8_000 + "PRIVATE KEY-----",
        "1 " * 60_000,
        "a.b-" * 30_000 + "@",
        "x://a:" * 20_000 + "@",
        "bearer " * 20_000,
        "DE12" + "A " * 50_000,
    ],
    ids=lambda text: text[:8],
)
@pytest.mark.alone
def test_hostile_text_takes_no_time(text: str) -> None:
    start = time.perf_counter()
    find_secrets(text)
    assert time.perf_counter() - start < 2


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root, stream = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(stream)
    level, before = root.level, root.handlers[:]
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    install_log_redaction()
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
    for each in before:
        each.filters = [kept for kept in each.filters if not isinstance(kept, RedactingFilter)]


def test_no_log_line_carries_a_key(log: io.StringIO) -> None:
    key = SAMPLES["OpenAI key"]
    logger = logging.getLogger("some.child")
    logger.info("sent %s with %r", key, {"authorization": f"Bearer {key}"})
    logger.warning("bad format %d %s", key)
    try:
        raise ValueError(f"the server said {key}")
    except ValueError:
        logger.exception("failed", stack_info=True)
    logging.getLogger("httpx").info("GET https://x/?key=%s", key)
    logging.getLogger("hpack").debug("authorization %s", key)
    text = log.getvalue()
    assert key not in text
    assert text.count("[REDACTED]") >= 4
    assert "GET https" not in text
    assert "Traceback" in text
    assert base64.b64encode(key.encode()).decode() not in text
