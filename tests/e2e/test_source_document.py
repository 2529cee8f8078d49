"""The source document's own Python snippets run, with ``vpa_desktop`` in the place of its import paths."""

from __future__ import annotations

import re
import textwrap

import pytest

from tests.e2e.program import ROOT, Program

SOURCE = ROOT.parent / "shared" / "source"
README = ROOT / "README.md"

# Names the reference sections use without making them: a provider to register, a place for pieces.
PREPARED = """
import asyncio, os, sys
from vpa_desktop import LLMProvider, LLMProviderConfig, LLMModel, MockProvider
provider_id = "spare"
provider_instance = MockProvider(LLMProviderConfig(LLMProvider.MOCK, provider_id="spare"))
process_chunk = print

async def main():
{body}
    for closing in ("llm_integration", "manager"):
        if closing in locals():
            await locals()[closing].aclose()

asyncio.run(main())
print("END OF SNIPPETS")
"""


def snippets(text: str) -> list[str]:
    """The Python blocks of a Markdown text, with this package's imports; a client's run in test_serve.py."""
    blocks = [b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "from openai import" not in b]
    return [re.sub(r"from src\.vpa\.[\w.]+ import", "from vpa_desktop import", block) for block in blocks]


def run(program: Program, blocks: list[str]) -> str:
    """Run the blocks one after another in one coroutine, as a reader would type them."""
    script = program.home.parent / "snippets.py"
    script.write_text(PREPARED.format(body=textwrap.indent("\n".join(blocks), "    ")))
    done = program.python(str(script), VPA_OFFLINE="1")
    assert done.code == 0, done.err
    assert "END OF SNIPPETS" in done.out
    return done.out


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.skipif(not SOURCE.is_dir(), reason="the source document (../shared/source) is not here")
def test_every_snippet_of_the_source_document_runs(program: Program) -> None:
    text = "\n".join(path.read_text() for path in sorted(SOURCE.glob("*.txt")))
    blocks = snippets(text)
    assert len(blocks) >= 14
    out = run(program, blocks)
    assert "Response: " in out
    assert "Context Used: True" in out
    assert re.search(r"Today's Cost: \$\d", out)
    assert "Cache Hit Rate:" in out


@pytest.mark.model
@pytest.mark.slow
def test_every_snippet_of_the_readme_runs(program: Program) -> None:
    blocks = snippets(README.read_text())
    assert blocks
    run(program, blocks)


def test_the_documents_have_no_name_that_is_missing() -> None:
    import vpa_desktop

    for path in [README, *SOURCE.glob("*.txt")]:
        for block in snippets(path.read_text()):
            for names in re.findall(r"^from vpa_desktop import (?:\(([^)]*)\)|(.*))$", block, re.MULTILINE):
                for name in re.findall(r"\w+", "".join(names)):
                    assert hasattr(vpa_desktop, name), f"{name} in {path.name}"
