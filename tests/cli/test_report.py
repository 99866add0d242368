"""`chainrule report`, `train --watch` and `learn`, as a user calls them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.contents import read_contents
from chainrule.reports.page import page
from chainrule.reports.run_page import write_page


def section_names(text: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', text)


def data_in(text: str, section: str) -> list:
    part = text.split(f'<section id="{section}"')[1].split("</section>")[0]
    return [json.loads(each) for each in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', part)]


def test_a_table_of_numbers(run, houses):
    assert run("train", houses, "--target", "price", "--epochs", "5", "--hidden", "4").exit_code == 0
    answer = run("report", "runs/houses-1")
    assert answer.exit_code == 0 and "runs/houses-1/report.html" in answer.output
    text = Path("runs/houses-1/report.html").read_text("utf-8")
    assert section_names(text) == [
        *("curves", "results", "mistakes", "sample", "credit", "flow", "graph", "resources", "configuration"),
    ]
    judged = json.loads(run("evaluate", "runs/houses-1", "--json").output)
    points = data_in(text, "results")[0]
    errors = np.array(points["y"]) - np.array(points["x"])
    assert np.abs(errors).mean() == pytest.approx(judged["mean_absolute_error"], rel=1e-9)
    assert "district" in text.split('id="mistakes"')[1].split("</section>")[0]


def test_a_table_of_classes_and_its_numbers(run, flowers):
    assert run("train", flowers, "--target", "kind", "--epochs", "3").exit_code == 0
    assert run("report", "runs/flowers-1", "-o", "page.html").exit_code == 0
    text = Path("page.html").read_text("utf-8")
    judged = json.loads(run("evaluate", "runs/flowers-1", "--json").output)
    assert data_in(text, "results")[0]["matrix"] == judged["confusion_matrix"]
    losses = data_in(text, "curves")[0]["series"][0]
    assert losses == [float(row.split(",")[2]) for row in Path("runs/flowers-1/metrics.csv").read_text().split()[1:]]
    assert "chainrule train" in text and "--seed 0" in text


def test_photos_show_the_images(run, photos):
    assert run("train", photos, "--epochs", "1").exit_code == 0
    assert run("report", "runs/photos-1").exit_code == 0
    text = Path("runs/photos-1/report.html").read_text("utf-8")
    assert "data:image/png;base64," in text and {"credit", "graph"} <= set(section_names(text))


def test_reading_a_run_leaves_the_random_state_alone(run, flowers):
    assert run("train", flowers, "--target", "kind", "--epochs", "1").exit_code == 0
    cr.random.manual_seed(4)
    before = cr.random.default_generator.get_state()
    contents = read_contents(Path("runs/flowers-1"))
    write_page(contents, "page.html")
    assert contents.trained is not None and contents.trained.first is not None
    assert np.array_equal(before, cr.random.default_generator.get_state())


def test_a_page_from_python(run, flowers, tmp_path):
    assert run("train", flowers, "--target", "kind", "--epochs", "2").exit_code == 0
    made = page("runs/flowers-1")
    assert made._repr_html_().startswith("<iframe") and made.save().name == "report.html"
    network = cr.nn.Sequential(cr.nn.Linear(2, 3), cr.nn.Tanh(), cr.nn.Linear(3, 1))
    inputs = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    data, optimizer = (inputs, inputs.sum(axis=1, keepdims=True)), cr.optim.SGD(network.parameters(), lr=0.1)
    history = cr.train.fit(network, optimizer, "mse", data, epochs=2, progress=False, run_directory=tmp_path / "own")
    assert history._repr_html_().startswith("<iframe")
    for source in (history, tmp_path / "own"):
        made = page(source, network, data=data, test=data, loss="mse", optimizer=optimizer)
        names = section_names(made.document.text())
        assert names[:2] == ["curves", "results"] and {"sample", "flow", "graph", "resources"} <= set(names)
        assert section_names(page(source).document.text()) == ["curves", "configuration"]


def test_what_recorders_kept_is_shown_without_the_network(tmp_path):
    network = cr.nn.Sequential(cr.nn.Linear(2, 3), cr.nn.ReLU(), cr.nn.Linear(3, 2))
    inputs = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    data, optimizer = (inputs, (inputs[:, 0] > 0).astype(np.int64)), cr.optim.SGD(network.parameters(), lr=0.1)
    recorders = [cr.explain.CreditRecorder(probe=20), cr.explain.FlowRecorder()]
    options = {"epochs": 3, "batch_size": 10, "progress": False, "run_directory": tmp_path / "run"}
    cr.train.fit(network, optimizer, data=data, recorders=recorders, **options)
    text = page(tmp_path / "run").document.text()
    assert section_names(text) == ["curves", "credit", "flow", "configuration"]
    charts = {tuple(each["names"]): each for each in data_in(text, "credit") if "names" in each and "series" in each}
    recorded = recorders[0].credit
    assert charts["helped", "hurt"]["series"][0] == recorded.helped_share.tolist()
    total = sum(series[-1] for names, chart in charts.items() if names[0] != "helped" for series in chart["series"])
    assert total == pytest.approx(recorded.loss_after - recorded.loss_before, rel=1e-6)


def test_watching_changes_no_bit(run, flowers):
    options = ("--target", "kind", "--epochs", "3", "--seed", "2")
    assert run("train", flowers, *options).exit_code == 0
    answer = run("train", flowers, *options, "--watch")
    assert answer.exit_code == 0, answer.output
    assert re.search(r"http://127\.0\.0\.1:\d+/", answer.output)
    models = [Path(f"runs/flowers-{number}/model.safetensors").read_bytes() for number in (1, 2)]
    assert models[0] == models[1]
    assert "graph" in section_names(Path("runs/flowers-2/report.html").read_text("utf-8"))


def test_a_run_that_is_none(run):
    answer = run("report", "runs/nothing")
    assert answer.exit_code != 0 and "there is no run directory" in answer.output


def test_learn_serves_until_it_is_stopped():
    command = [sys.executable, "-u", "-m", "chainrule", "learn", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address is not None
        with urllib.request.urlopen(address.group(), timeout=300) as answer:
            assert "Chainrule playground" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        assert "Closed." in process.stdout.read()
    assert process.returncode == 0


def test_a_port_that_is_taken(run):
    from chainrule.reports.serve import LoopbackServer

    server = LoopbackServer({}, {}).start()
    answer = run("learn", "--no-browser", "--port", server.port)
    server.stop()
    assert answer.exit_code != 0 and "leave --port out" in answer.output
