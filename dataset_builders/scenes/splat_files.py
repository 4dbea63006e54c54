"""Files of Gaussian splats: the standard .ply of 3DGS in and out, SuperSplat's compressed .ply and PlayCanvas' .sog in.

What always holds: the format is told from the contents, never from the name; a file that is cut off, lacks a property or
holds what cannot be drawn is a `ValueError` that names it. Numbers stay in the file's own axes (see `splat_field.py`).

The container is read here, because the usual library, plyfile, is under the GPL: a text header, then one packed table an
element. The standard layout is that of the 3DGS authors' code: x y z, f_dc_0..2, f_rest_* (all of red, then green, then
blue), opacity, scale_0..2, rot_0..3; other properties (normals, colours) are passed over.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ...camera_paths.atomic_file import write_then_rename
from .gaussian_splats import HARMONICS_OF_DEGREE, GaussianSplats
from .splat_packed_files import decode_compressed_ply, decode_sog

_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2"},
    **{"int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8"},
}
_BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}
_LONGEST_HEADER = 65536  # bytes
_POSITION, _SCALE, _ROTATION = ("x", "y", "z"), ("scale_0", "scale_1", "scale_2"), ("rot_0", "rot_1", "rot_2", "rot_3")
_CONSTANT = ("f_dc_0", "f_dc_1", "f_dc_2")


def read_splats(file: str | os.PathLike[str]) -> GaussianSplats:
    """Read a standard or compressed .ply or a .sog. `ValueError` names the file, what was expected and what came."""
    file = Path(file)
    if not file.is_file():
        raise ValueError(f"expected a file of Gaussian splats, got {file}: no such file")
    try:
        with file.open("rb") as stream:
            start = stream.read(4)
        if start.startswith(b"PK"):
            return decode_sog(file)
        if not start.startswith((b"ply\n", b"ply\r")):
            raise ValueError(f"expected a .ply or .sog file of Gaussian splats, got a file that starts with {start!r}")
        tables = read_ply_tables(file.read_bytes())
        return decode_compressed_ply(tables) if "chunk" in tables else _decode_standard(tables)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def write_splats(splats: GaussianSplats, file: str | os.PathLike[str]) -> None:
    """Write a standard .ply, whole or not at all; `read_splats` gives back the same numbers."""
    rest = splats.harmonics[:, 1:].transpose(0, 2, 1).reshape(splats.count, -1)
    columns = {
        **dict(zip(_POSITION, splats.positions.T, strict=True)),
        **dict(zip(_CONSTANT, splats.harmonics[:, 0].T, strict=True)),
        **{f"f_rest_{number}": column for number, column in enumerate(rest.T)},
        "opacity": splats.opacity_logits,
        **dict(zip(_SCALE, splats.log_scales.T, strict=True)),
        **dict(zip(_ROTATION, splats.rotations.T, strict=True)),
    }
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {splats.count}"]
    header += [*(f"property float {name}" for name in columns), "end_header\n"]
    table = np.stack(list(columns.values()), axis=1).astype("<f4")
    with write_then_rename(file) as temporary:
        temporary.write_bytes("\n".join(header).encode("ascii") + table.tobytes())


def read_ply_tables(content: bytes) -> dict[str, np.ndarray]:
    """The bytes of a binary .ply -> a structured array for each element, by name."""
    end = re.search(rb"end_header\r?\n", content[:_LONGEST_HEADER])
    if end is None:
        raise ValueError("expected a .ply header that ends in end_header, got none: is the file cut off?")
    byte_order, elements = _parse_header(content[: end.start()].decode("ascii", "replace").splitlines())
    tables, offset = {}, end.end()
    for name, count, properties in elements:
        row = np.dtype([(each, byte_order + code) for each, code in properties])
        if len(content) - offset < count * row.itemsize:
            raise ValueError(
                f"expected {count * row.itemsize:,} bytes for {count:,} of element {name}, "
                f"got {len(content) - offset:,}: is the file cut off?"
            )
        tables[name] = np.frombuffer(content, row, count, offset)
        offset += count * row.itemsize
    return tables


def _parse_header(lines: list[str]) -> tuple[str, list[tuple[str, int, list[tuple[str, str]]]]]:
    """The byte order, and (name, number of rows, [(property, numpy type)]) of each element in order."""
    byte_order, elements = "", []
    for line in lines[1:]:
        match line.split():
            case ["comment" | "obj_info", *_] | []:
                pass
            case ["format", encoding, _] if encoding in _BYTE_ORDERS:
                byte_order = _BYTE_ORDERS[encoding]
            case ["element", name, count] if count.isdigit():
                elements.append((name, int(count), []))
            case ["property", kind, name] if kind in _TYPES and elements:
                elements[-1][2].append((name, _TYPES[kind]))
            case _:
                raise ValueError(f"expected the header of a binary .ply without lists, got the line {line[:80]!r}")
    if not byte_order:
        raise ValueError("expected a line with the format in the header of the .ply, got none")
    return byte_order, elements


def _decode_standard(tables: dict[str, np.ndarray]) -> GaussianSplats:
    table = tables.get("vertex")
    if table is None:
        raise ValueError(f"expected an element vertex in the .ply, got {', '.join(tables) or 'no element'}")
    names = table.dtype.names or ()
    missing = [name for name in (*_POSITION, *_CONSTANT, "opacity", *_SCALE, *_ROTATION) if name not in names]
    if missing:
        raise ValueError(f"expected the properties of Gaussian splats, got a .ply without {', '.join(missing)}")
    rest = _columns(table, sorted((name for name in names if name.startswith("f_rest_")), key=_number))
    return GaussianSplats(
        _columns(table, _POSITION),
        _columns(table, _SCALE),
        _columns(table, _ROTATION),
        table["opacity"],
        join_harmonics(_columns(table, _CONSTANT), rest),
    )


def join_harmonics(constant: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """f_dc [N, 3] and f_rest [N, 3 (K - 1)] -> coefficients [N, K, 3]."""
    if rest.shape[1] not in [3 * (count - 1) for count in HARMONICS_OF_DEGREE]:
        raise ValueError(f"expected 0, 9, 24 or 45 properties f_rest_*, got {rest.shape[1]}")
    by_degree = rest.reshape(len(rest), 3, rest.shape[1] // 3).transpose(0, 2, 1)
    return np.concatenate([constant[:, None], by_degree], axis=1)


def _number(name: str) -> int:
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdigit() else -1


def _columns(table: np.ndarray, names) -> np.ndarray:
    """Properties as an array [N, len(names)] float32."""
    return np.stack([table[name] for name in names], axis=1).astype(np.float32) if names else np.empty((len(table), 0))
