"""The command line against its contract: what it prints, its exit codes, and that nothing is lost or leaked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.program import DOCUMENTS, LLMock, Program
from tests.ports import free_port

ANSWER_KEYS = {
    *("content", "provider", "model", "finish_reason", "usage", "cost_usd", "ttft_ms", "latency_ms", "cached"),
    *("conversation_id", "message_id", "context_used", "citations", "attempts", "redactions", "warnings"),
    *("first_choice", "first_choice_usd", "saved_usd", "saved_ms", "searched_for", "left_out", "quality"),
}
KEY = "sk-CANARY0123456789abcdefghij"


def openai_at(endpoint: str, more: str = "") -> str:
    return f"""
[providers.main]
kind = "openai"
model = "gpt-4o"
api_endpoint = "{endpoint}"
max_retries = 0
timeout_s = 5
{more}
[providers.spare]
kind = "mock"
[routing]
default_provider = "main"
failover_chain = ["main", "spare"]
"""


def test_an_answer_from_a_real_endpoint_with_a_key_of_the_environment(program: Program, llmock: LLMock) -> None:
    program.settings(openai_at(f"{llmock.base}/v1"))
    ran = program("ask", "Say hello", "--conversation", "new", "--json", OPENAI_API_KEY=KEY)
    assert ran.code == 0, ran.err
    answer = ran.json
    assert set(answer) == ANSWER_KEYS
    assert answer["provider"] == "main"
    assert answer["content"]
    assert answer["cost_usd"] > 0
    shown = program("chats", "show", answer["conversation_id"], "--json").json
    assert [m["content"] for m in shown["messages"]] == ["Say hello", answer["content"]]
    costs = program("costs", "--json").json
    assert costs["daily_cost"] == pytest.approx(answer["cost_usd"])
    stats = program("stats", "--json").json
    assert stats["performance"]["total_requests"] == 1
    assert stats["providers"]["main"]["success_rate"] == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"type": "fail", "status": 503, "times": 1},
        {"type": "fail", "status": 429, "times": 1, "retry_after": 30},
        {"type": "stream_fault", "kind": "disconnect", "after_chunks": 0, "times": 1},
    ],
)
def test_the_spare_answers_when_the_first_fails(program: Program, llmock: LLMock, fault: dict[str, object]) -> None:
    program.settings(openai_at(f"{llmock.base}/v1"))
    llmock.behave(fault)
    answer = program("ask", "Ping", "--json", OPENAI_API_KEY=KEY).json
    assert answer["provider"] == "spare"
    assert answer["content"].strip() == "Ping"
    assert [a["outcome"] for a in answer["attempts"]][-1] == "ok"
    assert answer["attempts"][0]["provider"] == "main"
    assert answer["attempts"][0]["reason"]


def test_a_truncated_stream_is_never_a_whole_answer(program: Program, llmock: LLMock) -> None:
    program.settings(openai_at(f"{llmock.base}/v1"))
    llmock.behave(
        {"type": "reply", "text": "one two three four five six seven eight nine ten"},
        {"type": "stream_fault", "kind": "truncate", "after_chunks": 7},
    )
    answer = program("ask", "Ping", "--json", OPENAI_API_KEY=KEY).json
    assert answer["attempts"][0]["outcome"] == "interrupted"
    assert answer["attempts"][-1] == answer["attempts"][-1] | {"provider": "spare", "outcome": "ok"}


def test_a_dead_endpoint_alone_is_exit_code_4_and_one_line(program: Program) -> None:
    program.settings(
        f"""
