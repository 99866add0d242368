import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.data import ImageEncoder, read_image, read_image_folder
from chainrule.errors import CheckpointError, ConfigurationError, DataError, MissingDependencyError

image_module = pytest.importorskip("PIL.Image")

RED, BLUE = (255, 0, 0), (0, 0, 255)


def save(path: Path, size: tuple[int, int] = (6, 8), colour: Any = RED, mode: str = "RGB", **options: Any) -> Path:
    """A plain image of (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image_module.new(mode, (size[1], size[0]), colour).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "dog" / "a.png", colour=BLUE)
    save(tmp_path / "cat" / "b.png")
    save(tmp_path / "cat" / "deeper" / "c.bmp")
    save(tmp_path / "cat" / "a.PNG")
    return tmp_path


def test_classes_and_files_are_sorted_and_nested_files_found(folder: Path) -> None:
    data = read_image_folder(folder)
    assert data.classes == ("cat", "dog") and data.labels.tolist() == [0, 0, 0, 1]
    assert [path.name for path in data.paths] == ["a.PNG", "b.png", "c.bmp", "a.png"]
    assert data.images.shape == (4, 3, 6, 8) and data.images.dtype == np.uint8 and data.labels.dtype == np.int64
    assert data.images[:, :, 0, 0].tolist() == [[255, 0, 0]] * 3 + [[0, 0, 255]]
    assert data.notes == ("6 x 8 pixels, the size of 4 of 4 images", "colour")


def test_gray_is_found(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", colour=7, mode="L")
    save(tmp_path / "b" / "1.png", colour=(9, 9, 9))
    data = read_image_folder(tmp_path)
    assert data.images.shape == (2, 1, 6, 8) and data.images[:, 0, 0, 0].tolist() == [7, 9]
    assert data.notes[-1] == "gray, as every image is"
    assert read_image_folder(tmp_path, channels=3).images[1, :, 0, 0].tolist() == [9, 9, 9]


def test_colour_to_gray_is_by_luma(folder: Path) -> None:
    gray = read_image_folder(folder, channels=1).images
    assert gray.shape == (4, 1, 6, 8)
    assert gray[:, 0, 0, 0].tolist() == [76, 76, 76, 29]  # what Pillow's mode L gives for pure red and blue


@pytest.mark.parametrize(
    ("sizes", "options", "expected", "note"),
    [
        ([(6, 8), (6, 8), (9, 9)], {}, (6, 8), "6 x 8 pixels, the size of 2 of 3"),
        ([(6, 8), (10, 20), (20, 40)], {}, (10, 20), "10 x 20 pixels, the median of 3 sizes"),
        ([(100, 200), (100, 200), (9, 9)], {}, (32, 64), "32 x 64 pixels, reduced from 100 x 200, the size of 2 of 3"),
        ([(100, 200), (100, 200), (9, 9)], {"longest_side": 300}, (100, 200), "100 x 200"),
        ([(6, 8), (6, 8), (9, 9)], {"size": (4, 5)}, (4, 5), "4 x 5 pixels, as asked"),
        ([(6, 8), (6, 8), (9, 9)], {"size": 128}, (128, 128), "128 x 128"),
    ],
)
def test_the_size_is_chosen(tmp_path: Path, sizes: Any, options: Any, expected: Any, note: str) -> None:
    for place, size in enumerate(sizes):
        save(tmp_path / "ab"[place % 2] / f"{place}.png", size)
    data = read_image_folder(tmp_path, **options)
    assert data.images.shape[2:] == expected and data.notes[-2].startswith(note)


def test_camera_rotation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, :3] = 255  # the left half is white
    image = image_module.fromarray(pixels)
    exif = image_module.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    for name in "ab":
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "turned.png", exif=exif)
    images = read_image_folder(tmp_path).images
    assert images.shape == (2, 1, 6, 4)
    assert images[0, 0, :, 0].tolist() == [255, 255, 255, 0, 0, 0]


def test_every_mode_is_decoded(tmp_path: Path) -> None:
    assert read_image(save(tmp_path / "clear.png", colour=(10, 20, 30, 0), mode="RGBA"), (6, 8), 3).min() == 255
    assert read_image(save(tmp_path / "solid.png", colour=(10, 20, 30, 255), mode="RGBA"), (6, 8), 3)[
        :, 0, 0
    ].tolist() == [10, 20, 30]
    assert read_image(save(tmp_path / "deep.png", colour=256 * 77 + 5, mode="I;16"), (6, 8), 1).max() == 77
    assert read_image(save(tmp_path / "bit.png", colour=1, mode="1"), (6, 8), 1).max() == 255
    assert read_image(save(tmp_path / "half.png", colour=(0, 128), mode="LA"), (6, 8), 1)[0, 0, 0] == 127
    palette = image_module.new("RGB", (8, 6), RED).convert("P")
    palette.save(tmp_path / "palette.gif")
    assert read_image(tmp_path / "palette.gif", (6, 8), 3)[:, 0, 0].tolist() == [255, 0, 0]


def test_hidden_files_are_passed_over_and_others_named(folder: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", ".hidden/x.png"):
        (folder / "cat" / name).parent.mkdir(exist_ok=True)
        (folder / "cat" / name).write_text("not an image")
    (folder / ".git").mkdir()
    (folder / "cat" / "labels.txt").write_text("x")
    save(folder / "loose.png")
    data = read_image_folder(folder)
    assert len(data) == 4
    assert data.notes[:2] == (
        "left out, as outside the class folders: loose.png",
        "left out in cat, as no images: labels.txt",
    )


def test_bad_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        read_image_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="has no subfolder: expected one subfolder per class"):
        read_image_folder(tmp_path)
    loose = save(tmp_path / "loose.png")
    with pytest.raises(DataError, match=r"has 1 images, such as loose.png, but no subfolder"):
        read_image_folder(tmp_path)
    with pytest.raises(DataError, match="is a file, expected a folder"):
        read_image_folder(loose)
    save(tmp_path / "cat" / "a.png")
    with pytest.raises(DataError, match="has the one class 'cat'"):
        read_image_folder(tmp_path)
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match=r"the class folder .*dog has no images \(it is empty\)"):
        read_image_folder(tmp_path)
    (tmp_path / "dog" / "readme.md").write_text("x")
    with pytest.raises(DataError, match=r"dog has no images \(only files of other kinds: readme.md\)"):
        read_image_folder(tmp_path)


def test_a_split_is_not_taken_for_classes(tmp_path: Path) -> None:
    save(tmp_path / "train" / "cat" / "a.png")
    save(tmp_path / "Test" / "cat" / "a.png")
    with pytest.raises(DataError, match=r"\(Test, train\) are parts of a split, not classes: give one"):
        read_image_folder(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "head"])
@pytest.mark.parametrize("size", [None, (4, 4)])
def test_a_damaged_image_is_named(folder: Path, damage: str, size: Any) -> None:
    rng = np.random.default_rng(0)
    good = folder / "good.png"
    image_module.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(good)
    content = good.read_bytes()
    bad = {"cut": content[: len(content) // 2], "text": b"hello", "empty": b"", "head": content[:20]}[damage]
    (folder / "dog" / "broken.png").write_bytes(bad)
    with pytest.raises(DataError, match=r"the image .*broken.png can't be read, it is damaged"):
        read_image_folder(folder, size=size)


def test_floating_point_images_are_refused(folder: Path) -> None:
    save(folder / "dog" / "f.tif", colour=0.5, mode="F")
    with pytest.raises(DataError, match=r"f.tif can't be read.*floating-point"):
        read_image_folder(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size is"),
        ({"size": (3, 4, 5)}, "size is"),
        ({"channels": 2}, "channels is 1"),
        ({"longest_side": 0}, "longest_side is an integer of at least 1"),
    ],
)
def test_bad_options_are_named(folder: Path, options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_image_folder(folder, **options)


def test_without_pillow_the_message_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'chainrule\[images\]'"):
        read_image_folder(folder)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for place in range(6):
        path = tmp_path / ["ant", "bee", "cow"][place % 3] / f"{place}.png"
        path.parent.mkdir(exist_ok=True)
        image_module.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).save(path)
    return tmp_path


def test_each_channel_is_standardised(noise: Path) -> None:
    data = read_image_folder(noise)
    encoder = ImageEncoder.fit(data)
    x = encoder.encode(data.images)
    assert x.dtype == np.float32 and x.shape == (6, 3, 5, 7)
    np.testing.assert_allclose(x.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=(0, 2, 3)), 1, rtol=1e-5)
    np.testing.assert_allclose(encoder.mean, data.images.mean(axis=(0, 2, 3)) / 255)
    assert ImageEncoder.fit(data, rows=[0, 1]) != encoder


def test_an_encoder_round_trips_and_loads_single_images_alike(noise: Path) -> None:
    data = read_image_folder(noise)
    encoder = ImageEncoder.fit(data)
    again = ImageEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again == encoder and again.channels == 3 and again.outputs == 3
    assert np.array_equal(again.load(data.paths[4]), encoder.encode(data.images)[4:5])
    assert np.array_equal(again.load(list(data.paths[:2])), encoder.encode(data.images)[:2])
    assert again.decode(np.eye(3)).values == ("ant", "bee", "cow")


def test_a_constant_channel_stays_finite(folder: Path) -> None:
    data = read_image_folder(folder)
    assert np.isfinite(ImageEncoder.fit(data).encode(data.images)).all()


def test_labels_of_another_folder_follow_the_trained_classes(folder: Path) -> None:
    encoder = ImageEncoder(("zebra", "dog", "cat"), 6, 8, (0.5,) * 3, (1.0,) * 3)
    assert encoder.encode_labels(read_image_folder(folder)).tolist() == [2, 2, 2, 1]


def test_faults_at_prediction_are_named(folder: Path) -> None:
    data = read_image_folder(folder)
    encoder = ImageEncoder.fit(data)
    with pytest.raises(DataError, match="there is no image file"):
        encoder.load(folder / "no.png")
    with pytest.raises(DataError, match="is a folder, expected an image"):
        encoder.load(folder)
    with pytest.raises(
        DataError, match=r"expected uint8 images of shape \(n, \*\(3, 6, 8\)\), got uint8 \(4, 1, 6, 8\)"
    ):
        encoder.encode(data.images[:, :1])
    with pytest.raises(DataError, match="class folders 'dog' are none of the 1 classes trained on: 'cat'"):
        ImageEncoder(("cat",), 6, 8, (0.5,), (1.0,)).encode_labels(data)
    with pytest.raises(DataError, match="rows chooses none"):
        ImageEncoder.fit(data, rows=np.array([], dtype=np.int64))


@pytest.mark.parametrize(("state", "message"), [({"format": 7}, "format 7"), ({"format": 1, "odd": 1}, "damaged")])
def test_a_damaged_state_is_refused(state: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        ImageEncoder.from_dict(state)
