"""Images from a folder with one subfolder a class. Pillow decodes them: `pip install 'chainrule[images]'`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..counts import checked_count
from ..errors import ConfigurationError, DataError
from .decode import Size, decode, image_size, pillow

FolderPath: TypeAlias = str | PathLike[str]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"})
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
SPLIT_NAMES = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
LONGEST_SIDE = 64  # pixels, of images whose size nobody gave: what a small network can take
SHOWN = 3


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """Decoded images uint8 (n, channels, height, width), labels int64 (n,), class names, notes on what was decided."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def read_image_folder(
    folder: FolderPath, size: Size | int | None = None, channels: int | None = None, longest_side: int = LONGEST_SIDE
) -> ImageFolder:
    """Read a folder of images, one subfolder a class (nested folders inside count as that class), in sorted order.

    `size` is (height, width), or one number for both. If None: the size most images have, if at least half have it,
    else the median height and width; and where its longer side is more than `longest_side`, it is reduced to that, in
    proportion. Images of another size are resized, which may stretch them. `channels` is 1 (gray) or 3 (colour); if
    None, 1 where every image is gray. Camera rotation (EXIF) is applied, transparency becomes white, of an animation
    the first image counts. Hidden files are passed over, and other files named in `notes`.
    Raises DataError naming the file or folder that can't be used, MissingDependencyError without Pillow.
    """
    check_options(size, channels, longest_side)
    classes, paths, labels, notes = listed(folder)
    chosen_size, size_note = choose_size(paths, size, longest_side)
    images = np.stack([decode(path, chosen_size) for path in paths])  # (n, 3, height, width)
    reduced, channel_note = _choose_channels(images, channels)
    notes += [size_note, channel_note]
    return ImageFolder(reduced, np.array(labels, dtype=np.int64), classes, tuple(paths), tuple(notes))


def listed(folder: FolderPath) -> tuple[tuple[str, ...], list[Path], list[int], list[str]]:
    """The classes in a folder, its images, the label of each, and notes on what was left out; nothing is decoded."""
    root = _existing_folder(folder)
    pillow(f"reading images from {root.name}")
    classes, outside = _class_folders(root)
    notes = [outside] if outside else []
    paths: list[Path] = []
    labels: list[int] = []
    for label, class_folder in enumerate(classes):
        found, note = _images_of_class(class_folder)
        notes += [note] if note else []
        paths += found
        labels += [label] * len(found)
    return tuple(class_folder.name for class_folder in classes), paths, labels, notes


def read_image(path: FolderPath, size: Size, channels: int) -> NDArray[np.uint8]:
    """One image, uint8 (channels, height, width), decoded as `read_image_folder` does; size is (height, width)."""
    check_options(size, channels, LONGEST_SIDE)
    pillow(f"reading the image {path}")
    file = Path(path)
    if not file.is_file():
        raise DataError(
            f"there is no image file {path}" if not file.exists() else f"{path} is a folder, expected an image"
        )
    images, _ = _choose_channels(decode(file, size)[None], channels)
    return np.asarray(images[0])


def _existing_folder(folder: FolderPath) -> Path:
    root = Path(folder)
    if not root.exists():
        raise DataError(f"there is no folder {folder}")
    if not root.is_dir():
        raise DataError(f"{folder} is a file, expected a folder with one subfolder of images per class")
    return root


def _class_folders(root: Path) -> tuple[list[Path], str]:
    """The class folders, sorted by name, and a note on images that lie outside them."""
    visible = sorted(path for path in root.iterdir() if not _is_hidden(path))
    folders = [path for path in visible if path.is_dir()]
    loose = [path.name for path in visible if path.is_file() and path.suffix.lower() in SUFFIXES]
    if not folders:
        given = f"{len(loose)} images, such as {loose[0]}, but no subfolder" if loose else "no subfolder"
        raise DataError(
            f"{root} has {given}: expected one subfolder per class, such as {root.name}/cat, {root.name}/dog"
        )
    if all(path.name.casefold() in SPLIT_NAMES for path in folders):
        names = ", ".join(path.name for path in folders)
        raise DataError(
            f"the subfolders of {root} ({names}) are parts of a split, not classes: give one, such as {folders[0]}"
        )
    if len(folders) == 1:
        raise DataError(
            f"{root} has the one class {folders[0].name!r}: expected a subfolder for each of two or more classes"
        )
    return folders, f"left out, as outside the class folders: {_some(loose)}" if loose else ""


def _images_of_class(folder: Path) -> tuple[list[Path], str]:
    """The image files in a class folder and below it, sorted, and a note on the other files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _any_hidden(path.relative_to(folder)))
    images = [path for path in files if path.suffix.lower() in SUFFIXES]
    others = [path.name for path in files if path.suffix.lower() not in SUFFIXES]
    if not images:
        found = f"only files of other kinds: {_some(others)}" if others else "it is empty"
        kinds = " ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        raise DataError(f"the class folder {folder} has no images ({found}): add images ({kinds}) or remove the folder")
    return images, f"left out in {folder.name}, as no images: {_some(others)}" if others else ""


def choose_size(paths: Sequence[Path], size: Size | int | None, longest_side: int) -> tuple[Size, str]:
    if size is not None:
        chosen = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
        return chosen, f"{_text(chosen)} pixels, as asked"
    sizes = [image_size(path) for path in paths]
    common, count = min(Counter(sizes).items(), key=lambda item: (-item[1], item[0]))
    if 2 * count >= len(sizes):
        usual, rule = common, f"the size of {count} of {len(sizes)} images"
    else:
        usual, rule = _median(sizes), f"the median of {len(set(sizes))} sizes"
    if max(usual) <= longest_side:
        return usual, f"{_text(usual)} pixels, {rule}"
    ratio = longest_side / max(usual)
    small = (max(1, round(usual[0] * ratio)), max(1, round(usual[1] * ratio)))
    return small, f"{_text(small)} pixels, reduced from {_text(usual)}, {rule}"


def _choose_channels(images: NDArray[np.uint8], channels: int | None) -> tuple[NDArray[np.uint8], str]:
    """(n, 3, height, width) to gray or colour."""
    is_gray = bool((images == images[:, :1]).all())
    if channels == 3 or (channels is None and not is_gray):
        return images, "colour" if channels is None else "colour, as asked"
    if is_gray:
        return np.ascontiguousarray(images[:, :1]), "gray, as every image is" if channels is None else "gray, as asked"
    # The luma weights of ITU-R BT.601, as Pillow's mode L.
    gray = np.tensordot(images.astype(np.float32), np.array([0.299, 0.587, 0.114], np.float32), axes=([1], [0]))
    return np.rint(gray).astype(np.uint8)[:, None], "gray, as asked"


def _median(sizes: Sequence[Size]) -> Size:
    height, width = np.median(np.array(sizes), axis=0).tolist()
    return round(height), round(width)


def check_options(size: Size | int | None, channels: int | None, longest_side: int) -> None:
    sides = (size, size) if isinstance(size, int) else size
    if sides is not None and (len(sides) != 2 or min(sides) < 1):
        raise ConfigurationError(f"size is (height, width) in pixels, or one number for both, not {size!r}")
    if channels not in (None, 1, 3):
        raise ConfigurationError(f"channels is 1 (gray), 3 (colour) or None (found out), not {channels!r}")
    checked_count("longest_side", longest_side)


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.casefold() in SYSTEM_FILES


def _any_hidden(relative: Path) -> bool:
    return any(_is_hidden(Path(part)) for part in relative.parts)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _text(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
