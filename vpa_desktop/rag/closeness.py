"""What "close" means with any model: its cosines on the scale of the one whose thresholds are known. One per model.

Some models find everything close: with multilingual-e5-small a question and a passage about something else have a
cosine of 0.78, and no threshold chosen for another model ever refuses a question. What is measured is the model, on
texts that stand here, and not the person's library: in one of a single subject all passages are close to each other,
and the right one hardly stands out. Measured with that model (``tests.benchmarks.retrieval_gate --model``), all
questions that the documents answer still stand, in English and German, and of those about something else 2 to 42 of 100
instead of all.
"""

from __future__ import annotations

from dataclasses import dataclass

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.embedder import Embedder, OnnxEmbedder, RemoteEmbedder, leaves_for

QUESTIONS = (
    "When will the new bus line to the university open?",
    "How long does the dough have to be kneaded?",
    "What do enzymes do in a reaction?",
    "What is the notice period for the tenant?",
    "What is her second novel about?",
    "How do I reset the router?",
    "Who scored the own goal?",
    "Why did inflation fall?",
    "What do glaciers leave behind when they melt?",
    "Which treaty ended the thirty years of war?",
    "When should patients take the tablet?",
    "What is the difference between a stack and a queue?",
)
TEXTS = (
    "The council approved a new bus line between the harbour and the university, to open next spring.",
    "Knead the dough for ten minutes, cover it and let it rise in a warm place until it has doubled.",
    "Enzymes lower the activation energy of a reaction without being used up by it.",
    "The tenant gives notice in writing at least three months before the end of the quarter.",
    "Her second novel tells of two brothers who inherit a lighthouse on a remote island.",
    "To reset the router, hold the small button on its back for fifteen seconds.",
    "The defender headed the corner kick into his own goal in the last minute of extra time.",
    "Inflation fell to two percent as the prices of energy and food eased.",
    "Glaciers carve wide valleys and leave ridges of gravel behind when they melt.",
    "The treaty ended thirty years of war and redrew the borders of the empire.",
    "Patients should take one tablet in the morning with a glass of water.",
    "A stack returns the item that was put on it last; a queue returns the first.",
    "The cello answers the violins in the slow movement before the theme comes back.",
    "Bees tell each other by a dance how far away a field of flowers is.",
    "The invoice is payable within thirty days; interest is charged after that.",
    "Astronomers measured the light of a star that dims each time its planet passes in front of it.",
    "Our hotel offers a sauna, free parking and rooms with a view of the lake.",
    "The welding robot stops at once when the light curtain is interrupted.",
    "In the fourth grade children learn to add and subtract fractions.",
    "The painter mixed her own pigments and signed only the back of the canvas.",
    "Voters must register two weeks before the election and show an identity card.",
    "The engine needs new spark plugs every sixty thousand kilometres.",
    "Monks copied the manuscripts by hand and decorated the initials with gold.",
    "Sow the carrots in April, thin them out in May and water them in dry weeks.",
)
"""The first of them answer the questions, in their order; the others answer none."""

_LEAST_SPAN = 0.01


@dataclass(frozen=True, slots=True)
class Scale:
    """A model's mean cosine of a question with the nearest text that does not answer it, and with the one that does."""

    wrong: float
    right: float

    def closeness(self, cosine: float) -> float:
        """Returns what the cosine would about be with the default model."""
        share = (cosine - self.wrong) / max(self.right - self.wrong, _LEAST_SPAN)
        return USUAL.wrong + share * (USUAL.right - USUAL.wrong)


USUAL = Scale(0.199, 0.713)
"""That of the default model."""


class Scales:
    """Measures each model once, when it is first asked for."""

    def __init__(self) -> None:
        self._known: dict[str, Scale] = {}

    async def of(self, embedder: Embedder) -> Scale:
        """Returns a model's scale; the usual one where the model cannot be had, or gets its texts elsewhere.

        What is sent is paid for, and the person asked for answers only.
        """
        if embedder.choice == OnnxEmbedder.choice or leaves_for(embedder):
            return USUAL
        if embedder.model_id not in self._known:
            try:
                self._known[embedder.model_id] = await measured(embedder)
            except KnowledgeError:
                return USUAL
        return self._known[embedder.model_id]


async def measured(embedder: Embedder) -> Scale:
    """Embeds the questions and the texts and compares them. Raises KnowledgeError when the model cannot be had."""
    import numpy as np

    texts = await embedder.embed_passages(TEXTS)
    if isinstance(embedder, RemoteEmbedder):
        questions = await embedder.embed_passages(QUESTIONS)  # in one request
    else:
        questions = np.stack([await embedder.embed_query(question) for question in QUESTIONS])
    cosines = questions @ texts.T
    right = np.eye(len(QUESTIONS), len(TEXTS), dtype=bool)
    nearest_wrong = np.where(right, -1.0, cosines).max(axis=1)
    return Scale(float(nearest_wrong.mean()), float(cosines[right].mean()))
