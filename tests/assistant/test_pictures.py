"""Pictures in a conversation: kept without place and device, sent again to who can see, never to who cannot."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import ScriptedProvider
from vpa_desktop.assistant.archive_desk import ArchiveDesk
from vpa_desktop.assistant.integration import EnhancedLLMIntegration
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.config import Settings
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import EnhancedLLMRequest, EnhancedLLMResponse, ImageData, StreamDone, TextDelta, Usage
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def photo(colour: str = "red", name: str = "garden.jpg") -> ImageData:
    """A picture that says where it was taken."""
    exif = Image.Exif()
    exif[0x010F] = "Camera of Ada"
    exif.get_ifd(0x8825)[1] = "N"
    sink = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(sink, "JPEG", exif=exif)
    return ImageData("image/jpeg", sink.getvalue(), name)


class Bench:
    """A conversation over a real file; ``sees`` says which providers can look at pictures."""

    def __init__(self, db: Database, sees: dict[str, bool | None]) -> None:
        self.store = ConversationStore(db)
        self.manager = LLMProviderManager()
        self.manager.model_info = lambda config, model: ModelInfo(model, images=sees[config.provider_id])
        self.providers = {each: self._add(each) for each in sees}
        self.assistant = EnhancedLLMIntegration(self.manager, Settings, conversations=self.store)
        self.conversation = "new"

    def _add(self, provider_id: str) -> ScriptedProvider:
        config = LLMProviderConfig("mock", provider_id=provider_id, max_retries=0, local_only=False)
        provider = ScriptedProvider(config, [TextDelta("A garden."), StreamDone("stop", Usage(9, 3))])
        self.manager.register_provider(provider_id, provider)
        return provider

    async def ask(self, text: str, *images: ImageData, provider: str, again: str | None = None) -> EnhancedLLMResponse:
        request = EnhancedLLMRequest(
            text, images=images, provider=provider, conversation_id=self.conversation, regenerates=again
        )
        response = await self.assistant.generate_enhanced_response(request)
        self.conversation = response.conversation_id or self.conversation
        return response

    def sent(self, provider_id: str) -> list[list[str]]:
        """The names of the pictures of each message but the instructions, as last sent."""
        turns = self.providers[provider_id].requests[-1].messages[1:]
        return [[image.name for image in turn.images] for turn in turns]


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield database
    await database.aclose()


async def test_a_follow_up_is_asked_with_the_picture_it_is_about(db: Database) -> None:
    bench = Bench(db, {"eye": True})
    await bench.ask("What is this?", photo(), provider="eye")
    first = bench.providers["eye"].requests[-1].messages[-1].images
    await bench.ask("Which colour has it?", provider="eye")
    assert bench.sent("eye") == [["garden.jpg"], [], []]
    assert bench.providers["eye"].requests[-1].messages[1].images == first


async def test_what_is_kept_does_not_say_where_it_was_taken(db: Database) -> None:
    bench = Bench(db, {"eye": True})
    await bench.ask("What is this?", photo(), provider="eye")
    asked = (await bench.store.messages(bench.conversation))[0]
    (kept,) = await bench.store.pictures(asked.id)
    assert b"Exif" not in kept.data
    assert b"Camera" not in kept.data
    with Image.open(io.BytesIO(kept.data)) as opened:
        assert opened.size == (64, 48)


@pytest.mark.parametrize("knows", [False, None])
async def test_who_cannot_look_at_earlier_pictures_is_told_that_there_were_some(
    db: Database, knows: bool | None
) -> None:
    bench = Bench(db, {"eye": True, "blind": knows})
    await bench.ask("What is this?", photo(), provider="eye")
    answer = await bench.ask("Write a poem about it", provider="blind")
    assert answer.provider == "blind"
    assert bench.sent("blind") == [[], [], []]
    assert "garden.jpg" in bench.providers["blind"].requests[-1].messages[1].content


async def test_who_answered_about_a_picture_gets_it_again_though_nothing_is_known_of_it(db: Database) -> None:
    bench = Bench(db, {"unknown": None})
    await bench.ask("What is this?", photo(), provider="unknown")
    await bench.ask("Which colour has it?", provider="unknown")
    assert bench.sent("unknown") == [["garden.jpg"], [], []]


async def test_an_answer_given_anew_after_a_restart_sees_the_picture(db: Database) -> None:
    before = Bench(db, {"eye": True})
    answer = await before.ask("What is this?", photo(), provider="eye")
    after = Bench(db, {"eye": True})
    await after.ask("What is this?", provider="eye", again=answer.message_id)
    assert after.sent("eye") == [["garden.jpg"]]


async def test_only_the_latest_pictures_are_sent_again(db: Database) -> None:
    bench = Bench(db, {"eye": True})
    for n in range(4):
        await bench.ask(f"Look {n}", *(photo(name=f"{n}-{m}.jpg") for m in range(4)), provider="eye")
    await bench.ask("Compare them", provider="eye")
    assert [len(each) for each in bench.sent("eye")] == [0, 0, 0, 0, 4, 0, 4, 0, 0]


async def test_a_temporary_chat_keeps_no_picture(db: Database) -> None:
    bench = Bench(db, {"eye": True})
    request = EnhancedLLMRequest("Look", images=(photo(),), provider="eye", temporary=True)
    await bench.assistant.generate_enhanced_response(request)
    assert bench.sent("eye") == [["garden.jpg"]]
    assert await db.read(lambda each: each.table("pictures").count) == 0


async def test_a_file_that_is_no_picture_stops_neither_the_question_nor_the_conversation(db: Database) -> None:
    bench = Bench(db, {"eye": True})
    await bench.ask("Look", ImageData("image/png", b"no picture", "x.png"), provider="eye")
    assert (await bench.store.messages(bench.conversation))[0].pictures == ()


async def test_exports_to_read_have_the_pictures(db: Database, tmp_path: Path) -> None:
    bench = Bench(db, {"eye": True})
    await bench.ask("What is this?", photo(name='<garden> "1".jpg'), provider="eye")
    desk = ArchiveDesk(db)
    await desk.export([], tmp_path / "a.html")
    await desk.export([], tmp_path / "a.md")
    html, text = (tmp_path / "a.html").read_text("utf-8"), (tmp_path / "a.md").read_text("utf-8")
    assert '<img alt="&lt;garden&gt; &quot;1&quot;.jpg" src="data:image/jpeg;base64,' in html
    assert 'Sent with it: <garden> "1".jpg' in text
