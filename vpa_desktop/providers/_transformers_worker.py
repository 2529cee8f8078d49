"""The program of a Transformers model's own process: Chat Completions on loopback, until its parent goes away.

Nothing else of this package is imported; and it is the only place that imports transformers and torch. As
_llama_server.py it reads its settings from one line on stdin and says one line on stdout. It never downloads, never
runs code that a model brings along, and reads safetensors only: the older formats are pickles, which run code.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, TextIO

PING_S: Final = 5.0
"""How often a comment says that a long prompt is still being read."""

MAX_TOKENS: Final = 1_024
"""Where nobody set a limit: a model that never ends would use all processors for ever."""

PLAIN_STOP: Final = "\nUser:"
"""Ends an answer of a model without a chat template, which else goes on with the person's part."""

BODY_BYTES: Final = 64 << 20
BROKEN: Final = "\ufffd"


class TooLong(Exception):
    """The prompt leaves no room for an answer."""


class Model:
    """The loaded model: prompts in, tokens out. One generation at a time."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        import torch
        import transformers

        engine: Any = transformers
        engine.utils.logging.set_verbosity_error()
        engine.utils.logging.disable_progress_bar()
        torch.set_num_threads(settings["threads"])
        safe = {"local_files_only": True, "trust_remote_code": False}
        self.tokenizer: Any = engine.AutoTokenizer.from_pretrained(settings["model"], **safe)
        self.net: Any = engine.AutoModelForCausalLM.from_pretrained(
            settings["model"], use_safetensors=True, dtype="auto", **safe
        )
        self.net.eval()
        if torch.cuda.is_available():
            self.net.to("cuda")
        self.window = self._window(settings.get("context_tokens"))
        self.lock = threading.Lock()

    def _window(self, wanted: int | None) -> int:
        config = self.net.config.get_text_config()
        sizes = [wanted, getattr(config, "max_position_embeddings", None), self.tokenizer.model_max_length]
        return int(min((size for size in sizes if size and size < 1 << 24), default=4_096))

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """The tokens of a conversation, by the model's own chat template or, without one, as plain lines."""
        turns = merged(messages)
        if not self.tokenizer.chat_template:
            return list(self.tokenizer(plain(turns))["input_ids"])
        text = self._templated(turns)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _templated(self, turns: Sequence[Mapping[str, str]]) -> str:
        from jinja2 import TemplateError

        as_it_is = {"add_generation_prompt": True, "tokenize": False}
        try:
            return str(self.tokenizer.apply_chat_template(turns, **as_it_is))
        except TemplateError:  # a model that knows no instructions gets them with the first question
            turns = merged(turns, system_as="user")
        try:
            return str(self.tokenizer.apply_chat_template(turns, **as_it_is))
        except TemplateError as exc:
            raise ValueError(f"the model's chat template refuses this conversation: {exc}") from exc

    def answer(self, body: Mapping[str, Any], say: Callable[[str], bool]) -> dict[str, Any]:
        """Generate an answer, hand each piece to ``say`` until it returns False, and return finish and usage.

        Raises TooLong where the prompt does not fit.
        """
        import torch
        from transformers import StoppingCriteriaList

        ids = self.prompt(body["messages"])
        room = self.window - len(ids)
        if room < 1:
            raise TooLong(f"The prompt has {len(ids)} tokens and the model's window {self.window}")
        stops = [*body.get("stop", ()), *([] if self.tokenizer.chat_template else [PLAIN_STOP])]
        pieces = Pieces(self.tokenizer, len(ids), stops, say)

        def is_ended(input_ids: Any, scores: Any, **kwargs: Any) -> Any:
            return torch.full((input_ids.shape[0],), pieces.ended, device=input_ids.device, dtype=torch.bool)

        checks: Any = StoppingCriteriaList()
        checks.append(is_ended)
        given = torch.tensor([ids], device=self.net.device)
        limit = min(body.get("max_tokens") or MAX_TOKENS, room)
        with self.lock, torch.inference_mode():
            self.net.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=limit,
                pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
                streamer=pieces,
                stopping_criteria=checks,
                num_beams=1,
                **sampling(body),
            )
        pieces.end()
        ends = self.net.generation_config.eos_token_id
        return {
            "finish_reason": finish(pieces, limit, ends if isinstance(ends, list) else [ends]),
            "usage": {"prompt_tokens": len(ids), "completion_tokens": len(pieces.ids)},
        }


