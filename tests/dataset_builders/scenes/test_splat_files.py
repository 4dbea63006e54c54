"""Files of Gaussian splats: round trips, layouts written by hand in the test, and everything that can be wrong with them."""

import io
import json
import re
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from camvig.dataset_builders.scenes.gaussian_splats import GaussianSplats
from camvig.dataset_builders.scenes.splat_files import read_splats, write_splats

C0 = 0.28209479177387814
FIELDS = ("positions", "log_scales", "rotations", "opacity_logits", "harmonics")


def random_splats(count: int = 300, coefficients: int = 16, seed: int = 0) -> GaussianSplats:
    rng = np.random.default_rng(seed)
    return GaussianSplats(
        rng.normal(0, 2, (count, 3)),
        rng.uniform(-6, 0, (count, 3)),
        rng.normal(size=(count, 4)),
        rng.normal(0, 3, count),
        rng.normal(0, 0.5, (count, coefficients, 3)),
    )


def unit(quaternions: np.ndarray) -> np.ndarray:
    """Of length 1, with the largest component above 0: a quaternion and its negative are the same rotation."""
    largest = np.take_along_axis(quaternions, np.abs(quaternions).argmax(axis=1)[:, None], axis=1)
    return quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True) * np.sign(largest)


def ply(elements: dict, byte_order: str = "little") -> bytes:
    """A .ply of {element: {property: array}}, types as in the arrays."""
    kinds = {"f4": "float", "f8": "double", "u4": "uint", "u1": "uchar"}
    header, body = ["ply", f"format binary_{byte_order}_endian 1.0", "comment made by a test"], b""
    for name, columns in elements.items():
        header.append(f"element {name} {len(next(iter(columns.values())))}")
        header += [f"property {kinds[column.dtype.str[1:]]} {each}" for each, column in columns.items()]
        sign = "<" if byte_order == "little" else ">"
        row = np.dtype([(each, sign + column.dtype.str[1:]) for each, column in columns.items()])
        table = np.empty(len(next(iter(columns.values()))), row)
        for each, column in columns.items():
            table[each] = column
        body += table.tobytes()
    return "\n".join([*header, "end_header\n"]).encode() + body


@pytest.mark.parametrize("coefficients", [1, 4, 9, 16])
def test_a_ply_comes_back_exactly(tmp_path, coefficients):
    splats = random_splats(coefficients=coefficients)
    file = tmp_path / "Kirche, außen 2.ply"
    write_splats(splats, file)
    back = read_splats(file)
    assert back.degree == splats.degree and back.count == 300
    for name in FIELDS:
        assert np.array_equal(getattr(back, name), getattr(splats, name)), name


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_properties_are_found_by_name(tmp_path, byte_order):
    """In any order and type, among others, after another element; f_rest_* is all of red, then green, then blue."""
    names = ["scale_1", "nx", "x", "rot_0", "rot_1", "rot_2", "rot_3", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "z"]
    names += ["y", "scale_0", "scale_2", "red", *(f"f_rest_{number}" for number in range(8, -1, -1))]
    columns = {
        name: np.array([index + 1, -index - 1], "f8" if name == "y" else "f4") for index, name in enumerate(names)
    }
    columns["red"] = np.array([7, 8], "u1")
    file = tmp_path / "scene.ply"
    file.write_bytes(ply({"camera": {"focal": np.array([1.5, 2.5], "f4")}, "vertex": columns}, byte_order))
    splats = read_splats(file)
    assert splats.positions.tolist() == [[3, 13, 12], [-3, -13, -12]]
    assert splats.log_scales[0].tolist() == [14, 1, 15] and splats.rotations[0].tolist() == [4, 5, 6, 7]
    assert splats.opacity_logits.tolist() == [11, -11]
    assert splats.harmonics[0, 0].tolist() == [8, 9, 10]
    f_rest = {number: float(columns[f"f_rest_{number}"][0]) for number in range(9)}
    for coefficient in (1, 2, 3):
        expected = [f_rest[3 * channel + coefficient - 1] for channel in range(3)]
        assert splats.harmonics[0, coefficient].tolist() == expected


def pack(values: np.ndarray, widths: tuple[int, ...]) -> np.ndarray:
    """Shares [N, len(widths)] of 0..1 -> 32-bit words."""
    words = np.zeros(len(values), np.uint32)
    for column, width in zip(values.T, widths, strict=True):
        words = (words << width) | np.round(column * ((1 << width) - 1)).astype(np.uint32)
    return words


