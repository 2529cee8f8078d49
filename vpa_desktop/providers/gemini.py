"""Google's Gemini dialect, in its versions v1 and v1beta: how an answer is asked for and read.

What goes into a request is built in ``_gemini_request``. Thoughts are shown and not sent back; what Google signed in
a turn with function calls goes back on the same parts, while those calls are being answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from vpa_desktop.catalog import ModelInfo, split_address
from vpa_desktop.embedding import EmbeddingRequest
from vpa_desktop.errors import ProviderError
from vpa_desktop.messages import FinishReason, LLMRequest, StreamEvent, ToolCall, Usage
from vpa_desktop.providers._answer import Answer
from vpa_desktop.providers._dialect import Ask
from vpa_desktop.providers._embeddings import EmbeddingProvider, Read
from vpa_desktop.providers._failures import Problem
from vpa_desktop.providers._frames import Framing, JSONFrames, SSEOrJSON
from vpa_desktop.providers._gemini_embeddings import batch_body, read_batch
from vpa_desktop.providers._gemini_parts import AnswerPart, total
from vpa_desktop.providers._gemini_request import OPTIONAL, TOKEN, content_body, refused_name, request_body, without
from vpa_desktop.providers._http import LINE_BYTES
from vpa_desktop.providers._refusals import without_quotations
from vpa_desktop.providers._retry_after import duration_s
from vpa_desktop.providers._values import count, dict_of, dicts_of, text_of
from vpa_desktop.tokens import TokenCount

FINISH: Final[dict[str, FinishReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "continue",
    "FUNCTION_CALL": "tool_calls",
}
BLOCKED: Final = re.compile("SAFETY|PROHIBITED|BLOCK|SPII|RECITATION|ARMOR|LANGUAGE|ESCALATION|JAILBREAK|PUP_LIMITED")
"""Words of the finish reasons that mean a filter; what is in neither table is an error."""

STATUS: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNKNOWN": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""google.rpc.Code as HTTP statuses, for an error that names only the former."""

NO_CHAT: Final = re.compile(r"-tts|-image|-audio|-live|embedding|imagen|veo|lyria|\baqa\b|robotics|computer-use")
PAGES: Final = 20
PARTS: Final = 16
"""In how many parts an answer may come (Google ends each at 65,536 tokens)."""