class Pieces:
    """Takes tokens as they are generated and hands on whole characters, held back where a stop text may begin."""

    def __init__(self, tokenizer: Any, skip: int, stops: Sequence[str], say: Callable[[str], bool]) -> None:
        self.ids: list[int] = []
        self.ended = False
        self._tokenizer = tokenizer
        self._skip = skip
        self._stops = [stop for stop in stops if stop]
        self._say = say
        self._begun = self._read = 0
        self._held = ""

    def put(self, value: Any) -> None:
        """Take what was generated; the first call is the prompt. Called by ``generate``."""
        tokens = value.flatten().tolist()
        if self._skip:
            self._skip = 0
            return
        self.ids += tokens
        self._hand_on(self._new_text(), is_last=False)

    def end(self) -> None:
        """Hand on what was held back. Called by ``generate`` and, where that did not, at the end."""
        self._hand_on(self._new_text(is_last=True), is_last=True)

    def _new_text(self, *, is_last: bool = False) -> str:
        """The text since the last call: decoded with a few tokens before it, since pieces of words depend on them."""
        before = self._decoded(self.ids[self._begun : self._read])
        text = self._decoded(self.ids[self._begun :])
        if len(text) <= len(before) or (text.endswith(BROKEN) and not is_last):
            return ""
        self._begun, self._read = self._read, len(self.ids)
        return text[len(before) :]

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _hand_on(self, text: str, *, is_last: bool) -> None:
        if self.ended:
            return
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        keep = 0 if is_last else max((_overlap(self._held, stop) for stop in self._stops), default=0)
        ready = self._held[: min(found)] if found else self._held[: len(self._held) - keep]
        self._held = self._held[len(ready) :]
        is_there = self._say(ready)
        self.ended = bool(found) or not is_there


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text may be the beginning of a stop text."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)


def finish(pieces: Pieces, limit: int, ends: Sequence[int | None]) -> str:
    """Why the answer ended: by itself or at a stop text, or because it was long enough."""
    by_itself = pieces.ended or (bool(pieces.ids) and pieces.ids[-1] in ends)
    return "length" if len(pieces.ids) >= limit and not by_itself else "stop"


def sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    """How tokens are chosen: as asked, else as the model's own settings say. Temperature 0 takes the likeliest."""
    temperature = body.get("temperature")
    if temperature == 0:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    chosen = {"temperature": temperature, "top_p": body.get("top_p")}
    found: dict[str, Any] = {name: float(value) for name, value in chosen.items() if value is not None}
    return {**found, "do_sample": True} if found else {}


def merged(messages: Sequence[Mapping[str, Any]], *, system_as: str = "system") -> list[dict[str, str]]:
    """The turns as templates want them: text only, roles that alternate, results of tools as the person's words."""
    found: list[dict[str, str]] = []
    for message in messages:
        role = {"tool": "user", "system": system_as}.get(message["role"], message["role"])
        content = message.get("content") or ""
        if isinstance(content, list):
            content = "\n".join(part.get("text", "") for part in content)
        if found and found[-1]["role"] == role:
            found[-1]["content"] += "\n\n" + content
        else:
            found.append({"role": role, "content": content})
    return found


def plain(turns: Sequence[Mapping[str, str]]) -> str:
    """A conversation for a model that has no template: instructions, then "User:" and "Assistant:" line by line."""
    names = {"user": "User: ", "assistant": "Assistant: "}
    lines = [names.get(turn["role"], "") + turn["content"] for turn in turns]
    return "\n".join([*lines, "Assistant:"])


