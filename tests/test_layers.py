"""The house keeps its own rules: layers, one home for each heavy library, a light start, exact public names."""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vpa_desktop

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "vpa_desktop"

HOMES = {
    "PySide6": ("ui/", "app.py"),
    "shiboken6": ("ui/", "app.py"),
    "qasync": ("ui/", "app.py"),
    "pyqtgraph": ("ui/",),
    "httpx": ("providers/_http.py",),
    "httpx_aiohttp": ("providers/_http.py",),
    "aiohttp": ("providers/_http.py", "providers/_broken.py"),
    "starlette": ("serve/endpoint.py",),
    "uvicorn": ("serve/listening.py",),
    "sqlite_utils": ("storage/",),
    "keyring": ("security/vault.py",),
    "faiss": ("rag/index.py",),
    "xllamacpp": ("providers/llama_cpp.py", "providers/_llama"),
    "PIL": ("providers/_images.py", "rag/load_picture.py", "rag/recognition.py"),
    "pypdfium2": ("rag/",),
    "selectolax": ("rag/",),
    "lxml": ("rag/",),
    "python_calamine": ("rag/load_sheet.py",),
    "olefile": ("rag/olefiles.py",),
    "tiktoken": ("tokens.py",),
    "genai_prices": ("prices.py",),
    "sentence_transformers": ("rag/",),
    "onnxruntime": ("rag/",),
    "torch": ("rag/", "providers/_transformers_worker.py"),
    "transformers": ("rag/", "providers/_transformers_worker.py"),
}
"""Library -> the only places that may import it, below vpa_desktop."""

QT = ("PySide6", "shiboken6", "qasync", "pyqtgraph")
HEAVY = (
    "torch",
    "transformers",
    "sentence_transformers",
    "faiss",
    "pandas",
    "onnxruntime",
    "tokenizers",
    "numpy",
    "sqlite_utils",
    "keyring",
    "tiktoken",
    "xllamacpp",
    "pypdfium2",
    "lxml",
    "selectolax",
    "PIL",
    "genai_prices",
)
HTTP = ("httpx", "httpx_aiohttp", "aiohttp")

PUBLIC_NAMES = {
    "AnthropicProvider",
    "AzureOpenAIProvider",
    "BaseLLMProvider",
    "EnhancedLLMIntegration",
    "EnhancedLLMRequest",
    "EnhancedLLMResponse",
    "GoogleProvider",
    "LLMModel",
    "LLMProvider",
    "LLMProviderConfig",
    "LLMProviderManager",
    "LLMRequest",
    "LLMResponse",
    "MockProvider",
    "OllamaProvider",
    "OpenAIProvider",
    "TransformersProvider",
    "VPARAGLLMIntegration",
    "create_complete_vpa_system",
    "create_llm_provider_manager",
    "create_rag_llm_integration",
    "get_config",
}

IMPORT_EACH = """
import importlib, json, sys
names, heavy = json.loads(sys.argv[1])
blame = {}
for name in names:
    importlib.import_module(name)
    for library in heavy:
        if library in sys.modules:
            blame.setdefault(library, name)
print(json.dumps(blame))
"""


def modules_without_qt() -> list[str]:
    """Every module outside ui and app; __main__ would start the program."""
    found = pkgutil.walk_packages([str(PACKAGE)], "vpa_desktop.", onerror=lambda name: None)
    apart = ("vpa_desktop.ui", "vpa_desktop.app", "vpa_desktop.__main__", "vpa_desktop._resources")
    return ["vpa_desktop", *(module.name for module in found if not module.name.startswith(apart))]


def loaded_by(names: list[str], libraries: tuple[str, ...]) -> dict[str, str]:
    """Import modules in a fresh Python; returns library -> the module whose import loaded it."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, json.dumps([names, libraries])],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    blame: dict[str, str] = json.loads(done.stdout)
    return blame


def imports_of(path: Path) -> Iterator[str]:
    """The top names of everything a file imports, also inside functions, except for types only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_the_import_contracts_hold() -> None:
    pytest.importorskip("importlinter")
    command = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-logo", "--no-cache"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_library_is_imported_only_in_its_home() -> None:
    strangers = [
        f"{path.relative_to(PACKAGE).as_posix()} imports {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for name in imports_of(path)
        if name in HOMES and not path.relative_to(PACKAGE).as_posix().startswith(HOMES[name])
    ]
    assert strangers == []


def test_the_half_without_qt_loads_nothing_heavy() -> None:
    assert loaded_by(modules_without_qt(), (*QT, *HEAVY)) == {}


def test_only_the_providers_of_a_network_load_http() -> None:
    provider_files = ("vpa_desktop.providers.",)
    names = [name for name in modules_without_qt() if not name.startswith(provider_files)]
    assert loaded_by([*names, "vpa_desktop.providers.base"], HTTP) == {}


def test_public_names_are_exact_and_load_on_first_use() -> None:
    assert set(vars(vpa_desktop)["__all__"]) - {"__version__"} == PUBLIC_NAMES
    assert set(dir(vpa_desktop)) >= PUBLIC_NAMES
    for name in PUBLIC_NAMES:
        assert getattr(vpa_desktop, name) is not None
    unknown = "NoSuchProvider"
    with pytest.raises(AttributeError):
        getattr(vpa_desktop, unknown)


def test_importing_the_package_alone_imports_none_of_its_parts() -> None:
    code = "import sys, vpa_desktop; print([name for name in sys.modules if name.startswith('vpa_desktop.')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