def compressed_ply(splats: GaussianSplats) -> dict:
    """The elements of SuperSplat's compressed .ply, chunk by chunk."""
    columns = {
        **dict(zip(("x", "y", "z"), splats.positions.T, strict=True)),
        **dict(zip(("scale_x", "scale_y", "scale_z"), splats.log_scales.T, strict=True)),
        **dict(zip("rgb", splats.harmonics[:, 0].T * C0 + 0.5, strict=True)),
    }
    starts = range(0, splats.count, 256)
    chunk, shares = {}, {}
    for name, column in columns.items():
        low, high = (np.array([end(column[start : start + 256]) for start in starts], "f4") for end in (np.min, np.max))
        chunk |= {f"min_{name}": low, f"max_{name}": high}
        which = np.arange(splats.count) // 256
        shares[name] = np.clip((column - low[which]) / (high - low)[which], 0, 1)
    quaternions = unit(splats.rotations)
    largest = np.abs(quaternions).argmax(axis=1)
    others = quaternions[np.arange(4) != largest[:, None]].reshape(-1, 3)
    vertex = {
        "packed_position": pack(np.stack([shares[name] for name in "xyz"], 1), (11, 10, 11)),
        "packed_rotation": (largest.astype(np.uint32) << 30) | pack(others * np.sqrt(0.5) + 0.5, (10, 10, 10)),
        "packed_scale": pack(np.stack([shares[f"scale_{axis}"] for axis in "xyz"], 1), (11, 10, 11)),
        "packed_color": pack(np.stack([*(shares[name] for name in "rgb"), splats.opacities], 1), (8, 8, 8, 8)),
    }
    rest = splats.harmonics[:, 1:].transpose(0, 2, 1).reshape(splats.count, -1)
    steps = np.clip(np.floor((rest / 8 + 0.5) * 256), 0, 255).astype("u1")
    return {"chunk": chunk, "vertex": vertex, "sh": {f"f_rest_{index}": column for index, column in enumerate(steps.T)}}


def check_near(splats: GaussianSplats, back: GaussianSplats, position: float, scale: float, colour: float):
    assert np.abs(back.positions - splats.positions).max() < position
    assert np.abs(back.log_scales - splats.log_scales).max() < scale
    cosines = np.abs((unit(back.rotations) * unit(splats.rotations)).sum(axis=1))
    assert np.degrees(2 * np.arccos(np.minimum(1, cosines))).max() < 1.5  # 8 bits a component in a .sog
    assert np.abs(back.opacities - splats.opacities).max() < 0.51 / 255
    assert np.abs(back.harmonics[:, 0] - splats.harmonics[:, 0]).max() < colour


def test_a_compressed_ply_is_near_what_was_packed(tmp_path):
    """Within half a step of each field; y has 10 bits, the others 11."""
    splats = random_splats()
    file = tmp_path / "scene.compressed.ply"
    file.write_bytes(ply(compressed_ply(splats)))
    back = read_splats(file)
    spans = [np.ptp(field, axis=0).max() for field in (splats.positions, splats.log_scales, splats.harmonics[:, 0])]
    check_near(splats, back, 0.51 * spans[0] / 1023, 0.51 * spans[1] / 1023, 0.51 * spans[2] / 255)
    assert np.abs(back.harmonics[:, 1:] - splats.harmonics[:, 1:]).max() < 0.51 / 32


def test_the_first_compressed_files_have_no_bounds_of_colours(tmp_path):
    splats = random_splats(20, 1)
    elements = compressed_ply(splats)
    del elements["sh"]
    for name in ("min_r", "min_g", "min_b", "max_r", "max_g", "max_b"):
        del elements["chunk"][name]
    colours = np.array([[0, 51, 102, 255], [255, 204, 153, 128]]) / 255
    elements["vertex"]["packed_color"][:2] = pack(colours, (8, 8, 8, 8))
    file = tmp_path / "old.compressed.ply"
    file.write_bytes(ply(elements))
    back = read_splats(file)
    assert np.allclose(back.harmonics[:2, 0] * C0 + 0.5, colours[:, :3], atol=1e-6)
    assert np.allclose(back.opacities[:2], colours[:, 3], atol=1e-6)


