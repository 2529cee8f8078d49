"""Finds secrets in text and takes them out: of logs and errors, and before a prompt leaves the machine.

Key formats are anchored patterns with their vendor's prefix, never entropy, which takes ordinary prose for
secrets. Card numbers and bank accounts must pass their checksum. An e-mail address is reported, not masked.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

MASK = "[REDACTED]"
_MIN_SECRET_CHARS = 8

SecretClass = Literal["key", "number", "contact"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret in a text: what it is, and where (``text[start:end]``). ``kind`` e-mail address is only reported."""

    kind: str
    start: int
    end: int
    sort: SecretClass

    @property
    def must_mask(self) -> bool:
        """Whether it is taken out before the text leaves the machine."""
        return self.sort != "contact"


# Kind, prefixes, and what follows a prefix. Only the patterns whose prefix stands in a text are run on it.
_KEYS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("Anthropic key", ("sk-ant-",), r"[A-Za-z0-9_\-]{16,}"),
    ("OpenRouter key", ("sk-or-v1-",), r"[A-Fa-f0-9]{32,}"),
    # Without a digit it is more likely a name such as sk-learn-compatible.
    ("OpenAI key", ("sk-",), r"(?=[A-Za-z_\-]{0,200}\d)[A-Za-z0-9_\-]{16,}"),
    ("Stripe key", ("sk_live_", "sk_test_", "rk_live_", "rk_test_"), r"[A-Za-z0-9]{16,}"),
    ("Google key", ("AIza",), r"[A-Za-z0-9_\-]{35,}"),
    ("Google token", ("ya29.",), r"[A-Za-z0-9_\-]{20,}"),
    ("Google secret", ("GOCSPX-",), r"[A-Za-z0-9_\-]{20,}"),
    ("AWS key id", ("AKIA", "ASIA", "ABIA", "ACCA"), r"[A-Z2-7]{16}(?![A-Za-z0-9])"),
    ("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"[A-Za-z0-9]{30,}"),
    ("GitHub token", ("github_pat_",), r"[A-Za-z0-9_]{40,}"),
    ("GitLab token", ("glpat-", "gldt-", "glrt-", "glptt-"), r"[A-Za-z0-9_\-]{20,}"),
    ("Slack token", ("xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"), r"[A-Za-z0-9\-]{10,}"),
    ("Slack token", ("xapp-",), r"\d-[A-Za-z0-9\-]{10,}"),
    ("Hugging Face token", ("hf_",), r"[A-Za-z0-9]{30,}"),
    ("Groq key", ("gsk_",), r"[A-Za-z0-9]{40,}"),
    ("xAI key", ("xai-",), r"[A-Za-z0-9]{40,}"),
    ("Perplexity key", ("pplx-",), r"[A-Za-z0-9]{32,}"),
    ("Replicate token", ("r8_",), r"[A-Za-z0-9]{30,}"),
    ("NVIDIA key", ("nvapi-",), r"[A-Za-z0-9_\-]{40,}"),
    ("PyPI token", ("pypi-AgE",), r"[A-Za-z0-9_\-]{40,}"),
    ("npm token", ("npm_",), r"[A-Za-z0-9]{36,}"),
    ("SendGrid key", ("SG.",), r"[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}"),
    ("Twilio key", ("SK",), r"[a-f0-9]{32}(?![A-Za-z0-9])"),
    ("DigitalOcean token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"[a-f0-9]{64}"),
    ("Shopify token", ("shpat_", "shpca_", "shppa_", "shpss_"), r"[a-fA-F0-9]{32}"),
    ("Linear key", ("lin_api_",), r"[A-Za-z0-9]{32,}"),
    ("Notion token", ("ntn_",), r"[A-Za-z0-9]{40,}"),
    ("Databricks token", ("dapi",), r"[a-f0-9]{32}(?![A-Za-z0-9])"),
    ("age secret key", ("AGE-SECRET-KEY-1",), r"[A-Z0-9]{50,}"),
    ("JSON web token", ("eyJ",), r"[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}"),
)


def _compiled(prefix: str, rest: str) -> re.Pattern[str]:
    # What stands before the prefix is looked at after it, so that the search can jump from prefix to prefix.
    literal = re.escape(prefix)
    return re.compile(f"{literal}(?<![A-Za-z0-9]{literal}){rest}")


_PATTERNS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "private key",
        "PRIVATE KEY-----",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY-----"
            r"[\s\S]*?(?:-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY-----|\Z)"
        ),
    ),
    ("Telegram token", ":AA", re.compile(r"(?<!\d)\d{8,10}:AA[A-Za-z0-9_\-]{33,}")),
    *((kind, prefix, _compiled(prefix, rest)) for kind, prefixes, rest in _KEYS for prefix in prefixes),
)
# In these only the value after the name is secret.
_NAMED_PATTERN = re.compile(
    r"(?i)(?:authorization\s*[:=]\s*[\"']?(?:bearer|basic)\s+|(?<![A-Za-z0-9])bearer\s+"
    r"|(?:x-api-key|x-goog-api-key|api[-_]?key|aws_secret_access_key|client_secret)[\"']?\s*[:=]\s*[\"']?"
    r"|[?&](?:key|api[-_]?key|access_token|token|sig)=)"
    r"(?P<value>[A-Za-z0-9_\-./+=~]{16,})"
)
_NAMED_HINTS = ("bearer", "basic", "key", "secret", "token", "sig=")
_URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.\-]{1,20}://[^\s:/@]{1,100}:(?P<value>[^\s:/@]{3,200})@")
_CARD = re.compile(r"(?<![\d.,\-])\d(?:[ \-]?\d){12,18}(?![\d\-]|[.,]\d)")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_EMAIL = re.compile(r"(?<![\w.+\-])[\w.+\-]{1,64}@(?:[A-Za-z0-9\-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![\w\-])")


