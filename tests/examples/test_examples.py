"""Each historical experiment in a short form: the shapes are the published ones, and the networks learn."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up by name
    specification.loader.exec_module(module)
    return module


def test_symmetry_weights_become_antisymmetric(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = load("symmetry").main(["--seeds", "10", "--sweeps", "1200"])
    learned = outcome.within_tenth > 0
    assert learned.any()
    weights = outcome.hidden_weight[learned]
    assert np.abs(weights + weights[:, ::-1]).max() < 0.05 * np.abs(weights).max()
    assert "1,425" in capsys.readouterr().out


def test_symmetry_answers_are_the_palindromes() -> None:
    vectors, answers = load("symmetry").vectors_and_answers()
    assert answers.sum().item() == 8
    assert all(list(v) == list(v)[::-1] for v in vectors.numpy()[answers.numpy()[:, 0] == 1])


def test_symmetry_ratios_of_known_weights() -> None:
    weights = np.array([2.0, -8.0, 4.0, -4.0, 8.0, -2.0]).reshape(1, 6, 1)
    module = load("symmetry")
    np.testing.assert_allclose(module.ratios(weights), [[[1, 2, 4]]])
    assert module.antisymmetry(weights).tolist() == [0]


def test_xor_is_solved() -> None:
    module = load("xor")
    wide = module.Experiment("2-8-1", "181", 8, 0.25)
    direct = module.Experiment("direct", "558", 1, 0.5, direct=True)
    sweeps = module.train(wide, 20, 600).sweeps
    assert (sweeps > 0).mean() >= 0.9
    assert 100 < np.median(sweeps) < 300  # published mean: 181
    assert (module.train(direct, 20, 600).sweeps > 0).mean() >= 0.8


def test_xor_prints_every_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    module = load("xor")
    outcomes = module.main(["--seeds", "2", "--sweeps", "5"])
    assert len(outcomes) == len(module.EXPERIMENTS)
    assert "115 presentations" in capsys.readouterr().out  # 280 - 33 log2 32


def test_zip_network_has_the_published_counts(capsys: pytest.CaptureFixture[str]) -> None:
    module = load("zip_codes_1989")
    outcome = module.main(["--passes", "1", "--images", "300", "--fan-in", "root"])
    assert (outcome["parameters"], outcome["connections"]) == (9_760, 64_660)
    assert outcome["test"].count == 2_007
    assert outcome["train"].error < 70  # chance is 90 %
    assert "5.00" in capsys.readouterr().out


def test_zip_second_layer_reads_eight_maps_of_twelve() -> None:
    groups = np.array(load("zip_codes_1989").READS).reshape(3, 8)
    assert all(len(set(group)) == 8 for group in groups)
    assert set(groups.ravel()) == set(range(12))


def test_family_has_104_questions_and_112_triples() -> None:
    module = load("family_trees")
    asked = module.triples()
    assert len(asked) == 104
    assert sum(len(answer) for _, _, answer in asked) == 112


def test_family_relatives_of_colin() -> None:
    module = load("family_trees")
    colin = module.relatives(module.ENGLISH.index("Colin"))
    named = {relation: {module.ENGLISH[each] for each in people} for relation, people in colin.items() if people}
    assert named == {
        "father": {"James"},
        "mother": {"Victoria"},
        "sister": {"Charlotte"},
        "uncle": {"Arthur", "Charles"},
        "aunt": {"Margaret", "Jennifer"},
    }


def test_family_network_learns_most_triples() -> None:
    module = load("family_trees")
    outcome = module.train(module.OURS, seeds=2, sweeps=600)
    assert outcome.count_right(held_out=False).max() > 25
    assert (outcome.held_out.sum(axis=1) == 4).all()


def test_family_report_runs(capsys: pytest.CaptureFixture[str]) -> None:
    load("family_trees").main(["--seeds", "2", "--sweeps", "30"])
    assert "nation" in capsys.readouterr().out


def test_parity_is_solved_by_some(capsys: pytest.CaptureFixture[str]) -> None:
    module = load("parity")
    outcome = module.train(0.5, 1.0, seeds=20, sweeps=2000)
    assert (outcome.sweeps > 0).sum() >= 2
    module.main(["--seeds", "2", "--sweeps", "3"])
    assert "2,825" in capsys.readouterr().out


def test_encoder_tells_eight_patterns_apart() -> None:
    outcome = load("encoder").main(["--seeds", "5", "--sweeps", "1500"])
    solved = outcome.sweeps > 0
    assert solved.sum() >= 4
    for codes in outcome.codes[solved]:
        distances = np.abs(codes[:, None] - codes[None]).max(axis=2) + np.eye(8)
        assert distances.min() > 0.05


@pytest.mark.parametrize("network", ["lstm", "transformer"])
def test_characters_are_learned_and_written(network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text("abcabcabd " * 60, "utf-8")
    losses = load("characters").main(["--network", network, "--steps", "25", "--width", "16", "--text", str(text)])
    assert losses[-1] < 0.9 * losses[0] and losses[0] < 2.5  # ln(5) = 1.6 for a guess
    shown = capsys.readouterr().out
    assert shown.startswith("600 characters, 5 different") and set(shown.splitlines()[-1]) <= set("abcd ")


def test_credit_adds_up_and_shows_the_middle_of_the_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    module = load("credit")
    credit = module.main(["--steps", "8", "--budget", "5", "--page", str(tmp_path / "credit.html")])
    assert credit.relative_residual < 1e-2 and credit.change < 0
    assert credit.change == pytest.approx(sum(credit.by_class().values()), rel=1e-2)
    lines = module.picture(credit)
    assert all(len(line) == 28 for line in lines) and lines[0].strip() == "" and lines[6].strip() != ""
    assert "of the weights helped" in capsys.readouterr().out
    assert (tmp_path / "credit.html").stat().st_size > 10_000