class Handler(BaseHTTPRequestHandler):
    """The two routes: an answer as a stream, and the number of tokens of a prompt."""

    protocol_version = "HTTP/1.0"  # the end of the body is the end of the connection
    model: ClassVar[Model]
    key: ClassVar[str]

    def do_POST(self) -> None:
        """Answer one request; only the parent knows the key."""
        if self.headers.get("Authorization") != f"Bearer {self.key}":
            self._json(401, {"error": {"message": "wrong key", "code": 401}})
            return
        body = json.loads(self.rfile.read(min(int(self.headers.get("Content-Length") or 0), BODY_BYTES)))
        if self.path == "/v1/chat/completions/input_tokens":
            self._json(200, {"input_tokens": len(self.model.prompt(body["messages"]))})
        elif self.path == "/v1/chat/completions":
            self._stream(body)
        else:
            self._json(404, {"error": {"message": "there is nothing here", "code": 404}})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: every request is the parent's own."""

    def _stream(self, body: Mapping[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        with Pinging(self.wfile.write, self.wfile.flush) as write:

            def say(text: str) -> bool:
                if text:
                    write(_event({"choices": [{"index": 0, "delta": {"content": text}}]}))
                return not self._is_gone()

            try:
                end = self.model.answer(body, say)
                choice = {"index": 0, "delta": {}, "finish_reason": end["finish_reason"]}
                write(_event({"choices": [choice], "usage": end["usage"]}) + b"data: [DONE]\n\n")
            except TooLong as exc:
                write(_event({"error": {"type": "exceed_context_size_error", "message": str(exc)}}))
            except ConnectionError:
                return
            except (RuntimeError, ValueError, MemoryError, ArithmeticError, LookupError) as exc:
                code = "out_of_memory" if is_out_of_memory(exc) else "generation_failed"
                write(_event({"error": {"code": code, "message": f"{type(exc).__name__}: {exc}"}}))

    def _is_gone(self) -> bool:
        """Whether the parent has hung up, which is how it stops an answer."""
        if not select.select([self.connection], [], [], 0)[0]:
            return False
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _json(self, status: int, payload: Mapping[str, Any]) -> None:
        data = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Pinging:
    """Writes a comment whenever nothing was written for a while; yields the function to write with."""

    def __init__(self, write: Callable[[bytes], Any], flush: Callable[[], Any]) -> None:
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._write, self._flush = write, flush
        self._thread = threading.Thread(target=self._ping, daemon=True)

    def __enter__(self) -> Callable[[bytes], None]:
        self._thread.start()
        return self.write

    def __exit__(self, *failure: object) -> None:
        self._done.set()
        self._thread.join()

    def write(self, data: bytes) -> None:
        """Send these bytes now."""
        with self._lock:
            self._write(data)
            self._flush()

    def _ping(self) -> None:
        while not self._done.wait(PING_S):
            try:
                self.write(b": working\n\n")
            except OSError:
                return  # nobody listens; the answer itself finds out


def _event(payload: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether memory was short: torch has a class of its own for cards and none for the processor."""
    said = str(exc)
    return isinstance(exc, MemoryError) or "out of memory" in said or "can't allocate memory" in said


def reason(exc: BaseException) -> str:
    """Why loading failed, as a word the parent makes a sentence of."""
    said = str(exc)
    if is_out_of_memory(exc):
        return "memory"
    if isinstance(exc, ImportError):
        return "missing"
    if "trust_remote_code" in said:
        return "own_code"
    if "safetensors" in said:
        return "not_safe"
    return "not_found" if isinstance(exc, OSError) else "not_a_model"


def main(arguments: Sequence[str] = ()) -> None:
    """Load, serve until stdin ends; it takes no arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to handle
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    settings = json.loads(sys.stdin.readline())
    try:
        Handler.model = Model(settings)
    except (OSError, ValueError, RuntimeError, ImportError, LookupError, TypeError, AttributeError, MemoryError) as exc:
        _say(answers, {"reason": reason(exc), "error": f"{type(exc).__name__}: {exc}"})
        os._exit(1)
    Handler.key = settings["api_key"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _say(answers, {"port": server.server_address[1], "context_tokens": Handler.model.window})
    sys.stdin.read()
    os._exit(0)  # at once: nothing here is worth an orderly end, and native threads may be busy


def _say(answers: TextIO, line: Mapping[str, Any]) -> None:
    answers.write(json.dumps(line) + "\n")
    answers.close()


if __name__ == "__main__":
    main()
