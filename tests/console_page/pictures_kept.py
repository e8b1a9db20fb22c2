"""Pictures of pages as small WebP files: Chromium writes them itself."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

MOST: Final = 60_000
"""Bytes of a file."""

# Draws pictures side by side and tries ever more compression, and then less of them.
_DRAW: Final = """async ([pictures, most]) => {
  const images = await Promise.all(pictures.map(async (one) => {
    const image = new Image()
    image.src = 'data:image/png;base64,' + one
    await image.decode()
    return image
  }))
  const gap = 16
  for (const scale of [1, 0.8, 0.65]) {
    const canvas = document.createElement('canvas')
    canvas.width = scale * images.reduce((sum, one) => sum + one.width + gap, -gap)
    canvas.height = scale * Math.max(...images.map((one) => one.height))
    const drawing = canvas.getContext('2d')
    drawing.imageSmoothingQuality = 'high'
    drawing.scale(scale, scale)
    let left = 0
    for (const image of images) {
      drawing.drawImage(image, left, 0)
      left += image.width + gap
    }
    for (let quality = 0.72; quality > 0.25; quality -= 0.1) {
      const url = canvas.toDataURL('image/webp', quality)
      const data = url.slice(url.indexOf(',') + 1)
      if (data.length * 0.75 <= most) return data
    }
  }
  return null
}"""


def keep(chromium: Browser, path: Path, *pictures: bytes) -> None:
    """Write PNGs as one WebP, beside each other."""
    page = chromium.new_page()
    try:
        given = [base64.b64encode(one).decode() for one in pictures]
        found: str | None = page.evaluate(_DRAW, [given, MOST])
    finally:
        page.close()
    assert found is not None, f"{path.name} does not fit into {MOST} bytes"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(base64.b64decode(found))
