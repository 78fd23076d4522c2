"""An agent that answers with a picture: a bar chart as an embed."""

import re
import struct
import zlib

import fixieai

BASE_PROMPT = "I draw bar charts of the numbers you give me."

FEW_SHOTS = """
Q: Draw a chart of 3 1 4
Ask Func[chart]: 3 1 4
Func[chart] says: #chart
A: Here is your chart: #chart
"""

BAR, GAP, HEIGHT = 24, 8, 120
INK, PAPER = b"\x2f\x6f\xde", b"\xff\xff\xff"

agent = fixieai.CodeShotAgent(BASE_PROMPT, FEW_SHOTS)


def png(rows: list[bytes]) -> bytes:
    """A PNG file of 8-bit RGB rows (https://www.w3.org/TR/png/)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def bars(values: list[float]) -> bytes:
    heights = [round(value / max([*values, 1e-9]) * (HEIGHT - GAP)) for value in values]
    return png(
        [
            b"".join(PAPER * GAP + (INK if HEIGHT - y <= height else PAPER) * BAR for height in heights)
            + PAPER * GAP
            for y in range(HEIGHT)
        ]
    )


@agent.register_func
def chart(query: fixieai.Message) -> fixieai.Message:
    """Draws one bar for each number of the text."""
    values = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", query.text)]
    if not values:
        return fixieai.Message("There are no numbers to draw.")
    image = fixieai.Embed(content_type="image/png")
    image.content = bars(values)
    return fixieai.Message("#chart", embeds={"chart": image})


if __name__ == "__main__":
    agent.serve("chart")
