"""The settings pages that are only rows: Routing, Limits, Documents, Privacy, Appearance. Their words and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QPushButton

from vpa_desktop.embedding import DEFAULT_CHOICE
from vpa_desktop.ui.settings.cache_form import FormWithCache
from vpa_desktop.ui.settings.form import FormPage, Row, Saver
from vpa_desktop.ui.settings.limits import LimitsPage

if TYPE_CHECKING:
    from vpa_desktop.config import Settings


class RoutingPage(FormWithCache):
    """Which provider is asked, and what happens when it fails."""

    def __init__(self, save: Saver) -> None:
        super().__init__(
            self.tr("Routing"),
            self.tr("Which provider answers, and who goes on when it fails. Saved at once."),
            save,
        )
        self.choice(
            "routing.strategy",
            self.tr("How a provider is chosen"),
            self.tr("“Automatic” in the chat follows this."),
            (
                ("failover", self.tr("In the order of the page Providers")),
                ("fixed", self.tr("Only the first one")),
                ("fastest", self.tr("The fastest")),
                ("cheapest", self.tr("The cheapest")),
                ("weighted", self.tr("By weight")),
            ),
            lambda s: s.routing.strategy,
        )
        self.switch(
            "routing.fallback_enabled",
            self.tr("Go on with another provider"),
            self.tr("Off: a failure is shown, and nobody else is asked."),
            lambda s: s.routing.fallback_enabled,
        )
        self.switch(
            "routing.continue_after_break",
            self.tr("Continue an answer that broke off"),
            self.tr("The next provider goes on where it stopped; the place is marked."),
            lambda s: s.routing.continue_after_break,
        )
        self.number(
            "routing.sticky_minutes",
            self.tr("Keep a conversation on its provider"),
            self.tr("Minutes; for the fastest and by weight."),
            (0, 1440),
            lambda s: int(s.routing.sticky_minutes),
        )
        self._failing_rows()
        self.cache_rows()
        self.end()

    def _failing_rows(self) -> None:
        self.switch(
            "routing.hedge_first_token",
            self.tr("Ask a second provider when the first word is late"),
            self.tr("For at most one question in twenty. The slower one is cut off; what it cost is counted."),
            lambda s: s.routing.hedge_first_token,
        )
        self.number(
            "routing.slow_stream_s",
            self.tr("Give up on an answer that only drips"),
            self.tr("After so many seconds with next to nothing; 0 is never. Models on this computer may be slow."),
            (0, 3_600),
            lambda s: int(s.routing.slow_stream_s),
        )
        self.number(
            "routing.circuit_breaker.failure_threshold",
            self.tr("Leave a provider alone after"),
            self.tr("Failures in a row. It is looked at again after a few seconds, and used when it is well."),
            (1, 1_000),
            lambda s: s.routing.circuit_breaker.failure_threshold,
        )
        self.number(
            "routing.circuit_breaker.recovery_timeout_s",
            self.tr("Look at it again within"),
            self.tr("Seconds at most; sooner after a short outage."),
            (1, 86_400),
            lambda s: int(s.routing.circuit_breaker.recovery_timeout_s),
        )


class RetrievalPage(FormPage):
    """How much of the documents an answer gets. ``embedding`` is the button that chooses another embedding model."""

    def __init__(self, save: Saver) -> None:
        super().__init__(
            self.tr("Documents"),
            self.tr("How your documents are used in an answer. Saved at once."),
            save,
        )
        self.embedding = QPushButton(self.tr("Choose…"))
        row = self._add("rag.embedding_model", Row(self.tr("Embedding model"), self.tr("Reading…"), self.embedding))
        self._readers.append(lambda settings: row.set_hint(self._embedding_words(settings)))
        self.number(
            "rag.top_k",
            self.tr("Passages shown"),
            self.tr("How many passages a search lists."),
            (1, 50),
            lambda s: s.rag.top_k,
        )
        self.number(
            "rag.context_tokens",
            self.tr("Passages sent with a question"),
            self.tr("In tokens; about 900 is a good amount for most models."),
            (100, 1_000_000),
            lambda s: s.rag.context_tokens,
            step=100,
        )
        self.number(
            "rag.chunk_tokens",
            self.tr("Length of a passage"),
            self.tr("In tokens. Counts for documents that are added from now on."),
            (32, 8_192),
            lambda s: s.rag.chunk_tokens,
            step=10,
        )
        self.number(
            "rag.chunk_overlap_tokens",
            self.tr("Overlap of neighbouring passages"),
            self.tr("In tokens. Counts for documents that are added from now on."),
            (0, 1_024),
            lambda s: s.rag.chunk_overlap_tokens,
            step=5,
        )
        self.switch(
            "rag.mind_battery",
            self.tr("Wait while the battery is low"),
            self.tr("Followed folders are not read on battery below 30 %. What you add yourself is read at once."),
            lambda s: s.rag.mind_battery,
        )
        self.choice(
            "rag.follow_up",
            self.tr("Follow-up questions"),
            self.tr("Who adds what they leave out, for the search. The model is asked once more, which costs."),
            (("rule", self.tr("A rule on this computer")), ("model", self.tr("The model that answers"))),
            lambda s: s.rag.follow_up,
        )
        self.end()

    def _embedding_words(self, settings: Settings) -> str:
        """Says what finds passages by meaning, and where text goes for it."""
        chosen, host = settings.rag.embedding_model, settings.rag.embedding_host
        if host:
            return self.tr("{0}: the text of documents and questions is sent to {1}.").format(chosen, host)
        if chosen in ("", DEFAULT_CHOICE):
            return self.tr("Finds passages by their meaning. It came with the program; no text leaves this computer.")
        return self.tr("{0} finds passages by their meaning.").format(chosen)


class PrivacyPage(FormPage):
    """What may leave the computer."""

    def __init__(self, save: Saver) -> None:
        super().__init__(
            self.tr("Privacy"),
            self.tr("What may leave this computer. Saved at once."),
            save,
        )
        self.switch(
            "privacy.redact_outgoing",
            self.tr("Mask secrets before sending"),
            self.tr("Keys, card and account numbers in a question or passage are replaced before they leave."),
            lambda s: s.privacy.redact_outgoing,
        )
        self.text(
            "privacy.local_only_collections",
            self.tr("Collections that never leave"),
            self.tr("Names, separated by commas. Questions that use them are answered on this computer only."),
            lambda s: s.privacy.local_only_collections,
        )
        self.switch(
            "updates.check",
            self.tr("Tell me of newer releases"),
            self.tr("Once a day the address in settings.toml is asked for its version. Nothing is downloaded."),
            lambda s: s.updates.check,
        )
        self.end()


class AppearancePage(FormPage):
    """How the window looks and types."""

    def __init__(self, save: Saver) -> None:
        super().__init__(self.tr("Appearance"), self.tr("How the window looks and types. Saved at once."), save)
        self.choice(
            "window.theme",
            self.tr("Colours"),
            "",
            (
                ("system", self.tr("As the desktop")),
                ("light", self.tr("Light")),
                ("dark", self.tr("Dark")),
            ),
            lambda s: s.window.theme,
        )
        self.share(
            "window.text_scale",
            self.tr("Size of the text in conversations"),
            self.tr("1.00 is normal. Ctrl+= and Ctrl+- change it too."),
            (0.7, 2.5),
            lambda s: s.window.text_scale,
        )
        self.switch(
            "window.enter_sends",
            self.tr("Enter sends"),
            self.tr("Off: Enter makes a new line, and Ctrl+Enter sends."),
            lambda s: s.window.enter_sends,
        )
        self.end()


PAGES = (RoutingPage, LimitsPage, RetrievalPage, PrivacyPage, AppearancePage)
"""The pages in their order after Providers and Keys."""
