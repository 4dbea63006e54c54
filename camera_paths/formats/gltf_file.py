"""A glTF 2.0 file as JSON and numbers: .gltf with base64 or with files beside it, and .glb.

JSON and numpy alone: pygltflib would spare only the few lines that find the bytes, and brings four more dependencies.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import numpy as np

from .path_format import PathSource

GLB_MAGIC = b"glTF"
JSON_CHUNK, BINARY_CHUNK = b"JSON", b"BIN\0"
COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def is_glb(source: PathSource) -> bool:
    with source.file.open("rb") as file:
        return file.read(4) == GLB_MAGIC


def glb_bytes(content: dict, binary: bytes) -> bytes:
    """JSON and one buffer, as a .glb."""
    text = json.dumps(content).encode()
    chunks = ((JSON_CHUNK, text + b" " * (-len(text) % 4)), (BINARY_CHUNK, binary + b"\0" * (-len(binary) % 4)))
    body = b"".join(struct.pack("<I4s", len(data), kind) + data for kind, data in chunks)
    return struct.pack("<4sII", GLB_MAGIC, 2, 12 + len(body)) + body


class GltfFile:
    """What a file holds; what is missing or of another kind is a `ValueError` that names the file."""

    def __init__(self, source: PathSource):
        self.source = source
        self.binary: bytes | None = None  # the buffer inside a .glb
        self.content = self._glb_content() if is_glb(source) else source.json
        asset = self.content.get("asset") if isinstance(self.content, dict) else None
        version = asset.get("version") if isinstance(asset, dict) else None
        if not str(version).startswith("2."):
            raise source.error(f'expected glTF with "version": "2.0" in its "asset", got {version!r}')

    def _glb_content(self) -> Any:
        content = self.source.file.read_bytes()
        length = int.from_bytes(content[8:12], "little")
        if length != len(content):
            raise self.source.error(f"expected {length:,} bytes, got {len(content):,}: is the file cut off?")
        chunks: dict[bytes, bytes] = {}
        position = 12
        while position + 8 <= length:
            size, kind = struct.unpack_from("<I4s", content, position)
            chunks.setdefault(kind, content[position + 8 : position + 8 + size])
            position += 8 + size
        self.binary = chunks.get(BINARY_CHUNK)
        try:
            return json.loads(chunks.get(JSON_CHUNK, b""))
        except ValueError as error:
            raise self.source.error(f"expected a chunk of JSON, got {error}") from None

    def item(self, kind: str, number: Any) -> dict:
        """One of the file's "nodes", "accessors", ..., by its number."""
        items = self.content.get(kind, [])
        if type(number) is not int or not 0 <= number < len(items):
            raise self.source.error(f'expected the number of one of {len(items)} "{kind}", got {number!r}')
        return items[number]

    def accessor(self, number: Any) -> np.ndarray:
        """Its finite numbers, [count, width]; integers are normalised to -1..1, as in animations they are."""
        accessor = self.item("accessors", number)
        view = self.item("bufferViews", accessor.get("bufferView"))
        if "sparse" in accessor or "extensions" in view:
            raise self.source.error(f"accessor {number}: expected plain numbers, got sparse or compressed ones")
        if accessor["componentType"] not in COMPONENTS or accessor["type"] not in WIDTHS:
            raise self.source.error(f"accessor {number}: expected times or values of an animation, got another kind")
        kind, width, count = (
            np.dtype(COMPONENTS[accessor["componentType"]]),
            WIDTHS[accessor["type"]],
            accessor["count"],
        )
        start, stride = accessor.get("byteOffset", 0), view.get("byteStride", width * kind.itemsize)
        content = self._view(view)
        needed = start + stride * (count - 1) + width * kind.itemsize
        if start < 0 or count < 1 or stride < width * kind.itemsize or needed > len(content):
            raise self.source.error(
                f"accessor {number}: expected {needed} bytes for {count} items, got {len(content)}: is the file cut off?"
            )
        numbers = np.ndarray((count, width), kind, content, start, (stride, kind.itemsize)).astype(np.float64)
        if not np.isfinite(numbers).all():
            raise self.source.error(f"accessor {number}: expected finite numbers, got NaN or infinity")
        return numbers if kind.kind == "f" else np.maximum(numbers / np.iinfo(kind).max, -1)

    def _view(self, view: dict) -> bytes:
        start = view.get("byteOffset", 0)
        return self._buffer(view["buffer"])[start : start + view["byteLength"]]

    def _buffer(self, number: Any) -> bytes:
        """From the .glb itself, from base64, or from a file beside this one."""
        uri = self.item("buffers", number).get("uri")
        if uri is None:
            if self.binary is None:
                raise self.source.error(f'buffer {number}: expected its bytes under "uri" or in a .glb, got none')
            return self.binary
        if not uri.startswith("data:"):
            file = self.source.file.parent / unquote(uri)
            if not file.is_file():
                raise self.source.error(f"buffer {number}: expected its bytes in {file}, got no such file")
            return file.read_bytes()
        kind, _, data = uri.partition(",")
        try:
            return base64.b64decode(data, validate=True) if kind.endswith(";base64") else unquote_to_bytes(data)
        except binascii.Error as error:
            raise self.source.error(f"buffer {number}: expected base64, got {error}: is the file cut off?") from None