[providers.main]
kind = "openai_compatible"
model = "m"
api_endpoint = "http://127.0.0.1:{free_port()}/v1"
max_retries = 0
[routing]
default_provider = "main"
strategy = "fixed"
"""
    )
    ran = program("ask", "Ping", "--json")
    assert ran.code == 4
    assert ran.out == ""
    assert len(ran.err.strip().splitlines()) == 1
    assert ran.err.startswith("error: ")
    assert "main" in ran.err


def test_a_limit_is_checked_before_anything_is_sent(program: Program, llmock: LLMock) -> None:
    program.settings(openai_at(f"{llmock.base}/v1") + "\n[budget]\ndaily_limit_usd = 0.0001\n")
    ran = program("ask", "Ping", OPENAI_API_KEY=KEY)
    assert ran.code == 5
    assert "daily limit" in ran.err


def test_a_broken_settings_file_is_named_and_the_rest_works(program: Program) -> None:
    program.settings('[providers.spare]\nkind = "mock"\n[routing]\nstrategy = "fastets"\ndefault_provider = "spare"\n')
    before = (program.home / "settings.toml").read_bytes()
    ran = program("ask", "Ping", "--json")
    assert ran.json["content"] == "Ping"
    assert "line 4" in ran.err
    assert "fastets" in ran.err
    assert (program.home / "settings.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ask",), 2),
        (("frobnicate",), 2),
        (("docs", "search"), 2),
        (("chats", "show", "nope"), 2),
        (("keys", "set", "nobody"), 3),
        (("providers", "add", "x y", "--kind", "mock"), 3),
        (("ask", "Ping", "--conversation", "nope"), 2),
        (("ask", "Ping", "--provider", "nobody"), 2),
        (("--home", "", "chats", "list"), 2),
    ],
)
def test_mistakes_have_a_sentence_and_their_exit_code(program: Program, arguments: tuple[str, ...], code: int) -> None:
    ran = program(*arguments)
    assert ran.code == code, ran.err
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err


def test_a_home_that_cannot_be_used(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    done = Program(tmp_path)("--home", str(blocker / "home"), "chats", "list")
    assert done.code == 3
    assert "data folder" in done.err


def test_keys_go_into_the_encrypted_file_and_nowhere_else(program: Program) -> None:
    program.settings('[providers.mine]\nkind = "openai"\n')
    vault = {"VPA_VAULT": "file", "VPA_VAULT_PASSPHRASE": "correct horse"}
    assert program("keys", "set", "mine", stdin=f"  '{KEY}'\n", **vault).code == 0
    listed = program("keys", "list", "--json", **vault)
    (key,) = listed.json["keys"]
    assert (key["provider"], key["source"], key["hint"]) == ("mine", "vault", f"…{KEY[-4:]}")
    for file in program.home.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file
    wrong = program("keys", "list", VPA_VAULT="file", VPA_VAULT_PASSPHRASE="wrong")
    assert KEY[-4:] not in wrong.out
    assert program("keys", "delete", "mine", **vault).code == 0
    assert program("keys", "list", "--json", **vault).json["keys"] == []


def test_a_key_is_never_an_argument(program: Program) -> None:
    assert program("keys", "set", "openai", KEY).code == 2


def test_a_wrong_key_is_said_in_words_and_does_not_show_the_key(program: Program, llmock: LLMock) -> None:
    program.settings(openai_at(f"{llmock.base}/v1"))
    llmock.behave({"type": "fail", "status": 401, "times": 5})
    ran = program("providers", "test", "main", "--json", OPENAI_API_KEY=KEY)
    assert ran.code in (0, 4)  # the mock's model list does not ask for the key; the answer below does
    answer = program("ask", "Ping", "--json", OPENAI_API_KEY=KEY)
    assert "key" in answer.json["attempts"][0]["reason"].lower()
    assert KEY not in answer.out + answer.err + ran.out + ran.err


def test_offline_contacts_nothing_but_loopback(program: Program) -> None:
    program.settings('[providers.main]\nkind = "openai"\n[providers.spare]\nkind = "mock"\n')
    ran = program("ask", "Ping", "--provider", "main", "--json", VPA_OFFLINE="1", OPENAI_API_KEY=KEY)
    assert ran.code == 0, ran.err
    assert ran.json["attempts"][0]["provider"] == "main"
    assert "offline" in ran.json["attempts"][0]["reason"].lower()


def test_text_piped_in_is_added_to_the_question(program: Program) -> None:
    program.settings('[providers.spare]\nkind = "mock"\n[routing]\ndefault_provider = "spare"\n')
    ran = program("ask", "Summarise:", "--json", stdin="the text")
    assert ran.json["content"].split() == ["Summarise:", "the", "text"]


def test_a_secret_in_a_question_is_masked_before_it_leaves_and_restored(program: Program, llmock: LLMock) -> None:
    program.settings(openai_at(f"{llmock.base}/v1"))
    ran = program("ask", f"My key is {KEY}", "--json", OPENAI_API_KEY="sk-other0123456789abcdefgh")
    assert ran.json["redactions"]
    assert any("masked" in w for w in ran.json["warnings"])


@pytest.mark.slow
@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the shared documents are not here")
def test_a_document_is_added_found_and_cited_with_its_page(program: Program, tmp_path: Path) -> None:
    program.settings('[providers.spare]\nkind = "mock"\n[routing]\ndefault_provider = "spare"\n')
    names = ("markitdow__movie-theater-booking-2024.pdf", "kreuzberg__word_sample.docx", "made__zero.pdf")
    added = program("docs", "add", *(str(DOCUMENTS / name) for name in names), "--json")
    assert added.code == 0, added.err
    assert added.json["added"] == 2
    assert [Path(f["path"]).name for f in added.json["failed"]] == ["made__zero.pdf"]
    assert added.json["failed"][0]["reason"]
    again = program("docs", "add", str(DOCUMENTS / names[0]), "--json").json
    assert (again["unchanged"], again["chunks"]) == (1, 0)
    found = program("docs", "search", "Starlight Cinemas booking order", "--json").json
    assert found["results"][0]["document"] == names[0]
    assert found["results"][0]["page"] == 1
    assert set(found["results"][0]["why"]) == {"dense_rank", "keyword_rank", "rerank_score"}
    answer = program("ask", "Which cinema is the booking order of Starlight Cinemas for?", "--json").json
    assert answer["context_used"]
    assert answer["citations"][0]["document"] == names[0]
    assert answer["citations"][0]["page"] == 1
    listed = program("docs", "list", "--json").json["documents"]
    target = next(d for d in listed if d["document"] == names[0])
    assert program("docs", "remove", target["id"]).code == 0
    assert not [
        r for r in program("docs", "search", "Starlight", "--json").json["results"] if r["document"] == names[0]
    ]


@pytest.mark.model
@pytest.mark.slow
def test_the_model_that_came_along_answers_with_no_key_and_no_network(program: Program) -> None:
    ran = program("ask", "In one sentence, what is a circuit breaker?", "--json", VPA_OFFLINE="1")
    assert ran.code == 0, ran.err
    assert ran.json["provider"] == "local"
    assert len(ran.json["content"].split()) > 3
    assert ran.json["cost_usd"] == 0


def test_a_run_that_is_killed_mid_answer_keeps_the_question_and_the_text(program: Program) -> None:
    program.settings(
        '[providers.slow]\nkind = "mock"\nmodel = "mock-slow"\n'
        '[routing]\ndefault_provider = "slow"\nstrategy = "fixed"\n'
    )
    question = "word " * 400
    process = subprocess.Popen(
        [sys.executable, "-m", "vpa_desktop", "ask", question, "--conversation", "new"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env=program.variables(),
    )
    assert process.stdout is not None
    process.stdout.read(200)
    process.kill()
    process.wait()
    process.stdout.close()
    chats = program("chats", "list", "--json").json["conversations"]
    messages = program("chats", "show", chats[0]["id"], "--json").json["messages"]
    assert messages[0]["content"].split() == question.split()
    assert messages[1]["state"] == "interrupted"
    assert messages[1]["content"].startswith("word word")


def test_a_name_that_is_not_unicode_stops_no_other_file(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    odd = os.fsencode(folder) + b"/caf\xe9.txt"
    Path(os.fsdecode(odd)).write_text("coffee")
    (folder / "good.txt").write_text("The zebra crossing is closed on Mondays.")
    for given in (folder, Path(os.fsdecode(odd))):
        ran = program("docs", "add", str(given), "--json")
        assert [f["reason"] for f in ran.json["failed"]] == [
            "Its name is not written in Unicode. Rename it and add it again."
        ]
        assert ran.json["added"] == (given == folder)
        assert "Traceback" not in ran.err


@pytest.mark.parametrize("word", [b"caf\xe9", b"\xff"])
def test_words_that_are_not_unicode_are_a_mistake_of_use(program: Program, word: bytes) -> None:
    ran = program("ask", os.fsdecode(word), "--conversation", "new")
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert len(ran.err.splitlines()) == 1


def test_a_pipe_without_the_letters_of_an_answer_gets_escapes(program: Program) -> None:
    program.settings('[providers.spare]\nkind = "mock"\n[routing]\ndefault_provider = "spare"\n')
    assert program("ask", "Grüße 中", PYTHONIOENCODING="ascii").out == "Gr\\xfc\\xdfe \\u4e2d\n"
    assert program("ask", "Grüße 中", "--json", PYTHONIOENCODING="ascii").json["content"] == "Grüße 中"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_standard_output_that_takes_no_more_is_said(program: Program) -> None:
    program.settings('[providers.spare]\nkind = "mock"\n[routing]\ndefault_provider = "spare"\n')
    for more in ([], ["--json"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "vpa_desktop", "ask", "Hello", *more],
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env=program.variables(),
            )
        assert done.returncode == 8
        assert done.stderr == (
            "error: The command could not finish. [Errno 28] No space left on device. "
            "Free some room there, and try again.\n"
        )


@pytest.mark.parametrize("given", ["nan", "-1", "inf", "hot"])
def test_a_temperature_that_is_none_is_a_mistake_of_use(program: Program, given: str) -> None:
    ran = program("ask", "Hello", f"--temperature={given}")
    assert ran.code == 2
    assert "is not a number from 0 to 2" in ran.err
