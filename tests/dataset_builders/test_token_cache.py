"""Cached ids: what is written comes back, in the order of the parts."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from camvig.dataset_builders.token_cache import SCHEMA, TokenCache, check_tokenizers, part_file, write_part

LENGTHS = {"image_ids": 4, "video_ids": 16, "camera_ids": 6, "camera_to_world": 5 * 16, "intrinsics": 5 * 4}


def make_rows(count: int, seed: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(count):
        row: dict = {
            "source": "rooms",
            "clip_index": index,
            "variant": "mirrored",
            "move": "dolly_in",
            "has_path": index % 2 == 0,
        }
        for name, length in LENGTHS.items():
            values = rng.integers(0, 2**18, length)
            row[name] = (values if name.endswith("ids") else np.float32(values / 2**18)).tolist()
        rows.append(row)
    return rows


def test_round_trip(tmp_path: Path):
    rows = make_rows(3, seed=0)
    write_part(part_file(tmp_path, "rooms", 0), rows, "abc")
    cache = TokenCache(tmp_path, "abc", columns=tuple(LENGTHS))
    assert len(cache) == 3
    for name, length in LENGTHS.items():
        values = cache.columns[name]
        assert values.shape == (3, length)
        assert values.dtype == (np.int32 if name.endswith("ids") else np.float32)
        assert values.tolist() == [row[name] for row in rows]
    chosen = cache.rows(np.array([2, 0, 2]))
    assert chosen["video_ids"].tolist() == [rows[index]["video_ids"] for index in (2, 0, 2)]


def test_ids_alone_are_read_unless_told_otherwise(tmp_path: Path):
    write_part(part_file(tmp_path, "rooms", 0), make_rows(1, seed=0), "abc")
    assert set(TokenCache(str(tmp_path), "abc").columns) == {"image_ids", "video_ids", "camera_ids", "has_path"}


def test_where_a_row_came_from_is_kept(tmp_path: Path):
    file = part_file(tmp_path, "rooms-train-64", 7)
    assert file.name == "rooms-train-64-00007.parquet"
    write_part(file, make_rows(2, seed=0), "abc")
    table = pq.read_table(file)
    assert table.schema.equals(SCHEMA)
    assert table["clip_index"].to_pylist() == [0, 1] and table["variant"].to_pylist() == ["mirrored"] * 2


def test_parts_are_read_in_order_however_they_were_written(tmp_path: Path):
    parts = {number: make_rows(2, seed=number) for number in (10, 2, 0, 9)}
    for number, rows in parts.items():
        write_part(part_file(tmp_path, "rooms", number), rows, "abc")
    write_part(part_file(tmp_path, "panoramas", 0), make_rows(1, seed=99), "abc")
    expected = make_rows(1, seed=99) + [row for number in sorted(parts) for row in parts[number]]
    assert TokenCache(tmp_path, "abc").columns["image_ids"].tolist() == [row["image_ids"] for row in expected]


def test_a_part_appears_whole_and_replaces_an_older_one(tmp_path: Path):
    file = part_file(tmp_path / "new folder", "rooms", 0)
    write_part(file, make_rows(1, seed=0), "abc")
    write_part(file, make_rows(2, seed=1), "abc")
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with pytest.raises(Exception, match="abc"):
        write_part(file, [make_rows(1, seed=2)[0] | {"image_ids": ["abc"]}], "abc")
    (tmp_path / "new folder" / ".rooms-00001.1.tmp.parquet").write_bytes(b"half a part")
    assert len(TokenCache(file.parent, "abc")) == 2


def test_an_empty_folder_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected cached ids .* found none"):
        TokenCache(tmp_path, "abc")


def test_rows_of_different_tokenizers_do_not_mix(tmp_path):
    for part, length in enumerate((4, 8)):
        ids = dict.fromkeys(("image_ids", "video_ids", "camera_ids"), [0] * length)
        origin = {"source": "rooms", "clip_index": 0, "variant": "as rendered", "move": "static", "has_path": True}
        write_part(
            part_file(tmp_path, "rooms", part), [{**ids, "camera_to_world": [], "intrinsics": [], **origin}], "abc"
        )
    with pytest.raises(ValueError, match="lengths 4, 8"):
        TokenCache(tmp_path, "abc")


def test_ids_of_other_tokenizers_are_refused_by_name(tmp_path):
    write_part(part_file(tmp_path, "rooms", 0), make_rows(1, seed=0), "abc")
    write_part(part_file(tmp_path, "video", 0), make_rows(1, seed=0), "def")
    message = r"video-00000\.parquet: expected ids of the tokenizers abc .* got ids of def"
    with pytest.raises(ValueError, match=message):
        TokenCache(tmp_path, "abc")
    with pytest.raises(ValueError, match=message):
        check_tokenizers(tmp_path, "abc")
    pq.write_table(pq.read_table(part_file(tmp_path, "rooms", 0)).replace_schema_metadata(None), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet: .* got ids of unknown"):
        TokenCache(tmp_path, "abc")
