"""Vectors from each dialect: what is asked for, what is made of the answer, and which answers are none."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.embedding_server import DIMENSIONS, KEY, MODEL, embedding_server, installed
from tests.providers.rawserver import RawServer, serving
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.embedding import EmbeddingRequest
from vpa_desktop.errors import AuthenticationFailed, BadReply, ContextTooLong, RateLimited, RequestRejected
from vpa_desktop.gateway.keypool import KeyPool, PoolKey
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.providers.openai import OpenAIProvider

TEXTS = ("A lighthouse.", "A cat.")


def json_reply(payload: Any, status: int = 200, *heads: str) -> bytes:
    body = json.dumps(payload).encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}", *heads]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def openai_rows(*vectors: Sequence[float], encoded: bool = False, tokens: int = 7) -> dict[str, Any]:
    def written(vector: Sequence[float]) -> Any:
        return base64.b64encode(array("f", vector).tobytes()).decode() if encoded else list(vector)

    rows = [{"object": "embedding", "index": n, "embedding": written(v)} for n, v in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows[::-1], "model": "m", "usage": usage}  # a server may answer in any order


class Official(OpenAIProvider):
    """OpenAI's own service, on this machine."""

    is_official = True


def provider(kind: str, server: RawServer, http: HttpSession, model: str = "m", **more: Any) -> BaseLLMProvider:
    path = "" if kind in ("google", "ollama", "azure") else "/v1"
    config = LLMProviderConfig(kind, model, "sk-1", api_endpoint=server.url + path, timeout=5, **more)
    return build_provider(config, http)


# A real server


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """llama.cpp's server, in the mode for vectors."""
    with embedding_server() as address:
        yield address


@installed
@pytest.mark.model
async def test_a_real_server_gives_what_the_official_client_gets_from_it(llama: str, http: HttpSession) -> None:
    openai = pytest.importorskip("openai")
    made = build_provider(LLMProviderConfig("openai_compatible", MODEL, KEY, api_endpoint=llama, timeout=60), http)
    found = await made.embed(EmbeddingRequest(TEXTS, MODEL))
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{llama}/v1") as client:
        theirs = await client.embeddings.create(model=MODEL, input=list(TEXTS))
    assert [len(vector) for vector in found.vectors] == [DIMENSIONS, DIMENSIONS]
    assert found.input_tokens == theirs.usage.prompt_tokens > 2
    for ours, row in zip(found.vectors, theirs.data, strict=True):
        assert list(ours) == pytest.approx(row.embedding, abs=1e-6)


@installed
@pytest.mark.model
async def test_a_wrong_key_and_a_text_too_long_are_said_by_a_real_server(llama: str, http: HttpSession) -> None:
    config = LLMProviderConfig("openai_compatible", MODEL, "wrong", api_endpoint=llama, timeout=60)
    with pytest.raises(AuthenticationFailed):
        await build_provider(config, http).embed(EmbeddingRequest(TEXTS, MODEL))
    with pytest.raises(ContextTooLong):
        await build_provider(config.with_key(KEY), http).embed(EmbeddingRequest(("word " * 3000,), MODEL))


# What is asked for


async def test_openai_is_asked_as_its_own_client_asks(http: HttpSession) -> None:
    openai = pytest.importorskip("openai")
    answer = json_reply(openai_rows([1, 0], [0, 1], encoded=True))
    async with serving(answer) as server:
        config = LLMProviderConfig("openai", "gpt-4o", "sk-1", api_endpoint=f"{server.url}/v1", timeout=5)
        await Official(config, http=http).embed(EmbeddingRequest(TEXTS, "text-embedding-3-small", dimensions=2))
        async with openai.AsyncOpenAI(api_key="sk-1", base_url=f"{server.url}/v1") as client:
            await client.embeddings.create(model="text-embedding-3-small", input=list(TEXTS), dimensions=2)
        ours, theirs = server.requests
        assert ours.splitlines()[0] == theirs.splitlines()[0] == "POST /v1/embeddings HTTP/1.1"
        assert server.bodies[0] == server.bodies[1]
        assert "authorization: bearer sk-1" in ours.lower()


@pytest.mark.parametrize("encoded", [True, False])
async def test_vectors_are_read_as_numbers_or_bytes_in_the_order_of_the_texts(encoded: bool, http: HttpSession) -> None:
    async with serving(json_reply(openai_rows([1, 2], [3, 4], encoded=encoded))) as server:
        found = await provider("openai_compatible", server, http).embed(EmbeddingRequest(TEXTS, "m"))
    assert [list(vector) for vector in found.vectors] == [[1, 2], [3, 4]]
    assert found.input_tokens == 7
    assert server.bodies == [{"model": "m", "input": list(TEXTS)}]


async def test_an_endpoint_without_v1_is_found(http: HttpSession) -> None:
    missing = json_reply({"error": {"message": "no"}}, 404)
    async with serving(missing, json_reply(openai_rows([1, 0], [0, 1]))) as server:
        await provider("openai_compatible", server, http).embed(EmbeddingRequest(TEXTS, "m"))
        paths = [head.split()[1] for head in server.requests]
    assert paths == ["/v1/embeddings", "/embeddings"]