class _Registered:
    """The values this process knows to be secret. Shared by all threads, since any of them may log."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        value = value.strip()
        if len(value) < _MIN_SECRET_CHARS or value in self._values:
            return
        with self._lock:
            self._values.add(value)
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(each) for each in longest_first))

    def spans(self, text: str) -> Iterable[tuple[int, int]]:
        pattern = self._pattern
        return [] if pattern is None else [match.span() for match in pattern.finditer(text)]


_registered = _Registered()


def register_secret(value: str) -> None:
    """Makes ``redact`` take out this exact value from now on; values under eight characters are ignored."""
    _registered.add(value)


def find_secrets(text: str) -> list[Finding]:
    """The secrets in ``text``, in order and without overlap, each with its kind."""
    found = _keys_in(text)
    found += [Finding("card number", *m.span(), "number") for m in _CARD.finditer(text) if _passes_luhn(m.group())]
    found += [Finding("bank account", *m.span(), "number") for m in _IBAN.finditer(text) if _passes_mod97(m.group())]
    if "@" in text:
        found += [Finding("e-mail address", *m.span(), "contact") for m in _EMAIL.finditer(text)]
    return _without_overlaps(found)


def redact(text: str) -> str:
    """``text`` with every key and registered secret replaced by a mask; numbers and addresses stay."""
    return _replace(text, _without_overlaps(_keys_in(text)), lambda n: MASK)[0]


def mask_secrets(text: str) -> tuple[str, dict[str, str]]:
    """``text`` with ``[SECRET_1]`` ... in the place of what must not leave, and what each one stands for."""
    findings = [each for each in find_secrets(text) if each.must_mask]
    return _replace(text, findings, lambda n: f"[SECRET_{n}]")


class RedactingFilter(logging.Filter):
    """Takes secrets out of a log record's message, arguments and traceback before any handler sees them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record in place; always lets it through."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            # Arguments that do not fit their format: logging would report that with the arguments as they are.
            text = f"{record.msg} {record.args!r}"
        record.msg = redact(text)
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def install_log_redaction() -> None:
    """Filters every handler of the root logger, and keeps the HTTP libraries from logging addresses and headers.

    To be called after the handlers are set up. A filter on a logger would miss the records of its children.
    """
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, RedactingFilter) for each in handler.filters):
            handler.addFilter(RedactingFilter())
    for name in ("httpx", "httpcore", "hpack", "aiohttp", "keyring"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


def _keys_in(text: str) -> list[Finding]:
    found = [Finding("stored key", start, end, "key") for start, end in _registered.spans(text)]
    for kind, hint, pattern in _PATTERNS:
        if hint in text:
            found += [Finding(kind, *match.span(), "key") for match in pattern.finditer(text)]
    lowered = text.lower()
    if any(hint in lowered for hint in _NAMED_HINTS):
        found += [Finding("access token", *m.span("value"), "key") for m in _NAMED_PATTERN.finditer(text)]
    if "://" in text and "@" in text:
        found += [Finding("password", *m.span("value"), "key") for m in _URL_PASSWORD.finditer(text)]
    return found


def _without_overlaps(found: list[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for each in sorted(found, key=lambda f: (f.start, -f.end)):
        if kept and each.start < kept[-1].end:
            if each.end > kept[-1].end and each.must_mask:
                kept[-1] = Finding(kept[-1].kind, kept[-1].start, each.end, kept[-1].sort)
            continue
        kept.append(each)
    return kept


def _replace(text: str, findings: list[Finding], mask: Callable[[int], str]) -> tuple[str, dict[str, str]]:
    """The same secret gets the same mask, so that a text stays readable."""
    masks: dict[str, str] = {}
    parts, at = [], 0
    for each in findings:
        secret = text[each.start : each.end]
        masks.setdefault(secret, mask(len(masks) + 1))
        parts += [text[at : each.start], masks[secret]]
        at = each.end
    return "".join([*parts, text[at:]]), {name: secret for secret, name in masks.items()}


def _passes_luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    if len(digits) not in (13, 14, 15, 16, 19) or len(set(digits)) < 2 or digits[0] not in (2, 3, 4, 5, 6):
        return False
    doubled = (sum(divmod(2 * digit, 10)) if n % 2 else digit for n, digit in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0


def _passes_mod97(text: str) -> bool:
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1
