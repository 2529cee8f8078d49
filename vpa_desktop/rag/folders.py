"""Which files a person means by the paths they gave: regular files only, no link followed out of what they chose."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

_PASSED_OVER = frozenset(
    # drawings, sound, films
    ".ico .heic .psd .mp3 .wav .flac .ogg .m4a .mp4 .mkv .mov .avi .webm "
    # programs and what they leave behind
    ".exe .dll .so .dylib .o .a .lib .obj .class .pyc .pyd .whl .jar .war .deb .rpm .msi .dmg .iso .img .wasm .lock "
    # archives, databases, fonts, model weights
    ".gz .bz2 .xz .zst .7z .rar .tar .tgz .db .sqlite .sqlite3 .ttf .otf .woff .woff2 .onnx .gguf .safetensors "
    ".pt .npy .npz .parquet .faiss .map".split()
)
_FOLDERS_PASSED_OVER = frozenset(("node_modules", "__pycache__", "site-packages", "__MACOSX"))


def files_in(paths: Sequence[Path]) -> Iterator[Path]:
    """Yields every file once: those named, whatever they are, and those inside folders that could be documents.

    Inside folders hidden names, links, devices, pipes and kinds that never hold text are passed over.
    """
    seen: set[str] = set()
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100 - resolve() would follow links
        found = _walk(path) if _is_folder(path) else iter([path])
        for file in found:
            if str(file) not in seen:
                seen.add(str(file))
                yield file


def could_be_document(name: PurePath) -> bool:
    """False for hidden names, what other programs keep beside documents, and kinds that never hold text."""
    return name.suffix.lower() not in _PASSED_OVER and not any(
        piece.startswith(".") or piece in _FOLDERS_PASSED_OVER for piece in name.parts
    )


def is_gone(path: Path) -> bool:
    """True only where its folder is there without it.

    A file whose folder is missing may lie on a disk that is not plugged in, and one that may not be looked at is
    not gone either.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return path.parent.is_dir()
    except OSError:
        return False
    return False


def is_reachable(path: Path) -> bool:
    """True where the file can be looked at now."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _walk(root: Path) -> Iterator[Path]:
    waiting = [root]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue  # a folder that may not be read
        for entry in inside:
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
            except OSError:
                continue
            if entry.name.startswith("."):
                continue
            if stat.S_ISDIR(mode) and entry.name not in _FOLDERS_PASSED_OVER:
                waiting.append(Path(entry.path))
            elif stat.S_ISREG(mode) and could_be_document(PurePath(entry.name)):
                yield Path(entry.path)