def sog_entries(splats: GaussianSplats) -> dict[str, bytes]:
    """The entries of a .sog, with a palette of all coefficients rounded to a table of 256."""
    width = int(np.ceil(np.sqrt(splats.count)))

    def picture(values: np.ndarray, width: int = width) -> bytes:
        pixels = np.zeros((-(-len(values) // width) * width, 4), np.uint8)
        pixels[:, 3] = 255
        pixels[: len(values), : values.shape[1]] = values
        memory = io.BytesIO()
        Image.fromarray(pixels.reshape(-1, width, 4)).save(memory, "webp", lossless=True, exact=True)
        return memory.getvalue()

    def table(values: np.ndarray) -> tuple[list[float], np.ndarray]:
        codebook = np.linspace(values.min(), values.max(), 256)
        return codebook.tolist(), np.abs(values[..., None] - codebook).argmin(axis=-1).astype(np.uint8)

    logarithms = np.sign(splats.positions) * np.log1p(np.abs(splats.positions))
    low, high = logarithms.min(axis=0), logarithms.max(axis=0)
    steps = np.round((logarithms - low) / (high - low) * 65535).astype(int)
    quaternions = unit(splats.rotations)
    largest = np.abs(quaternions).argmax(axis=1)
    others = quaternions[np.arange(4) != largest[:, None]].reshape(-1, 3)
    scale_table, scales = table(splats.log_scales)
    colour_table, colours = table(splats.harmonics[:, 0])
    rest_table, rest = table(splats.harmonics[:, 1:])
    rows = np.zeros((-(-splats.count // 64) * 64, rest.shape[1], 3), np.uint8)
    rows[: splats.count] = rest[::-1]  # entry i of the palette is for Gaussian N - 1 - i
    labels = np.arange(splats.count)[::-1]
    meta = {
        "version": 2,
        "count": splats.count,
        "means": {"mins": low.tolist(), "maxs": high.tolist(), "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"codebook": scale_table, "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": colour_table, "files": ["sh0.webp"]},
        "shN": {"count": splats.count, "bands": splats.degree, "codebook": rest_table, "files": ["c.webp", "l.webp"]},
    }
    tagged = np.concatenate([np.round(255 * (others * np.sqrt(0.5) + 0.5)), 252 + largest[:, None]], axis=1)
    return {
        "meta.json": json.dumps(meta).encode(),
        "means_l.webp": picture(steps % 256),
        "means_u.webp": picture(steps // 256),
        "scales.webp": picture(scales),
        "quats.webp": picture(tagged),
        "sh0.webp": picture(np.concatenate([colours, np.round(255 * splats.opacities)[:, None]], axis=1)),
        "c.webp": picture(rows.reshape(-1, 3), 64 * rest.shape[1]),
        "l.webp": picture(np.stack([labels % 256, labels // 256], axis=1)),
    }


def write_zip(file, entries: dict[str, bytes]):
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("coefficients", [4, 16])
def test_a_sog_is_near_what_was_packed(tmp_path, coefficients):
    splats = random_splats(coefficients=coefficients)
    write_zip(tmp_path / "scene.sog", sog_entries(splats))
    back = read_splats(tmp_path / "scene.sog")
    step = np.ptp(splats.harmonics) / 255
    check_near(splats, back, 1e-3, 0.51 * np.ptp(splats.log_scales) / 255, 0.51 * step)
    assert np.abs(back.harmonics[:, 1:] - splats.harmonics[:, 1:]).max() < 0.51 * step


def broken(change) -> bytes:
    return ply(change(compressed_ply(random_splats(300, 4))))


def without(elements: dict, element: str, name: str) -> dict:
    elements[element].pop(name)
    return elements


def test_what_is_wrong_with_a_ply_is_said_with_its_name(tmp_path):
    good = tmp_path / "good.ply"
    write_splats(random_splats(10), good)
    content = good.read_bytes()
    end = content.index(b"end_header\n")
    nan = struct.pack("<f", float("nan"))
    x_of_3 = end + len(b"end_header\n") + 3 * 59 * 4
    rotation_of_0 = end + len(b"end_header\n") + 55 * 4
    for wrong, message in {
        b"": "starts with b''",
        b"solid nothing": "expected a .ply or .sog",
        content[: end - 20]: "end_header",
        content[:-1]: r"expected 2,360 bytes for 10 of element vertex, got 2,359: is the file cut off\?",
        content.replace(b"binary_little_endian", b"ascii"): "got the line 'format ascii 1.0'",
        content.replace(b"float x", b"list uchar int x"): "without lists",
        content.replace(b"opacity", b"density"): "without opacity",
        content.replace(b"element vertex 10", b"element vertex 0"): "at least 1 Gaussian, got 0",
        content.replace(b"element vertex", b"element points"): "expected an element vertex .*, got points",
        content.replace(b"f_rest_44", b"last_rest"): "expected 0, 9, 24 or 45 properties f_rest_.*, got 44",
        content[:x_of_3] + nan + content[x_of_3 + 4 :]: "Gaussian 3: expected numbers within 1e.09 in positions",
        content[:rotation_of_0] + bytes(16) + content[rotation_of_0 + 16 :]: "Gaussian 0: expected a rotation",
        broken(lambda elements: {part: {k: v[:0] for k, v in elements[part].items()} for part in elements}): "got 0",
        broken(lambda elements: without(elements, "vertex", "packed_scale")): "without packed_scale",
        broken(lambda elements: without(elements, "chunk", "max_y")): "without max_y",
        broken(lambda elements: without(elements, "sh", "f_rest_0")): "rows of f_rest_0",
        broken(
            lambda elements: {"chunk": {k: v[:1] for k, v in elements["chunk"].items()}, "vertex": elements["vertex"]}
        ): ("a chunk for each 256 of 300 Gaussians, got 1"),
    }.items():
        file = tmp_path / "wrong name.ply"
        file.write_bytes(wrong)
        with pytest.raises(ValueError, match=f"{re.escape(str(file))}.*{message}"):
            read_splats(file)


def test_what_is_wrong_with_a_sog_is_said_with_its_name(tmp_path):
    entries = sog_entries(random_splats(30, 4))
    file = tmp_path / "scene.sog"
    meta = json.loads(entries["meta.json"])
    blurred = io.BytesIO()
    Image.new("RGBA", (6, 6), (9, 9, 9, 200)).save(blurred, "webp", lossless=True)
    for change, message in (
        ({"meta.json": b"{"}, "a whole .sog"),
        ({"meta.json": json.dumps(meta | {"version": 1}).encode()}, "expected a .sog of version 2, got version 1"),
        ({"meta.json": json.dumps(meta | {"count": 99}).encode()}, "a pixel for each of 99 Gaussians in means"),
        (
            {"meta.json": json.dumps({**meta, "sh0": {**meta["sh0"], "codebook": [1.0]}}).encode()},
            "expected the pictures",
        ),
        ({"means_u.webp": b"nothing"}, "a whole .sog"),
        ({"quats.webp": blurred.getvalue()}, "252 to 255 in the alpha of quats, got 200"),
    ):
        write_zip(file, entries | change)
        with pytest.raises(ValueError, match=f"{re.escape(str(file))}.*{message}"):
            read_splats(file)
    write_zip(file, {name: content for name, content in entries.items() if name != "sh0.webp"})
    with pytest.raises(ValueError, match=r"sh0\.webp"):
        read_splats(file)
    write_zip(file, entries)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="a whole"):
        read_splats(file)


def test_no_such_file(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_splats(tmp_path / "none.ply")


@pytest.mark.parametrize("name", FIELDS)
def test_arrays_that_do_not_fit_are_refused(name):
    splats = random_splats(5, 4)
    arrays = {each: getattr(splats, each) for each in FIELDS}
    with pytest.raises(ValueError, match=f"expected {name} of shape"):
        GaussianSplats(**(arrays | {name: np.ones((5, 7, 2))}))
    wrong = np.array(arrays[name])
    wrong.reshape(5, -1)[2, -1] = np.nan
    with pytest.raises(ValueError, match=f"Gaussian 2: expected .* in {name}"):
        GaussianSplats(**(arrays | {name: wrong}))


def test_a_covariance_has_the_axes_and_the_scales():
    half = np.radians(90) / 2
    quaternion = 3 * np.array([[np.cos(half), 0, 0, np.sin(half)]])  # of any length; x goes to y
    splats = GaussianSplats(np.zeros((1, 3)), np.log([[1.0, 2, 3]]), quaternion, np.zeros(1), np.zeros((1, 1, 3)))
    assert np.allclose(splats.covariances[0], np.diag([4, 1, 9]), atol=1e-5)
    assert splats.opacities[0] == 0.5