class GoogleProvider(EmbeddingProvider):
    """The Gemini API. The endpoint may end with a version; without one v1 is asked, then v1beta."""

    optional = OPTIONAL
    base_by_model = True
    finish_on_every_event = True

    def bases(self) -> Sequence[str]:
        """The version that was chosen, or both."""
        endpoint = self.config.endpoint
        last = split_address(endpoint).path.rpartition("/")[2]
        written = last if re.fullmatch(r"v\d+\w*", last) else ""
        root = endpoint.removesuffix("/" + written) if written else endpoint
        chosen = self.config.api_version or written
        if _is_alias(self.model):
            chosen = "v1beta"
        return [f"{root}/{version}" for version in ([chosen] if chosen else ["v1", "v1beta"])]

    def path(self) -> str:
        """Where the configured model is asked."""
        return _method(self.model, "streamGenerateContent?alt=sse")

    def asks(self, request: LLMRequest, model: str) -> Sequence[Ask]:
        """The one way: the model is part of the path."""
        return [Ask(_method(model, "streamGenerateContent?alt=sse"), self.body(request, model))]

    def url(self, base: str, path: str, model: str) -> str:
        """Where this model is asked: the "-latest" names are known to v1beta only."""
        if _is_alias(model) and base.endswith("/v1"):
            base += "beta"
        return base + path

    def headers(self) -> Mapping[str, str]:
        """The key in a header: an address ends up in logs."""
        headers = {"Content-Type": "application/json"}
        if self.config.api_key:
            headers["x-goog-api-key"] = self.config.api_key
        return headers

    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The request as Google wants it."""
        return request_body(request, self.config, model)

    def without(self, body: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        """The body without refused fields, wherever they stand in it."""
        return without(body, refused)

    def refused(self, problem: Problem, sent: Mapping[str, Any]) -> str | None:
        """The optional field that a 400 is about, also where it names it only in words."""
        if problem.status != 400 or problem.classify() != "invalid_request":
            return None
        return refused_name(problem.param, without_quotations(problem.message), sent)

    def framing(self, shape: str) -> Framing | None:
        """Events with bare JSON among them; or objects, in an array where ``alt=sse`` got lost on the way."""
        return SSEOrJSON(LINE_BYTES) if shape == "sse" else JSONFrames(LINE_BYTES)

    def refine(self, problem: Problem) -> Problem:
        """The code is the most exact reason given; details say how long to wait and which field was wrong."""
        fields = problem.fields
        status = fields.get("status")
        details = dicts_of(fields.get("details"))
        reason = next((entry["reason"] for entry in details if isinstance(entry.get("reason"), str)), None)
        number = fields.get("code")
        if not isinstance(number, int):
            number = STATUS.get(str(status))
        daily = any(_is_daily(entry) for entry in details)
        return replace(
            problem,
            code=reason or (status if isinstance(status, str) and status else problem.code),
            kind="daily_quota" if daily else str(number) if number else problem.kind,
            next_step="Wait for the next day, or raise the limit at Google, or choose another provider"
            if daily
            else "",
            param=problem.param or next((found for entry in details if (found := _violation(entry))), None),
            retry_after_s=problem.retry_after_s
            if problem.retry_after_s is not None
            else next((wait for entry in details if (wait := _delay_s(entry.get("retryDelay"))) is not None), None),
        )

    def read_event(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take one GenerateContentResponse into the answer; any part of it may be missing."""
        answer.model = text_of(payload.get("modelVersion")) or answer.model
        answer.response_id = text_of(payload.get("responseId")) or answer.response_id
        usage = payload.get("usageMetadata")
        if isinstance(usage, dict) and usage:
            answer.usage = _usage(usage)  # a running total: the last one counts
        blocked = dict_of(payload.get("promptFeedback")).get("blockReason")
        if isinstance(blocked, str) and blocked and not blocked.endswith("_UNSPECIFIED"):
            answer.finish = "content_filter"
        events: list[StreamEvent] = []
        for candidate in dicts_of(payload.get("candidates")):
            if candidate.get("index") not in (0, None):
                continue
            for part in dicts_of(dict_of(candidate.get("content")).get("parts")):
                events += _read_part(part, answer)
            answer.token = text_of(candidate.get("continuationToken")) or answer.token
            finish = candidate.get("finishReason")
            if isinstance(finish, str) and finish and not finish.upper().endswith("UNSPECIFIED"):
                answer.finish = _finish(finish.upper())
        return events

    def read_whole(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """The same for an answer that came in one piece."""
        return self.read_event(payload, answer)

    def carried(self, answer: Answer) -> Sequence[Mapping[str, Any]]:
        """The turn as it was signed, where it called functions; or the token to go on with."""
        if answer.finish == "continue" and answer.token:
            return ({TOKEN: answer.token},)
        signed_text = any("text" in part and "thoughtSignature" in part for part in answer.parts)
        return tuple(answer.parts) if answer.tools and signed_text else ()

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer as it comes, then one StreamDone; raises ProviderError.

        An answer too long for one request comes in parts, each asked for with the token of the one before.
        """
        done, text = None, ""
        for _ in range(PARTS):
            part = AnswerPart(text, done)
            try:
                async with aclosing(super().stream(part.request(request))) as events:
                    async for event in events:
                        for known in part.take(event):
                            yield known
            except ProviderError as exc:
                if done is None or part.spoke:
                    exc.usage = part.with_earlier(exc.usage)
                    raise
                break  # what is there is whole up to here, and says itself that more would follow
            if part.repeated or part.done is None:
                break
            for known in part.flush():
                yield known
            done, text = part.total(), part.text
            if done.finish_reason != "continue" or done.carry is None:
                break
        if done is not None:
            yield done

    def embedding_ask(self, request: EmbeddingRequest) -> Ask:
        """Several texts in one request; the model is part of the path and of each text."""
        return Ask(_method(request.model, "batchEmbedContents"), batch_body(request))

    def read_embeddings(self, payload: Mapping[str, Any]) -> Read:
        """Vectors in the order of the texts."""
        return read_batch(payload)

    async def list_models(self) -> list[ModelInfo]:
        """The models this key may use, with their limits; some are listed that do not answer in text."""
        found: list[ModelInfo] = []
        after = ""
        for _ in range(PAGES):
            payload = dict_of(await self.get_json(f"/models?pageSize=1000{after}"))
            found += [_model(row) for row in dicts_of(payload.get("models")) if row.get("name")]
            token = text_of(payload.get("nextPageToken"))
            if token is None:
                break
            after = f"&pageToken={quote(token, safe='')}"
        return found

    async def count_tokens(self, request: LLMRequest) -> TokenCount:
        """Google's own count, which is free; an estimate where it cannot be had."""
        model = str(request.model or self.model)
        try:
            payload = dict_of(await self.get_json(_method(model, "countTokens"), content_body(request, model)))
        except ProviderError:
            return await super().count_tokens(request)
        total = count(payload.get("totalTokens"))
        return TokenCount(total, False) if total is not None else await super().count_tokens(request)


def _method(model: str, method: str) -> str:
    name = model if "/" in model else f"models/{model}"
    return f"/{quote(name)}:{method}"


def _is_alias(model: str) -> bool:
    return re.fullmatch(r"(?:models/)?gemini-.*-latest", model) is not None


def _finish(reason: str) -> FinishReason:
    return FINISH.get(reason, "content_filter" if BLOCKED.search(reason) else "error")


def _read_part(part: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
    """One part of the answer; a signature may stand on any, even on one without text."""
    text, signature = part.get("text"), text_of(part.get("thoughtSignature"))
    if part.get("thought") is True:
        return answer.add_reasoning(text)
    signed = {"thoughtSignature": signature} if signature else {}
    call = part.get("functionCall")
    if isinstance(call, dict) and call.get("name"):
        arguments = json.dumps(dict_of(call.get("args")), ensure_ascii=False)
        index = len(answer.tools)
        answer.tools[index] = ToolCall(text_of(call.get("id")) or "", str(call["name"]), arguments, signature or "")
        answer.parts.append({"functionCall": call, **signed})
        return []
    if isinstance(text, str) and (text or signature):
        answer.parts.append({"text": text, **signed})
    return answer.add_text(text)


def _usage(usage: Mapping[str, Any]) -> Usage:
    """Token counts; the cached ones are inside the prompt's, the thoughts beside the candidates'."""
    names = ("promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    prompt, tool_use, answer, thoughts = (count(usage.get(name)) for name in names)
    return Usage(
        input_tokens=total(prompt, tool_use),
        output_tokens=total(answer, thoughts),
        cached_input_tokens=count(usage.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
    )


def _model(row: Mapping[str, Any]) -> ModelInfo:
    name = str(row["name"]).removeprefix("models/")
    methods = row.get("supportedGenerationMethods")
    thinking = row.get("thinking")
    return ModelInfo(
        name,
        count(row.get("inputTokenLimit")),
        count(row.get("outputTokenLimit")),
        name=text_of(row.get("displayName")) or "",
        reasoning=thinking if isinstance(thinking, bool) else None,
        chat="generateContent" in methods and not NO_CHAT.search(name) if isinstance(methods, list) else None,
    )


def _is_daily(detail: Mapping[str, Any]) -> bool:
    """True for a QuotaFailure about a day's quota: waiting a minute does not help."""
    ids = [entry.get("quotaId") for entry in dicts_of(detail.get("violations"))]
    return any(isinstance(name, str) and "perday" in name.lower() for name in ids)


def _violation(detail: Mapping[str, Any]) -> str | None:
    fields = [entry.get("field") for entry in dicts_of(detail.get("fieldViolations"))]
    return next((name for name in fields if isinstance(name, str) and name), None)


def _delay_s(value: Any) -> float | None:
    """A google.protobuf.Duration: "37.4s"."""
    return duration_s(value) if isinstance(value, str) else None
