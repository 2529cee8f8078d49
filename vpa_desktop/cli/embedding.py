"""``docs model``: what makes the vectors, what another model would cost and where text would go, and the change."""

from __future__ import annotations

import argparse
import sys
from contextlib import aclosing

from vpa_desktop.cli.documents import end_progress, pausable, show_progress
from vpa_desktop.cli.output import Output, counted, to_plain
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.embedding import EmbeddingOffer, EmbeddingQuote
from vpa_desktop.embedding_words import cost_in_words, price_in_words, privacy_in_words
from vpa_desktop.errors import KnowledgeError, UsageError, VPAError
from vpa_desktop.system import System


async def model(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the model and the others there are; with a name choose that one, once what it means was agreed to."""
    async with opened(paths, out) as system:
        if options.model is None:
            return await _show(system, out)
        quote = await system.embedding.quote(options.model)
        if quote.needs_consent:
            _say(quote, out)
        agreed = options.yes or not quote.needs_consent or _is_agreed(quote, out)
        if not agreed:
            raise UsageError(
                "The embedding model was not changed",
                privacy_in_words(quote) if quote.host else "It costs money",
                "Add --yes to agree to it",
            )
        await system.embedding.choose(options.model, agreed=True)
        return await _made(system, quote, out)


async def _show(system: System, out: Output) -> int:
    offers = await system.embedding.offers()
    rows = [(_mark(offer), offer.choice, offer.host or "this computer", offer.note) for offer in offers]
    out.table(("", "model", "text goes to", "remark"), rows)
    out.line(
        "Choose one, or any other PROVIDER/MODEL, with: vpa-desktop docs model MODEL (it says the price and asks first)"
    )
    current = next(offer.choice for offer in offers if offer.is_current)
    out.document({"model": current, "offers": [to_plain(offer) for offer in offers]})
    return 0


def _mark(offer: EmbeddingOffer) -> str:
    return "*" if offer.is_current else ""


def _say(quote: EmbeddingQuote, out: Output) -> None:
    """Say where text would go and what it costs, on stderr where stdout is for a document."""
    say = out.note if out.as_json else out.line
    say(f"{quote.name}: {price_in_words(quote)}")
    if cost := cost_in_words(quote):
        say(cost)
    say(privacy_in_words(quote))


def _is_agreed(quote: EmbeddingQuote, out: Output) -> bool:
    if out.as_json or not sys.stdin.isatty():
        return False
    question = f"Send it to {quote.host}?" if quote.host else "Go on?"
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


async def _made(system: System, quote: EmbeddingQuote, out: Output) -> int:
    """Make the vectors now; what stops it is the command's error, and the rest is made later."""
    done = 0
    try:
        async with pausable(system.knowledge.pace, out), aclosing(system.knowledge.make_up()) as steps:
            async for step in steps:
                done = step.chunks_done
                show_progress(step, out)
    except KnowledgeError as stopped:
        out.note(f"{counted(done, 'passage')} done. The rest is made later: vpa-desktop docs model {quote.choice}")
        raise stopped.__cause__ if isinstance(stopped.__cause__, VPAError) else stopped from None
    end_progress(out)
    out.line(f"{quote.name} is the embedding model now; {counted(done, 'passage')} got its vectors.")
    out.document({"chosen": to_plain(quote), "passages": done})
    return 0
