"""The two charts of the dashboard, drawn by pyqtgraph: cost per day, latency per provider.

pyqtgraph and numpy are imported when the first chart is made, never before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from vpa_desktop.ui.theme import Theme, text_font

if TYPE_CHECKING:
    from vpa_desktop.analytics import DayCost, ProviderFigures

HEIGHT_PX = 220


def preload_numbers() -> None:
    """Imports numpy, the slow half of a chart's libraries; it touches no widget and may run in a thread."""
    import numpy  # noqa: F401


def load_library() -> None:
    """Imports pyqtgraph; on the window's thread, since it makes Qt objects."""
    import pyqtgraph  # noqa: F401


def cost_chart(days: tuple[DayCost, ...], theme: Theme, name: str) -> QWidget:
    """Returns bars of what each day cost, stacked by provider."""
    import pyqtgraph as pg

    plot = _plot(pg, theme, name)
    base = [0.0] * len(days)
    for n, provider in enumerate(providers_of(days)):
        heights = [float(dict(day.by_provider).get(provider, 0)) for day in days]
        color = QColor(series_color(theme, n))
        plot.addItem(
            pg.BarGraphItem(x=list(range(len(days))), y0=list(base), height=heights, width=0.72, brush=color, pen=color)
        )
        base = [low + height for low, height in zip(base, heights, strict=True)]
    step = max(1, len(days) // 4)
    ticks = [(n, f"{days[n].day.day} {days[n].day.strftime('%b')}") for n in range(len(days) - 1, -1, -step)]
    plot.getAxis("bottom").setTicks([ticks])
    plot.getAxis("left").setLabel("US$", color=theme.dim)
    plot.setYRange(0, max([*base, 0.01]) * 1.08, padding=0)
    plot.setXRange(-0.6, len(days) - 0.4, padding=0)
    return _as_widget(plot)


def latency_chart(providers: tuple[ProviderFigures, ...], theme: Theme, name: str) -> QWidget:
    """Returns two bars for each provider: half of its answers, and 95 of 100, were faster than that."""
    import pyqtgraph as pg

    measured = [p for p in providers if p.p50_ms is not None and p.p95_ms is not None]
    plot = _plot(pg, theme, name)
    for offset, shade, values in (
        (-0.19, theme.accent, [p.p50_ms for p in measured]),
        (0.19, theme.edge, [p.p95_ms for p in measured]),
    ):
        seconds = [(value or 0.0) / 1000 for value in values]
        color = QColor(shade)
        places = [n + offset for n in range(len(measured))]
        plot.addItem(pg.BarGraphItem(x=places, y0=0, height=seconds, width=0.34, brush=color, pen=color))
    plot.getAxis("bottom").setTicks([[(n, p.provider) for n, p in enumerate(measured)]])
    plot.getAxis("left").setLabel("s", color=theme.dim)
    top = max([p.p95_ms or 0 for p in measured], default=1000) / 1000
    plot.setYRange(0, max(top, 0.1) * 1.08, padding=0)
    plot.setXRange(-0.6, max(1, len(measured)) - 0.4, padding=0)
    return _as_widget(plot)


def providers_of(days: tuple[DayCost, ...]) -> list[str]:
    """Returns the providers that cost something, by name."""
    return sorted({name for day in days for name, amount in day.by_provider if amount})


def series_color(theme: Theme, number: int) -> str:
    """Returns the colour of the n-th provider in the cost chart."""
    colors = (theme.accent, theme.ok, theme.warn, theme.code_keyword, theme.danger, theme.edge)
    return colors[number % len(colors)]


def _plot(pg: Any, theme: Theme, name: str) -> Any:
    plot = pg.PlotWidget(background=theme.card)
    plot.setAccessibleName(name)
    plot.setFixedHeight(HEIGHT_PX)
    plot.setMouseEnabled(x=False, y=False)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.showGrid(y=True, alpha=0.15)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.enableAutoSIPrefix(False)
        axis.setPen(QColor(theme.line))
        axis.setTextPen(QColor(theme.dim))
        axis.setTickFont(text_font(11))
        axis.setStyle(tickLength=0)
    return plot


def _as_widget(plot: Any) -> QWidget:
    assert isinstance(plot, QWidget)
    return plot
