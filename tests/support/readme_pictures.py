"""Makes the pictures of the README from the sample: a lead's mail of an ordinary day, and the top of the report.

Run it from the top of the checkout, with Chromium installed; it writes into ``monitor/handbook/pictures``:

    PYTHONPATH=tests python -m support.readme_pictures
"""

import base64
import email
import email.policy
import re
import shutil
import struct
import tempfile
import zlib
from email.message import EmailMessage
from pathlib import Path

from playwright.sync_api import Browser, Page
from support.chromium import find_browser, open_browser
from support.command import monitor

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / "monitor" / "handbook" / "pictures"
NIGHTS = (
    "2025-11-26", "2025-12-03", "2025-12-10", "2025-12-17", "2025-12-24", "2025-12-31",
    "2026-01-07", "2026-01-14", "2026-01-20", "2026-01-21",
)  # fmt: skip
"""A first night, whose mail is the long one, some weeks for the report to look back on, and an ordinary day."""
MAIL, REPORT = {"width": 620, "height": 760}, {"width": 900, "height": 760}
SHADES = 6
"""Of each of red, green and blue: enough for text, and a third of the bytes."""

PIXELS = """async source => {
    const picture = new Image();
    picture.src = "data:image/png;base64," + source;
    await picture.decode();
    const canvas = Object.assign(document.createElement("canvas"), {width: picture.width, height: picture.height});
    const drawing = canvas.getContext("2d");
    drawing.drawImage(picture, 0, 0);
    const bytes = drawing.getImageData(0, 0, picture.width, picture.height).data;
    return [picture.width, picture.height, Array.from(bytes)];
}"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        mail, report = run_nights(Path(folder))
        with open_browser(find_browser() or "chromium") as browser:
            PICTURES.mkdir(exist_ok=True)
            take(browser, mail, MAIL, PICTURES / "mail.png")
            take(browser, report, REPORT, PICTURES / "report.png")


def run_nights(folder: Path) -> tuple[Path, Path]:
    """Run two nights over the sample; return a lead's mail of the second and the report, as HTML."""
    shutil.copy(ROOT / "config.example.toml", folder / "monitor.toml")
    for night in NIGHTS:
        done = monitor(folder, "run", "--as-at", night)
        assert done.returncode == 0, done.stderr
    mails = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted((folder / "data" / "outbox" / NIGHTS[-1]).glob("*.eml"))
    ]
    with_a_card = [mail for mail in mails if re.search(r"^1\. ", _text_of(mail, "plain"), re.MULTILINE)]
    chosen = min((_text_of(mail, "html") for mail in with_a_card if mail["to"].startswith("lead")), key=len)
    page = folder / "mail.html"
    page.write_text(chosen, encoding="utf-8")
    return page, folder / "data" / "report" / "report.html"


def _text_of(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    return str(body.get_content()) if body else ""


def take(browser: Browser, source: Path, size: dict[str, int], path: Path) -> None:
    """Write a picture of the top of a page, in few colours."""
    page = browser.new_page(viewport=size, color_scheme="light")
    page.goto(source.as_uri())
    path.write_bytes(in_few_colours(browser.new_page(), page.screenshot()))
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def in_few_colours(page: Page, picture: bytes) -> bytes:
    """Return a PNG with a palette of at most 216 colours."""
    width, height, pixels = page.evaluate(PIXELS, base64.b64encode(picture).decode())
    step = 255 / (SHADES - 1)
    levels = [round(value / step) for value in range(256)]
    rows = []
    for row in range(height):
        line = pixels[row * width * 4 : (row + 1) * width * 4]
        codes = zip(line[0::4], line[1::4], line[2::4], strict=True)
        rows.append(bytes([0, *((levels[r] * SHADES + levels[g]) * SHADES + levels[b] for r, g, b in codes)]))
    palette = bytes(
        round(level * step) for r in range(SHADES) for g in range(SHADES) for b in range(SHADES) for level in (r, g, b)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


if __name__ == "__main__":
    main()
