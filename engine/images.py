"""Pictures as data URLs: kind and size read from their own header, bounded. Decodes none and believes no metadata."""

from __future__ import annotations

import base64
import struct

from engine.errors import BadFile

BYTES_MAX = 8 * 2**20
SIDE_MAX = 16_384  # pixels
PIXELS_MAX = 50_000_000
_JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of a frame


def image_type(data: bytes) -> str | None:
    """The media type by the first bytes; None for what is no PNG, JPEG, GIF or WebP."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def data_url(name: str, data: bytes) -> str:
    """`data:image/…;base64,…`. Raises BadFile: not_an_image, too_large (bytes), too_many_pixels, broken."""
    kind = image_type(data)
    if kind is None:
        raise BadFile(f"{name}: not an image", path=name, reason="not_an_image")
    if len(data) > BYTES_MAX:
        raise BadFile(f"{name}: more than {BYTES_MAX} bytes", path=name, reason="too_large")
    try:
        width, height = _SIZES[kind](data)
    except (struct.error, IndexError, KeyError) as error:
        raise BadFile(f"{name}: no size in its header", path=name, reason="broken") from error
    if not width or not height:
        raise BadFile(f"{name}: an empty picture", path=name, reason="broken")
    if max(width, height) > SIDE_MAX or width * height > PIXELS_MAX:
        raise BadFile(f"{name}: {width} × {height} pixels", path=name, reason="too_many_pixels")
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if data[12:16] == b"IHDR" else (0, 0)


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg(data: bytes) -> tuple[int, int]:
    position = 2
    while True:
        while data[position] == 0xFF:
            position += 1
        marker, length = data[position], struct.unpack(">H", data[position + 1 : position + 3])[0]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[position + 4 : position + 8])
            return width, height
        if marker in (0xD9, 0xDA) or length < 2:  # the picture begins, or ends, without a size
            return 0, 0
        position += 1 + length


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", data[26:30])
    return (width & 0x3FFF, height & 0x3FFF) if kind == b"VP8 " else (0, 0)


_SIZES = {"image/png": _png, "image/jpeg": _jpeg, "image/gif": _gif, "image/webp": _webp}
