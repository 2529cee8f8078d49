"""Draws the program's icon in the sizes and forms that the systems want, from linux/vpa-desktop.svg. Needs PySide6."""

from __future__ import annotations

import sys
from pathlib import Path

SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
SOURCE = Path(__file__).resolve().parent / "linux" / "vpa-desktop.svg"


def draw(target: Path) -> None:
    """Write ``NxN.png`` for each size, ``vpa-desktop.ico`` and ``vpa-desktop.icns``."""
    from PIL import Image
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QGuiApplication, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    app = QGuiApplication([])
    target.mkdir(parents=True, exist_ok=True)
    renderer = QSvgRenderer(str(SOURCE))
    for size in SIZES:
        image = QImage(size, size, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        renderer.render(painter)
        painter.end()
        image.save(str(target / f"{size}x{size}.png"))
    app.quit()
    with Image.open(target / f"{SIZES[-1]}x{SIZES[-1]}.png") as largest:
        largest.save(target / "vpa-desktop.ico", sizes=[(size, size) for size in SIZES if size <= 256])
        largest.save(target / "vpa-desktop.icns")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
