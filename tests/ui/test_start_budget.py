"""The window's module loads nothing heavy: what it needs later comes after the first paint."""

from __future__ import annotations

import pytest

from tests.test_layers import HEAVY, HTTP, loaded_by

pytest.importorskip("PySide6")


@pytest.mark.ui
def test_importing_the_window_loads_neither_models_nor_http_nor_charts() -> None:
    assert loaded_by(["vpa_desktop.ui.main_window"], (*HEAVY, *HTTP, "pyqtgraph")) == {}
