"""The words of the configuration before this program: what each is called now, and what has no use any more.

They are those of the set-up around ``VPARAGLLMIntegration``: its variables, and its JSON files. Only words; how a file
is turned into settings is in ``old_config.py``.
"""

from __future__ import annotations

from typing import Final

KINDS_BEFORE: Final = {
    "openai": "openai",
    "anthropic": "anthropic",
    "claude": "anthropic",
    "google": "google",
    "google_gemini": "google",
    "gemini": "google",
    "azure": "azure",
    "azure_openai": "azure",
    "ollama": "ollama",
    "local_ollama": "ollama",
    "local": "ollama",
    "huggingface": "transformers",
    "transformers": "transformers",
    "custom": "openai_compatible",
    "openai_compatible": "openai_compatible",
    "llama_cpp": "llama_cpp",
    "mock": "mock",
}

PROVIDER_WORDS: Final = {
    "model": "model",
    "model_name": "model",
    "default_model": "model",
    "api_endpoint": "api_endpoint",
    "endpoint": "api_endpoint",
    "base_url": "api_endpoint",
    "api_base": "api_endpoint",
    "api_version": "api_version",
    "deployment": "deployment",
    "deployment_name": "deployment",
    "model_path": "model_path",
    "enabled": "enabled",
    "weight": "weight",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "timeout": "timeout_s",
    "timeout_s": "timeout_s",
    "max_retries": "max_retries",
    "max_concurrency": "max_concurrency",
    "max_concurrent_requests": "max_concurrency",
}

WORDS: Final = {
    "default_provider": "routing.default_provider",
    "default_llm_provider": "routing.default_provider",
    "failover_chain": "routing.failover_chain",
    "fallback_chain": "routing.failover_chain",
    "provider_priority": "routing.failover_chain",
    "llm_provider_priority": "routing.failover_chain",
    "strategy": "routing.strategy",
    "load_balancing_strategy": "routing.strategy",
    "fallback_enabled": "routing.fallback_enabled",
    "enable_fallback": "routing.fallback_enabled",
    "enable_fallbacks": "routing.fallback_enabled",
    "enable_llm_fallback": "routing.fallback_enabled",
    "failure_threshold": "routing.circuit_breaker.failure_threshold",
    "recovery_timeout": "routing.circuit_breaker.recovery_timeout_s",
    "recovery_timeout_s": "routing.circuit_breaker.recovery_timeout_s",
    "daily_limit": "budget.daily_limit_usd",
    "daily_cost_limit": "budget.daily_limit_usd",
    "daily_limit_usd": "budget.daily_limit_usd",
    "llm_daily_cost_limit": "budget.daily_limit_usd",
    "monthly_limit": "budget.monthly_limit_usd",
    "monthly_cost_limit": "budget.monthly_limit_usd",
    "monthly_limit_usd": "budget.monthly_limit_usd",
    "llm_monthly_cost_limit": "budget.monthly_limit_usd",
    "cost_tracking": "budget.cost_tracking",
    "enable_cost_tracking": "budget.cost_tracking",
    "llm_cost_tracking": "budget.cost_tracking",
    "cache_enabled": "cache.enabled",
    "enable_caching": "cache.enabled",
    "llm_cache_enabled": "cache.enabled",
    "caching.enabled": "cache.enabled",
    "cache.enabled": "cache.enabled",
    "cache_ttl": "cache.ttl_s",
    "llm_cache_ttl": "cache.ttl_s",
    "caching.ttl": "cache.ttl_s",
    "cache.ttl": "cache.ttl_s",
    "cache_max_size": "cache.max_entries",
    "caching.max_size": "cache.max_entries",
    "cache.max_size": "cache.max_entries",
    "rag_top_k": "rag.top_k",
    "max_context_chunks": "rag.top_k",
}
"""A word, or two with the one it stands under, and what it is in settings.toml."""

STRATEGIES: Final = {
    "weighted": "weighted",
    "weighted_round_robin": "weighted",
    "round_robin": "weighted",
    "weighted_random": "weighted",
    "latency": "fastest",
    "least_latency": "fastest",
    "fastest": "fastest",
    "cost": "cheapest",
    "cost_optimized": "cheapest",
    "cheapest": "cheapest",
    "failover": "failover",
    "priority": "failover",
    "fixed": "fixed",
}

BALANCING: Final = ("load_balancing_enabled", "enable_load_balancing")
WEIGHTS: Final = ("provider_weights", "llm_provider_weights")
LISTS: Final = ("providers", "llm_providers", "provider_configs")
KEYS: Final = ("api_key", "apikey", "key")

REASONS: Final = {
    "cost_per_token": "each model's prices are in the price catalogue now; where yours differ, set "
    "input_cost_per_million and output_cost_per_million",
    "rate_limit_rpm": "what a provider allows is learned from its answers; max_concurrency limits requests at once",
    "rate_limit_tpm": "what a provider allows is learned from its answers; max_concurrency limits requests at once",
    "half_open_max_calls": "one request at a time finds out whether a provider is back",
    "environment": "set the variable VPA_ENVIRONMENT",
    "organization": "a key belongs to its organisation already",
    "min_similarity_threshold": "passages are chosen by words and meaning together, not by one number",
    "enable_advanced_llm": "it is always on",
    "enable_multi_provider": "it is always on",
    "llm_performance_monitoring": "it is always on: see vpa-desktop stats",
    "performance_monitoring": "it is always on: see vpa-desktop stats",
    "cost_alerts": "budget.warn_at says at which shares of a limit you are told",
    "llm_cost_alerts": "budget.warn_at says at which shares of a limit you are told",
}
"""Words that nothing stands for now, and why."""

OLD_VARIABLES: Final = {
    **{
        f"VPA_{name.upper()}_{word.upper()}": (name, word)
        for name in ("openai", "anthropic", "google")
        for word in ("model", "max_tokens", "temperature", "timeout")
    },
    "VPA_LOCAL_MODEL_ENDPOINT": ("ollama", "api_endpoint"),
    "VPA_LOCAL_MODEL_NAME": ("ollama", "model"),
    "VPA_LOCAL_MODEL_TIMEOUT": ("ollama", "timeout"),
    "VPA_LLM_PROVIDER_PRIORITY": ("", "llm_provider_priority"),
    "VPA_LLM_CACHE_ENABLED": ("", "llm_cache_enabled"),
    "VPA_LLM_CACHE_TTL": ("", "llm_cache_ttl"),
    "VPA_LLM_DAILY_COST_LIMIT": ("", "llm_daily_cost_limit"),
    "VPA_LLM_MONTHLY_COST_LIMIT": ("", "llm_monthly_cost_limit"),
}
"""A variable that is still heeded: the provider it is about (none: all), and its word."""

STILL_VARIABLES: Final = {
    "VPA_DEFAULT_LLM_PROVIDER": "default_llm_provider",
    "VPA_DEFAULT_LLM_MODEL": "default_llm_model",
    "VPA_ENABLE_LLM_FALLBACK": "enable_llm_fallback",
    "VPA_LLM_COST_TRACKING": "llm_cost_tracking",
}
"""Variables that go on as they are; only a file of them is turned into settings."""

KEY_VARIABLES: Final = {
    "OPENAI_API_KEY": "openai",
    "ANTHROPIC_API_KEY": "anthropic",
    "GOOGLE_API_KEY": "google",
    "GEMINI_API_KEY": "google",
    "AZURE_OPENAI_API_KEY": "azure",
}
