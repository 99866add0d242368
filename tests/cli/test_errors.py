"""Bad input: one clear message each, exit code 2, no traceback, nothing lost."""

from __future__ import annotations

import builtins
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
Make = Callable[..., Path]

QUICK = ("--epochs", "1", "--quiet")


def failed(result: Result, *words: str) -> str:
    """The one message of a command that failed as it should."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr
    return result.stderr


def no_run_was_left(folder: Path) -> bool:
    return not (folder / "runs").exists()


def test_missing_file(run: Run, houses: Path) -> None:
    failed(run("train", "house.csv", "--target", "price"), "no file or folder house.csv", "did you mean houses.csv")


def test_missing_folder(run: Run) -> None:
    failed(run("train", "photos/"), "there is no file or folder photos")


def test_no_source(run: Run) -> None:
    failed(run("train"), "say what to train on, such as `chainrule train digits`")


def test_no_target(run: Run, houses: Path) -> None:
    failed(run("train", houses), "say which column to predict", "'area'", '--target "price"')


def test_wrong_column_suggests_near_names(run: Run, houses: Path, tmp_path: Path) -> None:
    failed(run("train", houses, "--target", "prise"), "no column 'prise'", "Did you mean 'price'?")
    assert no_run_was_left(tmp_path)


def test_wrong_column_in_an_option(run: Run, houses: Path) -> None:
    failed(run("train", houses, "--target", "price", "--ignore", "aera"), "no column 'aera'", "'area'")


def test_text_in_a_number_column_names_line_and_options(run: Run, houses: Path, tmp_path: Path) -> None:
    lines = houses.read_text().splitlines()
    lines[6] = lines[6].replace(lines[6].split(",")[1], "big", 1)
    houses.write_text("\n".join(lines) + "\n")
    message = failed(run("train", houses, "--target", "price"), "column 'area'", "'big'", "line 7", "--missing big")
    assert "missing=[" not in message
    assert no_run_was_left(tmp_path)
    assert run("train", houses, "--target", "price", "--missing", "big", *QUICK).exit_code == 0


def test_missing_labels_name_the_option_that_drops_them(run: Run, flowers: Path, tmp_path: Path) -> None:
    flowers.write_text(flowers.read_text().replace("lily", "NaN", 2))
    failed(run("train", flowers, "--target", "kind"), "'kind' is missing in lines 2, 4", "--drop-missing-labels")
    assert no_run_was_left(tmp_path)
    assert run("train", flowers, "--target", "kind", "--drop-missing-labels", *QUICK).exit_code == 0


def test_empty_class_folder(run: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "nothing").mkdir()
    failed(run("train", photos), "class folder", "nothing", "is empty")
    assert no_run_was_left(tmp_path)


def test_folder_without_subfolders(run: Run, photos: Path) -> None:
    failed(run("train", photos / "left"), "no subfolder", "expected one subfolder per class")


def test_damaged_image_is_named(run: Run, photos: Path) -> None:
    (photos / "left" / "0.png").write_bytes(b"not an image")
    failed(run("train", photos), "0.png can't be read")


@pytest.fixture
def trained(run: Run, flowers: Path, tmp_path: Path) -> Path:
    """A run on a table."""
    result = run("train", flowers, "--target", "kind", "--run", "made", "--epochs", "2")
    assert result.exit_code == 0, result.output
    return Path("made")


def test_truncated_checkpoint(run: Run, trained: Path) -> None:
    for file in trained.rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:100])
    for arguments in (("evaluate", trained), ("predict", trained, "flowers.csv"), ("train", "--resume", trained)):
        failed(run(*arguments), ".safetensors")


def test_damaged_record(run: Run, trained: Path) -> None:
    text = (trained / "command.json").read_text()
    (trained / "command.json").write_text(text[:100])
    failed(run("evaluate", trained), "command.json can't be read as JSON")
    state = json.loads(text)
    del state["encoder"]
    (trained / "command.json").write_text(json.dumps(state))
    failed(run("evaluate", trained), "command.json is damaged: it lacks 'encoder'")
    (trained / "command.json").write_text(json.dumps({**json.loads(text), "format": 99}))
    failed(run("evaluate", trained), "another format")


def test_weights_of_another_network(run: Run, trained: Path) -> None:
    state = json.loads((trained / "command.json").read_text())
    state["network"]["hidden"] = [3]
    (trained / "command.json").write_text(json.dumps(state))
    failed(run("evaluate", trained), "shape")


def test_table_without_a_column_the_network_needs(run: Run, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("petal,kind\n1.0,rose\n")
    failed(run("predict", trained, "other.csv", "-o", "out.csv"), "lacks the column 'sepal'")
    assert not (tmp_path / "out.csv").exists()


def test_predictions_never_replace_the_data(run: Run, trained: Path, flowers: Path) -> None:
    before = flowers.read_text()
    failed(run("predict", trained, flowers, "-o", flowers), "is the data itself")
    assert flowers.read_text() == before


def test_predictions_that_can_not_be_written_leave_the_old_file(run: Run, trained: Path, flowers: Path) -> None:
    failed(run("predict", trained, flowers, "-o", f"{flowers}/out.csv"), "flowers.csv")
    assert not list(trained.parent.glob("out.csv"))


def test_label_out_of_range(run: Run, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("petal,sepal,kind\n1.0,2.0,rose\n1.0,2.0,tulip\n")
    failed(run("evaluate", trained, "other.csv"), "'tulip' in line 3 is none of the 2 classes trained on")


def test_another_kind_of_data_than_the_run_was_trained_on(run: Run, trained: Path, photos: Path) -> None:
    failed(run("predict", trained, photos), "trained on the table flowers.csv", "expected a table")
    failed(run("evaluate", trained, "digits"), "trained on the table flowers.csv", "expected a table")


def test_a_table_for_a_network_of_images(run: Run, photos: Path, flowers: Path) -> None:
    assert run("train", photos, "--run", "made", *QUICK).exit_code == 0
    failed(run("predict", "made", flowers), "flowers.csv is no image")
    failed(run("evaluate", "made", flowers), "expected images")
    failed(run("predict", "made", "digits"), "28 x 28", "gray images of 12 x 12 pixels")


def test_images_of_another_size_are_brought_to_the_size_trained_on(run: Run, photos: Path, make_photos: Make) -> None:
    assert run("train", photos, "--run", "made", *QUICK).exit_code == 0
    larger = make_photos(photos.parent / "larger", 2, (40, 30))
    result = run("predict", "made", larger)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 5


def test_unknown_class_folder(run: Run, photos: Path, make_photos: Make) -> None:
    assert run("train", photos, "--run", "made", *QUICK).exit_code == 0
    others = make_photos(photos.parent / "others", 2)
    (others / "left").rename(others / "middle")
    failed(run("evaluate", "made", others), "'middle' are none of the 2 classes")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--memory-limit", "lots", ("500 MB", "'lots'")),
        ("--optimizer", "adma", ("no optimizer named 'adma'", "'adam'")),
        ("--mode", "minibatch", ("no mode named 'minibatch'", "'mini-batch'")),
        ("--schedule", "cosin", ("no schedule named 'cosin'", "'cosine'")),
        ("--network", "cnn", ("no network named 'cnn'", "conv, linear, mlp")),
        ("--network", "conv", ("'conv' is for images", "'mlp'")),
        ("--task", "regress", ("no task named 'regress'", "'regression'")),
        ("--hidden", "64;64", ("'64;64' is not a list of sizes",)),
        ("--hidden", "0", ("'0' is not a list of sizes",)),
        ("--epochs", "0", ("--epochs", "0 is not in the range")),
        ("--epochs", "many", ("--epochs", "'many' is not a valid integer")),
        ("--lr", "-1", ("--lr", "-1.0 is not in the range")),
        ("--validation", "1", ("--validation", "1.0 is not in the range")),
        ("--image-size", "32", ("--image-size is for folders of images",)),
        ("--decimal", "x", ("decimal is '.' or ','", "got 'x'")),
        ("--encoding", "utf-99", ("no encoding 'utf-99'",)),
        ("--epoch", "3", ("No such option", "--epochs")),
        ("--label-smoothing", "0.1", ("--label-smoothing is for classes",)),
    ],
)
def test_bad_options(run: Run, houses: Path, tmp_path: Path, option: str, value: str, words: tuple[str, ...]) -> None:
    failed(run("train", houses, "--target", "price", option, value), *words)
    assert no_run_was_left(tmp_path)


def test_options_that_exclude_each_other(run: Run, houses: Path) -> None:
    table = ("train", houses, "--target", "price")
    failed(run(*table, "--mode", "batch", "--batch-size", "8"), "leave --batch-size out")
    failed(run(*table, "--mode", "online", "--epochs", "3"), "leave --epochs out")
    failed(run(*table, "--validation", "0", "--patience", "3"), "--patience needs examples to watch")
    failed(run(*table, "--test", "0.1", "--test-file", houses), "either --test or --test-file")
    failed(run("train", "digits", "--target", "price"), "--target is for tables")
    failed(run("train", "digits", "--test", "0.5"), "fixed test set")


def test_a_limit_on_memory_that_is_not_enough_leaves_nothing_behind(run: Run, houses: Path, tmp_path: Path) -> None:
    table = ("train", houses, "--target", "price")
    failed(run(*table, "--memory-limit", "1 KB"), "or more", "--memory-limit is 1000 B", "raise the limit")
    assert no_run_was_left(tmp_path)
    failed(run(*table, "--memory-limit", "1 KB", "--run", "mine"), "--memory-limit is 1000 B")
    assert not (tmp_path / "mine").exists()
    failed(run(*table, "--memory-limit", "1 GB", "--optimizer", "lbfgs"), "leave it out, or take 'adam'")
    assert no_run_was_left(tmp_path)


def test_unknown_command(run: Run) -> None:
    failed(run("trian", "digits"), "No such command 'trian'", "train")


def test_resume_of_a_run_that_is_not_there(run: Run, trained: Path) -> None:
    trained.rename("runs-made")
    Path("runs").mkdir()
    Path("runs-made").rename("runs/flowers-1")
    failed(run("train", "--resume", "runs/flowers-2"), "no run directory runs/flowers-2", "runs/flowers-1")


def test_resume_of_a_folder_that_is_no_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    failed(run("train", "--resume", "empty"), "empty is not a run of the command line: it has no command.json")


def test_resume_with_other_settings(run: Run, trained: Path) -> None:
    failed(run("train", "--resume", trained, "--lr", "0.1"), "leave --lr out")
    failed(run("train", "digits", "--resume", trained), "leave SOURCE out")


def test_resume_after_the_data_changed(run: Run, trained: Path, flowers: Path, make_flowers: Make) -> None:
    make_flowers(flowers, seed=1)
    failed(run("train", "--resume", trained), "flowers.csv", "has changed")
    failed(run("evaluate", trained), "flowers.csv", "has changed")


def test_data_that_is_gone(run: Run, trained: Path, flowers: Path) -> None:
    flowers.rename("elsewhere.csv")
    for arguments in (("train", "--resume", trained), ("evaluate", trained)):
        failed(run(*arguments), "flowers.csv, which the run was trained on, is not there any more", "put it back")


def test_text_in_new_data_says_how_to_train_for_it(run: Run, trained: Path, flowers: Path) -> None:
    flowers.write_text(flowers.read_text().replace("\n", "\nbig", 1))
    failed(run("predict", trained, flowers), "column 'petal': expected numbers", "train with --missing big")


def test_a_run_directory_in_use_is_left_alone(run: Run, trained: Path, flowers: Path) -> None:
    before = (trained / "command.json").read_text()
    failed(run("train", flowers, "--target", "kind", "--run", trained), "is not empty", f"--resume {trained}")
    assert (trained / "command.json").read_text() == before


@pytest.mark.parametrize(
    ("package", "extra", "source"), [("PIL", "images", "photos"), ("pyarrow", "parquet", "houses.parquet")]
)
def test_a_missing_package_says_how_to_install_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path, package: str, extra: str, source: str
) -> None:
    (tmp_path / "houses.parquet").write_bytes(b"PAR1")
    real_import = builtins.__import__

    def without(name: str, *arguments: object, **keywords: object) -> object:
        if name.partition(".")[0] == package:
            raise ImportError(f"No module named {name!r}")
        return real_import(name, *arguments, **keywords)  # type: ignore[arg-type]

    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    target = () if package == "PIL" else ("--target", "price")
    failed(run("train", source, *target), f"pip install 'chainrule[{extra}]'")


def test_files_that_may_not_be_read(run: Run, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object, **keywords: object) -> str:
        raise PermissionError(13, "Permission denied", "made/command.json")

    monkeypatch.setattr(Path, "read_text", refused)
    failed(run("evaluate", trained), "made/command.json can't be read", "Permission denied")
