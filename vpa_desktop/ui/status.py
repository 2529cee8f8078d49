"""The status line: route, key place, passages, money, notices. Shows a SystemStatus and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QStatusBar, QWidget

from vpa_desktop.ui.widgets import ElidedLabel, IconLabel, PlainLabel
from vpa_desktop.ui.wording import usd, whole

if TYPE_CHECKING:
    from vpa_desktop.records import SystemStatus

NOTICE_PX: Final = 260
"""A notice is worth more than the passages and the place of the keys: it gets this much before they do."""

GAPS_PX: Final = 60
"""What lies between the parts."""


class StatusLine(QStatusBar):
    """The line at the foot of the window, named "Status"; its whole text is its accessible description."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("status")
        self.setAccessibleName(self.tr("Status"))
        self.setSizeGripEnabled(False)
        self.setFixedHeight(30)
        self.setContentsMargins(10, 0, 14, 0)
        self.setStyleSheet("QStatusBar::item { border: 0 }")
        self._dot = IconLabel("circle-check", 14, "ok")
        self._route = PlainLabel(self.tr("Starting…"))
        self._shield = IconLabel("shield-check", 14)
        self._keys = PlainLabel()
        self._passages = PlainLabel()
        self._notice_icon = IconLabel("triangle-alert", 14, "warn")
        self._notice = ElidedLabel()
        self._money = PlainLabel()
        for widget in (self._dot, self._route, self._shield, self._keys, self._passages):
            self.addWidget(widget)
        for label in (self._route, self._keys, self._passages):
            label.setContentsMargins(0, 0, 12, 0)
        self.addWidget(self._notice_icon)
        self.addWidget(self._notice, 1)
        self.addPermanentWidget(self._money)
        for widget in (self._dot, self._shield, self._notice_icon, self._keys, self._passages, self._notice):
            widget.hide()
        self._is_told = False

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shows as much as there is room for."""
        super().resizeEvent(event)
        self._fit()

    def show_status(self, status: SystemStatus) -> None:
        """Shows where the next question goes, where keys are, and what was spent."""
        self._dot.show()
        self._dot.set_icon("lock" if status.offline else "circle-check", "dim" if status.offline else "ok")
        route = self.tr("Offline: {0}").format(status.route) if status.offline else status.route
        self._route.setText(route)
        self._is_told = True
        self._keys.setText(self.tr("Keys: {0}").format(status.key_place))
        one = status.passages == 1
        self._passages.setText(self.tr("1 passage") if one else self.tr("{0} passages").format(whole(status.passages)))
        self._passages.setToolTip(self.tr("Different passages of your documents that can be found"))
        self._money.setText(self._spent(status))
        self._say(" · ".join(status.notices))

    def _spent(self, status: SystemStatus) -> str:
        """What was spent today, and against the limit of the month where there is none for the day."""
        today, month = usd(status.spent_today_usd), usd(status.spent_month_usd)
        if status.limit_usd is not None:
            return self.tr("{0} of {1} today").format(today, usd(status.limit_usd))
        if status.monthly_limit_usd is not None:
            return self.tr("{0} of {1} this month").format(month, usd(status.monthly_limit_usd))
        return self.tr("{0} today").format(today)

    def say(self, text: str, *, good: bool = True) -> None:
        """Shows one sentence in place of the route, as while starting or after a failure to start."""
        self._dot.show()
        self._dot.set_icon("clock" if good else "triangle-alert", "dim" if good else "danger")
        self._route.setText(text)
        self._describe()

    def _say(self, notice: str) -> None:
        self._notice_icon.setVisible(bool(notice))
        self._notice.setVisible(bool(notice))
        self._notice.set_whole(notice)
        for part in (self._notice_icon, self._notice):
            part.setToolTip(notice)
        self._fit()
        self._describe()

    def _fit(self) -> None:
        """Leaves out the passages, then the place of the keys, where a notice or the money would be cut off."""
        if not self._is_told:
            return
        notice = self._notice.whole()
        wanted = min(NOTICE_PX, self._notice.sizeHint().width()) + 20 if notice else 0
        room = self.contentsRect().width() - GAPS_PX - wanted - _width(self._dot, self._route, self._money)
        keys, passages = _width(self._shield, self._keys), _width(self._passages)
        self._passages.setVisible(keys + passages <= room)
        for part in (self._shield, self._keys):
            part.setVisible(keys <= room)

    def _describe(self) -> None:
        said = [self._route.text(), self._keys.text(), self._passages.text(), self._notice.whole(), self._money.text()]
        self.setAccessibleDescription(" · ".join(part for part in said if part))


def _width(*parts: QWidget) -> int:
    return sum(part.sizeHint().width() for part in parts)
