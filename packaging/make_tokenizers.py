"""Makes the tables of OpenAI's tokenizers that come with the program, from the npm package js-tiktoken.

    npm install js-tiktoken
    python packaging/make_tokenizers.py node_modules/js-tiktoken [--into resources/tokenizers]

js-tiktoken (MIT) carries the rank tables in a form of its own. They are written out as tiktoken's files, compared
with the SHA-256 that tiktoken itself expects of its downloads, and packed. The patterns and special tokens are
tiktoken's. Not part of the program, and not run by its tests; nothing is fetched.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import lzma
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAMES = ("o200k_base", "cl100k_base")


def main() -> None:
    """Reads the arguments, makes each table, checks it and writes it packed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the folder of the npm package js-tiktoken")
    parser.add_argument("--into", type=Path, default=Path(__file__).resolve().parents[1] / "resources" / "tokenizers")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    encodings = {}
    for name in NAMES:
        expected, facts = tiktokens_own(name)
        plain = table(ranks_of(arguments.package, name))
        found = hashlib.sha256(plain).hexdigest()
        if found != expected:
            sys.exit(f"{name}: the table's SHA-256 is {found}; tiktoken expects {expected}")
        packed = lzma.compress(plain, preset=9 | lzma.PRESET_EXTREME)
        (arguments.into / f"{name}.tiktoken.xz").write_bytes(packed)
        encodings[name] = {"sha256": found, **facts}
        print(f"{found}  {name}: {len(plain):,} bytes, {len(packed):,} packed")
    text = json.dumps(encodings, indent=2, ensure_ascii=False) + "\n"
    (arguments.into / "encodings.json").write_text(text, "utf-8")


def tiktokens_own(name: str) -> tuple[str, dict[str, Any]]:
    """The SHA-256 tiktoken expects of a table, the pattern and the special tokens; its download is not run."""
    from tiktoken_ext import openai_public

    expected = ""

    def no_download(_url: str, expected_hash: str) -> dict[bytes, int]:
        nonlocal expected
        expected = expected_hash
        return {}

    kept = openai_public.load_tiktoken_bpe
    openai_public.load_tiktoken_bpe = no_download
    try:
        made = openai_public.ENCODING_CONSTRUCTORS[name]()
    finally:
        openai_public.load_tiktoken_bpe = kept
    return expected, {"pat_str": made["pat_str"], "special_tokens": made["special_tokens"]}


def ranks_of(package: Path, name: str) -> Mapping[bytes, int]:
    """The ranks in js-tiktoken's file: lines of a mark, the first rank, and tokens in base64 after it."""
    text = (package / "dist" / "ranks" / f"{name}.js").read_text("utf-8")
    body = text[text.index("{") : text.rindex("}") + 1]
    ranks: dict[bytes, int] = {}
    for line in json.loads(body)["bpe_ranks"].split("\n"):
        if line:
            _, first, *tokens = line.split(" ")
            for offset, token in enumerate(tokens):
                ranks[base64.b64decode(token)] = int(first) + offset
    return ranks


def table(ranks: Mapping[bytes, int]) -> bytes:
    """The ranks as tiktoken's file has them."""
    ordered = sorted(ranks.items(), key=lambda pair: pair[1])
    return b"".join(base64.b64encode(token) + f" {rank}\n".encode("ascii") for token, rank in ordered)


if __name__ == "__main__":
    main()
