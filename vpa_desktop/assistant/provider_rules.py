"""What a provider's settings must not hold, whoever typed them: names, addresses and proxies. Asks nobody."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from vpa_desktop.catalog import PROVIDER_ID, LLMProvider, LLMProviderConfig, split_address
from vpa_desktop.config import LOCAL_PROVIDER_ID
from vpa_desktop.errors import ConfigError

SECRET_NAME: Final = re.compile(r"key|token|secret|passw|auth|\bsig\b|signature", re.IGNORECASE)


def check_name(provider_id: str, kind: str) -> None:
    """Raise ConfigError for a name that cannot be one, or that belongs to the model that came with the program."""
    if not PROVIDER_ID.fullmatch(provider_id):
        raise ConfigError(
            f'"{provider_id}" cannot be a provider\'s name',
            "It may have letters, digits, - and _, and begins with a letter or digit",
            "Choose another name",
        )
    if provider_id == LOCAL_PROVIDER_ID and kind != LLMProvider.LLAMA_CPP:
        raise ConfigError(
            f"{provider_id} was not changed",
            "That is the name of the model that came with the program",
            "Choose another name",
        )


def check_addresses(config: LLMProviderConfig) -> None:
    """Raise ConfigError for an address that is none, or that has a secret in it: settings.toml holds none."""
    if config.api_endpoint:
        _check_endpoint(config.provider_id, config.api_endpoint)
    if config.proxy:
        _check_proxy(config.provider_id, config.proxy)


def _check_endpoint(provider_id: str, endpoint: str) -> None:
    parts = split_address(endpoint)
    named = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if SECRET_NAME.search(name)]
    if "@" in parts.netloc or named:
        what = f"a {named[0]}" if named else "a user name or password"
        raise ConfigError(
            f"The endpoint of {provider_id} has {what} in it",
            "A key stands in no address and in no settings file",
            "Take it out and enter the key in Settings, Keys",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f'"{endpoint}" is not an address of a provider',
            "It begins with https:// (or http:// on this machine) and a host name",
            "Copy the base URL from the provider's page",
        )


def _check_proxy(provider_id: str, proxy: str) -> None:
    parts = split_address(proxy)
    if "@" in parts.netloc:
        raise ConfigError(
            f"The proxy of {provider_id} has a user name or password in it",
            "The settings file holds no secret",
            "Set HTTPS_PROXY=http://name:password@proxy:port in the environment instead",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f'"{proxy}" is not a proxy that can be used',
            "It begins with http:// or https:// and a host name; SOCKS is not known here",
            "Correct it, or leave it empty for the environment's",
        )


def origin(config: LLMProviderConfig) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port: a key belongs to them."""
    parts = split_address(config.endpoint)
    return parts.scheme, parts.hostname, parts.port


def home_of_key(config: LLMProviderConfig) -> str:
    """Return where this provider's key may be sent, as it is kept beside the key: "https://api.openai.com"."""
    scheme, host, port = origin(config)
    if not host:
        return ""
    is_usual = port in (None, {"https": 443, "http": 80}.get(scheme))
    return f"{scheme}://{host}" if is_usual else f"{scheme}://{host}:{port}"