async def test_azure_is_asked_by_the_deployment_on_both_surfaces(http: HttpSession) -> None:
    asked = EmbeddingRequest(TEXTS, "my-vectors")
    async with serving(json_reply(openai_rows([1, 0], [0, 1], encoded=True))) as server:
        await provider("azure", server, http, "gpt-4o", deployment="chat").embed(asked)
        await provider("azure", server, http, "gpt-4o", deployment="chat", api_version="2024-10-21").embed(asked)
        paths = [head.split()[1] for head in server.requests]
        assert "api-key: sk-1" in server.requests[0].lower()
    assert paths == [
        "/openai/v1/embeddings",
        "/openai/deployments/my-vectors/embeddings?api-version=2024-10-21",
    ]
    assert server.bodies[0]["model"] == "my-vectors"


@pytest.mark.parametrize(("purpose", "task"), [("passage", "RETRIEVAL_DOCUMENT"), ("query", "RETRIEVAL_QUERY")])
async def test_google_is_told_what_each_text_is_for(purpose: Any, task: str, http: HttpSession) -> None:
    answer = json_reply({"embeddings": [{"values": [1, 0]}, {"values": [0, 1]}]})
    async with serving(answer) as server:
        made = provider("google", server, http, api_version="v1beta")
        found = await made.embed(EmbeddingRequest(TEXTS, "gemini-embedding-001", purpose, 2))
    assert server.requests[0].split()[1] == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert server.bodies[0]["requests"][1] == {
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "A cat."}]},
        "taskType": task,
        "outputDimensionality": 2,
    }
    assert found.input_tokens is None  # Google does not count there
    assert [list(vector) for vector in found.vectors] == [[1, 0], [0, 1]]


async def test_googles_later_models_are_told_in_words(http: HttpSession) -> None:
    answer = json_reply({"embeddings": [{"values": [1, 0]}], "usageMetadata": {"promptTokenCount": 9}})
    async with serving(answer) as server:
        made = provider("google", server, http, api_version="v1beta")
        found = await made.embed(EmbeddingRequest(("cats?",), "gemini-embedding-2", "query"))
    assert server.bodies[0]["requests"] == [
        {"model": "models/gemini-embedding-2", "content": {"parts": [{"text": "task: search result | query: cats?"}]}}
    ]
    assert found.input_tokens == 9


async def test_ollama_is_asked_for_all_texts_at_once(http: HttpSession) -> None:
    answer = json_reply({"model": "nomic-embed-text", "embeddings": [[1, 0], [0, 1]], "prompt_eval_count": 8})
    async with serving(answer) as server:
        found = await provider("ollama", server, http).embed(EmbeddingRequest(TEXTS, "nomic-embed-text"))
    assert server.requests[0].split()[1] == "/api/embed"
    assert server.bodies[0] == {
        "model": "nomic-embed-text",
        "input": list(TEXTS),
        "truncate": True,
        "keep_alive": "10m",
    }
    assert found.input_tokens == 8


# What is no answer


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (openai_rows([1, 0]), "1 vectors came for 2 texts"),
        (openai_rows([1, 0], [1, 0, 0]), "not all of one length"),
        (openai_rows([1, 0], [0, 0]), "no direction"),
        (openai_rows([1, 0], [float("nan"), 1]), "no direction"),
        (openai_rows([1, 0], [float("inf"), 1]), "no direction"),
        ({"data": [{"embedding": ["a"]}, {"embedding": "§"}]}, "0 vectors came"),
        ({"data": "all of them"}, "0 vectors came"),
        ([], "0 vectors came"),
    ],
)
async def test_what_are_no_vectors_is_refused(payload: Any, said: str, http: HttpSession) -> None:
    async with serving(json_reply(payload)) as server:
        with pytest.raises(BadReply, match=said):
            await provider("openai_compatible", server, http).embed(EmbeddingRequest(TEXTS, "m"))


async def test_too_many_requests_says_how_long_to_wait(http: HttpSession) -> None:
    async with serving(json_reply({"error": {"message": "slow"}}, 429, "Retry-After: 7")) as server:
        with pytest.raises(RateLimited) as refused:
            await provider("openai_compatible", server, http).embed(EmbeddingRequest(TEXTS, "m"))
    assert refused.value.retry_after_s == 7


async def test_a_kind_without_such_models_says_so(http: HttpSession) -> None:
    with pytest.raises(RequestRejected, match="makes no vectors"):
        await build_provider(LLMProviderConfig("mock"), http).embed(EmbeddingRequest(TEXTS, "m"))


async def test_a_refused_key_of_several_is_passed_over_and_the_other_one_named(http: HttpSession) -> None:
    refused = json_reply({"error": {"message": "no", "code": "invalid_api_key"}}, 401)
    async with serving(refused, json_reply(openai_rows([1, 0], [0, 1]))) as server:
        config = LLMProviderConfig("openai_compatible", "m", api_endpoint=f"{server.url}/v1", timeout=5)
        keys = [PoolKey("a", "sk-a", "first"), PoolKey("b", "sk-b", "second")]
        pool = KeyPool(config, keys, lambda each: build_provider(each, http))
        found = await pool.embed(EmbeddingRequest(TEXTS, "m"))
    assert found.key_label == "second"
